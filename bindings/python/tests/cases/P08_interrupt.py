"""Ctrl-C ends the map and the workers, once, and no worker prints a traceback (cpython#125886, layup#523, oq-engine#3955).

It runs in a process group of its own; what it writes to stderr is looked at by the test that runs it.
"""

import os
import signal
import threading
import time

from mapengine import Executor


def work(x):
    time.sleep(600)
    return x


def descendants(pid):
    """Processes below `pid` that live."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            children = [int(word) for word in file.read().split()]
    except OSError:
        return []
    found = []
    for child in children:
        found += descendants(child)
        try:
            with open(f"/proc/{child}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] != "Z":
                    found.append(child)
        except OSError:
            pass
    return found


if __name__ == "__main__":
    try:
        with Executor(2) as executor:
            executor.submit(abs, 1).result()
            threading.Timer(1.0, lambda: os.killpg(0, signal.SIGINT)).start()
            list(executor.map(work, range(4)))
        raise SystemExit("no KeyboardInterrupt")
    except KeyboardInterrupt:
        pass
    deadline = time.monotonic() + 20
    while descendants(os.getpid()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not descendants(os.getpid()), "workers are left"
    print("OK")
