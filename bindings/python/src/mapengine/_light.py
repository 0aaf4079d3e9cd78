"""Plain functions of __main__ and of notebooks by value, without cloudpickle, whose import would be most of a pool's start on both sides.

A function is *plain* when it has no attributes of its own, and refers to nothing but modules, other plain functions of the same module, and what pickle
alone takes. All others go by cloudpickle (_globals.py), in whose way globals are shared and applied here too.
"""
from __future__ import annotations

import marshal
import sys
import types
from _pickle import dumps

from . import _globals

TYPE_CHECKING = False  # Without importing typing: this runs at the start of workers.
if TYPE_CHECKING:
    from typing import Any, Callable, List, Optional, Tuple

    # (PLAIN, value), (MODULE, its name), (FUNCTION, its index in the records).
    Wrapped = Tuple[int, Any]

PLAIN, MODULE, FUNCTION = 0, 1, 2


class _NotPlain(Exception):
    """Something that only cloudpickle can send."""


class _Carrier:
    """Comes out of its pickle as the first function of its records."""

    def __init__(self, records: List[Any]) -> None:
        self.records = records

    def __reduce__(self) -> Any:
        return rebuild, (self.records,)


# ---- In the host ----


def function_bytes(function: Any, by_reference: Callable[[Any], bool], importable: Callable[[Optional[str]], bool]) -> Optional[bytes]:
    """A pickle that is the function where it is loaded; None for one that is not plain."""
    try:
        data = dumps(_Carrier(_Records(by_reference, importable).of(function)), 5)
    except Exception:
        return None
    return None if b"main__" in data else data  # Something that belongs to __main__ would go by its name.


class _Records:
    """Makes the records of a function and of those it refers to."""

    def __init__(self, by_reference: Callable[[Any], bool], importable: Callable[[Optional[str]], bool]) -> None:
        self._by_reference, self._importable = by_reference, importable
        self._functions: List[Any] = []
        self._records: List[Any] = []

    def of(self, function: Any) -> List[Any]:
        self._functions.append(function)
        for one in self._functions:  # Grows meanwhile.
            self._records.append(self._record(one))
        return self._records

    def _record(self, function: Any) -> Any:
        names, module, code = function.__globals__, function.__globals__.get("__name__"), function.__code__
        if type(function) is not types.FunctionType or module not in _globals.INTERACTIVE or function.__module__ != module \
                or getattr(sys.modules.get(module), "__dict__", None) is not names or function.__dict__ or getattr(function, "__type_params__", None):
            raise _NotPlain
        basics = {name: names[name] for name in _globals.BASICS if name in names and name != "__name__"}
        entries = [(name, _globals.told(names[name]), self._wrapped(names[name])) for name in _globals.names_of(code)
                   if name in names and name not in _globals.BASICS]
        cells = None if function.__closure__ is None else [self._wrapped(cell.cell_contents) for cell in function.__closure__]
        state = {"__qualname__": function.__qualname__, "__doc__": function.__doc__, "__defaults__": function.__defaults__,
                 "__kwdefaults__": function.__kwdefaults__, "__annotations__": function.__annotations__}
        return marshal.dumps(code), function.__name__, basics, state, cells, entries

    def _wrapped(self, value: Any) -> Wrapped:
        if type(value) is types.FunctionType and not self._by_reference(value):
            if value not in self._functions:
                self._functions.append(value)
            return FUNCTION, self._functions.index(value)
        if isinstance(value, types.ModuleType):
            # The function may use submodules of a package, which cloudpickle looks for.
            if hasattr(value, "__path__") or not self._importable(value.__name__) or sys.modules.get(value.__name__) is not value:
                raise _NotPlain
            return MODULE, value.__name__
        return PLAIN, value


# ---- In the worker ----


def rebuild(records: List[Any]) -> Any:
    """The first of these functions."""
    made = []
    for code, name, basics, _, cells, _ in records:
        closure = None if cells is None else tuple(types.CellType() for _ in cells)
        function = _globals.make(marshal.loads(code), "__main__", {"__name__": "__main__", **basics}, closure)
        function.__name__ = name
        made.append(function)
    for function, (_, _, _, state, cells, entries) in zip(made, records):
        for name, value in state.items():
            setattr(function, name, value)
        function.__module__ = "__main__"
        for cell, wrapped in zip(function.__closure__ or (), cells or ()):
            cell.cell_contents = _unwrapped(made, wrapped)
        _globals.apply_now("__main__", [(name, told, _unwrapped(made, wrapped)) for name, told, wrapped in entries])
    return made[0]


def _unwrapped(made: List[Any], wrapped: Wrapped) -> Any:
    kind, value = wrapped
    if kind == FUNCTION:
        return made[value]
    if kind == MODULE:
        __import__(value)
        return sys.modules[value]
    return value
