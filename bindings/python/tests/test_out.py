"""Results that go into an array of the caller's, element by element."""
import array
import asyncio
import ctypes
import struct

import core_work as work
import pytest
from test_core_calls import eventually

import mapengine
from mapengine._errors import MapErrors, WorkerDied
from mapengine._workers import Workers


@pytest.fixture(scope="module")
def workers():
    with Workers(2) as made:
        yield made


@pytest.fixture(scope="module")
def pool():
    with mapengine.Pool(2) as made:
        yield made


LIMITS = {code: ((-(1 << bits - 1), (1 << bits - 1) - 1) if code.islower() else (0, (1 << bits) - 1))
          for code in "bBhHiIlLqQ" for bits in [8 * struct.calcsize(code)]}


@pytest.mark.parametrize("code", LIMITS)
def test_integers(workers, code):
    least, most = LIMITS[code]
    values = [0, 1, least, most, True]
    out = array.array(code, [7] * len(values))
    job = workers.map(work.same, values, out=out)
    assert job.results() is out and out.tolist() == [0, 1, least, most, 1]
    out = array.array(code, [7] * 6)
    with pytest.raises(MapErrors) as caught:
        workers.map(work.same, [1, most + 1, least - 1, 1.0, None, 2], out=out).results()
    failures = caught.value.failures
    assert {index: type(error) for index, error in failures.items()} == {1: OverflowError, 2: OverflowError, 3: TypeError, 4: TypeError}
    assert out.tolist() == [1, 7, 7, 7, 7, 2] and caught.value.results is out


@pytest.mark.parametrize("code", "fd")
def test_floats(workers, code):
    out = array.array(code, [7] * 4)
    assert workers.map(work.same, [1, 2.5, -0.0, True], out=out).results().tolist() == [1.0, 2.5, -0.0, 1.0]
    with pytest.raises(MapErrors) as caught:
        workers.map(work.same, ["1", 1j, None, 3], out=out).results()
    assert all(isinstance(error, TypeError) for error in caught.value.failures.values()) and out.tolist() == [1.0, 2.5, -0.0, 3.0]


def test_bools_and_parts_of_memory(workers):
    memory = bytearray(b"x" * 12)
    out = memoryview(memory).cast("?")[2:6]
    workers.map(work.same, [0, 1, "", "a"], out=out).results()
    assert memory == b"xx\0\1\0\1xxxxxx"
    spread = memoryview(memory)[:12:4]
    assert workers.map(work.same, [65, 66, 67], out=spread).results() is spread and memory == b"Ax\0\1B\1xxCxxx"
    whole = (ctypes.c_int * 3)()
    assert list(workers.map(work.same, [1, -2, 3], out=whole).results()) == [1, -2, 3]


def test_many(workers):
    out = array.array("q", bytes(8 * 300_000))
    for items in (range(300_000), list(range(300_000)), array.array("i", range(300_000))):
        for i in range(0, 300_000, 1000):
            out[i] = -1
        assert workers.map(work.square, items, out=out).results() is out
        assert out.tolist() == [x * x for x in range(300_000)]


def test_any_iterable(workers):
    out = array.array("q", bytes(80))
    for items in ((x for x in range(10)), {x: 0 for x in range(10)}, bytes(range(10)), bytearray(range(10)), memoryview(bytes(range(10))),
                  memoryview(array.array("h", range(10)))[::1]):
        workers.map(work.square, items, out=out).results()
        assert out.tolist() == [x * x for x in range(10)]
        out[:] = array.array("q", bytes(80))
    workers.map(work.add, [(1, 2), [3, 4]], star=True, out=memoryview(out)[4:6]).results()
    assert out.tolist() == [0, 0, 0, 0, 3, 7, 0, 0, 0, 0]
    assert list(workers.map(work.square, [], out=array.array("q")).results()) == []


@pytest.mark.parametrize("items", [array.array("b", [-1, 2]), array.array("d", [0.5, 2.0]), array.array("Q", [2**64 - 1]), b"ab", bytearray(b"ab"),
                                   memoryview(b"abcd")[::2], memoryview(array.array("f", [0.5])), memoryview(b"\1\0").cast("?"), (ctypes.c_short * 2)(5, 6)])
def test_elements_of_arrays_are_numbers(workers, items):
    got = workers.map(work.same, items).results()
    assert got == list(items) and list(map(type, got)) == list(map(type, items))


def test_what_is_no_place(workers):
    for out in ([0], (0,), b"\0", "x", 5, memoryview(b"\0"), array.array("q", [1])[0]):
        with pytest.raises(TypeError, match="out="):
            workers.map(work.square, [1], out=out)
    with pytest.raises(TypeError, match="format"):
        workers.map(work.square, [1], out=ctypes.pointer(ctypes.c_int()) and (ctypes.c_void_p * 1)())
    with pytest.raises(ValueError, match="3 elements, and there are 2"):
        workers.map(work.square, [1, 2], out=array.array("q", [0] * 3))
    with pytest.raises(ValueError, match="3 elements, and there are 2"):
        workers.map(work.square, iter([1, 2]), out=array.array("q", [0] * 3))
    with pytest.raises(ValueError, match="buffersize"):
        workers.map(work.square, [1], buffersize=1, out=array.array("q", [0]))
    assert workers.map(work.square, [3]).results() == [9]


def test_an_array_cannot_be_resized_meanwhile(workers):
    out = array.array("q", [0])
    job = workers.map(work.slowly, [0.1], out=out)
    with pytest.raises(BufferError):
        out.append(1)
    job.results()
    del job
    eventually(lambda: out.append(1) is None)


def test_one_after_another(workers):
    out = array.array("q", [7] * 100)
    got = list(workers.map(work.fail_at, range(1, 101), out=out))
    assert [index for index, _, _ in got] == list(range(100))
    assert all(value == index + 1 == out[index] for index, ok, value in got if ok)
    assert [index + 1 for index, ok, _ in got if not ok] == list(range(3, 100, 3)) and out[2] == 7
    outcomes = workers.map(work.fail_at, range(1, 101), out=out).outcomes()
    assert [(index, ok) for index, ok, _ in outcomes] == [(index, ok) for index, ok, _ in got]
    assert [value for _, ok, value in outcomes if ok] == [value for _, ok, value in got if ok]
    unordered = dict((index, value) for index, _, value in workers.map(work.square, range(100), ordered=False, out=out))
    assert unordered == {x: x * x for x in range(100)} and out.tolist() == [x * x for x in range(100)]


def test_a_death_costs_its_element(workers):
    out = array.array("q", [-1] * 2000)
    with pytest.raises(MapErrors) as caught:
        workers.map(work.crash_at, [(x, 777, "kill") for x in range(2000)], star=True, out=out).results()
    assert list(caught.value.failures) == [777] and isinstance(caught.value.failures[777], WorkerDied) and caught.value.failures[777].element == 777
    assert out.tolist() == [x if x != 777 else -1 for x in range(2000)]


def test_in_every_call(pool):
    expected = [x * x for x in range(50)]

    def place():
        return array.array("q", [7] * 50)

    out = place()
    assert pool.map(work.square, range(50), out=out) is out and out.tolist() == expected
    assert pool.map(work.square, range(50), 7, out=place()).tolist() == expected
    assert pool.starmap(work.add, [(x, x) for x in range(50)], out=place()).tolist() == [2 * x for x in range(50)]
    called = []
    out = place()
    result = pool.map_async(work.square, range(50), callback=called.append, out=out)
    assert result.get(60) is out and out.tolist() == expected
    eventually(lambda: called and called[0] is out)
    with pytest.raises(ValueError, match="multiple of three"):
        pool.map(work.fail_at, range(50), out=place())
    out = place()
    assert mapengine.map(work.square, range(50), out=out, pool=pool) is out and out.tolist() == expected
    assert mapengine.map(work.add, [(x, 1) for x in range(50)], out=place(), pool=pool).tolist() == list(range(1, 51))
    with pytest.raises(MapErrors) as caught:
        mapengine.map(work.fail_at, range(50), out=out, pool=pool)
    assert caught.value.results is out and out.tolist() == [x if x % 3 else x * x for x in range(50)]
    values = mapengine.map(work.fail_at, range(50), out=out, pool=pool, return_exceptions=True)
    assert [type(value) for value in values[:4]] == [ValueError, int, int, ValueError]

    async def main():
        out = place()
        assert await pool.amap(work.square, range(50), out=out) is out
        return out.tolist()

    assert asyncio.run(main()) == expected


def test_c_functions():
    power = mapengine.cfunction("double pow(double x, double y)", library="libm.so.6")
    out = array.array("d", bytes(80))
    assert mapengine.map(power, [(x, 2) for x in range(10)], out=out) is out and out.tolist() == [x * x for x in range(10)]
    root = mapengine.cfunction("double sqrt(double x)", library="libm.so.6")
    assert mapengine.map(root, range(10), out=out) is out and out[4] == 2.0


def test_in_a_sandbox():
    with Workers(1, sandbox=True) as workers:
        out = array.array("d", bytes(80))
        assert workers.map(work.square, range(10), out=out).results().tolist() == [x * x for x in range(10)]
        with pytest.raises(MapErrors) as caught:
            workers.map(work.same, ["x"] * 10, out=out).results()
        assert isinstance(caught.value.failures[0], TypeError)


# ---- With NumPy ----

def test_arrays_of_numpy(workers):
    numpy = pytest.importorskip("numpy")
    for dtype in ("u1", "i4", ">i8", "f2", "f4", ">f8", "c16", "S3", "U2", "M8[s]", "longdouble", [("a", "i4"), ("b", "f8")]):
        values = numpy.zeros(50, dtype)
        values[3:9] = numpy.ones(6, dtype)
        out = numpy.zeros(50, dtype)
        assert workers.map(work.same, values, out=out).results() is out and (out == values).all(), dtype
        wide = numpy.zeros((2, 50), dtype)
        workers.map(work.same, values, out=wide[1, ::-1]).results()
        assert (wide[1, ::-1] == values).all() and (wide[0] == numpy.zeros(50, dtype)).all()
    with pytest.raises(TypeError, match="objects"):
        workers.map(work.same, [1], out=numpy.array([None]))
    frozen = numpy.zeros(1)
    frozen.flags.writeable = False
    with pytest.raises(TypeError, match="written"):
        workers.map(work.same, [1], out=frozen)


@pytest.mark.parametrize("order", ["C", "F"])
def test_rows(workers, order):
    numpy = pytest.importorskip("numpy")
    out = numpy.zeros((40, 2, 3), "f4", order=order)
    expected = numpy.arange(240, dtype="f4").reshape(40, 2, 3)
    assert numpy.array_equal(workers.map(work.same, list(expected), out=out).results(), expected)
    out[:] = 0
    workers.map(work.same, expected.tolist(), out=out).results()
    assert numpy.array_equal(out, expected)
    with pytest.raises(MapErrors) as caught:
        workers.map(work.same, [1, expected[0].T, expected[0] * 1j] + list(expected[3:]), out=out).results()
    assert {index: type(error) for index, error in caught.value.failures.items()} == {0: ValueError, 1: ValueError, 2: TypeError} \
        or isinstance(caught.value.failures[2], TypeError)
    assert sorted(caught.value.failures) == [0, 1, 2] and numpy.array_equal(out, expected)


def test_a_view_that_a_function_keeps(workers):
    numpy = pytest.importorskip("numpy")
    with Workers(1, modules=["numpy"]) as workers:
        out = array.array("q", bytes(24))
        assert workers.map(work.keep_view, [numpy.full(500_000, n) for n in (1, 2, 3)], out=out).results().tolist() == [1, 2, 3]
        assert [value for _, _, value in workers.map(work.keep_view, [numpy.full(500_000, n) for n in (4, 5)], out=memoryview(out)[:2])] == [4, 5]
        for _ in range(30):
            workers.map(work.same, [numpy.full(500_000, 98)]).results()
        assert workers.submit(work.kept).result() == [1, 2, 3, 4, 5]
