"""In workers: what functions return, as elements of the caller's array; and functions that are called with an array of elements.

A layout (native/format.h) is a pickle: of (dtype, shape) of an element that is to be made; or of ((dtype, shape, start, step), (dtype, shape)) of
an element that goes in and of one that comes out, where start and step are those of a range, and None for an array. A dtype is NumPy's, or one
character of `struct`. Imported with the first of them.
"""
from __future__ import annotations

import sys
from _pickle import loads

from . import _worker

TYPE_CHECKING = False  # Without importing typing, which takes longer than all else of a worker's start.
if TYPE_CHECKING:
    from typing import Any, Callable, Optional, Tuple

_last: Tuple[Any, Any] = (None, None)


def _layout(pickled: bytes) -> Any:
    global _last
    if _last[0] != pickled:
        _last = pickled, loads(pickled)
    return _last[1]


def _numpy() -> Any:
    """NumPy, if there is one; None."""
    try:
        import numpy
    except ImportError:
        return None
    return numpy


def element(value: Any, layout: bytes) -> Any:
    """What an element is to have as its bytes."""
    dtype, shape = _layout(layout)
    return _bytes_of(value, dtype, shape, sys.modules.get("numpy"), None)


def call_range(function: Callable[[Any], Any], layout: bytes, address: int, stride: int, first: int, count: int) -> Any:
    """Calls function(array) for `count` elements from the one at an address on, or from number `first` of a range on. Returns what has the bytes
    of as many elements."""
    (dtype, shape, start, step), (out_dtype, out_shape) = _layout(layout)
    numpy = _numpy()
    del _worker._buffers[:]  # Of a call that has raised.
    if start is None:
        chunk = _array_at(numpy, address, stride, dtype, (count, *shape))
    else:
        part = range(start + first * step, start + (first + count) * step, step)
        chunk = _number_array(dtype, part) if numpy is None else numpy.arange(part.start, part.stop, part.step, dtype=dtype)
    made = _bytes_of(function(chunk), out_dtype, (count, *out_shape), numpy, chunk)
    del chunk
    if _worker.end_buffers():
        raise RuntimeError("the function has kept the array that it was called with, whose memory is used again; it has to keep a copy of it")
    return made


def _array_at(numpy: Any, address: int, stride: int, dtype: Any, shape: Tuple[int, ...]) -> Any:
    """Elements in shared memory: NumPy's array, read-only; without NumPy a copy."""
    import ctypes
    import struct

    if numpy is None:
        size = struct.calcsize(dtype)
        for extent in shape[1:]:
            size *= extent
        data = b"".join([ctypes.string_at(address + i * stride, size) for i in range(shape[0])]) if stride != size \
            else ctypes.string_at(address, shape[0] * size)
        return _number_array(dtype, data) if len(shape) == 1 else memoryview(data).cast(dtype, shape)
    kind = numpy.dtype(dtype)
    strides = [kind.itemsize]
    for extent in reversed(shape[2:]):
        strides.insert(0, strides[0] * extent)
    if len(shape) > 1:
        strides.insert(0, stride)
        size = stride * (shape[0] - 1) + strides[1] * shape[1]
    else:
        strides = [stride]
        size = stride * (shape[0] - 1) + kind.itemsize
    view = _worker.view_at(address, size)
    return numpy.ndarray(shape, kind, view, strides=tuple(strides))


def _bytes_of(value: Any, dtype: Any, shape: Tuple[int, ...], numpy: Optional[Any], source: Any) -> Any:
    """The value as an array of this type and shape, one number behind another: what has that as its buffer, and lies elsewhere than `source`."""
    if numpy is None:
        return _bytes_without_numpy(value, dtype, shape)
    array = numpy.asarray(value)
    if array.shape != shape:
        raise ValueError(f"the function has returned an array of shape {array.shape}; {shape} is needed")
    kind = numpy.dtype(dtype)
    if array.dtype != kind:
        array = array.astype(kind, casting="same_kind")
    array = numpy.ascontiguousarray(array)
    if source is not None and numpy.may_share_memory(array, source):
        array = array.copy()
    return array.reshape(-1).view("u1")


def _bytes_without_numpy(value: Any, code: str, shape: Tuple[int, ...]) -> bytes:
    count = 1
    for extent in shape:
        count *= extent
    try:
        view = memoryview(value)
    except TypeError:
        view = None
    if view is not None and view.format.lstrip("@=<") == code and view.c_contiguous:
        data = view.tobytes()
        there = view.nbytes // view.itemsize
    else:
        made = _number_array(code, list(value) if view is None else view.tolist())
        data, there = bytes(made), len(made)
    if there != count:
        raise ValueError(f"the function has returned {there} numbers; {count} are needed")
    return data


def _number_array(code: str, values: Any) -> Any:
    """An array.array of numbers, or of their bytes; bools as bytes."""
    import array

    if code == "?":
        return bytearray(values if isinstance(values, bytes) else map(bool, values))
    made = array.array(code)
    if isinstance(values, bytes):
        made.frombytes(values)
    else:
        made.extend(values)
    return made
