"""From the SIGKILL of a worker to the next result from its replacement.

pebble replaces the worker. concurrent.futures, loky and mpire give the whole pool up and say so by an exception; their recovery
is a new pool. multiprocessing.Pool has none: a worker that is killed while it waits may hold the lock that the others wait for.
"""

import os
import signal
import statistics
import tempfile
import time

from . import items
from .sampling import expect

RUNS = items.sized(5, 1)


def children():
    pids = set()
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/children") as file:
            pids.update(int(pid) for pid in file.read().split())
    return pids


def workers_of(pool):
    """The processes that have answered: children may be helpers as well."""
    found = set()
    end = time.monotonic() + 5
    while len(found) < items.WORKERS and time.monotonic() < end:
        found.update(pool.map(items.who, range(8), 1))
    return found


def recover_with_pebble(make):
    """One worker is kept occupied, so that no other than the replacement can answer."""
    pool = make()
    old = workers_of(pool)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "held")
        open(path, "w").close()
        held = pool.pool.schedule(items.hold, args=(path,))
        while not (text := open(path).read()):
            time.sleep(0.001)
        victim = (old - {int(text)}).pop()
        begin = time.perf_counter()
        os.kill(victim, signal.SIGKILL)
        answered = pool.call(items.who, 0)
        took = time.perf_counter() - begin
        os.unlink(path)
        held.result()
    expect(answered not in old)
    pool.stop()
    return took


def recover_with_new_pool(make):
    pool = make()
    old = workers_of(pool)
    victim = min(old)
    begin = time.perf_counter()
    os.kill(victim, signal.SIGKILL)
    while True:
        try:
            if pool.call(items.who, 0) not in old:
                break
        except Exception:  # Each has an exception of its own for a pool that is broken.
            try:
                pool.stop()
            except Exception:
                pass
            pool = make()
    took = time.perf_counter() - begin
    pool.stop()
    return took


def recover(make, _seconds):
    once = recover_with_pebble if make.name == "pebble" else recover_with_new_pool
    return statistics.median(once(make) for _ in range(RUNS)) * 1e3
