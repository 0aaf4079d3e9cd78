"""The places for a C function's outputs, and what the caller gets of them."""
from __future__ import annotations

import array
import ctypes
import math
import sys
from typing import Any, Optional

from ._c_memory import Shape, collapsed, contiguous, view
from ._c_prototypes import Parameter, structure

_FORMATS = {("b", 1): "?"}


class Output:
    """Memory for one output of all calls. `rows`: the shape of the calls; `extent`: elements per call of an array, None of a value.

    NumPy's arrays when `numpy` is true or the caller gave one (`out`); else `array.array` for numbers in one dimension, a memoryview in
    several, and a list of what has no such format: texts, structures, complex numbers, long double.
    """

    def __init__(self, parameter: Parameter, rows: Shape, extent: Optional[int], numpy: bool, out: Any) -> None:
        self.parameter = parameter
        self.rows = rows
        self.shape = rows if extent is None else (*rows, extent)
        self.kind = parameter.kind
        self.size = self.kind.size * (1 if extent is None else extent)
        self.stride = self.size
        self.is_list = False
        self.is_numpy = numpy and not parameter.is_text and not parameter.is_characters
        self.given: Any = None
        self.memory: Any
        if out is not None:
            self._use(out)
        elif self.is_numpy:
            self.memory = sys.modules["numpy"].zeros(self.shape, self._dtype())
            self.address = self.memory.__array_interface__["data"][0]
        else:
            self._allocate()

    def _dtype(self) -> Any:
        made = structure(self.parameter.type_name, self.kind.size) if self.kind.code == "S" else None
        if made is not None:
            return sys.modules["numpy"].dtype(made.dtype, align=True)
        return "V1" if self.kind.code == "V" else self.kind.dtype

    def _allocate(self) -> None:
        count = math.prod(self.shape)
        if self.kind.typecode and len(self.shape) == 1 and self.shape is self.rows:
            self.memory = array.array(self.kind.typecode, [0]) * count
            self.address = self.memory.buffer_info()[0]
            return
        self.memory = bytearray(max(count * self.kind.size, 1))
        self.address = ctypes.addressof((ctypes.c_char * 0).from_buffer(self.memory))
        self.is_list = not (self.kind.typecode or self.kind.code == "b") or self.parameter.is_characters

    def _use(self, out: Any) -> None:
        """The caller's array, if its elements lie at a stride; else one of our own, which is copied into it."""
        label = f"out of {self.parameter.name!r}"
        interface = getattr(out, "__array_interface__", None)
        given = view(out, self.kind, label)
        there = given.owner[0] if interface is not None else getattr(given.owner, "obj", None)
        if there is not out or (interface is not None and interface["data"][1]):
            raise TypeError(f"{label} must be an array that can be written, of the function's own type {self.parameter.type_name}")
        if given.shape != self.shape:
            raise ValueError(f"{label} has the shape {given.shape}; {self.shape} is needed")
        stride = collapsed(self.rows, given.strides[:len(self.rows)])
        inner = given.strides[len(self.rows):]
        self.given = out
        self.is_numpy = interface is not None
        if stride is not None and (not inner or inner == contiguous(self.shape, self.kind.size)[len(self.rows):]) and (
                stride or math.prod(self.rows) <= 1):
            self.memory, self.address, self.stride = out, given.address, stride
        elif "numpy" not in sys.modules:
            raise ValueError(f"{label}: without NumPy its elements must lie at equal distances")
        else:
            self.memory = sys.modules["numpy"].array(out, order="C")
            self.address = self.memory.__array_interface__["data"][0]

    def result(self) -> Any:
        """What the caller gets: one value when there is one call of scalars."""
        if self.given is not None:
            if self.memory is not self.given:
                self.given[...] = self.memory
            return self.given
        if self.is_numpy:
            return self.memory[()]
        if self.is_list or self.parameter.is_text:
            values = self._values()
            return values if self.rows else values[0]
        if isinstance(self.memory, array.array):
            return self.memory
        code: Any = self.kind.typecode or _FORMATS[self.kind.code, self.kind.size]
        whole = memoryview(self.memory)[:math.prod(self.shape) * self.kind.size]
        if not self.shape:
            return whole.cast(code)[0]
        return whole.cast(code) if len(self.shape) == 1 or 0 in self.shape else whole.cast("B").cast(code, self.shape)

    def _values(self) -> list[Any]:
        """Python's values, one per call in C order."""
        count, parameter = math.prod(self.rows), self.parameter
        data = bytes(self.memory)
        pieces = [data[at * self.size:(at + 1) * self.size] for at in range(count)]
        if parameter.is_text:
            return [piece.split(b"\0", 1)[0].decode("utf-8", "surrogateescape") for piece in pieces]
        if parameter.is_characters:
            return [piece.rstrip(b"\0") for piece in pieces]
        if self.kind.code == "S":
            made = None if parameter.is_array else structure(parameter.type_name, self.kind.size)
            return pieces if made is None else [made.tuple_type._make(made.format.unpack(piece)) for piece in pieces]
        if self.kind.code == "V":
            return pieces
        part: Any = {4: ctypes.c_float, 8: ctypes.c_double}.get(self.kind.size // (1 + (self.kind.code == "c")), ctypes.c_longdouble)
        flat = list((part * (len(data) // ctypes.sizeof(part))).from_buffer_copy(data))[:math.prod(self.shape) * (1 + (self.kind.code == "c"))]
        if self.kind.code == "c":
            flat = [complex(real, imaginary) for real, imaginary in zip(flat[::2], flat[1::2])]
        if self.shape is self.rows:
            return flat
        extent = self.shape[-1]
        return [flat[at:at + extent] for at in range(0, len(flat), extent)] if extent else [[] for _ in range(count)]
