"""How functions travel: by reference where the worker can import them, else by value (cloudpickle).

A *spec* is a function with what is to be bound for it, as bytes; workers make its function once and keep it by the spec's key.
"""
from __future__ import annotations

import sys
import types
import weakref
from _pickle import dumps, loads

from ._format import HEAD
from ._seal import digest
from ._watch import Snapshot, snapshot

TYPE_CHECKING = False  # Without importing typing, which takes longer than all else of a worker's start.
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

    Bound = Union[None, Mapping[str, Any], Sequence[Any]]
    Star = Union[bool, Callable[[Any], bool]]


BY_NAME = b"n"  # A spec that begins so is the pickle of the function, by its name. Pickles begin with another byte.
_INTERACTIVE = ("__main__", "__mp_main__")
_by_value_modules: Dict[str, Any] = {}


def cloudpickle() -> Any:
    """The vendored cloudpickle; imported when a function travels by value for the first time."""
    try:
        from ._vendor import cloudpickle as found
    except ImportError:
        import cloudpickle as found  # type: ignore[no-redef,import-untyped,import-not-found,unused-ignore]
    return found


class Spec:
    """A function as it travels."""

    __slots__ = ("key", "data")

    def __init__(self, data: bytes) -> None:
        self.key, self.data = digest(data), data


def importable(name: Optional[str]) -> bool:
    """Whether workers can import the module: not one that was made in this process alone."""
    if not name or name in _INTERACTIVE:
        return False
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    return module is not None and (spec is not None and spec.loader is not None or name in sys.builtin_module_names)


def by_reference(function: Any) -> bool:
    """Whether a function or class is what its module has under its name, in a module that workers can import."""
    name, at = getattr(function, "__qualname__", None), getattr(function, "__module__", None)
    if not name or not importable(at):
        return False
    found: Any = sys.modules[at]  # type: ignore[index]
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is function


class Travels:
    """What is known of functions that were sent already. One per Workers; its owner's lock guards it."""

    def __init__(self, flags: int) -> None:
        self._flags = flags  # Of calls.
        self._known: Dict[int, Tuple[Any, bytes]] = {}
        self._specs: Dict[int, Tuple[Any, Snapshot, Spec]] = {}

    def by_name(self, function: Any) -> bytes:
        """What the call of a function begins with that pickle finds by name, in a module that workers can import; nothing for others."""
        known = self._known.get(id(function))
        if known is not None and known[0]() is function:
            return known[1]
        kind = type(function)
        if kind is types.FunctionType or isinstance(function, type):
            verdict = by_reference(function)
        elif kind is types.BuiltinFunctionType:
            owner = getattr(function, "__self__", None)
            verdict = owner is None or isinstance(owner, types.ModuleType)
        else:
            return b""
        head = b""
        if verdict:
            data = dumps(function, 5)
            if b"main__" not in data:
                spec = Spec(BY_NAME + data)
                head = HEAD.pack(spec.key, len(spec.data), self._flags) + spec.data
        if len(self._known) > 1000:
            self._known.clear()
        self._known[id(function)] = weakref.ref(function), head
        return head

    def spec(self, function: Any) -> Spec:
        """The spec of a function without bindings; the one of the last time, as long as nothing has changed that the function refers to."""
        known = self._specs.get(id(function))
        if known is not None and known[0]() is function and known[1].holds():
            return known[2]
        watched = snapshot(function, by_reference)
        spec = make_spec(function)
        if watched is not None:
            if len(self._specs) >= 256:
                self._specs.clear()
            self._specs[id(function)] = weakref.ref(function), watched, spec
        return spec


def pickled(value: Any, buffers: Optional[Callable[[Any], Any]] = None) -> bytes:
    """A pickle that a worker can load: what belongs to __main__ goes by value."""
    try:
        data = dumps(value, 5, buffer_callback=buffers)
        if b"main__" not in data:  # Neither __main__ nor __mp_main__.
            return data
    except Exception as error:
        try:
            return _by_value(value, buffers)
        except Exception:
            raise error from None
    return _by_value(value, buffers)


def encode_call(call: Sequence[Any], limit: int) -> Tuple[bytes, List[memoryview]]:
    """The pickle of a call's parts, and buffers of at least `limit` bytes that go beside it. Raises what pickling raises."""
    buffers: List[memoryview] = []

    def aside(buffer: Any) -> bool:
        try:
            raw = buffer.raw()
        except BufferError:
            return True
        if raw.nbytes < limit:
            return True
        buffers.append(raw)
        return False

    return pickled(call, aside), buffers


def _by_value(value: Any, buffers: Optional[Callable[[Any], Any]]) -> bytes:
    from ._globals import by_value

    return by_value(value, cloudpickle(), buffers)


def function_bytes(function: Any) -> bytes:
    """A function as bytes for pickle.loads, by reference if possible."""
    kind = type(function)
    if kind is types.FunctionType or isinstance(function, type):
        if by_reference(function):
            return dumps(function, 5)
        module = getattr(function, "__module__", None)
        if module not in _INTERACTIVE and module in sys.modules and not importable(module) and module not in _by_value_modules:
            cloudpickle().register_pickle_by_value(sys.modules[module])
            _by_value_modules[module] = True
        return light_bytes(function) or _by_value(function, None)
    return pickled(function)


def light_bytes(function: Any) -> Optional[bytes]:
    """The bytes of a plain function of __main__, without cloudpickle; None for another."""
    if getattr(function, "__module__", None) not in _INTERACTIVE or type(function) is not types.FunctionType:
        return None
    from ._light import function_bytes

    return function_bytes(function, by_reference, importable)


def make_spec(function: Any, star: Star = False, modules: Sequence[str] = (), bound: Bound = None) -> Spec:
    """A function with what its globals are to have: `modules` as in import statements ("numpy", "time as t"), and `bound`, a dict or a
    sequence of functions and classes that are known by their __name__."""
    values: Dict[str, Any] = {}
    if bound is not None:
        values = dict(bound) if hasattr(bound, "keys") else {one.__name__: one for one in bound}
    decide = function_bytes(star) if callable(star) else None
    return Spec(dumps((function_bytes(function), decide, tuple(modules), {name: function_bytes(one) for name, one in values.items()}), 5))


def modules_of(function: Any) -> List[str]:
    """Modules that workers will need for the function, as far as can be seen: imported once, before workers are forked."""
    out: List[str] = []
    inner = getattr(function, "__func__", getattr(function, "func", function))
    at = getattr(inner, "__module__", None)
    if importable(at):
        out.append(str(at))
    elif isinstance(inner, types.FunctionType):
        out.append(cloudpickle().__name__ if light_bytes(inner) is None else f"{__package__}._light")
        for name in inner.__code__.co_names:
            value = inner.__globals__.get(name)
            found = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
            if isinstance(found, str) and importable(found) and found not in out:
                out.append(found)
    return out


def load(data: bytes) -> Callable[..., Any]:
    """In the worker: the function of a spec that does not begin with BY_NAME."""
    from ._globals import loading

    function, decide, modules, bound = loads(data)
    with loading(data, private=bool(modules or bound)):
        made = loads(function)
        if modules or bound:
            _bind(made, modules, {name: loads(one) for name, one in bound.items()})
        if decide is not None:
            made = _decided(made, loads(decide))
    return made  # type: ignore[no-any-return]


def _decided(function: Callable[..., Any], decide: Callable[[Any], bool]) -> Callable[[Any], Any]:
    def call(element: Any) -> Any:
        return function(*element) if decide(element) else function(element)

    return call


def _bind(function: Any, modules: Sequence[str], values: Dict[str, Any]) -> None:
    """Sets names in the globals of a function, also of one within a method or a partial."""
    import importlib

    inner = function
    while not isinstance(inner, types.FunctionType):
        following = getattr(inner, "__func__", None) or getattr(inner, "func", None)
        if following is None:
            following = getattr(type(inner), "__call__", None) if not isinstance(inner, type) else getattr(inner, "__init__", None)
        if following is None or following is inner or not isinstance(following, (types.FunctionType, types.MethodType)):
            raise TypeError(f"{function!r} has no globals that modules or runtime_globals could be bound in")
        inner = following
    names = inner.__globals__
    for text in modules:
        path, _, name = (part.strip() for part in text.partition(" as "))
        module = importlib.import_module(path)
        if name:
            names[name] = module
        else:
            top = path.partition(".")[0]
            names[top] = sys.modules[top]
    names.update(values)
