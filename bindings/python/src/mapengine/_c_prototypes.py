"""What a C function takes and gives, as the engine reads it from its prototype."""
from __future__ import annotations

import collections
import ctypes
import functools
import re
import struct
from dataclasses import dataclass
from typing import Any, Callable, NamedTuple, Optional

from . import _abi as abi


@dataclass(frozen=True)
class Kind:
    """A type of C. `code`: b bool, i and u integers, f and c floating point and complex, S structure, T text, V bytes."""

    code: str
    size: int
    typecode: str = ""
    """What `array.array` calls it; "" when it has no such type."""

    @property
    def dtype(self) -> str:
        """What NumPy calls it."""
        return {"S": "V", "T": "S"}.get(self.code, self.code) + str(self.size)

    @property
    def is_number(self) -> bool:
        return self.code in "biufc"


_NUMBERS = {
    abi.MAPE_TYPE_BOOL: Kind("b", 1),
    abi.MAPE_TYPE_INT8: Kind("i", 1, "b"), abi.MAPE_TYPE_UINT8: Kind("u", 1, "B"),
    abi.MAPE_TYPE_INT16: Kind("i", 2, "h"), abi.MAPE_TYPE_UINT16: Kind("u", 2, "H"),
    abi.MAPE_TYPE_INT32: Kind("i", 4, "i"), abi.MAPE_TYPE_UINT32: Kind("u", 4, "I"),
    abi.MAPE_TYPE_INT64: Kind("i", 8, "q"), abi.MAPE_TYPE_UINT64: Kind("u", 8, "Q"),
    abi.MAPE_TYPE_FLOAT: Kind("f", 4, "f"), abi.MAPE_TYPE_DOUBLE: Kind("f", 8, "d"),
    abi.MAPE_TYPE_LONG_DOUBLE: Kind("f", ctypes.sizeof(ctypes.c_longdouble)),
    abi.MAPE_TYPE_COMPLEX_FLOAT: Kind("c", 8), abi.MAPE_TYPE_COMPLEX_DOUBLE: Kind("c", 16),
    abi.MAPE_TYPE_COMPLEX_LONG_DOUBLE: Kind("c", 2 * ctypes.sizeof(ctypes.c_longdouble)),
}
_CTYPES: dict[int, Any] = {
    abi.MAPE_TYPE_BOOL: ctypes.c_bool,
    abi.MAPE_TYPE_INT8: ctypes.c_int8, abi.MAPE_TYPE_UINT8: ctypes.c_uint8,
    abi.MAPE_TYPE_INT16: ctypes.c_int16, abi.MAPE_TYPE_UINT16: ctypes.c_uint16,
    abi.MAPE_TYPE_INT32: ctypes.c_int32, abi.MAPE_TYPE_UINT32: ctypes.c_uint32,
    abi.MAPE_TYPE_INT64: ctypes.c_int64, abi.MAPE_TYPE_UINT64: ctypes.c_uint64,
    abi.MAPE_TYPE_FLOAT: ctypes.c_float, abi.MAPE_TYPE_DOUBLE: ctypes.c_double, abi.MAPE_TYPE_LONG_DOUBLE: ctypes.c_longdouble,
}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function, what it returns ("return"), or errno."""

    name: str
    type_name: str
    type: int
    is_array: bool
    length: int
    """Elements of an array, or so many for each that `length_parameter` counts; bytes of a returned text."""
    length_parameter: int
    """The index of the parameter that has an array's length; -1: none."""
    element_size: int
    input: int
    """Which input it is; -1: none."""
    output: int

    @property
    def kind(self) -> Kind:
        """The type of the value, or of an array's elements."""
        if self.type in _NUMBERS:
            return _NUMBERS[self.type]
        if self.type == abi.MAPE_TYPE_STRING:
            return Kind("T", self.length)
        return Kind("V", 1) if self.type == abi.MAPE_TYPE_BYTE else Kind("S", self.element_size)

    @property
    def is_text(self) -> bool:
        return self.type == abi.MAPE_TYPE_STRING

    @property
    def is_characters(self) -> bool:
        """An array of char, which C uses for texts."""
        return self.is_array and self.type_name.replace("const", "").strip() in ("char *", "char")

    @property
    def label(self) -> str:
        return f"'{self.name}'" if self.name else f"number {self.input + 1}"


class Structure(NamedTuple):
    """A structure whose members are numbers, as Python and NumPy spell it."""

    tuple_type: Any
    format: struct.Struct
    dtype: list[tuple[str, str]]


_MEMBERS = {"_Bool": "?", "char": "b", "signed char": "b", "unsigned char": "B", "int8_t": "b", "uint8_t": "B",
            "short": "h", "unsigned short": "H", "int16_t": "h", "uint16_t": "H", "int": "i", "unsigned": "I", "unsigned int": "I",
            "int32_t": "i", "uint32_t": "I", "long": "l", "unsigned long": "L", "long long": "q", "unsigned long long": "Q",
            "int64_t": "q", "uint64_t": "Q", "size_t": "N", "ssize_t": "n", "float": "f", "double": "d"}


@functools.lru_cache(maxsize=None)
def structure(type_name: str, size: int) -> Optional[Structure]:
    """The members of "{int quot; int rem;}"; None when they are more than numbers: then the structure is bytes."""
    found = re.fullmatch(r"(?:struct )?\w*\s*\{([^{}\[\]]*)\}", type_name.replace("const ", "").strip())
    members = [] if found is None else [re.fullmatch(r"\s*([\w ]+?)\s+(\w+)\s*", one) for one in found[1].split(";") if one.strip()]
    codes = [_MEMBERS.get(one[1], "") if one else "" for one in members]
    if not codes or "" in codes:
        return None
    names = [one[2] for one in members if one]
    # The end of a structure is aligned as its most aligned member is.
    layout = struct.Struct("@" + "".join(codes) + "".join(sorted("0" + code for code in set(codes))))
    if layout.size != size:
        return None
    return Structure(collections.namedtuple("Structure", names, rename=True), layout, list(zip(names, codes)))


@dataclass(frozen=True)
class Prototype:
    """All of a function."""

    name: str
    parameters: tuple[Parameter, ...]
    returns: Parameter
    inputs: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...]
    lengths: frozenset[int]
    """Those inputs (by index among them) that only say how long an array is."""

    def ctypes(self) -> Optional[Callable[[int], Any]]:
        """The type of its pointers for ctypes; None when ctypes cannot call it: structures by value, and complex numbers."""
        types: list[Any] = []
        for one in self.parameters:
            kind = ctypes.c_char_p if one.is_text else ctypes.c_void_p if one.is_array else _CTYPES.get(one.type)
            if kind is None:
                return None
            types.append(kind)
        if self.returns.type == abi.MAPE_TYPE_NONE:
            return ctypes.CFUNCTYPE(None, *types)
        returned = _CTYPES.get(self.returns.type)
        return None if returned is None else ctypes.CFUNCTYPE(returned, *types)


def describe(library: ctypes.CDLL, check: Callable[[int], object], pool: Any, function: int, errno: bool) -> Prototype:
    """Asks the engine about a registered function. `check` raises for a status that is an error."""
    info = abi.mape_prototype_info()
    check(library.mape_function_prototype(abi.byref(info), pool, function))

    def parameter(index: int) -> Parameter:
        found = abi.mape_parameter_info()
        check(library.mape_function_parameter(abi.byref(found), pool, function, index))
        return Parameter(found.name.decode("utf-8", "replace"), found.type_name.decode("utf-8", "replace"), found.type, bool(found.is_array),
                         found.length, found.length_parameter, found.element_size, found.input, found.output)

    parameters = tuple(parameter(index) for index in range(info.parameters))
    returns = parameter(abi.MAPE_PARAMETER_RETURN)
    everything = [*parameters, returns] + ([parameter(abi.MAPE_PARAMETER_ERRNO)] if errno else [])
    inputs = sorted((one for one in parameters if one.input >= 0), key=lambda one: one.input)
    outputs = sorted((one for one in everything if one.output >= 0), key=lambda one: one.output)
    counted = {one.length_parameter for one in parameters if one.is_array and one.length_parameter >= 0 and one.input >= 0}
    lengths = frozenset(parameters[index].input for index in counted)
    return Prototype(info.name.decode("utf-8", "replace"), parameters, returns, tuple(inputs), tuple(outputs), lengths)
