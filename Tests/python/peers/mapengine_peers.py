"""Puts MapEngine's classes in place of others', in every interpreter of an environment: run.sh installs it there with a .pth file, so that
the scripts that tests start have it too. Nothing happens unless MAPENGINE_PEERS names whose classes are to be replaced."""

from __future__ import annotations

import os
import sys


def cpython() -> None:
    import concurrent.futures.process
    import multiprocessing.pool

    import mapengine

    class ProcessPoolExecutor(mapengine.Executor):
        """The name stands in scripts that tests write."""

    class Pool(mapengine.Pool):
        pass

    for replacement, module in ((ProcessPoolExecutor, "concurrent.futures.process"), (Pool, "multiprocessing.pool")):
        replacement.__module__ = module
        replacement.__qualname__ = replacement.__name__
        setattr(sys.modules[module], replacement.__name__, replacement)
    concurrent.futures.ProcessPoolExecutor = ProcessPoolExecutor
    # Whose type tests compare.
    concurrent.futures.process._RemoteTraceback = multiprocessing.pool.RemoteTraceback = mapengine.RemoteTraceback


def loky() -> None:
    import loky.process_executor

    import mapengine

    class ProcessPoolExecutor(mapengine.Executor):
        """With the keywords that loky has besides."""

        def __init__(self, max_workers=None, *, context=None, timeout=None, initializer=None, initargs=(), env=None):
            super().__init__(max_workers, context, initializer, initargs, env=env)

        def shutdown(self, wait=True, kill_workers=False, **options):
            if kill_workers:
                self.kill_workers()
            super().shutdown(wait, **options)

    process = loky.process_executor
    ProcessPoolExecutor.__module__ = process.__name__
    ProcessPoolExecutor.__qualname__ = ProcessPoolExecutor.__name__
    process.ProcessPoolExecutor = loky.ProcessPoolExecutor = ProcessPoolExecutor
    process._RemoteTraceback = mapengine.RemoteTraceback
    process.BrokenProcessPool = mapengine.WorkerDied.__mro__[1]
    process.TerminatedWorkerError = mapengine.WorkerDied
    process.ShutdownExecutorError = RuntimeError


def joblib() -> None:
    import joblib.parallel

    from mapengine.joblib import MapEngineBackend

    class LokyBackend(MapEngineBackend):
        """Where tests name their default backend."""

    # joblib.parallel keeps its own: of that class it uses private attributes.
    joblib.parallel.BACKENDS["loky"] = joblib._parallel_backends.LokyBackend = LokyBackend


def install() -> None:
    for folder in os.environ.get("MAPENGINE_PEERS_PATH", "").split(os.pathsep):
        if folder and folder not in sys.path:
            # Before the standard library: Debian has a part of the package `test` there.
            sys.path.insert(0, folder)
    which = os.environ.get("MAPENGINE_PEERS")
    if which in ("cpython", "loky"):
        {"cpython": cpython, "loky": loky}[which]()


install()
