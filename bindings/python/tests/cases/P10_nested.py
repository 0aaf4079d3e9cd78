"""A pool inside of a worker (lisa#1879, pebble#76, simpletransformers#1247)."""

from mapengine import Executor


def inner(x):
    return x + 1


def outer(n):
    executor = Executor(2)
    values = list(executor.map(inner, range(n)))
    executor.shutdown()
    return values


if __name__ == "__main__":
    with Executor(2) as executor:
        assert executor.submit(outer, 3).result(timeout=60) == [1, 2, 3]
    print("OK")
