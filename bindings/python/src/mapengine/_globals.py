"""Globals of functions that travel by value: those of __main__, of notebooks, and of modules that only the host has.

In a worker all functions of such a module share one dict of globals, as they do in the host: what an initializer stores in a global is there
for the calls, and stays from call to call. The host's values come along with each function that refers to them, and are *applied* when
the worker turns to that function; but a value that is the same as the one that was last applied changes nothing, so that what the worker has
stored stays until the host changes the global. Whether values are the same is told by a digest of their pickle. Functions, classes
and modules are always applied.

Host: `pickler()`. Worker: `loading`, `activate`.
"""
from __future__ import annotations

import sys
import types
from _pickle import dumps

from ._seal import digest

TYPE_CHECKING = False  # Without importing typing: this runs at the start of workers.
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Tuple

    # Name, digest or None, value.
    Entry = Tuple[str, Optional[bytes], Any]

INTERACTIVE = ("__main__", "__mp_main__")
BASICS = ("__package__", "__name__", "__path__", "__file__")
_SELF = (types.FunctionType, types.BuiltinFunctionType, types.ModuleType, type)

# ---- In the host. ----

_pickler: Any = None


def by_value(value: Any, cloudpickle: Any, buffers: Optional[Callable[[Any], Any]] = None) -> bytes:
    """The pickle of a value with functions by value, whose globals are shared in the worker."""
    import io

    out = io.BytesIO()
    pickler(cloudpickle)(out, 5, buffers).dump(value)
    return out.getvalue()


def pickler(cloudpickle: Any) -> Any:
    """cloudpickle's Pickler, with functions of modules as above."""
    global _pickler
    if _pickler is None:
        import collections

        own = cloudpickle.cloudpickle

        class Pickler(own.Pickler):  # type: ignore[misc,name-defined]
            dispatch_table = collections.ChainMap({memoryview: _reduce_view}, own.Pickler.dispatch_table)

            def _dynamic_function_reduce(self, func: Any) -> Any:
                names = func.__globals__
                module = names.get("__name__")
                if getattr(sys.modules.get(module), "__dict__", None) is not names:
                    return super()._dynamic_function_reduce(func)
                code, _, _, _, closure = self._function_getnewargs(func)
                basics = {name: names[name] for name in BASICS if name in names}
                state, slots = own._function_getstate(func)
                entries = [(name, told(value), value) for name, value in slots["__globals__"].items()]
                slots["__globals__"] = {}
                shared = "__main__" if module in INTERACTIVE else module
                return make, (code, shared, basics, closure), (state, slots, shared, entries), None, None, fill

        _pickler = Pickler
    return _pickler


def _reduce_view(view: memoryview) -> Any:
    """A memoryview stays one, over memory that may travel beside the pickle."""
    if not view.c_contiguous or not view.nbytes or view.format not in tuple("cbB?hHiIlLqQnNfd"):
        return bytes, (view.tobytes(),)
    from pickle import PickleBuffer

    return rebuild_view, (PickleBuffer(view), view.format, view.shape)


def told(value: Any) -> Optional[bytes]:
    """What tells whether a global has changed; None when it is always to be applied."""
    if isinstance(value, _SELF):
        return None
    try:
        return digest(dumps(value, 5))
    except Exception:
        return None


def names_of(code: Any) -> List[str]:
    """The names that code, and code within it, may look up in its globals."""
    found = dict.fromkeys(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found.update(dict.fromkeys(names_of(constant)))
    return list(found)


# ---- In the worker. ----


def rebuild_view(buffer: Any, format: str, shape: Any) -> memoryview:
    """What _reduce_view has taken apart; to be looked at only."""
    return memoryview(buffer).toreadonly().cast("B").cast(format, shape)  # type: ignore[call-overload,no-any-return]


class _Shared:
    """The globals of one module in this worker."""

    def __init__(self, name: str) -> None:
        module = sys.modules.get(name) if name == "__main__" else None
        self.names: Dict[str, Any] = {} if module is None else module.__dict__
        self.applied: Dict[str, Optional[bytes]] = {}

    def apply(self, entries: List[Entry]) -> None:
        for name, digest_of_host, value in entries:
            if digest_of_host is None or name not in self.applied or self.applied[name] != digest_of_host or name not in self.names:
                self.names[name] = value
            self.applied[name] = digest_of_host


_modules: Dict[str, _Shared] = {}
# What functions that were loaded need, by the key of their spec.
_needs: Dict[bytes, List[Tuple[_Shared, List[Entry]]]] = {}
# The same of the function that is being loaded, and modules that are its own alone; None while nothing is loaded.
_gathering: Optional[List[Tuple[_Shared, List[Entry]]]] = None
_private: Optional[Dict[str, _Shared]] = None


class loading:
    """While a spec is loaded: gathers what its functions need. `private`: its globals are its own, since something is bound in them."""

    def __init__(self, spec: bytes, private: bool) -> None:
        self.key, self.private = digest(spec), private

    def __enter__(self) -> None:
        global _gathering, _private
        _gathering, _private = [], {} if self.private else None

    def __exit__(self, kind: Any, *_: object) -> None:
        global _gathering, _private
        if kind is None and _gathering and not self.private:
            if len(_needs) > 1024:
                _needs.clear()
            _needs[self.key] = _gathering
        _gathering = _private = None


def activate(key: bytes) -> None:
    """Called when the worker turns to another function: applies what the host had when it sent it."""
    for shared, entries in _needs.get(key, ()):
        shared.apply(entries)


def _shared(name: str) -> _Shared:
    modules = _modules if _private is None else _private
    if name not in modules:
        modules[name] = _Shared(name if _private is None else "")
    return modules[name]


def make(code: Any, module: str, basics: Dict[str, Any], closure: Any) -> Any:
    """A function without its state."""
    names = _shared(module).names
    for name, value in basics.items():
        names.setdefault(name, value)
    names.setdefault("__builtins__", __builtins__)
    return types.FunctionType(code, names, None, None, closure)


def fill(function: Any, state: Any) -> None:
    """Gives it its state."""
    from ._functions import cloudpickle

    attributes, slots, module, entries = state
    cloudpickle().cloudpickle._function_setstate(function, (attributes, slots))
    apply_now(module, entries)


def apply_now(module: str, entries: List[Entry]) -> None:
    """Applies globals that a function which is being loaded needs, now and whenever the worker turns to it."""
    shared = _shared(module)
    shared.apply(entries)
    if _gathering is not None:
        _gathering.append((shared, entries))
