"""A host with threads: no warning about fork, and no hang (cpython#114041, multiprocess#166, starfish#2055)."""

import threading
import time
import warnings

from mapengine import Executor


def same(x):
    return x


if __name__ == "__main__":
    stop = threading.Event()

    def spin():
        while not stop.is_set():
            time.sleep(0.0001)

    threads = [threading.Thread(target=spin) for _ in range(4)]
    for thread in threads:
        thread.start()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            for _ in range(5):
                with Executor(2) as executor:
                    assert list(executor.map(same, range(10))) == list(range(10))
        finally:
            stop.set()
    assert not seen, seen[0].message
    print("OK")
