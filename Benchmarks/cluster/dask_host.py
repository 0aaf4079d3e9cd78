"""dask_host.py ADDRESS NODES ROW COUNT SIZE ROUNDS: the same maps over Dask, as a client of a scheduler. Says what host.c says.

task       a task per item
batched    40 tasks over NumPy arrays, cut by hand
call       one task and its result
large      a task per item of SIZE bytes
scattered  the same, with the inputs scattered first; that counts
"""

import statistics
import sys
import time

import numpy
from distributed import Client

address, nodes, row, count, size, rounds = sys.argv[1], int(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:7])


def square(x):
    return x * x


def echo(x):
    return x.copy()


def once(client):
    """Seconds; the results are checked."""
    inputs = numpy.arange(count, dtype=float)
    if row in ("large", "scattered"):
        items = [numpy.full(size, i % 251, dtype=numpy.uint8) for i in range(count)]
        began = time.perf_counter()
        if row == "scattered":
            items = client.scatter(items, hash=False)
        results = client.gather(client.map(echo, items, pure=False))
        seconds = time.perf_counter() - began
        assert all(len(result) == size and result[0] == i % 251 for i, result in enumerate(results))
        return seconds
    began = time.perf_counter()
    if row == "batched":
        results = numpy.concatenate(client.gather(client.map(square, numpy.array_split(inputs, 40), pure=False)))
    elif row == "task":
        results = client.gather(client.map(square, inputs.tolist(), pure=False))
    else:
        results = [client.submit(square, inputs[0], pure=False).result()]
    seconds = time.perf_counter() - began
    assert numpy.array_equal(results, inputs * inputs)
    return seconds


def tell(word):
    print(word, flush=True)
    sys.stdin.readline()


def main():
    began = time.perf_counter()
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(nodes, timeout=60)
        start = time.perf_counter() - began
        first = once(client)
        tell("ready")
        seconds = [once(client) for _ in range(rounds)]
        tell("done")
        print(f"value {statistics.median(seconds):.9f}\nfirst {first:.9f}\nstart {start:.9f}")


main()
