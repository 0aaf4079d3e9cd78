"""Where the native parts lie, and the loaded library.

The wheel has them in `mapengine/_native`, laid out as the engine's `dist/`. A tree that was not installed has MAPENGINE_LIBRARY, the path of
a libmapengine.so.2, with mapengine_python.so beside it.
"""
from __future__ import annotations

import os
from typing import Any, Callable, Optional, Tuple

LIBRARY = "libmapengine.so.2"
WORKER = "mapengine_python.so"

_loaded: Optional[Tuple[Any, Any]] = None


def folder() -> str:
    """The folder with library and worker functions. Raises OSError when there is none."""
    own = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_native", "lib")
    named = os.environ.get("MAPENGINE_LIBRARY")
    places = [own]
    if named:
        places.append(os.path.dirname(os.path.abspath(named)))
    for place in places:
        if os.path.exists(os.path.join(place, LIBRARY)) and os.path.exists(os.path.join(place, WORKER)):
            return place
    raise OSError(f"mapengine: there is no {LIBRARY} with {WORKER} in {' or '.join(places)}; "
                  "install the wheel, or run bindings/python/build_native.sh")


def library() -> Any:
    """The library, as ctypes has it: calls give up the GIL. For those that wait, copy much, or start processes."""
    return _load()[0]


def fast_library() -> Any:
    """The same, with calls that keep the GIL: for those of a microsecond, where giving it up costs more than the call."""
    return _load()[1]


def native() -> Any:
    """What mapengine_python.so does for the host, as ctypes has it, with calls that keep the GIL; None where it does not find the interpreter's
    functions: mapengine_python_is_plain, whether a value consists of builtins alone, and mapengine_python_read (native/read.c)."""
    global _native
    if _native is None:
        import ctypes

        path = os.path.join(folder(), WORKER)
        _native = False
        if ctypes.CDLL(path).mapengine_python_find():
            _native = ctypes.PyDLL(path)
            _native.mapengine_python_is_plain.argtypes = [ctypes.py_object]
            _native.mapengine_python_read.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_int, ctypes.py_object, ctypes.py_object]
            _native.mapengine_python_read.restype = ctypes.c_longlong
    return _native or None


def watcher() -> Any:
    """mapengine_python_watch: how the package's thread waits (native/watch.c)."""
    import ctypes

    watch: Any = ctypes.CDLL(os.path.join(folder(), WORKER)).mapengine_python_watch
    watch.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_long]
    watch.restype = None
    return watch


_native: Any = None


def _load() -> Tuple[Any, Any]:
    global _loaded
    if _loaded is None:
        import ctypes

        from . import _abi

        path = os.path.join(folder(), LIBRARY)
        both = ctypes.CDLL(path), ctypes.PyDLL(path)
        for one in both:
            for name, (returned, parameters) in _abi.FUNCTIONS.items():
                function = getattr(one, name)
                function.restype, function.argtypes = returned, parameters
        _loaded = both
    return _loaded
