"""Functions that are called with arrays of elements."""
import array
import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest
from test_core_calls import eventually

import mapengine
from mapengine._errors import ItemTimeout, MapErrors, WorkerDied
from mapengine._vectors import has_numpy
from mapengine._workers import Workers

COUNT = 100_000


@pytest.fixture(scope="module")
def workers():
    with Workers(2) as made:
        yield made


@pytest.fixture(scope="module")
def pool():
    with mapengine.Pool(2) as made:
        yield made


def doubled(part):
    """2 * x, with NumPy and without."""
    return part + part if hasattr(part, "dtype") else array.array(part.typecode, [2 * x for x in part])


def lengths(part):
    return array.array("q", [len(part)] * len(part))


def kinds(part):
    return array.array("q", [hasattr(part, "dtype")] * len(part))


# ---- With NumPy or without ----

@pytest.mark.parametrize("items", [range(COUNT), range(COUNT, -COUNT, -2), array.array("q", range(COUNT)), memoryview(array.array("i", range(COUNT))),
                                   memoryview(array.array("d", range(COUNT)))[10:-10], array.array("h", [5])], ids=lambda items: type(items).__name__)
def test_what_goes_in(workers, items):
    out = array.array("q", bytes(8 * len(items)))
    if memoryview(items if type(items) is not range else b"").format == "d":
        out = array.array("d", bytes(8 * len(items)))
    job = workers.map(doubled, items, out=out, vectorized=True)
    assert job.results() is out and out.tolist() == [2 * x for x in items]
    assert job.progress() == (len(items), len(items)) and job.done()


def test_parts_are_as_long_as_was_asked(workers):
    out = array.array("q", bytes(8 * 1000))
    workers.map(lengths, range(1000), chunk_size=300, out=out, vectorized=True).results()
    assert max(out) <= 300 and min(out) >= 1
    workers.map(lengths, range(1000), out=out, vectorized=True).results()
    assert max(out) > 1
    assert list(workers.map(doubled, range(0), out=array.array("q"), vectorized=True).results()) == []


def test_the_array_is_numpys_if_there_is_one(workers):
    out = array.array("q", bytes(80))
    for items in (range(10), array.array("d", bytes(80))):
        workers.map(kinds, items, out=out, vectorized=True).results()
        assert out.tolist() == [int(has_numpy())] * 10


def test_what_does_not_go_together(workers, pool):
    out = array.array("q", [0])
    for options in ({"star": True}, {"buffersize": 5}):
        with pytest.raises(ValueError, match="does not go with"):
            workers.map(doubled, range(1), out=out, vectorized=True, **options)
    with pytest.raises(ValueError, match="needs out="):
        workers.map(doubled, range(1), vectorized=True)
    with pytest.raises(ValueError, match="needs out="):
        pool.map_async(doubled, range(1), vectorized=True)
    with pytest.raises(ValueError, match="needs out="):
        mapengine.map(doubled, range(1), callback=print, vectorized=True, pool=pool)
    for items in ([1], (1,), iter([1]), "a", range(2**70, 2**70 + 1), {1: 2}):
        with pytest.raises(TypeError, match="vectorized="):
            workers.map(doubled, items, out=out, vectorized=True)


def wrong_at(part, at, how):
    if at in list(part):
        if how == "short":
            return doubled(part)[1:]
        if how == "raises":
            raise ValueError(f"{at} is wrong")
        if how == "number":
            return 5
        if how == "nothing":
            return None
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "hang":
            time.sleep(600)
    return doubled(part)


@pytest.mark.parametrize("how", ["short", "raises", "number", "nothing"])
def test_a_failure_is_that_of_its_part(workers, how):
    out = array.array("q", [-1] * 1000)
    with pytest.raises(MapErrors) as caught:
        workers.map(lambda part: wrong_at(part, 250, how), range(1000), chunk_size=100, out=out, vectorized=True).results()
    failures = caught.value.failures
    failed = sorted(failures)
    assert 250 in failed and failed == list(range(failed[0], failed[-1] + 1)) and len(failed) <= 100
    assert len(set(map(id, failures.values()))) == 1
    assert ("in wrong_at" if how == "raises" else "in call_range") in str(failures[250].__cause__)
    assert [value for index, value in enumerate(out) if index not in failures] == [2 * x for x in range(1000) if x not in failures]
    assert all(out[index] == -1 for index in failed) and caught.value.results is out
    outcomes = workers.map(lambda part: wrong_at(part, 250, how), range(1000), chunk_size=100, out=out, vectorized=True).outcomes()
    assert len(outcomes) == 1000 and all(value == 2 * index for index, ok, value in outcomes if ok)
    assert sum(not ok for _, ok, _ in outcomes) <= 100


def test_a_death_costs_one_element(workers):
    """The engine runs halves of the part again until it has found the one that is to blame."""
    out = array.array("q", [-1] * 1000)
    with pytest.raises(MapErrors) as caught:
        workers.map(lambda part: wrong_at(part, 250, "kill"), range(1000), chunk_size=100, out=out, vectorized=True).results()
    assert list(caught.value.failures) == [250]
    error = caught.value.failures[250]
    assert isinstance(error, WorkerDied) and error.element == 250 and error.signal == signal.SIGKILL
    assert out.tolist() == [2 * x if x != 250 else -1 for x in range(1000)]


def test_a_time_limit_ends_its_part(workers):
    out = array.array("q", [-1] * 40)
    with pytest.raises(MapErrors) as caught:
        workers.map(lambda part: wrong_at(part, 25, "hang"), range(40), chunk_size=4, timeout=2, out=out, vectorized=True).results()
    failures = caught.value.failures
    assert 25 in failures and len(failures) <= 4 and all(isinstance(error, ItemTimeout) for error in failures.values())
    assert all(out[x] == 2 * x for x in range(40) if x not in failures)


def test_in_every_call(pool):
    out = array.array("q", bytes(400))
    expected = [2 * x for x in range(50)]
    assert pool.map(doubled, range(50), out=out, vectorized=True) is out and out.tolist() == expected
    assert mapengine.map(doubled, range(50), out=out, vectorized=True, pool=pool) is out
    for given in (pool.map(doubled, range(50), vectorized=True), mapengine.map(doubled, range(50), vectorized=True, pool=pool),
                  pool.map(doubled, array.array("q", range(50)), 7, vectorized=True)):
        assert given.tolist() == expected and hasattr(given, "dtype") == has_numpy()
    assert len(pool.map(doubled, range(0), vectorized=True)) == 0
    with pytest.raises(ValueError, match="7 is wrong"):
        pool.map(lambda part: wrong_at(part, 7, "raises"), range(50), vectorized=True)
    with pytest.raises(TypeError, match="an array of as many elements"):
        pool.map(len, range(50), vectorized=True)
    out = array.array("q", bytes(400))
    assert pool.map_async(doubled, range(50), out=out, vectorized=True).get(60) is out and out.tolist() == expected
    out = array.array("q", bytes(400))
    called = []
    mapengine.map(doubled, range(50), callback=called.append, out=out, vectorized=True, pool=pool).join(60)
    assert called[0] is out and out.tolist() == expected

    async def main():
        return await pool.amap(doubled, range(50), out=array.array("q", bytes(400)), vectorized=True)

    assert asyncio.run(main()).tolist() == expected


def test_in_a_sandbox():
    with Workers(1, sandbox=True) as workers:
        out = array.array("q", bytes(80))
        assert workers.map(doubled, range(10), out=out, vectorized=True).results().tolist() == [2 * x for x in range(10)]
        with pytest.raises(MapErrors, match="7 is wrong"):
            workers.map(lambda part: wrong_at(part, 7, "raises"), range(10), out=out, vectorized=True).results()


WITHOUT = """
import sys
sys.modules["numpy"] = None
import array, importlib.util
import mapengine, mapengine._vectors, test_vectors
mapengine._vectors.has_numpy = lambda: False

def look(part):
    return array.array("q", [type(part) is array.array] * len(part))

def hide():
    import sys
    sys.modules["numpy"] = None

def rows(part):
    return [sum(row) for row in part.tolist()]

with mapengine.Pool(1, initializer=hide) as pool:
    print(pool.map(test_vectors.doubled, range(5), vectorized=True))
    print(pool.map(look, array.array("d", [1, 2]), vectorized=True))
    out = array.array("d", [0, 0])
    print(pool.map(rows, memoryview(array.array("d", range(6))).cast("B").cast("d", (2, 3)), vectorized=True, out=out))
    twice = memoryview(bytearray(4)).cast("B", (2, 2))
    pool.map(lambda x: (x, x + 1), [5, 7], out=twice)
    print(bytes(twice))
    print(pool.map(lambda part: [not x for x in part], memoryview(b"\\0\\1").cast("?"), vectorized=True, out=memoryview(bytearray(2)).cast("?")).tolist())
"""


def test_without_numpy():
    printed = subprocess.run([sys.executable, "-W", "ignore", "-c", WITHOUT], check=True, stdout=subprocess.PIPE, cwd=os.path.dirname(__file__)).stdout.decode()
    assert printed.splitlines() == ["array('q', [0, 2, 4, 6, 8])", "array('q', [1, 1])", "array('d', [3.0, 12.0])", r"b'\x05\x06\x07\x08'", "[True, False]"]


# ---- With NumPy ----

@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", ">f8", "c8", "f2", "longdouble", "S3", "M8[s]", "?"])
def test_types(pool, dtype):
    numpy = pytest.importorskip("numpy")
    values = numpy.zeros(1000, dtype)
    values[5:900] = numpy.ones(895, dtype)
    assert numpy.array_equal(pool.map(lambda part: part[:], values, vectorized=True), values)
    got = pool.map(lambda part: part[:], values[::-3], vectorized=True)
    assert got.dtype == values.dtype and numpy.array_equal(got, values[::-3])


def test_structures(pool):
    numpy = pytest.importorskip("numpy")
    points = numpy.zeros(1000, [("x", "f8"), ("y", "i4")])
    points["x"], points["y"] = range(1000), 2
    assert numpy.array_equal(pool.map(lambda part: part["x"] * part["y"], points, vectorized=True), 2.0 * numpy.arange(1000))
    assert numpy.array_equal(pool.map(lambda part: part, points, vectorized=True), points)


@pytest.mark.parametrize("order", ["C", "F"])
def test_rows(pool, order):
    numpy = pytest.importorskip("numpy")
    values = numpy.asarray(numpy.arange(30_000.0).reshape(5000, 3, 2), order=order)
    assert numpy.array_equal(pool.map(lambda part: part.sum((1, 2)), values, vectorized=True), values.sum((1, 2)))
    assert numpy.array_equal(pool.map(lambda part: part.transpose(0, 2, 1), values, vectorized=True), values.transpose(0, 2, 1))
    wide = numpy.zeros((5000, 4, 2), order=order)
    pool.map(lambda part: part * 2, values, out=wide[:, 1:], vectorized=True)
    assert numpy.array_equal(wide[:, 1:], values * 2) and not wide[:, 0].any()
    every_other = values[::2]
    assert numpy.array_equal(pool.map(lambda part: part[:, 0, 0], every_other, vectorized=True), every_other[:, 0, 0])


def test_memory_that_workers_see(pool):
    numpy = pytest.importorskip("numpy")
    values = pool.empty((100_000, 2))
    values[:] = numpy.arange(200_000).reshape(-1, 2)
    assert numpy.array_equal(pool.map(lambda part: part.sum(1), values, vectorized=True), values.sum(1))
    out = pool.empty(100_000)
    assert pool.map(lambda part: part[:, 1], values, out=out, vectorized=True) is out and numpy.array_equal(out, values[:, 1])


def test_parts_cannot_be_written_or_kept(workers):
    numpy = pytest.importorskip("numpy")
    values, out = numpy.arange(1000.0), numpy.zeros(1000)

    def write(part):
        part[0] = 1
        return part

    def keep(part):
        mapengine.kept = part
        return part

    def cycle(part):
        loop = [part]
        loop.append(loop)
        return part * 2

    with pytest.raises(MapErrors, match="read-only"):
        workers.map(write, values, out=out, vectorized=True).results()
    with pytest.raises(MapErrors, match="has kept the array"):
        workers.map(keep, values, out=out, vectorized=True).results()
    assert not out.any()
    assert numpy.array_equal(workers.map(cycle, values, out=out, vectorized=True).results(), values * 2)


def test_results_are_converted_where_nothing_is_lost(workers):
    numpy = pytest.importorskip("numpy")
    out = numpy.zeros(10, "f4")
    assert workers.map(lambda part: part * 0.5, range(10), out=out, vectorized=True).results()[9] == 4.5
    assert workers.map(lambda part: part.tolist(), range(10), out=out, vectorized=True).results()[9] == 9
    with pytest.raises(MapErrors, match="Cannot cast"):
        workers.map(lambda part: part * 0.5, range(10), out=numpy.zeros(10, "i4"), vectorized=True).results()


def test_a_map_that_nobody_holds_lets_go_of_its_array(workers):
    numpy = pytest.importorskip("numpy")
    import weakref

    out = numpy.zeros(1000)
    gone = weakref.ref(out)
    workers.map(doubled, range(1000), out=out, vectorized=True)
    del out
    eventually(lambda: gone() is None)
