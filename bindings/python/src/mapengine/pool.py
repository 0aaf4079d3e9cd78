"""`Pool`: what `multiprocessing.Pool` is."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from ._face import Face, Options, chunk, make_workers, values_of
from ._results import ApplyResult, AsyncResult, IMapIterator, MapResult, Source, is_at_hand

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ._map import MapJob
    from ._timeouts import TimeoutError as TimeoutError

__all__ = ["ApplyResult", "AsyncResult", "IMapIterator", "MapResult", "Pool", "TimeoutError"]

T = TypeVar("T")
A = TypeVar("A")  # An array.

# The states of multiprocessing.pool; that module itself takes longer to import than all of ours.
INIT, RUN, CLOSE, TERMINATE = "INIT", "RUN", "CLOSE", "TERMINATE"

# Elements that imap takes from an iterable of unknown length before their values are fetched, unless the caller says: enough that short
# functions keep their workers busy.
WINDOW = 256
WINDOW_PER_WORKER = 16


class Pool(Face):
    """A pool with the calls of `multiprocessing.Pool`.

    What differs: a worker that dies costs the one element it was on (`WorkerDied`) and nothing hangs; lambdas, closures and functions of
    ``__main__`` travel; no guard around ``__main__`` is needed; `imap` and `imap_unordered` read an iterable of unknown length as values
    are fetched.

    processes
        Number of workers; the default is the number of cores that this process may use.
    initializer, initargs
        ``initializer(*initargs)`` runs once in each worker before its first element. If it raises, calls end in a `BrokenProcessPool`
        that names the exception.
    maxtasksperchild
        Elements after which a worker is replaced.
    context
        A context of multiprocessing. One for "fork" makes workers copies of this process; all others are the default, an interpreter of
        their own.
    finalizer
        Called without arguments, once per worker, when it ends in peace.
    python
        The interpreter that runs the workers, as a path; the same minor version as this one. The default is this interpreter, or, in a
        host that only embeds one, the one that the host brings.
    options
        See `mapengine.Options`.

    Methods may be called from any thread; callbacks run on a thread of the pool, or where `dispatch` is called if the pool is attached.
    The block of a ``with`` terminates the pool at its end, as that of the original does.
    """

    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        maxtasksperchild: int | None = None,
        context: Any = None,
        *,
        finalizer: Callable[[], object] | None = None,
        python: str | None = None,
        **options: Unpack[Options],
    ) -> None:
        # First of all, because __del__ reads it.
        self._state = INIT
        if processes is not None and processes < 1:
            raise ValueError("Number of processes must be at least 1")
        if maxtasksperchild is not None and (not isinstance(maxtasksperchild, int) or maxtasksperchild <= 0):
            raise ValueError("maxtasksperchild must be a positive int or None")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        self._workers = make_workers(processes, context, initializer, initargs, maxtasksperchild, finalizer, python, options)
        # Iterators whose input has not been read to its end. They stay, so that join() finishes them also when nobody holds them.
        self._reading: set[IMapIterator[Any]] = set()
        self._workers.at_exit = "terminate"
        if initializer is not None:
            # Users see that it runs, whether they call anything or not.
            self._workers.submit(_nothing)
        self._state = RUN

    # ---- Calls that wait. ----

    def apply(self, func: Callable[..., T], args: Iterable[Any] = (), kwds: Mapping[str, Any] | None = None) -> T:
        """``func(*args, **kwds)`` in a worker; its value, or its exception."""
        self._check_running()
        future = self._workers.submit(func, tuple(args), dict(kwds or {}))
        try:
            value: T = future.result()
            return value
        except (KeyboardInterrupt, SystemExit):
            future.kill()
            raise

    @overload
    def map(self, func: Callable[[Any], T], iterable: Iterable[Any], chunksize: int | None = None) -> list[T]: ...
    @overload
    def map(
        self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int | None = None, *, out: A, vectorized: bool = False
    ) -> A: ...
    @overload
    def map(
        self, func: Callable[[Any], A], iterable: Iterable[Any], chunksize: int | None = None, *, vectorized: Literal[True]
    ) -> A: ...

    def map(
        self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int | None = None, *, out: Any = None, vectorized: bool = False
    ) -> Any:
        """``[func(x) for x in iterable]`` with the calls made in workers. Raises the exception of the first element that failed, when
        all are done.

        chunksize
            Elements that travel together; the default leaves the choice to the engine.
        out
            An array of as many elements (NumPy's, an ``array.array``, a writable memoryview) that takes the values in place of a list, and
            is returned: see `mapengine.map`.
        vectorized
            `func` is called with arrays of elements: see `mapengine.map`.
        """
        self._check_running()
        if vectorized and out is None:
            from ._vectors import made_for

            out = made_for(self._workers, func, iterable)
        return values_of(self._start(func, iterable, chunksize, star=False, out=out, vectorized=vectorized))

    @overload
    def starmap(self, func: Callable[..., T], iterable: Iterable[Iterable[Any]], chunksize: int | None = None) -> list[T]: ...
    @overload
    def starmap(
        self, func: Callable[..., Any], iterable: Iterable[Iterable[Any]], chunksize: int | None = None, *, out: A
    ) -> A: ...

    def starmap(
        self, func: Callable[..., Any], iterable: Iterable[Iterable[Any]], chunksize: int | None = None, *, out: Any = None
    ) -> Any:
        """``[func(*x) for x in iterable]``; otherwise as `map`."""
        return values_of(self._start(func, iterable, chunksize, star=True, out=out))

    # ---- Calls that do not. ----

    def apply_async(
        self,
        func: Callable[..., T],
        args: Iterable[Any] = (),
        kwds: Mapping[str, Any] | None = None,
        callback: Callable[[T], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> ApplyResult[T]:
        """`apply` that returns at once. `callback` is called with the value, `error_callback` with the exception."""
        self._check_running()
        return ApplyResult(self, self._workers.submit(func, tuple(args), dict(kwds or {})), callback, error_callback)

    def map_async(
        self,
        func: Callable[[Any], T],
        iterable: Iterable[Any],
        chunksize: int | None = None,
        callback: Callable[[list[T]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
        *,
        out: Any = None,
        vectorized: bool = False,
    ) -> MapResult[T]:
        """`map` that returns at once. `callback` is called with the list, `error_callback` with the first element's exception that
        failed. With `vectorized` it needs `out`; `out` is the value then, and has to stay as it is until the map is done."""
        return MapResult(self, self._start(func, iterable, chunksize, star=False, out=out, vectorized=vectorized), callback, error_callback)

    def starmap_async(
        self,
        func: Callable[..., T],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        callback: Callable[[list[T]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> MapResult[T]:
        """`starmap` that returns at once; otherwise as `map_async`."""
        return MapResult(self, self._start(func, iterable, chunksize, star=True), callback, error_callback)

    def imap(
        self, func: Callable[[Any], T], iterable: Iterable[Any], chunksize: int = 1, buffersize: int | None = None
    ) -> IMapIterator[T]:
        """An iterator over the values of ``func(x)``, in order.

        A list, tuple, range or array is handed over at once. Of any other iterable at most `buffersize` elements are taken whose values
        have not been fetched; so it may be endless. What is left of it is worked off by ``close`` and ``join``.

        chunksize
            Elements that travel together; 1 leaves the choice to the engine.
        """
        return self._imap(func, iterable, chunksize, buffersize, ordered=True)

    def imap_unordered(
        self, func: Callable[[Any], T], iterable: Iterable[Any], chunksize: int = 1, buffersize: int | None = None
    ) -> IMapIterator[T]:
        """The same with values as they come."""
        return self._imap(func, iterable, chunksize, buffersize, ordered=False)

    # ---- The end. ----

    def close(self) -> None:
        """Takes no more work; workers end when all is done."""
        if self._state == RUN:
            self._state = CLOSE
            if not self._reading:
                self._workers.close(wait=False)

    def terminate(self) -> None:
        """Ends the workers now. Results that are not there will never be."""
        self._state = TERMINATE
        self._reading.clear()
        self._workers.terminate()

    def join(self) -> None:
        """Waits until the workers have ended; after `close` or `terminate`."""
        if self._state == RUN:
            raise ValueError("Pool is still running")
        if self._state not in (CLOSE, TERMINATE):
            raise ValueError("In unknown state")
        for iterator in list(self._reading):
            iterator._finish()
        self._workers.close(wait=True)

    def __enter__(self) -> Self:
        self._check_running()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self.terminate()

    # As a default, because the module may be gone by then.
    def __del__(self, _warn: Callable[..., None] = warnings.warn, RUN: str = RUN) -> None:
        if self._state == RUN:
            _warn(f"unclosed running multiprocessing pool {self!r}", ResourceWarning, source=self)
            self._workers.terminate()

    def __reduce__(self) -> Any:
        raise NotImplementedError("pool objects cannot be passed between processes or pickled")

    def __repr__(self) -> str:
        cls = type(self)
        return f"<{cls.__module__}.{cls.__qualname__} state={self._state} pool_size={self._workers.count}>"

    # ---- Inside. ----

    @property
    def _processes(self) -> int:
        # Private in the original, and yet read by many.
        return self._workers.count

    def _check_running(self) -> None:
        if self._state != RUN:
            raise ValueError("Pool not running")

    def _start(
        self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int | None, *, star: bool, out: Any = None, vectorized: bool = False
    ) -> MapJob:
        self._check_running()
        if chunksize is not None and chunksize < 1:
            raise ValueError(f"Chunksize must be 1+, not {chunksize:n}")
        return self._workers.map(func, iterable, star=star, chunk_size=chunksize, bulk=True, out=out, vectorized=vectorized)

    def _imap(
        self, func: Callable[[Any], T], iterable: Iterable[Any], chunksize: int, buffersize: int | None, *, ordered: bool
    ) -> IMapIterator[T]:
        self._check_running()
        if chunksize < 1:
            raise ValueError(f"Chunksize must be 1+, not {chunksize:n}")
        if buffersize is not None and buffersize < 1:
            raise ValueError("buffersize must be None or > 0")
        if buffersize is None and is_at_hand(iterable):
            return IMapIterator(self, self._workers.map(func, iterable, chunk_size=chunk(chunksize), ordered=ordered))
        source = Source(iterable, chunksize)
        window = buffersize or max(WINDOW, WINDOW_PER_WORKER * self._workers.count, 2 * chunksize)
        job = self._workers.map(func, source, chunk_size=chunk(chunksize), ordered=ordered, buffersize=window)
        return IMapIterator(self, job, source)

    def _has_read(self, iterator: IMapIterator[Any]) -> None:
        """An iterator has come to the end of its input."""
        self._reading.discard(iterator)
        if self._state == CLOSE and not self._reading:
            self._workers.close(wait=False)


def _nothing() -> None:
    """Starts a worker."""


def __getattr__(name: str) -> Any:
    if name == "TimeoutError":
        from ._timeouts import TimeoutError

        return TimeoutError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
