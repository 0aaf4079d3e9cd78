"""Python programs that use nodes, for test_python.py: `host.py PROGRAM URL …`. Each prints what the test looks at."""

import logging
import os
import signal
import sys
import threading
import time
from concurrent.futures import CancelledError

import mapengine

import work


def square(x):
    return x * x


def prints(x):
    print(f"item {x} prints")
    print(f"item {x} complains", file=sys.stderr)
    logging.getLogger("host.test").warning("item %d logs %s", x, "x" * 2000)
    return x


def slow_square(x):
    time.sleep(0.004)
    return x * x


def long(url, count, workers):
    """A map that takes a while; the test kills nodes meanwhile."""
    with mapengine.Pool(int(workers) or None, cluster=url, cluster_only=workers == "0") as pool:
        pool.map(square, range(8))
        print("begun", flush=True)
        right = pool.map(slow_square, range(int(count))) == [x * x for x in range(int(count))]
        print(f"right {right} nodes {pool.stats()['nodes']}\n", end="")


class Counted:
    """A stream that counts its lines: what is printed may come after the result."""

    def __init__(self, stream):
        self.stream, self.lines = stream, 0

    def write(self, text):
        self.lines += text.count("\n")
        return self.stream.write(text)

    def flush(self):
        self.stream.flush()


def talks(url):
    sys.stdout, sys.stderr = Counted(sys.stdout), Counted(sys.stderr)
    logging.basicConfig(format="%(name)s %(message)s", stream=sys.stderr)
    with mapengine.Pool(1, cluster=url, cluster_only=True) as pool:
        pool.map(prints, range(20), 1)
        end = time.monotonic() + 60
        while (sys.stdout.lines < 20 or sys.stderr.lines < 40) and time.monotonic() < end:
            time.sleep(0.02)


def dies(x):
    if x == 5:
        os.kill(os.getpid(), signal.SIGSEGV)
    if x == 6:
        time.sleep(100)
    if x == 7:
        raise KeyError(x)
    return x


def blames(url):
    with mapengine.Executor(1, cluster=url, cluster_only=True) as executor, \
            mapengine.Executor(1, cluster=url, cluster_only=True, timeout=1) as hasty:
        for x in range(4, 9):
            try:
                print(x, (hasty if x == 6 else executor).submit(dies, x).result())
            except Exception as error:
                host = getattr(error, "host", "")
                print(x, type(error).__name__, host, repr(str(error)), repr(str(error.__cause__)))


def cancels(url):
    with mapengine.Executor(1, cluster=url, cluster_only=True) as executor:
        executor.submit(square, 3).result()
        future = executor.submit(time.sleep, 60)
        time.sleep(0.5)
        began = time.monotonic()
        future.kill()
        try:
            future.result()
        except CancelledError:
            pass
        print("ended after", time.monotonic() - began)
        print("goes on", executor.submit(square, 4).result())


class Seen(logging.StreamHandler):
    """Notes that there was a warning."""

    any = threading.Event()

    def emit(self, record):
        super().emit(record)
        self.any.set()


def once(url, function="square", only="1", warning=""):
    """One map, by functions of this program or of work.py. Without nodes that fit, this machine does it. `warning`: waits for one."""
    logging.basicConfig(format="%(name)s %(levelname)s %(message)s", handlers=[Seen()])
    found = getattr(work, function, None) or globals()[function]
    with mapengine.Pool(1, cluster=url, cluster_only=only == "1") as pool:
        print(f"values {pool.map(found, range(5))}\n", end="", flush=True)
        end = time.monotonic() + 60
        while warning and not Seen.any.wait(0.1) and time.monotonic() < end:
            pool.map(found, range(5))
        stats = pool.stats()
        print(f"nodes {stats['nodes']} here {stats['workers_started']}\n", end="")


def elsewhere(url):
    """A function of a module that only this program can import."""
    sys.path.insert(0, os.environ["SECRET_FOLDER"])
    import secret_module

    work.secret = secret_module.secret
    once(url, "secret", "0", "wait")


def bad_start(url, only):
    logging.basicConfig(format="%(name)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        with mapengine.Executor(1, initializer=work.refuse, initargs=(os.getpid(),), cluster=url, cluster_only=only == "1") as executor:
            executor.submit(square, 2).result()
    except Exception as error:
        print(f"{type(error).__name__} {error}\n", end="")


def half_way(x, path):
    """Says how far it is, and goes on when the host has heard it."""
    mapengine.report(x)
    while not os.path.exists(path):
        time.sleep(0.01)
    return x


def follows(url, path):
    with mapengine.Executor(1, cluster=url, cluster_only=True) as executor:
        future = executor.submit(half_way, 0.25, path)
        while future.progress() != 0.25:
            time.sleep(0.01)
        print("a quarter")
        with open(path, "w"):
            pass
        print(future.result(), future.progress())


def shares(url):
    """Locks and queues of multiprocessing are for workers of this machine; others are not told its key."""
    import multiprocessing

    print(multiprocessing.current_process().authkey.hex(), flush=True)
    once(url, "square", "1")
    context = multiprocessing.get_context("spawn")
    lock = context.Lock()
    with mapengine.Executor(1, initializer=work.hold, initargs=(lock,), cluster=url) as executor:
        print(f"with a lock {list(executor.map(work.locked, range(6)))}\n", end="", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
