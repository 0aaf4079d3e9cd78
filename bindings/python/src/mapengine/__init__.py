"""Run Python and C functions over many inputs in worker processes.

`map`, `apply`
    The shortest way: ``mapengine.map(f, items)``.
`Pool`, `Executor`, `Processor`
    What `multiprocessing.Pool`, `concurrent.futures.ProcessPoolExecutor` and MapScale's ``Processor`` are; they can take their place.
`cfunction`
    C functions over arrays.
`aio`, `hosts`, `joblib`, `progress`
    asyncio, the main thread of an application, joblib's backend, bars.

Importing this imports nothing more: names are looked up when they are used. No thread and no process starts before the first call.
"""

from __future__ import annotations

TYPE_CHECKING = False  # Without importing typing: the workers' interpreter comes here too, and would spend most of its start with it.
if TYPE_CHECKING:
    from typing import Any

    from ._abi import VERSION as __version__
    from ._default import configure as configure
    from ._default import shutdown as shutdown
    from ._errors import ItemTimeout as ItemTimeout
    from ._errors import MapErrors as MapErrors
    from ._errors import PoolBroken as PoolBroken
    from ._errors import RemoteError as RemoteError
    from ._errors import RemoteTraceback as RemoteTraceback
    from ._errors import WorkerDied as WorkerDied
    from ._face import Options as Options
    from ._futures import Future as Future
    from ._handle import Handle as Handle
    from ._problems import MapEngineError as MapEngineError
    from ._processor import Processor as Processor
    from ._seeds import apply as apply
    from ._seeds import map as map
    from ._trace import Trace as Trace
    from ._trace import TraceEvent as TraceEvent
    from ._map import MapJob as MapJob
    from ._worker import report as report
    from ._workers import Workers as Workers
    from .cfunctions import CFunction as CFunction
    from .cfunctions import NativePool as NativePool
    from .cfunctions import cfunction as cfunction
    from .executor import Executor as Executor
    from .pool import Pool as Pool
    from .progress import p_imap as p_imap
    from .progress import p_map as p_map
    from .progress import p_uimap as p_uimap
    from .progress import p_umap as p_umap

# Name → module that has it.
_EXPORTS = {
    "CFunction": "cfunctions",
    "Executor": "executor",
    "Future": "_futures",
    "Handle": "_handle",
    "ItemTimeout": "_errors",
    "MapEngineError": "_problems",
    "MapErrors": "_errors",
    "MapJob": "_map",
    "NativePool": "cfunctions",
    "Options": "_face",
    "Pool": "pool",
    "PoolBroken": "_errors",
    "Processor": "_processor",
    "RemoteError": "_errors",
    "RemoteTraceback": "_errors",
    "Trace": "_trace",
    "TraceEvent": "_trace",
    "WorkerDied": "_errors",
    "Workers": "_workers",
    "apply": "_seeds",
    "cfunction": "cfunctions",
    "configure": "_default",
    "map": "_seeds",
    "p_imap": "progress",
    "p_map": "progress",
    "p_uimap": "progress",
    "p_umap": "progress",
    "report": "_worker",
    "shutdown": "_default",
}
_MODULES = frozenset({"aio", "cfunctions", "executor", "hosts", "joblib", "pool", "progress"})

__all__ = sorted(_EXPORTS)


def __getattr__(name: str) -> Any:
    import importlib

    if name in _EXPORTS:
        value = getattr(importlib.import_module("." + _EXPORTS[name], __name__), name)
    elif name in _MODULES:
        value = importlib.import_module("." + name, __name__)
    elif name == "__version__":
        from ._abi import VERSION as value
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # From now on it is found without coming here.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS, *_MODULES})
