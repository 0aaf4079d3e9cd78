"""Arrays as memory: where the elements of a user's array lie, and what they are.

Any object with the buffer protocol or `__array_interface__`. An *element* is what `array[i]` is: a number, or a row of an array of more
dimensions. NumPy is used where the user has brought such an array, and never imported here.
"""
from __future__ import annotations

import ctypes
import math
import struct
import sys
from typing import Any, NamedTuple, Optional, Tuple

from ._places import address_of

NUMBERS = "bBhHiIqQfd?"  # Formats of numbers, as `struct` has them, of fixed sizes.
_SIZED = {"i": "bhiq", "u": "BHIQ"}


class Elements(NamedTuple):
    """The elements of an array: the first one's address, how many, the bytes from one to the next, and of one."""

    array: Any
    address: int
    length: int
    stride: int
    size: int
    shape: Tuple[int, ...]  # Of an element: () is a number.
    format: str  # Of the numbers, one of NUMBERS; "" for what only NumPy knows.
    dtype: Any  # NumPy's type of them; without NumPy the format.
    is_packed: bool  # Whether each element's numbers lie one behind another, and elements follow each other upwards.
    is_writable: bool
    owner: Any  # Keeps the memory.


def elements_of(array: Any) -> Optional[Elements]:
    """The elements of an array; None for what is none. TypeError for an array whose elements are no plain memory."""
    interface = getattr(array, "__array_interface__", None)
    if interface is not None:
        return _of_interface(array, interface)
    try:
        view = memoryview(array)
    except TypeError:
        return None
    code = view.format.lstrip("@=<")
    shape, strides = tuple(view.shape or ()), tuple(view.strides or ())
    if not shape:
        return None
    if len(code) != 1 or code not in "bBhHiIlLqQnNfd?" or struct.calcsize(code) != view.itemsize:
        raise TypeError(f"an array of format {view.format!r} cannot be read here; make it one of NumPy's")
    if code not in "fd?":
        code = _SIZED["i" if code in "bhilqn" else "u"][view.itemsize.bit_length() - 1]
    return _made(array, address_of(view), shape, strides, view.itemsize, code, code, not view.readonly, view)


def _of_interface(array: Any, interface: Any) -> Optional[Elements]:
    shape = tuple(interface["shape"])
    if not shape:
        return None
    numpy = sys.modules.get("numpy")
    dtype = getattr(array, "dtype", None) if numpy is not None else None
    if numpy is not None and dtype is None:
        dtype = numpy.dtype(interface.get("descr") or interface["typestr"])
    kind = interface["typestr"][1]
    if kind == "O" or not isinstance(interface.get("data"), tuple) or getattr(dtype, "hasobject", False):
        raise TypeError("an array of Python objects has no elements that could be passed as memory")
    size = int(dtype.itemsize if dtype is not None else interface["typestr"][2:])
    if kind in "iuf" and interface["typestr"][0] != ">" and size in (1, 2, 4, 8):
        code = _SIZED[kind][size.bit_length() - 1] if kind in _SIZED else {4: "f", 8: "d"}.get(size, "")
    else:
        code = "?" if kind == "b" else ""
    if dtype is None:
        if not code:
            raise TypeError(f"without NumPy an array of type {interface['typestr']!r} cannot be read")
        dtype = code
    address, is_read_only = interface["data"]
    strides = interface.get("strides")
    if strides is None:
        strides = _packed(shape, size)
    return _made(array, address, shape, tuple(strides), size, code, dtype, not is_read_only, (array, interface))


def _made(array: Any, address: int, shape: Tuple[int, ...], strides: Tuple[int, ...], size: int, code: str, dtype: Any, is_writable: bool,
          owner: Any) -> Elements:
    inner = math.prod(shape[1:]) * size
    is_packed = all(extent == 1 or one == other for extent, one, other in zip(shape[1:], strides[1:], _packed(shape[1:], size)))
    is_packed = is_packed and (strides[0] >= inner or shape[0] <= 1)
    return Elements(array, address, shape[0], strides[0] if shape[0] > 1 else inner, inner, shape[1:], code, dtype, is_packed, is_writable, owner)


def _packed(shape: Tuple[int, ...], size: int) -> Tuple[int, ...]:
    """Strides of numbers that lie one behind another."""
    strides = []
    for extent in reversed(shape):
        strides.append(size)
        size *= extent
    return tuple(reversed(strides))


class Out:
    """The caller's array, as the place of results: element i is the value of element i of the input.

    Raises TypeError for what is no array that can be written, and ValueError when its length is not `count`.
    """

    def __init__(self, array: Any, count: int) -> None:
        found = elements_of(array)
        if found is None or not found.is_writable:
            raise TypeError("out= takes an array that can be written: NumPy's, an array.array, a memoryview or a bytearray")
        if found.length != count:
            raise ValueError(f"out has {found.length} elements, and there are {count} results")
        if not found.size:
            raise ValueError("the elements of out have no bytes")
        if not found.is_packed and "numpy" not in sys.modules:
            raise ValueError("without NumPy the elements of out must lie one behind another")
        self.array, self.elements, self.size = array, found, found.size
        self._numpy = sys.modules.get("numpy")

    def gather(self, pool: Any, job: int, first: int, count: int) -> Optional[int]:
        """Puts the results of a job that is done to the places from `first` on; how many items did not end well, whose places stay. None when a
        result is larger than an element."""
        found = self.elements
        if found.is_packed:
            missing: Optional[int] = pool.gather_at(job, found.address + first * found.stride, (count - 1) * found.stride + found.size, found.stride)
            return missing
        block = self.array[first:first + count]
        copy = block.copy(order="C")
        missing = pool.gather_at(job, copy.__array_interface__["data"][0], copy.nbytes, found.size)
        block[...] = copy
        return missing

    def put(self, index: int, address: int, size: int) -> None:
        """Puts the result that lies at an address."""
        found = self.elements
        if size < found.size:
            raise ValueError(f"a result of {size} bytes for an element of {found.size}")
        if found.is_packed:
            ctypes.memmove(found.address + index * found.stride, address, found.size)
            return
        data = ctypes.string_at(address, found.size)
        self.array[index] = self._numpy.frombuffer(data, found.dtype).reshape(found.shape)  # type: ignore[union-attr]
