"""Users' data as memory of a C type: where it lies, in which shape, and a converted copy when it is of another type.

Any object with the buffer protocol or `__array_interface__` is read where it lies if its elements have the wanted type. NumPy is used when
such an object has to be converted, and never imported for anything else.
"""
from __future__ import annotations

import array
import ctypes
import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Optional

from ._c_prototypes import Kind

Shape = tuple[int, ...]


class View(NamedTuple):
    """Elements in memory. `strides` are in bytes; `owner` keeps the memory alive; `is_numpy`: the data came as an array of NumPy's kind."""

    address: int
    shape: Shape
    strides: Shape
    owner: Any
    is_numpy: bool = False


def view(value: Any, kind: Kind, label: str) -> View:
    """`value` as elements of this kind. Raises TypeError for what is none, and OverflowError for an integer that the type cannot hold."""
    if kind.is_number and type(value) in (int, float, bool, complex):
        return packed([value], (), kind, label)
    interface = getattr(value, "__array_interface__", None)
    if interface is not None and kind.code != "V":
        return _of_interface(value, interface, kind, label)
    try:
        memory = memoryview(value)
    except TypeError:
        pass
    else:
        return _of_buffer(memory, kind, label)._replace(is_numpy=interface is not None)
    numpy = sys.modules.get("numpy")
    if numpy is not None and hasattr(value, "__array__"):
        made = numpy.asarray(value)
        return _of_interface(made, made.__array_interface__, kind, label)
    if kind.is_number and not isinstance(value, (str, bytes, Iterable)):
        return packed([value], (), kind, label)
    if isinstance(value, (str, dict)) or not isinstance(value, Iterable):
        raise TypeError(f"input {label}: {type(value).__name__} cannot be passed as {_spoken(kind)}")
    rows = value if isinstance(value, (list, tuple, range)) else list(value)
    if kind.is_number and (isinstance(rows, range) or not rows or not _is_row(rows[0])):
        return packed(rows, (len(rows),), kind, label)
    return _of_rows([view(row, kind, label) for row in rows], kind, label)


def _is_row(value: Any) -> bool:
    """Whether it is several values; a scalar of NumPy's is one."""
    return isinstance(value, (Sequence, memoryview, array.array, ctypes.Array)) or getattr(value, "shape", ()) != ()


def packed(values: Sequence[Any], shape: Shape, kind: Kind, label: str) -> View:
    """A copy of Python's numbers, in C order."""
    memory: Any
    try:
        if kind.typecode:
            memory = array.array(kind.typecode, values)
            if not memory:
                # Nothing is read there, but an address is needed.
                memory.append(0)
            return View(memory.buffer_info()[0], shape, contiguous(shape, kind.size), memory)
        if kind.code == "b":
            if not set(values) <= {0, 1}:
                raise TypeError("only True, False, 1 and 0 can be passed as _Bool")
            memory = (ctypes.c_bool * len(values))(*values)
        else:
            if kind.code == "c":
                values = [part for value in map(complex, values) for part in (value.real, value.imag)]
            part = {4: ctypes.c_float, 8: ctypes.c_double}.get(kind.size // (1 + (kind.code == "c")), ctypes.c_longdouble)
            memory = (part * len(values))(*values)
    except TypeError as error:
        raise TypeError(f"input {label}: {error}") from None
    except OverflowError as error:
        raise OverflowError(f"input {label}: {error}") from None
    return View(ctypes.addressof(memory), shape, contiguous(shape, kind.size), memory)


def contiguous(shape: Shape, size: int) -> Shape:
    """The strides of elements that lie one behind another."""
    strides = []
    for extent in reversed(shape):
        strides.append(size)
        size *= extent
    return tuple(reversed(strides))


def collapsed(shape: Shape, strides: Shape) -> Optional[int]:
    """The one stride that leads through all elements in C order; None when there is none."""
    whole: Optional[int] = None
    passed = 1
    for extent, stride in zip(reversed(shape), reversed(strides)):
        if extent == 1:
            continue
        if whole is None:
            whole = stride
        elif stride != whole * passed:
            return None
        passed *= extent
    return whole or 0


def broadcast(shapes: Iterable[Shape]) -> Shape:
    """The shape that all have when axes of length 1, and those that are missing in front, are repeated. Raises ValueError."""
    result: list[int] = []
    shapes = list(shapes)
    for shape in shapes:
        for place, extent in enumerate(reversed(shape)):
            if place == len(result):
                result.append(extent)
            elif result[place] == 1:
                result[place] = extent
            elif extent not in (1, result[place]):
                raise ValueError("the inputs' shapes do not go together: " + " ".join(map(str, shapes)))
    return tuple(reversed(result))


def repeated(given: View, size: int, shape: Shape) -> View:
    """Elements of `size` bytes in the shape that was broadcast, with a single stride; a copy when that is not possible otherwise."""
    own = (1,) * (len(shape) - len(given.shape)) + given.shape
    strides = (0,) * (len(shape) - len(given.shape)) + given.strides
    strides = tuple(0 if extent == 1 else stride for extent, stride in zip(own, strides))
    if collapsed(shape, strides) is not None:
        return given._replace(shape=shape, strides=strides)
    data = flat_bytes(given, size)
    for axis in reversed(range(len(shape))):
        if own[axis] != shape[axis]:
            block = size * math.prod(shape[axis + 1:])
            data = b"".join(data[at:at + block] * shape[axis] for at in range(0, len(data), block))
    return View(address_of_bytes(data), shape, contiguous(shape, size), data, given.is_numpy)


def flat_bytes(given: View, size: int) -> bytes:
    """A copy of all elements, in C order."""
    if collapsed(given.shape, given.strides) == size or math.prod(given.shape) == 1:
        return ctypes.string_at(given.address, size * math.prod(given.shape))
    numpy = sys.modules.get("numpy")
    if given.is_numpy and numpy is not None:
        bare = numpy.lib.stride_tricks.as_strided(numpy.frombuffer((ctypes.c_char * size).from_address(given.address), f"V{size}"),
                                                  given.shape, given.strides)
        return bytes(bare.tobytes())
    places = [given.address]
    for extent, stride in zip(given.shape, given.strides):
        places = [place + i * stride for place in places for i in range(extent)]
    return b"".join(ctypes.string_at(place, size) for place in places)


def address_of_bytes(data: bytes) -> int:
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0


def _of_interface(value: Any, interface: Any, kind: Kind, label: str) -> View:
    """An array of NumPy's kind: its own memory, or that of a copy that NumPy converts. The memory of a scalar of NumPy's is one that was
    made for the interface, and lives as long as that."""
    if not _is_same(interface["typestr"], kind) or not isinstance(interface.get("data"), tuple):
        value = _converted(value, kind, label)
        interface = value.__array_interface__
    shape = tuple(interface["shape"])
    strides = interface.get("strides")
    return View(interface["data"][0], shape, contiguous(shape, kind.size) if strides is None else tuple(strides),
                (value, interface), True)


def _is_same(typestr: str, kind: Kind) -> bool:
    foreign = ">" if sys.byteorder == "little" else "<"
    code, size = typestr[1], int(typestr[2:] or 0)
    if kind.code == "S":
        return code == "V" and size == kind.size
    if kind.code == "V":
        return size == 1
    return code == kind.code and size == kind.size and (size == 1 or typestr[0] != foreign)


def _converted(value: Any, kind: Kind, label: str) -> Any:
    try:
        import numpy
    except ImportError:
        raise TypeError(f"input {label} is no {_spoken(kind)}, and without NumPy such an array cannot be converted") from None
    given = numpy.asarray(value)
    target = numpy.dtype(kind.dtype)
    if kind.is_number and given.dtype.kind == "O":
        one = packed(given.ravel().tolist(), given.shape, kind, label)
        return numpy.frombuffer(one.owner, target).reshape(given.shape)
    if given.dtype.kind in "iu" and target.kind in "iu":
        limits = numpy.iinfo(target)
        if given.size and (int(given.min()) < limits.min or int(given.max()) > limits.max):
            raise OverflowError(f"input {label}: a value does not fit into {_spoken(kind)}")
    elif not kind.is_number or target.kind == "b" or not numpy.can_cast(given.dtype, target, "same_kind"):
        raise TypeError(f"input {label}: an array of {given.dtype} cannot be passed as {_spoken(kind)}")
    return given.astype(target)


_FORMATS = {"?": "b", "f": "f", "d": "f", "g": "f", **dict.fromkeys("bhilqn", "i"), **dict.fromkeys("BHILQNc", "u")}


def _of_buffer(memory: memoryview, kind: Kind, label: str) -> View:
    """An object with the buffer protocol: its own memory, or a copy."""
    layout = memory.format.lstrip("@=" + ("<" if sys.byteorder == "little" else ">"))
    shape, strides = memory.shape or (), memory.strides or ()
    if not kind.is_number:
        if memory.itemsize != kind.size:
            if not memory.c_contiguous or memory.nbytes % kind.size:
                raise TypeError(f"input {label} has {memory.nbytes} bytes, which are no {_spoken(kind)}")
            rows = memory.nbytes // kind.size
            if kind.code == "V" and shape:
                # Bytes of elements of any type: the last axis is one call's.
                shape = (*shape[:-1], shape[-1] * memory.itemsize)
            else:
                shape = () if rows == 1 and kind.code == "S" else (rows,)
            strides = contiguous(shape, kind.size)
    elif _FORMATS.get(layout) != kind.code or memory.itemsize != kind.size:
        try:
            values: list[Any] = list(memory.tolist()) if shape else [memory.tolist()]
        except NotImplementedError:
            raise TypeError(f"input {label}: a buffer of {memory.format!r} cannot be passed as {_spoken(kind)}") from None
        for _ in shape[1:]:
            values = [one for row in values for one in row]
        return packed(values, tuple(shape), kind, label)
    if not memory.readonly and memory.c_contiguous and memory.nbytes:
        return View(ctypes.addressof((ctypes.c_char * 0).from_buffer(memory)), tuple(shape), tuple(strides), memory)
    data = memory.obj if isinstance(memory.obj, bytes) and memory.nbytes == len(memory.obj) and memory.c_contiguous else memory.tobytes()
    return View(address_of_bytes(data), tuple(shape), contiguous(tuple(shape), kind.size), data)


def _of_rows(rows: list[View], kind: Kind, label: str) -> View:
    """Rows of the same shape, one behind another."""
    if len({row.shape for row in rows}) != 1:
        raise ValueError(f"input {label} has rows of different lengths: {sorted({row.shape for row in rows})[:4]}")
    data = b"".join(flat_bytes(row, kind.size) for row in rows)
    shape = (len(rows), *rows[0].shape)
    return View(address_of_bytes(data), shape, contiguous(shape, kind.size), data, any(row.is_numpy for row in rows))


def _spoken(kind: Kind) -> str:
    names = {"b": "_Bool", "i": f"int{kind.size * 8}", "u": f"uint{kind.size * 8}", "f": f"float{kind.size * 8}", "c": f"complex{kind.size * 8}"}
    return names.get(kind.code, {"S": f"structure of {kind.size} bytes", "T": "text", "V": "bytes"}.get(kind.code, kind.code))
