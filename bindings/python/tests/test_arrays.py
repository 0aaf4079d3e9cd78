"""Arrays that workers see in place."""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest

from mapengine import Executor, Pool


def address(array: Any) -> tuple[float, bool]:
    return float(sum(memoryview(array).cast("B").cast("d"))), memoryview(array).readonly


def test_an_array_in_place() -> None:
    numpy = pytest.importorskip("numpy")
    with Pool(1) as pool:
        array = pool.empty((1000, 50))
        assert array.shape == (1000, 50) and array.dtype == float
        array[:] = 1
        total, readonly = pool.apply(address, (array,))
        assert total == 50_000 and readonly
        array[0] = 3
        assert pool.map(numpy.sum, [array, array[0], array[:, :2]]) == [50_100, 150, 2_004]
        assert pool.empty(numpy.int64(3)).shape == (3,) == pool.empty([numpy.int8(3)]).shape
        assert pool.empty(7, "i4").dtype == numpy.int32 and pool.empty((), "u1").shape == () and pool.empty((0, 3)).size == 0
        with pytest.raises(TypeError):
            pool.empty(3, object)
    # It outlives the pool.
    gc.collect()
    assert array[0, 0] == 3
    array[1] = 2


def test_without_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with Executor(1) as executor:
        memory = executor.empty((1000, 50), "d")
        assert memory.shape == (1000, 50) and memory.format == "d" and not memory.readonly
        for row in range(1000):
            for column in range(50):
                memory[row, column] = 2
        assert executor.submit(address, memory).result(60) == (100_000, True)
        assert executor.submit(shape, memory).result(60) == ((1000, 50), "d")


def shape(view: Any) -> Any:
    return view.shape, view.format


@pytest.mark.parametrize("view", [memoryview(b"abc"), memoryview(bytearray(200_000)).cast("i"), memoryview(bytes(24)).cast("d", (1, 3))])
def test_a_view_stays_one(view: memoryview) -> None:
    with Executor(1) as executor:
        assert executor.submit(shape, view).result(60) == (view.shape, view.format)
        assert list(executor.map(shape, [view, view])) == [(view.shape, view.format)] * 2
        assert executor.submit(bytes, view).result(60) == bytes(view)


@pytest.mark.parametrize("sandbox", [False, True])
def test_a_view_is_a_result(sandbox: bool) -> None:
    with Executor(1, sandbox=sandbox) as executor:
        for make in (lambda: memoryview(b"abc"), lambda: memoryview(bytearray(2_000_000)).cast("i"), lambda: memoryview(bytearray(24)).cast("d", (1, 3))):
            given, view = executor.submit(make).result(60), make()
            assert type(given) is memoryview and (given.format, given.shape, given.readonly) == (view.format, view.shape, view.readonly)
            assert given == view
        assert [view.tolist() for view in executor.submit(lambda: [memoryview(b"abcd")[::2], memoryview(b"")]).result(60)] == [[97, 99], []]
        assert executor.submit(lambda: {"far": memoryview(bytearray(b"abc"))}).result(60)["far"].tolist() == [97, 98, 99]


def test_lengths_are_any_integers() -> None:
    numpy = pytest.importorskip("numpy")
    with Executor(1) as executor:
        for shape, lengths in ((numpy.int64(3), (3,)), (numpy.array(4), (4,)), ([numpy.int32(2), 3], (2, 3)), (numpy.array([5, 1]), (5, 1))):
            assert executor.empty(shape, "i").shape == lengths
