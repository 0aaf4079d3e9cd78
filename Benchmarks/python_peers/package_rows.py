"""The rows of the Python package, beside the peers. Each takes a class of pools.py and the seconds to measure for, and answers a value in
the row's unit, or several by name.

Systems that take microseconds per element are measured on fewer of them, as in rows.py.
"""

import array
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

from . import package_items as work
from .items import PAYLOADS, WORKERS, sized
from .sampling import expect, median_seconds, sample

SMALL = {"mpire": 200_000, "pebble": 200_000, "joblib": 50_000}
SINGLE = {"mpire": 10_000, "loky": 10_000, "pebble": 5_000, "joblib": 5_000}
# An interpreter that says how long an import took, and what else it did.
IMPORT = """
import sys, threading, time
begin = time.perf_counter()
{}
took = time.perf_counter() - begin
with open("/proc/self/task/%d/children" % threading.get_native_id()) as file:
    print(took, "numpy" in sys.modules, threading.active_count(), len(file.read().split()))
"""


def _numbers(make):
    return list(range(sized(SMALL.get(make.name, 1_000_000), 2_000)))


def py_small(make, seconds):
    """The function with a name and the lambda in turn, because it is their ratio that counts."""
    pool = make()
    numbers = _numbers(make)
    expected = [number * number for number in numbers]
    functions = {"def": work.square} | ({"lambda": lambda number: number * number} if make.takes_lambdas else {})
    took = {name: [] for name in functions}
    for function in functions.values():
        expect(pool.map(function, numbers[:1000]) == expected[:1000])
    end = time.monotonic() + seconds
    while not took["def"] or time.monotonic() < end:
        for name, function in functions.items():
            took[name].append(sample(lambda: pool.map(function, numbers), lambda results: results == expected))
    pool.stop()
    return {name: statistics.median(samples) / len(numbers) * 1e9 for name, samples in took.items()}


def py_unordered(make, seconds):
    pool = make()
    numbers = _numbers(make)
    expected = sum(number * number for number in numbers)
    expect(sum(pool.unordered(work.square, numbers)) == expected)
    took = median_seconds(lambda: sum(pool.unordered(work.square, numbers)), seconds, lambda total: total == expected)
    pool.stop()
    return took / len(numbers) * 1e9


def py_small_array(make, seconds):
    """From a range, and from an array, into an array; and with a function that takes arrays."""
    pool = make()
    count = sized(1_000_000, 2_000)
    numbers = array.array("q", range(count))
    expected = array.array("q", [number * number for number in range(count)])
    out = array.array("q", bytes(8 * count))
    calls = {
        "range": lambda: pool.pool.map(work.square, range(count), out=out),
        "array": lambda: pool.pool.map(work.square, numbers, out=out),
        "vectorized": lambda: pool.pool.map(work.square, numbers, out=out, vectorized=True),
    }
    values = {}
    for name, call in calls.items():
        call()
        values[name] = median_seconds(call, seconds, lambda result: result is out and out == expected) / count * 1e9
    pool.stop()
    return values


def py_chunk1(make, seconds):
    pool = make()
    numbers = list(range(sized(SINGLE.get(make.name, 20_000), 200)))
    expected = [number * number for number in numbers]
    expect(pool.map(work.square, numbers[:100], 1) == expected[:100])
    took = median_seconds(lambda: pool.map(work.square, numbers, 1), seconds, lambda results: results == expected)
    pool.stop()
    return took / len(numbers) * 1e6


def py_apply(make, seconds):
    pool = make()
    right = lambda result: result == 49  # noqa: E731
    pool.call(work.square, 2)
    hot = median_seconds(lambda: pool.call(work.square, 7), seconds, right)
    rested = median_seconds(lambda: pool.call(work.square, 7), sized(0.6, 0.03), right, between=lambda: time.sleep(0.02))
    pool.stop()
    return {"hot": hot * 1e6, "after 20 ms": rested * 1e6}


def py_arrays_in(make, seconds):
    import numpy

    pool = make()
    count = sized(PAYLOADS, 4)
    arrays = pool.arrays(count, work.ARRAY_NUMBERS)
    for index, one in enumerate(arrays):
        one[:] = numpy.arange(index, index + work.ARRAY_NUMBERS)
    expected = [work.total(one) for one in arrays]
    expect(pool.map(work.total, arrays[:4]) == expected[:4])
    took = median_seconds(lambda: pool.map(work.total, arrays), seconds, lambda totals: totals == expected)
    # What lies in the pool's memory goes before the pool.
    del one, arrays
    pool.stop()
    return count * 8 * work.ARRAY_NUMBERS / took / 1e9


def py_arrays_out(make, seconds):
    pool = make()
    seeds = list(range(sized(PAYLOADS, 4)))

    def are_right(arrays):
        return all(
            len(one) == work.ARRAY_NUMBERS and one[0] == one[-1] == seed for one, seed in zip(arrays, seeds, strict=True)
        )

    expect(are_right(pool.map(work.made, seeds)))
    took = median_seconds(lambda: pool.map(work.made, seeds), seconds, are_right)
    pool.stop()
    return len(seeds) * 8 * work.ARRAY_NUMBERS / took / 1e9


def py_dicts(make, seconds):
    pool = make()
    count = sized(100_000, 200)
    # Keys are objects of their own in each, as they are in what a parser has read.
    dicts = [{f"key{key}": f"{index} {key}" for key in range(20)} for index in range(count)]
    # mpire takes a dict for keyword arguments.
    elements = [(one,) for one in dicts] if make.name == "mpire" else dicts
    pool.map(len, elements[:100])
    into = median_seconds(lambda: pool.map(len, elements), seconds, lambda lengths: lengths == [20] * count)
    both = median_seconds(lambda: pool.map(work.same, elements), seconds, lambda back: back == dicts)
    pool.stop()
    return {"in": into / count * 1e6, "in and out": both / count * 1e6}


def py_uneven(make, _seconds):
    """The share of the ideal: of the time that the elements take, divided by the workers."""
    pool = make()
    lengths = random.Random(1)
    elements = [lengths.expovariate(1000) for _ in range(sized(2_000, 20))]
    workers = 1 if make.name == "serial" else WORKERS
    pool.call(work.square, 2)
    took = sample(lambda: pool.map(work.spin, elements), lambda nothing: nothing == [None] * len(elements))
    pool.stop()
    return sum(elements) / workers / took


def py_life(make, seconds):
    def run():
        pool = make()
        result = pool.call(work.square, 7)
        pool.stop()
        return result

    run()
    return median_seconds(run, seconds, lambda result: result == 49) * 1e3


def py_import(make, _seconds):
    """In new interpreters. Ours has to leave NumPy alone, and to start nothing."""
    took = []
    for _ in range(sized(7, 1)):
        text = subprocess.run([sys.executable, "-c", IMPORT.format(make.imports)], check=True, capture_output=True, text=True).stdout
        seconds, *others = text.split()
        took.append(float(seconds))
        expect(not make.name.startswith("mapengine") or others == ["False", "1", "0"])
    return statistics.median(took) * 1e3


def _outstanding(pool, count):
    """Seconds per future: so many are submitted while all workers are busy, then all are waited for."""
    with tempfile.NamedTemporaryFile(delete=False) as file:
        held = [pool.pool.submit(work.hold, file.name) for _ in range(WORKERS)]
    begin = time.perf_counter()
    futures = [pool.pool.submit(work.square, number) for number in range(count)]
    submitted = time.perf_counter() - begin
    os.unlink(file.name)
    for one in held:
        one.result()
    begin = time.perf_counter()
    results = [future.result() for future in futures]
    took = submitted + time.perf_counter() - begin
    expect(results == [number * number for number in range(count)])
    return took / count


def py_submit_many(make, _seconds):
    """The cost of a future beside many others, to that beside few."""
    pool = make()
    few, many = sized(1_000, 20), sized(100_000, 200)
    _outstanding(pool, few)
    beside_few = statistics.median(_outstanding(pool, few) for _ in range(sized(20, 1)))
    beside_many = _outstanding(pool, many)
    pool.stop()
    return {"": beside_many / beside_few, "few": beside_few * 1e6, "many": beside_many * 1e6}


def py_cfunc(make, seconds):
    import numpy

    count = sized(10_000_000, 10_000)
    numbers = numpy.random.default_rng(1)
    base, exponent = numbers.random(count), 3 * numbers.random(count)
    out = numpy.empty(count)
    expected = numpy.power(base, exponent)
    function, stop = make.power()
    # The first time pays for fresh pages.
    function(base, exponent, out=out)
    took = median_seconds(lambda: function(base, exponent, out=out), seconds, lambda _: numpy.allclose(out, expected))
    stop()
    return took / count * 1e9
