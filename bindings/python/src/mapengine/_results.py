"""The results of a `Pool`'s calls that do not wait: what `multiprocessing.pool` calls ApplyResult, MapResult and IMapIterator."""

from __future__ import annotations

import builtins
import collections
import concurrent.futures
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ._face import values_of
from ._taken import Taken

if TYPE_CHECKING:
    from ._futures import Future
    from ._map import MapJob
    from ._timeouts import TimeoutError
    from .pool import Pool

__all__ = ["ApplyResult", "AsyncResult", "IMapIterator", "MapResult", "Source", "is_at_hand"]

T = TypeVar("T")


def _timed_out() -> TimeoutError:
    """What says that a wait has taken too long."""
    from ._timeouts import TimeoutError

    return TimeoutError()


class AsyncResult(Generic[T]):
    """What `Pool.apply_async` and `Pool.map_async` return."""

    def __init__(
        self,
        pool: Pool,
        source: Future[Any] | MapJob,
        callback: Callable[[Any], object] | None,
        error_callback: Callable[[BaseException], object] | None,
    ) -> None:
        # Keeps the pool, which would end otherwise when the caller keeps the result alone.
        self._pool = pool
        self._source = source
        # Set when the callbacks have returned; None if there are none, or if they run where somebody dispatches: a wait for them there
        # could be a wait for itself.
        self._told: threading.Event | None = None
        if callback is not None or error_callback is not None:
            told = threading.Event()
            if pool._workers.mode == "threaded":
                self._told = told

            def tell(_: object) -> None:
                try:
                    self._tell(callback, error_callback)
                finally:
                    told.set()

            source.add_done_callback(tell)

    def ready(self) -> bool:
        """Whether the call is done."""
        return self._source.done() if self._told is None else self._told.is_set()

    def successful(self) -> bool:
        """Whether it is done without an exception; raises ValueError while it is not done."""
        if not self.ready():
            raise ValueError(f"{self!r} not ready")
        return self._error() is None

    def wait(self, timeout: float | None = None) -> None:
        """Waits until it is done and its callback has returned, for at most `timeout` seconds."""
        if self._told is None:
            self._wait(timeout)
        else:
            self._told.wait(timeout)

    def get(self, timeout: float | None = None) -> T:
        """The value, or the exception of the call. Raises `TimeoutError` after `timeout` seconds."""
        self.wait(timeout)
        if not self.ready():
            raise _timed_out()
        return self._value()

    def _tell(self, callback: Callable[[Any], object] | None, error_callback: Callable[[BaseException], object] | None) -> None:
        error = self._error()
        if error is None:
            if callback is not None:
                callback(self._value())
        elif error_callback is not None:
            error_callback(error)

    def _wait(self, timeout: float | None) -> None:
        raise NotImplementedError

    def _value(self) -> T:
        raise NotImplementedError

    def _error(self) -> BaseException | None:
        raise NotImplementedError


class ApplyResult(AsyncResult[T]):
    """One call."""

    _source: Future[T]

    def _wait(self, timeout: float | None) -> None:
        try:
            self._source.exception(timeout)
        except (concurrent.futures.CancelledError, concurrent.futures.TimeoutError, builtins.TimeoutError):
            pass

    def _value(self) -> T:
        value: T = self._source.result()
        return value

    def _error(self) -> BaseException | None:
        try:
            return self._source.exception()
        except concurrent.futures.CancelledError as error:
            return error

    def cancel(self) -> bool:
        """Takes the call back if it has not begun; whether it has been."""
        return self._source.cancel()

    def kill(self) -> bool:
        """Ends the call, also while it runs."""
        return self._source.kill()


class MapResult(AsyncResult["list[T]"], Generic[T]):
    """The calls of a map."""

    _source: MapJob

    def __init__(
        self,
        pool: Pool,
        source: MapJob,
        callback: Callable[[list[T]], object] | None,
        error_callback: Callable[[BaseException], object] | None,
    ) -> None:
        # What the job has given: it gives it once.
        self._given: tuple[list[T], BaseException | None] | None = None
        self._giving = threading.Lock()
        super().__init__(pool, source, callback, error_callback)

    def _wait(self, timeout: float | None) -> None:
        self._source.wait(timeout)

    def _take(self) -> tuple[list[T], BaseException | None]:
        with self._giving:
            if self._given is None:
                try:
                    self._given = values_of(self._source), None
                except Exception as error:
                    self._given = [], error
            return self._given

    def _value(self) -> list[T]:
        values, error = self._take()
        if error is None:
            return values
        try:
            raise error
        finally:
            del error

    def _error(self) -> BaseException | None:
        return self._take()[1]

    def cancel(self) -> bool:
        """Takes back the elements that have not begun; whether there were any."""
        return self._source.cancel()

    def kill(self) -> bool:
        """Ends all of them, also those that run."""
        return self._source.cancel(running=True)

    def progress(self) -> tuple[int, int | None]:
        """How many elements are done, and of how many."""
        return self._source.progress()


class Source(Generic[T]):
    """The input of a lazy map, read by whole chunks. An exception of the iterable ends the input, and is kept: it is raised where the next
    element's value would have come."""

    def __init__(self, iterable: Iterable[T], chunksize: int) -> None:
        self._iterable: Iterable[T] | None = iterable
        self._chunksize = chunksize
        self.error: Exception | None = None
        self.ended = False

    def __iter__(self) -> Iterator[T]:
        iterable, self._iterable = self._iterable, None
        assert iterable is not None, "a source is read once"
        try:
            elements = iter(iterable)
            del iterable
            while True:
                some = collections.deque(islice(elements, self._chunksize))
                if not some:
                    break
                while some:
                    yield some.popleft()
        except Exception as error:
            self.error = error
        finally:
            self.ended = True


class IMapIterator(Generic[T]):
    """What `Pool.imap` and `Pool.imap_unordered` return; may be used by several threads."""

    def __init__(self, pool: Pool, job: MapJob, source: Source[Any] | None = None) -> None:
        self._pool: Pool | None = pool
        self._job = job
        self._source = source
        self._lock = threading.Lock()
        # What has come and was not fetched.
        self._taken: Taken[T] = Taken(job)
        # What was fetched ahead by _finish.
        self._ahead: collections.deque[Taken[T]] = collections.deque()
        self._ended = False
        if source is not None:
            pool._reading.add(self)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        try:
            return self._taken.values.popleft()
        except IndexError:
            return self.next()

    def next(self, timeout: float | None = None) -> T:
        """The next value, or its exception. Raises `TimeoutError` after `timeout` seconds, and StopIteration at the end."""
        with self._lock:
            while self._taken.is_empty():
                if self._ahead:
                    self._taken = self._ahead.popleft()
                elif self._ended:
                    raise StopIteration
                else:
                    self._refill(self._taken, timeout)
            return self._taken.pop()

    def cancel(self) -> bool:
        """Takes back the elements that have not begun, and reads no more of the input."""
        return self._job.cancel()

    def _refill(self, taken: Taken[T], timeout: float | None) -> None:
        try:
            if taken.refill(timeout):
                return
        except builtins.TimeoutError:
            raise _timed_out() from None
        except (KeyboardInterrupt, SystemExit):
            self._job.cancel(running=True)
            raise
        self._ended = True
        if self._source is not None:
            taken.error, self._source.error = self._source.error, None
        pool, self._pool = self._pool, None
        if pool is not None:
            pool._has_read(self)

    def _finish(self) -> None:
        """Reads the input to its end, and keeps the values."""
        with self._lock:
            while not self._ended:
                taken: Taken[T] = Taken(self._job)
                self._refill(taken, None)
                self._ahead.append(taken)


# Containers whose elements are there already, so that nothing is gained by reading them bit by bit.
_AT_HAND = (list, tuple, range, str, bytes, bytearray, memoryview, dict, set, frozenset, collections.deque)


def is_at_hand(iterable: object) -> bool:
    """Whether all elements of an iterable are there already."""
    return isinstance(iterable, _AT_HAND) or hasattr(iterable, "__array_interface__")


if TYPE_CHECKING:
    from typing_extensions import Self
