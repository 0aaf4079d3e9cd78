"""Arrays that a pool makes in memory which workers see in place."""

from __future__ import annotations

import gc
from typing import Any

import face_work as work
import pytest

from mapengine import Executor, Pool

numpy = pytest.importorskip("numpy")


def described(array: Any) -> tuple[float, bool, str, tuple[int, ...]]:
    return float(array.sum()), array.flags.writeable, array.dtype.str, array.shape


def test_it_travels_without_a_copy() -> None:
    with Executor(2) as executor:
        image = executor.empty((1000, 1000))
        image[:] = 2
        before = executor.stats()["input_bytes"]
        futures = [executor.submit(described, image), executor.submit(described, image[250:500]), executor.submit(described, image[7])]
        # All of it, and half a megabyte at most for what else travels.
        assert executor.stats()["input_bytes"] < before + (1 << 19)
        assert [future.result() for future in futures] == [
            (2e6, False, "<f8", (1000, 1000)),
            (5e5, False, "<f8", (250, 1000)),
            (2e3, True, "<f8", (1000,)),
        ]
        # It is the same memory, not a snapshot.
        image[:] = 3
        assert executor.submit(described, image).result()[0] == 3e6
        assert list(executor.map(described, [image, image[:500]])) == [(3e6, False, "<f8", (1000, 1000)), (15e5, False, "<f8", (500, 1000))]


def test_it_outlives_the_pool() -> None:
    pool = Pool(1)
    array = pool.empty(100_000, "i4")
    array[:] = 7
    assert pool.apply(described, (array,)) == (7e5, False, "<i4", (100_000,))
    pool.close()
    pool.join()
    del pool
    part = array[5:8]
    del array
    gc.collect()
    assert part.tolist() == [7, 7, 7]
    part[0] = 1


@pytest.mark.parametrize("shape", [0, numpy.int64(3), (), (0,), (3, 0, 2), (2, 3), [4]])
@pytest.mark.parametrize("dtype", ["f4", "c16", "u1", [("x", "f8"), ("n", "i2")]])
def test_shapes_and_types(shape: Any, dtype: Any) -> None:
    with Pool(1) as pool:
        array = pool.empty(shape, dtype)
        like = numpy.empty(shape, dtype)
        assert (array.shape, array.dtype, array.flags.writeable) == (like.shape, like.dtype, True)
        array[...] = numpy.zeros(array.shape, dtype)
        got = pool.apply(work.same, (array,))
        assert got.shape == array.shape and got.dtype == array.dtype and got.tolist() == array.tolist()


def test_what_it_refuses() -> None:
    with Pool(1) as pool:
        with pytest.raises(TypeError, match="objects"):
            pool.empty(3, object)
        with pytest.raises(ValueError, match="-1"):
            pool.empty((2, -1))
