"""A backend for joblib: importing this module makes ``parallel_config(backend="mapengine")`` known::

    import mapengine.joblib
    with joblib.parallel_config(backend="mapengine"):
        joblib.Parallel(n_jobs=4)(joblib.delayed(f)(i) for i in range(100))

Workers stay for the calls that follow. Options of `mapengine.Options` can be given to ``parallel_config``.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from joblib import cpu_count
from joblib._parallel_backends import AutoBatchingMixin, FallbackToBackend, ParallelBackendBase, SequentialBackend
from joblib.parallel import register_parallel_backend

from ._workers import Workers

if TYPE_CHECKING:
    from ._futures import Future

__all__ = ["MapEngineBackend", "register"]


class _Kept:
    """The workers of the last call, for the next one if it wants the same."""

    lock = threading.Lock()
    workers: Workers | None = None
    wish: object = None
    pid = 0


def _workers(count: int, env: dict[str, str], options: dict[str, Any]) -> Workers:
    wish = (count, sorted(env.items()), sorted(options.items(), key=lambda item: item[0]))
    with _Kept.lock:
        workers = _Kept.workers
        if workers is not None and _Kept.pid == os.getpid():
            if _Kept.wish == wish and not workers.closed and workers.broken is None:
                return workers
            workers.close(wait=False)
        # What is garbage need not be kept by workers for as long as they live.
        gc.collect()
        _Kept.workers = Workers(count, env=env, **options)
        _Kept.workers.at_exit = "terminate"
        _Kept.wish, _Kept.pid = wish, os.getpid()
        return _Kept.workers


class MapEngineBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]
    """joblib's batches as calls in MapEngine's workers."""

    supports_retrieve_callback = True
    supports_inner_max_num_threads = True
    default_n_jobs = -1

    _workers: Workers | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Batches under way, and whose they are: several calls may share this backend and its workers.
        self._under_way: dict[Future[Any], Any] = {}
        self._wish: tuple[int, dict[str, str], dict[str, Any]] | None = None

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Number of workers for joblib's `n_jobs`; negative ones count down from the number of cores."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        if n_jobs < 0:
            return max(int(cpu_count()) + 1 + n_jobs, 1)
        return n_jobs

    def configure(
        self, n_jobs: int = 1, parallel: Any = None, prefer: Any = None, require: Any = None, **options: Any
    ) -> int:
        """Gets workers for a call of `Parallel`; their number."""
        n_jobs = self.effective_n_jobs(n_jobs)
        if n_jobs == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        options = {**self.backend_kwargs, **options}
        # For calls of joblib within workers; it is needed there anyway.
        options["modules"] = (*options.get("modules", ()), __name__)
        # What joblib hands to every backend of processes concerns its own memory maps and threads.
        for name in ("temp_folder", "max_nbytes", "mmap_mode", "verbose", "idle_worker_timeout", "context_id", "context"):
            options.pop(name, None)
        self._wish = n_jobs, self._prepare_worker_env(n_jobs=n_jobs), options
        self._workers = _workers(*self._wish)
        self.parallel = parallel
        return n_jobs

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], object] | None = None) -> Future[Any]:
        """Starts a batch; its future, which is given to `callback` when it is done."""
        assert self._wish is not None, "configure() comes first"
        # Another call that shares this backend may have ended it.
        future: Future[Any] = (self._workers or _workers(*self._wish)).submit(func)
        self._under_way[future] = self.parallel
        future.add_done_callback(self._has_ended)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def _has_ended(self, future: Any) -> None:
        self._under_way.pop(future, None)

    def retrieve_result_callback(self, future: Future[Any]) -> Any:
        """The values of a batch."""
        return future.result()

    def terminate(self) -> None:
        """Ends a call of `Parallel`; the workers stay for the next."""
        self._workers = None
        self.reset_batch_stats()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Ends all batches of the call that asks for it, because one has failed or nobody wants them any more; those of others go on."""
        for future, parallel in list(self._under_way.items()):
            if getattr(parallel, "_aborting", True):
                future.kill()
        if ensure_ready and self._workers is None:
            self.configure(n_jobs=self.parallel.n_jobs, parallel=self.parallel)


def register() -> None:
    """Makes the backend known to joblib by the name "mapengine"; importing the module does it."""
    register_parallel_backend("mapengine", MapEngineBackend)


register()
