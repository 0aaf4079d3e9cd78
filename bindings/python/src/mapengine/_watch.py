"""Whether a function that travels by value is still what it was when it was pickled.

Pickling such a function takes longer than all else of a call. So its pickle is kept as long as everything that the function refers to
is the same object and cannot have changed: numbers, texts, modules, and functions of which the same is true. A function that refers to
anything else, a list for example, is pickled for each call.
"""
from __future__ import annotations

import types

TYPE_CHECKING = False  # Without importing typing, which takes longer than all else of a worker's start.
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

_ATOMS = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis), types.ModuleType, types.BuiltinFunctionType)
_MISSING = object()


class Snapshot:
    """What a function referred to at one moment."""

    __slots__ = ("_names", "_cells", "_functions")

    def __init__(self) -> None:
        self._names: List[Tuple[Dict[str, Any], str, Any]] = []
        self._cells: List[Tuple[Any, Any]] = []
        self._functions: List[Tuple[Any, Any, Any, Any]] = []

    def holds(self) -> bool:
        """Whether all of it is as it was."""
        for names, name, value in self._names:
            if names.get(name, _MISSING) is not value:
                return False
        for function, code, defaults, keywords in self._functions:
            if function.__code__ is not code or function.__defaults__ is not defaults or function.__kwdefaults__ is not keywords:
                return False
        try:
            return all(cell.cell_contents is value for cell, value in self._cells)
        except ValueError:
            return False


def snapshot(function: Any, by_reference: Callable[[Any], bool]) -> Optional[Snapshot]:
    """What the function refers to; None when that may change unseen."""
    made = Snapshot()
    return made if isinstance(function, types.FunctionType) and _add(made, function, set(), by_reference) else None


def _add(made: Snapshot, function: Any, seen: Any, by_reference: Callable[[Any], bool]) -> bool:
    if id(function) in seen:
        return True
    seen.add(id(function))
    if function.__dict__ or function.__kwdefaults__ is not None:
        return False
    made._functions.append((function, function.__code__, function.__defaults__, function.__kwdefaults__))
    values: List[Any] = list(function.__defaults__ or ())
    names = function.__globals__
    for name in set(_names(function.__code__)):
        value = names.get(name, _MISSING)
        made._names.append((names, name, value))
        if value is not _MISSING:
            values.append(value)
    for cell in function.__closure__ or ():
        try:
            value = cell.cell_contents
        except ValueError:
            return False
        made._cells.append((cell, value))
        values.append(value)
    return all(_is_fixed(made, value, seen, by_reference) for value in values)


def _is_fixed(made: Snapshot, value: Any, seen: Any, by_reference: Callable[[Any], bool]) -> bool:
    kind = type(value)
    if kind in _ATOMS:
        return True
    if kind is tuple:
        return all(_is_fixed(made, one, seen, by_reference) for one in value)
    if kind is types.FunctionType:
        return by_reference(value) or _add(made, value, seen, by_reference)
    return isinstance(value, type) and by_reference(value)


def _names(code: Any) -> Iterator[str]:
    """The names that code, and code within it, may look up in its globals."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


