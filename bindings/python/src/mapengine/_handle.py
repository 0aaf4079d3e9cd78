"""`Handle`: what `mapengine.map` and `mapengine.apply` return when they do not wait."""

from __future__ import annotations

import concurrent.futures
import contextvars
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._futures import Future
    from ._map import MapJob
    from ._workers import Workers

__all__ = ["Handle"]

# Seconds after which a wait looks again: at a bar that is to be drawn, and at a callback that somebody else runs.
LOOK = 0.1

_log = logging.getLogger("mapengine")

# Handles that have yet to call somebody. The caller need not keep them.
_calling: set[Handle] = set()


class Handle:
    """Work under way. It has the calls of the thread that *map for Maya* returned, ``join`` and ``is_alive``, and some more.

    Methods may be called from any thread.
    """

    def __init__(
        self,
        workers: Workers,
        work: MapJob | Future[Any],
        callback: Callable[[Any], object] | None = None,
        errback: Callable[[BaseException], object] | None = None,
        return_exceptions: bool = False,
        progress: bool = False,
    ) -> None:
        self._workers = workers
        self._work = work
        self._callback = callback
        self._errback = errback
        self._return_exceptions = return_exceptions
        # Callbacks run in the context of the call, as those of asyncio do: what one prints in a notebook belongs to the call's cell.
        self._context = contextvars.copy_context()
        self._told = threading.Event()
        # What a job has given: it gives it once.
        self._given: tuple[Any, BaseException | None] | None = None
        self._giving = threading.Lock()
        self._bar: Any = None
        if progress:
            from .progress import Bar

            self._bar = Bar.of_job(work)
        if callback is not None or errback is not None:
            _calling.add(self)
            work.add_done_callback(self._tell)
        else:
            self._told.set()

    def is_alive(self) -> bool:
        """Whether it still runs, or its callback has yet to return."""
        return not (self._work.done() and self._told.is_set())

    def join(self, timeout: float | None = None) -> None:
        """Waits until it is done and its callback has returned, for at most `timeout` seconds.

        In a pool that is attached to the main thread's loop, a `join` on the main thread runs the loop's part itself, callbacks too.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        dispatches = self._workers.mode == "attached" and threading.current_thread() is threading.main_thread()
        while self.is_alive():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return
            if dispatches:
                self._workers.wait(LOOK if left is None else min(LOOK, left))
                self._workers.dispatch()
            elif not self._work.done():
                self._wait(left)
            else:
                self._told.wait(left)

    def result(self, timeout: float | None = None) -> Any:
        """The value or the list of values; raises what `map` or `apply` would raise, and `TimeoutError` after `timeout` seconds.

        It does not wait for the callback.
        """
        if not self._wait(timeout):
            raise concurrent.futures.TimeoutError()
        return self._value()

    def cancel(self) -> bool:
        """Ends it: takes back what has not begun, and kills what runs. Whether there was something to end."""
        work = self._work
        if isinstance(work, concurrent.futures.Future):
            return not work.done() and (work.cancel() or work.kill())
        return work.cancel(running=True)

    def progress(self) -> tuple[int, int | None]:
        """How many elements are done, and of how many."""
        work = self._work
        if isinstance(work, concurrent.futures.Future):
            return int(work.done()), 1
        return work.progress()

    def stats(self) -> dict[str, Any]:
        """What has been done of a map so far: elements by how they ended, what workers took for them, bytes. Empty for one call of `apply`,
        and once the pool has ended."""
        work = self._work
        return {} if isinstance(work, concurrent.futures.Future) else work.stats()

    # ---- Inside. ----

    def wait_here(self) -> Any:
        """The result, for a caller who has nothing else to do: an interrupt ends the work."""
        try:
            if self._bar is None:
                self._wait(None)
            else:
                with self._bar:
                    while not self._wait(LOOK):
                        self._bar.show()
                    self._bar.show()
            return self._value()
        except (KeyboardInterrupt, SystemExit):
            self.cancel()
            raise

    def _wait(self, timeout: float | None) -> bool:
        work = self._work
        if not isinstance(work, concurrent.futures.Future):
            return work.wait(timeout)
        try:
            work.exception(timeout)
        except concurrent.futures.CancelledError:
            return True
        except (concurrent.futures.TimeoutError, TimeoutError):
            return work.done()
        return True

    def _value(self) -> Any:
        with self._giving:
            if self._given is None:
                try:
                    self._given = self._take(), None
                except Exception as failed:
                    self._given = None, failed
            value, error = self._given
        if error is None:
            return value
        try:
            raise error
        finally:
            del error

    def _take(self) -> Any:
        work = self._work
        if isinstance(work, concurrent.futures.Future):
            return work.result()
        if self._return_exceptions:
            return [value for _, _, value in work.outcomes()]
        return work.results()

    def _tell(self, _: object) -> None:
        """Calls back; runs once, where events are dispatched."""
        try:
            if self._bar is not None:
                self._bar.show()
                self._bar.close()
            try:
                value = self._value()
            except BaseException as error:
                if self._errback is not None:
                    self._context.run(self._errback, error)
                else:
                    _log.error("work for %r has failed, and there is no errback", self._callback, exc_info=error)
            else:
                if self._callback is not None:
                    self._context.run(self._callback, value)
        except Exception:
            _log.exception("a callback has raised")
        finally:
            self._callback = self._errback = None
            _calling.discard(self)
            self._told.set()
