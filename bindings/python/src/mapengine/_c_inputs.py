"""The inputs of a C function's calls, as the engine's columns."""
from __future__ import annotations

import array
import ctypes
import math
from collections.abc import Sequence
from typing import Any, Optional

from . import _abi as abi
from ._c_memory import Shape, View, address_of_bytes, collapsed, contiguous, flat_bytes, packed, repeated, view
from ._c_prototypes import Kind, Parameter, Prototype, structure

_POINTER = Kind("u", 8, "Q")
_COLUMN = ctypes.sizeof(abi.mape_column)


class Input:
    """The values of one parameter. `rows`: the shape of the calls they are for; `size`: bytes per call; `lengths`: how many elements each
    call's array has, one number when it is the same for all."""

    def __init__(self, data: View, rows: Shape, size: int, *, kind: Kind, pointers: bool = False, lengths: Optional[View] = None) -> None:
        self.data = data
        self.rows = rows
        self.size = size
        self.kind = kind
        self.pointers = pointers
        self.lengths = lengths

    @property
    def is_numpy(self) -> bool:
        return self.data.is_numpy

    def fill(self, column: Any, rows: Shape) -> Any:
        """Says to one of the engine's columns where the values for calls of this shape lie. What is returned has to live until the engine has
        copied them."""
        used = self.data
        if rows != () or used.shape != ():
            used = repeated(used._replace(shape=self.rows, strides=used.strides[:len(self.rows)]), self.size, rows)
        set_column(column, used.address, collapsed(rows, used.strides) if rows else 0, 0 if self.pointers else self.size)
        column.pointers = self.pointers
        return used.owner

    def largest(self) -> int:
        """The largest of these integers, which say how long arrays are."""
        return max(max(_integers(self.data, self.kind), default=0), 0)


def set_column(column: Any, base: int, stride: Optional[int], size: int) -> None:
    """A column's fields; a structure that makes them from keywords takes longer than a call."""
    column.struct_size = _COLUMN
    column.base = base
    column.stride = stride or 0
    column.size = size


def inputs_of(prototype: Prototype, args: Sequence[Any]) -> list[Input]:
    """An input per argument; lengths that were left out are those of their arrays. Raises TypeError for a wrong number of arguments."""
    wanted = len(prototype.inputs)
    left_out = bool(prototype.lengths) and len(args) == wanted - len(prototype.lengths)
    if len(args) != wanted and not left_out:
        without = f", or {wanted - len(prototype.lengths)} without the arrays' lengths" if prototype.lengths else ""
        raise TypeError(f"{prototype.name} takes {wanted} inputs{without}, not {len(args)}")
    given = iter(args)
    found: list[Optional[Input]] = [
        None if left_out and place in prototype.lengths else _input(parameter, next(given))
        for place, parameter in enumerate(prototype.inputs)]
    if left_out:
        for place in prototype.lengths:
            found[place] = _length(prototype, place, found)
    return [one for one in found if one is not None]


def check_lengths(prototype: Prototype, inputs: Sequence[Input], rows: Shape) -> None:
    """Raises ValueError for a length beyond an array that is passed by pointer: the engine cannot know where such an array ends."""
    for parameter, one in zip(prototype.inputs, inputs):
        if one.lengths is None or not one.pointers:
            continue
        counter = inputs[prototype.parameters[parameter.length_parameter].input]
        there = _integers(repeated(one.lengths, 8, rows), _POINTER)
        wanted = _integers(repeated(counter.data, counter.kind.size, rows), counter.kind)
        for row, (has, needs) in enumerate(zip(there, wanted)):
            if not 0 <= needs * parameter.length <= has:
                raise ValueError(f"input {parameter.label}: call {row} is to read {needs * parameter.length} elements of {has}")


def _integers(given: View, kind: Kind) -> Sequence[int]:
    code: Any = kind.typecode
    return memoryview(flat_bytes(given, kind.size)).cast(code)


def _length(prototype: Prototype, place: int, found: Sequence[Optional[Input]]) -> Input:
    """The input that says how long the arrays are which it counts."""
    parameter = prototype.inputs[place]
    for other, one in zip(prototype.inputs, found):
        if one is not None and one.lengths is not None and other.length_parameter >= 0 \
                and prototype.parameters[other.length_parameter].input == place:
            values = list(_integers(one.lengths, _POINTER))
            if any(value % other.length for value in values):
                raise ValueError(f"input {other.label}: its length must be a multiple of {other.length}")
            data = packed([value // other.length for value in values], one.lengths.shape, parameter.kind, parameter.label)
            return Input(data, data.shape, parameter.kind.size, kind=parameter.kind)
    raise TypeError(f"the length {parameter.label} cannot be left out")


def _input(parameter: Parameter, value: Any) -> Input:
    kind, label = parameter.kind, parameter.label
    if parameter.is_text:
        return _texts(value, label)
    if not parameter.is_array:
        if kind.code == "S" and isinstance(value, (tuple, list)):
            value = _structures(parameter, value)
        data = view(value, kind, label)
        return Input(data, data.shape, kind.size, kind=kind)
    if isinstance(value, (list, tuple)) and value and parameter.length_parameter >= 0 and not isinstance(value[0], (int, float, complex)):
        return _ragged(parameter, value)
    data = _characters(parameter, value) if parameter.is_characters and isinstance(value, bytes) else view(value, kind, label)
    if not data.shape:
        raise TypeError(f"input {label} is an array: pass a sequence, not one value")
    extent = data.shape[-1]
    if parameter.length_parameter < 0 and extent != parameter.length:
        raise ValueError(f"input {label} needs {parameter.length} elements on its last axis, not {extent}")
    if extent == 0 and parameter.length_parameter >= 0:
        return _empty(data, parameter)
    if extent > 1 and data.strides[-1] != kind.size:
        copied = flat_bytes(data, kind.size)
        data = View(address_of_bytes(copied), data.shape, contiguous(data.shape, kind.size), copied, data.is_numpy)
    return Input(data, data.shape[:-1], kind.size * extent, kind=kind, lengths=packed([extent], (), _POINTER, label))


def _empty(data: View, parameter: Parameter) -> Input:
    """Arrays without an element: a pointer to somewhere, as a column of no bytes means one of as many as the prototype says."""
    somewhere = array.array("Q", [0])
    pointer = array.array("Q", [somewhere.buffer_info()[0]])
    rows = data.shape[:-1]
    pointers = View(pointer.buffer_info()[0], rows, (0,) * len(rows), (somewhere, pointer), data.is_numpy)
    return Input(pointers, rows, 8, kind=parameter.kind, pointers=True, lengths=packed([0], (), _POINTER, parameter.label))


def _characters(parameter: Parameter, value: bytes) -> View:
    """bytes for an array of char; shorter ones end with NULs."""
    if parameter.length_parameter < 0:
        value = value.ljust(parameter.length, b"\0")
    return view(value, Kind("V", 1), parameter.label)


def _structures(parameter: Parameter, value: Sequence[Any]) -> Any:
    """Tuples of numbers, or bytes, as one block of bytes."""
    made = structure(parameter.type_name, parameter.element_size)
    one = isinstance(value, tuple) and not isinstance(value[0], (tuple, bytes)) if value else False
    parts = []
    for row in [value] if one else value:
        if not isinstance(row, tuple):
            parts.append(bytes(row))
        elif made is None:
            raise TypeError(f"input {parameter.label}: {parameter.type_name} has more than numbers: pass its bytes")
        else:
            parts.append(made.format.pack(*row))
        if len(parts[-1]) != parameter.element_size:
            raise TypeError(f"input {parameter.label}: a structure has {parameter.element_size} bytes, not {len(parts[-1])}")
    joined = (ctypes.c_char * (len(parts) * parameter.element_size)).from_buffer_copy(b"".join(parts))
    return memoryview(joined).cast("B") if one else _Rows(joined, parameter.element_size)


class _Rows:
    """Structures one behind another, as `__array_interface__` says it."""

    def __init__(self, memory: Any, size: int) -> None:
        self.memory = memory
        self.__array_interface__ = {"version": 3, "typestr": f"|V{size}", "shape": (len(memory) // size,),
                                    "data": (ctypes.addressof(memory), True)}


def _texts(value: Any, label: str) -> Input:
    """A text for all calls, or one for each; None is NULL."""
    one = value is None or isinstance(value, (str, bytes))
    texts = [value] if one else list(value)
    kept = []
    for text in texts:
        if isinstance(text, str):
            text = text.encode("utf-8", "surrogateescape")
        if text is not None and not isinstance(text, bytes):
            raise TypeError(f"input {label} is a text, not {type(text).__name__}")
        if text is not None and b"\0" in text:
            raise ValueError(f"input {label}: a text of C ends at its first NUL; there is one inside")
        kept.append(text)
    memory = (ctypes.c_char_p * max(len(kept), 1))(*kept)
    shape: Shape = () if one else (len(kept),)
    data = View(ctypes.addressof(memory), shape, contiguous(shape, 8), (memory, kept))
    return Input(data, shape, 8, kind=_POINTER, pointers=True)


def _ragged(parameter: Parameter, value: Sequence[Any]) -> Input:
    """An array of its own length for each call, by pointers."""
    rows = [view(row, parameter.kind, parameter.label) for row in value]
    kept = []
    addresses = array.array("Q")
    for row in rows:
        if len(row.shape) != 1:
            raise ValueError(f"input {parameter.label}: each call's array has one dimension, not {len(row.shape)}")
        if row.shape[0] > 1 and row.strides[0] != parameter.kind.size:
            copied = flat_bytes(row, parameter.kind.size)
            row = row._replace(address=address_of_bytes(copied), owner=copied)
        kept.append(row.owner)
        addresses.append(row.address)
    shape = (len(rows),)
    data = View(addresses.buffer_info()[0], shape, (8,), (addresses, kept), any(row.is_numpy for row in rows))
    lengths = packed([math.prod(row.shape) for row in rows], shape, _POINTER, parameter.label)
    return Input(data, shape, 8, kind=parameter.kind, pointers=True, lengths=lengths)
