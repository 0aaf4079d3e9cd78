"""An endless generator is read as values are fetched (cpython#84291, #101586, #64192)."""

import itertools
import time

from mapengine import Executor

taken = 0


def endless():
    global taken
    for x in itertools.count():
        taken += 1
        assert taken < 100000, "nobody asked for so much"
        yield x


def same(x):
    return x


if __name__ == "__main__":
    executor = Executor(2)
    values = iter(executor.map(same, endless(), buffersize=64))
    assert [next(values) for _ in range(10)] == list(range(10))
    time.sleep(0.3)
    assert taken <= 64 + 10, taken
    del values
    executor.shutdown()
    print("OK")
