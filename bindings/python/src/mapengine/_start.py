"""The start of workers: with the first call, so that what its function needs is imported before workers are made."""
from __future__ import annotations

import sys
import weakref
from _pickle import dumps, loads
from typing import TYPE_CHECKING, Any, Dict, List, Sequence, Tuple

from . import _abi as abi
from . import _cluster, _interpreter, _library
from ._core import Core, register
from ._engine import Pool
from ._functions import cloudpickle, modules_of, pickled
from ._multiprocessing import adopt, pickled_for_start, shared
from ._output import Output
from ._places import Places

if TYPE_CHECKING:
    from ._workers import Workers

GRACE = 0.05  # Seconds between a cancel and the end of the worker that runs the item: functions of Python do not ask.


def start(workers: Workers, func: Any, also: Sequence[str]) -> Tuple[Core, Places]:
    """Starts the pool that these Workers are the handle of, for a first call of func. `also`: further modules to be imported before."""
    worker = f"{_library.folder()}/{_library.WORKER}"
    needed = [*workers._modules, *also]
    for function in (func, workers._initializer):
        needed += [one for one in modules_of(function) if one not in needed] if function is not None else []
    settings: Dict[str, Any] = {}
    copies = workers._start_method == "fork"
    if copies:
        from . import _copies

        _copies.prepare(worker)
        settings["start"] = abi.MAPE_START_FORK
    else:
        settings["zygote_path"] = python = _interpreter.find(workers._python)
        settings["zygote_argv"] = _interpreter.arguments(python, worker, needed)
    output = Output()
    settings["env_set"], settings["env_unset"] = _interpreter.environment(workers._env, workers._threads, workers._count)
    cluster = _cluster.settings(workers._cluster, workers._cluster_only, python=True)
    settings.update(cluster)
    told: Dict[str, Any] = {} if workers._sandbox else shared()
    if cluster and told:
        _keep_here(told, settings["env_set"])
    pool = Pool(workers=workers._count, output=abi.MAPE_OUTPUT_CAPTURE, interruptible=1, grace_ns=int(GRACE * 1e9),
                items_per_worker=workers._max_tasks or 0, memory_growth=workers._memory_growth or 0,
                sandbox=abi.MAPE_SANDBOX_COMPUTE if workers._sandbox else 0, **settings)
    function_id = pool.register_offered("python", _settings(workers, {} if cluster else told, _remote(workers, needed) if cluster else {}))
    unpickle: Any = loads
    if workers._sandbox:
        from ._safe import safe_loads as unpickle
    core = Core(pool, function_id, workers._mode == "threaded", unpickle, output.write)
    core.ends_at_exit = workers.at_exit == "terminate"
    register(core)
    status = _copies.start(pool) if copies else pool.lib.mape_pool_start(pool.handle, 0)
    if status not in (abi.MAPE_OK, abi.MAPE_E_TIMEOUT):
        try:
            core.refuse(status, starting=True)
        finally:
            core.dispose()
    core.name = workers.name or ""
    last = weakref.finalize(workers, Core.abandon, core)
    last.atexit = False  # type: ignore[misc]
    core.start_thread()
    adopt(told)
    return core, Places(pool)


def _keep_here(told: Dict[str, Any], environment: List[str]) -> None:
    """Tells workers of this machine alone what those elsewhere have no use for, and no right to know: the key of multiprocessing."""
    from . import _worker

    environment.append(f"{_cluster.SHARED}={dumps(told, 5).hex()}")
    _worker.shared = told  # Of copies of this process.


def _remote(workers: Workers, modules: Sequence[str]) -> Dict[str, Any]:
    """What workers on other machines are told: see _node.arrive."""
    names = [one.partition(" as ")[0].strip() for one in modules]
    return {"path": _interpreter.search_path(), "argv": [*sys.argv], "env": workers._env, "modules": names}


def _settings(workers: Workers, told: Dict[str, Any], remote: Dict[str, Any]) -> bytes:
    """What each worker is set up with: see _worker.setup. told: of multiprocessing."""
    logging = sys.modules.get("logging")
    return dumps({
        "initializer": pickled_for_start((workers._initializer, workers._initargs), pickled, cloudpickle)
        if workers._initializer is not None else b"",
        "finalizer": pickled(workers._finalizer) if workers._finalizer is not None else b"",
        "multiprocessing": told,
        "remote": remote,
        "log_level": logging.getLogger().level if logging is not None else None,
    }, 5)
