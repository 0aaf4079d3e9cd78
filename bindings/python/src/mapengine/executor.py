"""`Executor`: what `concurrent.futures.ProcessPoolExecutor` is, on every Python as Python 3.14 has it."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from ._face import Face, Options, chunk, is_fork, make_workers
from ._taken import Taken

if TYPE_CHECKING:
    from typing_extensions import ParamSpec, Self, Unpack

    from ._futures import Future
    from ._map import MapJob
    from ._workers import Workers

    P = ParamSpec("P")

__all__ = ["Executor"]

T = TypeVar("T")


class Executor(Face, concurrent.futures.Executor):
    """An executor whose calls run in worker processes.

    It can be given to everything that takes a `concurrent.futures.Executor`; its futures are those of `concurrent.futures`, with ``kill``
    and ``progress`` besides. What differs: a worker that dies costs the one call it was in (`WorkerDied`, a `BrokenProcessPool`), and the
    executor goes on; lambdas, closures and functions of ``__main__`` travel; no guard around ``__main__`` is needed.

    max_workers
        Number of workers; the default is the number of cores that this process may use.
    mp_context
        A context of multiprocessing. One for "fork" makes workers copies of this process; all others are the default, an interpreter of
        their own.
    initializer, initargs
        ``initializer(*initargs)`` runs once in each worker before its first call. If it raises, the executor is broken: all calls end in
        a `BrokenProcessPool` that names the exception.
    max_tasks_per_child
        Calls after which a worker is replaced.
    finalizer
        Called without arguments, once per worker, when it ends in peace.
    python
        The interpreter that runs the workers, as a path; the same minor version as this one. The default is this interpreter, or, in a
        host that only embeds one, the one that the host brings.
    options
        See `mapengine.Options`.

    Methods may be called from any thread. An executor that is dropped finishes what it was given. The block of a ``with`` waits at its end for all calls; when it is left by an interrupt, it
    ends them.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        mp_context: Any = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        max_tasks_per_child: int | None = None,
        finalizer: Callable[[], object] | None = None,
        python: str | None = None,
        **options: Unpack[Options],
    ) -> None:
        if max_workers is not None and max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        if max_tasks_per_child is not None:
            if not isinstance(max_tasks_per_child, int):
                raise TypeError("max_tasks_per_child must be an integer")
            if max_tasks_per_child <= 0:
                raise ValueError("max_tasks_per_child must be >= 1")
            if is_fork(mp_context):
                raise ValueError("max_tasks_per_child is incompatible with the 'fork' multiprocessing start method; supply a different mp_context.")
        self._workers = make_workers(max_workers, mp_context, initializer, initargs, max_tasks_per_child, finalizer, python, options)

    @property
    def _max_workers(self) -> int:
        # Private in the original, and yet read by many.
        return self._workers.count

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Calls ``fn(*args, **kwargs)`` in a worker; the call's future.

        Raises `RuntimeError` after `shutdown`, and `BrokenProcessPool` once the executor is broken. Everything else that goes wrong, an
        argument that cannot be pickled too, is found in the future.
        """
        return self._workers.submit(fn, args, kwargs)

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """``map(fn, *iterables)`` with the calls made in workers; an iterator over the values, in order.

        timeout
            Seconds from now after which the iterator raises `TimeoutError` instead of waiting on.
        chunksize
            Elements that travel together; 1 leaves the choice to the engine.
        buffersize
            Elements that may have been taken from the iterables and whose values have not been fetched. Without it the iterables are
            read to their end before this returns; with it they are read as values are fetched, and may be endless.

        When a call has failed its exception is raised in its value's place, and calls that have not begun are cancelled.
        """
        return _map(self._workers, fn, iterables, timeout, chunksize, buffersize, {})

    def with_options(
        self, *, timeout: float | None = None, attempts: int | None = None, priority: int = 0
    ) -> concurrent.futures.Executor:
        """An executor over the same workers whose calls have other options.

        timeout
            Seconds that one call may run before it is ended, alone, with `ItemTimeout`. (The timeouts of `map` and of ``result`` only
            end a wait.)
        attempts
            How often a call is tried whose worker dies.
        priority
            Calls of a higher priority begin earlier; 0 is the default.
        """
        return _Bound(self, {"timeout": timeout, "attempts": attempts, "priority": priority})

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no more calls, and ends the workers when those that were taken are done.

        wait
            Return only then.
        cancel_futures
            Cancel those that have not begun.
        """
        self._workers.close(wait=wait, cancel=cancel_futures)

    def terminate_workers(self) -> None:
        """Ends the workers now, and with them the executor; calls that are not done end as cancelled, or as `BrokenProcessPool` if they
        ran."""
        self._workers.terminate()

    def kill_workers(self) -> None:
        """The same: workers are always ended by a signal that cannot be caught."""
        self.terminate_workers()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: object) -> None:
        if kind is None or issubclass(kind, Exception):
            self.shutdown(wait=True)
        else:
            # Ctrl-C, or an exit: nobody wants to wait for what still runs.
            self.terminate_workers()
            self.shutdown(wait=True)


class _Bound(concurrent.futures.Executor):
    """An executor whose calls carry options; the workers are those of another."""

    def __init__(self, executor: Executor, options: dict[str, Any]) -> None:
        self._executor = executor
        self._options = options

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return self._executor._workers.submit(fn, args, kwargs, **self._options)

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        return _map(self._executor._workers, fn, iterables, timeout, chunksize, buffersize, self._options)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._executor.shutdown(wait, cancel_futures=cancel_futures)


def _map(
    workers: Workers,
    fn: Callable[..., Any],
    iterables: tuple[Iterable[Any], ...],
    timeout: float | None,
    chunksize: int,
    buffersize: int | None,
    options: dict[str, Any],
) -> Iterator[Any]:
    if chunksize < 1:
        raise ValueError("chunksize must be >= 1.")
    if buffersize is not None:
        if not isinstance(buffersize, int):
            raise TypeError("buffersize must be an integer or None")
        if buffersize < 1:
            raise ValueError("buffersize must be None or > 0")
    deadline = None if timeout is None else time.monotonic() + timeout
    star = len(iterables) != 1
    elements = zip(*iterables) if star else iterables[0]
    job = workers.map(fn, elements, star=star, chunk_size=chunk(chunksize), buffersize=buffersize, **options)
    return _values(job, deadline)


def _values(job: MapJob, deadline: float | None) -> Iterator[Any]:
    """The values of a job as they are asked for. Left early, by an error too, it takes back what has not begun."""
    taken: Taken[Any] = Taken(job)
    try:
        while True:
            try:
                if not taken.refill(None if deadline is None else max(0.0, deadline - time.monotonic())):
                    return
            except TimeoutError:
                raise concurrent.futures.TimeoutError() from None
            while not taken.is_empty():
                yield taken.pop()
    except (KeyboardInterrupt, SystemExit):
        job.cancel(running=True)
        raise
    finally:
        job.cancel()
