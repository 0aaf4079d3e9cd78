"""What every face of a pool has: the options of its workers, the main thread's calls, asyncio's, and its figures."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

if TYPE_CHECKING:
    from os import PathLike

    from ._map import MapJob
    from ._trace import Trace
    from ._workers import Workers
    from .aio import AsyncCall, AsyncMap

__all__ = ["Face", "Options", "chunk", "is_fork", "make_workers", "values_of"]

T = TypeVar("T")


class Options(TypedDict, total=False):
    """Keywords that every pool takes beside its own.

    start
        ``"exec"`` (the default): workers come from an interpreter of their own; ``"fork"``: from a copy of this process.
    memory_growth
        Bytes: a worker that has grown by more is replaced after its element.
    attempts
        How often an element is tried whose worker dies; 1 is the default.
    timeout
        Seconds that one element may run; an element that takes longer is ended alone, with `ItemTimeout`.
    modules, runtime_globals
        What functions find in their globals: see `mapengine.map`.
    sandbox
        Workers may compute, and nothing else; their results are decoded by a codec that can call nothing.
    env
        Environment variables of the workers, on top of those of this process; ``None`` as a value removes one.
    threads
        Threads of BLAS, OpenMP and the like per worker; the default is cores / workers, unless the environment says otherwise.
    mode
        ``"threaded"``: a thread of the pool completes futures and runs callbacks; ``"attached"``: whoever calls `dispatch` does.
    name
        What the pool is called in messages and in names of processes.
    cluster
        The URL of a server over which other machines run calls beside this one's workers; the default is what the environment variable
        ``MAPENGINE_CLUSTER`` says, ``""`` is none. Needs the package mapengine-cluster, and nodes: see docs/many-machines.md.
    cluster_only
        This machine has no workers of its own: all calls wait for nodes.
    """

    start: str
    memory_growth: int | None
    attempts: int
    timeout: float | None
    modules: Sequence[str]
    runtime_globals: Mapping[str, Any] | Sequence[Any] | None
    sandbox: bool
    env: Mapping[str, str] | None
    threads: int | None
    mode: str
    name: str | None
    cluster: str | None
    cluster_only: bool


def is_fork(context: object) -> bool:
    """Whether a context of multiprocessing (or the name of a start method) asks for copies of this process."""
    if context is None:
        return False
    if isinstance(context, str):
        return context == "fork"
    method = getattr(context, "get_start_method", None)
    return method is not None and method() == "fork"


def make_workers(
    count: int | None,
    context: object,
    initializer: Callable[..., object] | None,
    initargs: Iterable[Any],
    max_tasks: int | None,
    finalizer: Callable[[], object] | None,
    python: str | None,
    options: Options,
) -> Workers:
    """The workers of a face, from what `multiprocessing.Pool` and `ProcessPoolExecutor` take, and from what every face does."""
    from ._workers import Workers

    if is_fork(context):
        options.setdefault("start", "fork")
    return Workers(
        count,
        python=python,
        initializer=initializer,
        initargs=tuple(initargs),
        finalizer=finalizer,
        max_tasks_per_child=max_tasks,
        **options,
    )


def chunk(size: int | None) -> int | None:
    """Elements that travel together, for the core. 1 is what others have by default; it leaves the choice to the engine, which measures
    how long elements take, loses a single one when a worker dies, and takes back what a busy worker has not begun."""
    return None if size == 1 else size


def values_of(job: MapJob) -> Any:
    """All values of a job, in order of the input, as a list or in the caller's array; raises the error of the first element that failed. Waits; an interrupt ends the job."""
    from ._errors import MapErrors

    try:
        return job.results()
    except MapErrors as errors:
        error = errors.exceptions[0]
    except BaseException:
        job.cancel(running=True)
        raise
    # Here, so that it does not carry all the other errors and results as its context.
    try:
        raise error
    finally:
        del error


class Face:
    """Base of the classes through which a pool is used; they share the core, a `Workers`."""

    _workers: Workers

    @property
    def mode(self) -> str:
        """"threaded": a thread of the pool runs callbacks; "attached": whoever calls `dispatch` does."""
        return self._workers.mode

    @property
    def closed(self) -> bool:
        """Whether it takes no more work."""
        return self._workers.closed

    # ---- The main thread. ----

    def fileno(self) -> int:
        """A descriptor that is readable while something waits to be dispatched: for the loop of a host. Never read from it."""
        return self._workers.fileno()

    def dispatch(self, budget: float | None = None) -> int:
        """Completes futures and runs callbacks on the calling thread, for at most `budget` seconds; the number of events handled."""
        return self._workers.dispatch(budget)

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until there is something to dispatch, for at most `timeout` seconds; whether there is."""
        return self._workers.wait(timeout)

    def idle(self) -> bool:
        """Whether nothing runs and nothing waits to be dispatched."""
        return self._workers.idle()

    # ---- Figures. ----

    def stats(self) -> Any:
        """What the workers have done: figures of the pool by their names in the engine, and under ``"by_worker"`` and ``"by_function"`` those of
        each worker, and of each function by its name. Times are nanoseconds."""
        return self._workers.stats()

    def pids(self) -> list[int]:
        """Process ids of the workers that live."""
        return self._workers.pids()

    def resize(self, workers: int) -> None:
        """Changes the number of workers."""
        self._workers.resize(workers)

    def trace(self, path: str | bytes | PathLike[Any] | None = None, *, events: int | None = None) -> Trace:
        """Begins a timeline of what the workers do: which calls ran where and when, what was slow, where workers waited, what was copied, and
        what crashed. ``with pool.trace("out.json"): ...`` writes it for https://ui.perfetto.dev.

        path
            The file, written when the trace stops; without it `Trace.save` does.
        events
            How many of the latest events it keeps; the default is 65,536.
        """
        from ._trace import Trace

        return Trace(self._workers.engine(), path, events)

    # ---- Arrays. ----

    def empty(self, shape: int | Sequence[int], dtype: Any = "d") -> Any:
        """An array, not initialised, in memory that workers see in place: from 64 KiB on it travels to them without a copy.

        shape
            Its length, or its lengths along the axes.
        dtype
            Type of its elements, as NumPy has them; the default is a C ``double``.

        It is a `numpy.ndarray`, or without NumPy a `memoryview` (then `dtype` is a character of `struct`). Workers cannot write it. Do not
        change it while calls use it. It lives as long as it is referred to, longer than the pool if need be.
        """
        try:
            lengths: tuple[int, ...] = (operator.index(shape),)  # type: ignore[arg-type]
        except TypeError:
            lengths = tuple(operator.index(length) for length in shape)  # type: ignore[union-attr]
        count = math.prod(lengths)
        try:
            import numpy
        except ImportError:
            import struct

            memory = self._workers.buffer(max(1, count * struct.calcsize(dtype))).view()
            return memory[: count * struct.calcsize(dtype)].cast(dtype, lengths)
        kind = numpy.dtype(dtype)
        if kind.hasobject:
            raise TypeError(f"elements of type {kind} cannot be shared with workers")
        memory = self._workers.buffer(max(1, count * kind.itemsize)).view()
        return numpy.ndarray(lengths, kind, memory)

    # ---- asyncio. ----

    def amap(
        self,
        func: Callable[..., T],
        *iterables: Iterable[Any],
        ordered: bool = True,
        buffersize: int | None = None,
        chunksize: int | None = None,
        timeout: float | None = None,
        attempts: int | None = None,
        priority: int = 0,
        out: Any = None,
        vectorized: bool = False,
    ) -> AsyncMap[T]:
        """`func` over elements, for asyncio: ``await pool.amap(f, items)`` is a list, ``async for value in pool.amap(f, items)`` goes over
        the values as they come, in order of the input unless `ordered` is false. `out` and `vectorized` (which needs it)
        are those of `mapengine.map`. See `mapengine.aio.AsyncMap`."""
        from .aio import AsyncMap

        star = len(iterables) != 1
        job = self._workers.map(
            func,
            zip(*iterables) if star else iterables[0],
            star=star,
            chunk_size=chunk(chunksize),
            ordered=ordered,
            buffersize=buffersize,
            timeout=timeout,
            attempts=attempts,
            priority=priority,
            out=out,
            vectorized=vectorized,
        )
        return AsyncMap(job)

    def aapply(self, func: Callable[..., T], *args: Any, **kwargs: Any) -> AsyncCall[T]:
        """``await pool.aapply(f, x)``: one call. Cancelling the task ends the call, also one that runs."""
        from .aio import AsyncCall

        return AsyncCall(self._workers.submit(func, args, kwargs))
