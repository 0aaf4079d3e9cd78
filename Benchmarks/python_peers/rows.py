"""The rows. Each takes a class of pools.py and the seconds to measure for, and answers a value in the row's unit, or several by
the parameter of a sweep.

The times per item of pools that take microseconds for each are measured on fewer items: nothing in them depends on the count, and
the whole has to end.
"""

import time

from . import items
from .sampling import expect, median_seconds

SMALL_ITEMS = 1_000_000
SMOKE_ITEMS = 2_000
# A pool that takes 20 to 100 µs per item has had enough of them after so many.
SINGLE_ITEMS = {"multiprocessing.Pool": 20_000}
FEW_ITEMS = 4_000
# mpire makes small chunks, and pebble something for each item: a million items take them several seconds.
DEFAULT_CHUNK_ITEMS = {"mpire": 100_000, "pebble": 100_000}


def _small(make, seconds, count, chunk, workers=items.WORKERS):
    count = items.sized(count, SMOKE_ITEMS)
    pool = make(workers)
    numbers = list(range(count))
    expected = [number * number for number in numbers]
    expect(pool.map(items.square, numbers[:1000], chunk and min(chunk, 250)) == expected[:1000])
    took = median_seconds(lambda: pool.map(items.square, numbers, chunk), seconds, lambda results: results == expected)
    pool.stop()
    return took / count * 1e9


def map_small(make, seconds):
    return _small(make, seconds, DEFAULT_CHUNK_ITEMS.get(make.name, SMALL_ITEMS), None)


def map_chunk1(make, seconds):
    return _small(make, seconds, SINGLE_ITEMS.get(make.name, FEW_ITEMS), 1)


def sweep_chunk(make, seconds):
    counts = {1: 10_000, 16: 50_000, 256: 200_000, 4096: 400_000, 65536: 400_000}
    return {chunk: _small(make, seconds, count, chunk) for chunk, count in counts.items()}


def sweep_workers(make, seconds):
    return {workers: _small(make, seconds, 400_000, None, workers) for workers in (1, 2, 4, 8, 16, 32)}


def apply_hot(make, seconds):
    pool = make()
    pool.call(items.square, 2)
    took = median_seconds(lambda: pool.call(items.square, 7), seconds, lambda result: result == 49)
    pool.stop()
    return took * 1e6


def apply_cold(make, _seconds):
    pool = make()
    pool.call(items.square, 2)
    took = median_seconds(
        lambda: pool.call(items.square, 7), items.sized(0.5, 0.02), lambda result: result == 49, between=lambda: time.sleep(0.01)
    )
    pool.stop()
    return took * 1e6


def native_scalar(_make, seconds):
    """A loop of calls through ctypes; nothing in it depends on the count."""
    numbers = [float(number) for number in range(200_000)]
    expected = [1.5 * number + 1 for number in numbers]
    line = items.line
    took = median_seconds(
        lambda: [line(number) for number in numbers], seconds, lambda results: results == expected
    )
    return took / len(numbers) * 1e9


def _sums(make, seconds, count, size):
    pool = make()
    payloads = [bytes(items.fill(seed, size)) for seed in range(count)]
    expected = [items.word_sum(payload) for payload in payloads]
    expect(pool.map(items.word_sum, payloads[:4]) == expected[:4])
    took = median_seconds(lambda: pool.map(items.word_sum, payloads), seconds, lambda sums: sums == expected)
    pool.stop()
    return took


def payload_in(make, seconds):
    return items.PAYLOADS * items.PAYLOAD_SIZE / _sums(make, seconds, items.PAYLOADS, items.PAYLOAD_SIZE) / 1e9


def sweep_payload(make, seconds):
    values = {}
    for size in (8, 512, 32 << 10, 256 << 10, 2 << 20):
        count = min(items.sized(20_000, 50), (32 << 20) // size)
        values[size] = _sums(make, seconds, count, size) / count * 1e9
    return values


def payload_out(make, seconds):
    pool = make()
    seeds = list(range(items.PAYLOADS))
    expect(items.is_filled(pool.map(items.filled, [3], 1)[0], 3))
    took = median_seconds(
        lambda: pool.map(items.filled, seeds),
        seconds,
        lambda payloads: all(items.is_filled(payload, seed) for payload, seed in zip(payloads, seeds)),
    )
    pool.stop()
    return items.PAYLOADS * items.PAYLOAD_SIZE / took / 1e9


def compute(make, _seconds):
    pool = make()
    steps = items.uneven_items()
    expected = [items.walk_end(step) for step in steps]
    pool.call(items.square, 2)
    took = median_seconds(lambda: pool.map(items.walk, steps, 1), 0, lambda ends: ends == expected)
    pool.stop()
    return took * 1e3


def stream(make, seconds):
    """imap, which is the nearest: results as they come, though nothing bounds what waits."""
    pool = make()
    count = items.sized(200_000, SMOKE_ITEMS)
    pool.call(items.square, 2)

    def run():
        right = True
        for index, result in enumerate(pool.pool.imap(items.square, range(count), 256)):
            right &= result == index * index
        return right

    took = median_seconds(run, seconds, lambda right: right)
    pool.stop()
    return took / count * 1e9


def start(make, seconds):
    def run():
        pool = make()
        result = pool.call(items.square, 7)
        pool.stop()
        return result

    return median_seconds(run, seconds, lambda result: result == 49) * 1e3


def start_large(make, seconds):
    """`start` by a host that has 4 GiB in memory."""
    import mmap

    ballast = mmap.mmap(-1, items.sized(4 << 30, 64 << 20), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)
    value = start(make, seconds)
    ballast.close()
    return value
