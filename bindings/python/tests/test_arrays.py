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
        memory = executor.empty((4, 5), "d")
        assert memory.shape == (4, 5) and memory.format == "d" and not memory.readonly
        for row in range(4):
            for column in range(5):
                memory[row, column] = 2
        assert executor.submit(address, memory.cast("B")).result(60)[0] == 40
