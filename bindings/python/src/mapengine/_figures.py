"""What the engine counts: of workers, of functions by the names that users know, and of maps.

All functions of a pool run through one function of the engine. It has a further name there for each of theirs (mape_function_alias), so that the
engine counts, traces and shows their calls apart.
"""
from __future__ import annotations

import threading
from typing import Any, Dict, List, Tuple

MOST = 1000  # Functions that are told apart. A program that makes functions without end has names without end only if it wants to.
_LEFT_OUT = ("struct_size", "reserved")


def figures_of(structure: Any) -> Dict[str, Any]:
    """The fields of a structure of the engine."""
    found = {name: getattr(structure, name) for name, *_ in structure._fields_ if name not in _LEFT_OUT}
    return {name: value.decode("utf-8", "replace") if isinstance(value, bytes) else value for name, value in found.items()}


def _shown(key: Tuple[str, str]) -> str:
    module, name = key
    return name if module in ("", "builtins", "__main__", "__mp_main__") else f"{module}.{name}"


class Names:
    """The names of the functions of a pool, and what the engine knows them by."""

    def __init__(self, function: int) -> None:
        self._function = function
        self._ids: Dict[Tuple[str, str], int] = {}
        self._making = threading.Lock()

    def of(self, func: Any, pool: Any) -> int:
        """The id that calls of a function are submitted by; that of all when the pool has ended."""
        try:
            return self._ids[func.__module__, func.__qualname__]
        except (AttributeError, KeyError, TypeError):
            return self._find(func, pool)

    def _find(self, func: Any, pool: Any) -> int:
        """Of a partial the function in it counts, of an object that is called its class."""
        for _ in range(10):
            inner = getattr(func, "func", None)
            if not callable(inner) or isinstance(func, type) or hasattr(func, "__qualname__"):
                break
            func = inner
        if not isinstance(getattr(func, "__qualname__", None), str):
            func = type(func)
        module, name = getattr(func, "__module__", None), func.__qualname__
        key = module if isinstance(module, str) else "", name
        with self._making:
            found = self._ids.get(key)
            if found is None:
                found = pool.alias(self._function, _shown(key)) if pool is not None and len(self._ids) < MOST else 0
                if not found:
                    return self._function
                self._ids[key] = found
        return found

    def figures(self, pool: Any) -> Dict[str, Dict[str, Any]]:
        """What each function has done, by its name; those that are not told apart as "others"."""
        with self._making:
            ids = list(self._ids.items())
        found: Dict[str, Dict[str, Any]] = {}
        for key, one in ids:
            found[_shown(key)] = work_figures(pool, one)
        if len(ids) >= MOST:
            found["others"] = work_figures(pool, self._function)
        return found


_OF_JOBS = ("wait_ns", "done_ns", "delivery_ns")


def work_figures(pool: Any, function: int) -> Dict[str, Any]:
    """What has been done by this id."""
    found = figures_of(pool.function_stats(function))
    return {name: value for name, value in found.items() if name not in _OF_JOBS}


def worker_figures(pool: Any, count: int) -> List[Dict[str, Any]]:
    """What each worker of this machine has done, by its place."""
    return [figures_of(one) for one in map(pool.worker, range(count)) if one is not None]
