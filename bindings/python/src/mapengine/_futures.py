"""The future of a call: a concurrent.futures.Future that fetches its own result.

Who completes it is decided by who claims it (_calls.py): the thread that does owns the job and the state. A condition is made only when somebody
waits or adds a callback. The state changes under the condition, if there is one, and no condition is made meanwhile (_making): who holds it sees the
state before, and is told, or the state after, and is not. as_completed relies on either.
"""
from __future__ import annotations

import concurrent.futures
import threading
import time
from concurrent.futures._base import CANCELLED, CANCELLED_AND_NOTIFIED, FINISHED, LOGGER, PENDING, RUNNING
from typing import TYPE_CHECKING, Any, Callable, Generic, List, Optional, TypeVar

if TYPE_CHECKING:
    from ._calls import Calls

T = TypeVar("T")

_making = threading.RLock()  # May be entered again by a signal handler or a finalizer of the same thread.
_ENDED = (CANCELLED, CANCELLED_AND_NOTIFIED, FINISHED)


class Future(concurrent.futures.Future[T], Generic[T]):
    """The result of one call in a worker. All methods may be used by any thread."""

    # What an unfinished future has is the class's: making one is a large part of a call on this side. So is a condition, which only those
    # make who wait or add something; the lists come with it, since all that touch them hold the condition.
    _made: Any = None
    _state: str = PENDING
    _result: Any = None
    _exception: Optional[BaseException] = None
    _waiters: List[Any] = []
    _done_callbacks: List[Callable[[Any], Any]] = []
    _core: Optional["Calls"] = None
    _id = 0
    _job = 0
    _keep: Any = None  # Memory that the worker reads.
    _lease: Any = None  # The memory of its result, while that is decoded.

    def __init__(self) -> None:
        pass

    @property
    def _condition(self) -> Any:  # type: ignore[override]
        if self._made is None:
            with _making:
                if self._made is None:
                    self._waiters, self._done_callbacks = [], []
                    self._made = threading.Condition()
        return self._made

    # ---- state ----

    def done(self) -> bool:
        """Whether it has ended: with a result, an exception, or as cancelled."""
        return self._state in _ENDED

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._state in (CANCELLED, CANCELLED_AND_NOTIFIED)

    def running(self) -> bool:
        """Whether a worker has the call. Once it has begun it cannot be cancelled, only ended by `kill`."""
        core = self._core
        return self._state == RUNNING or (self._state == PENDING and core is not None and core.is_assigned(self))

    def progress(self) -> Optional[float]:
        """0 to 1: what the function has reported by mapengine.report(), 1 when it has ended; None before it has begun."""
        if self._state in _ENDED:
            return 1.0
        core = self._core
        return None if core is None else core.fraction(self)

    # ---- ending it ----

    def cancel(self) -> bool:
        """Takes the call back if it has not begun, be it that a worker has it already. Returns whether it is cancelled. (One that is just about to
        begin may end as cancelled although this is False.)"""
        if self._state in (CANCELLED, CANCELLED_AND_NOTIFIED):
            return True
        core = self._core
        return core is not None and core.cancel(self)

    def kill(self) -> bool:
        """Ends the call wherever it is: one that runs loses its worker, and ends as cancelled. False when it had ended already."""
        core = self._core
        return core is not None and core.kill(self)

    # ---- results ----

    def result(self, timeout: Optional[float] = None) -> T:
        """What the function returned; waits for it. Raises what the function raised, WorkerDied, ItemTimeout, CancelledError,
        PoolBroken; TimeoutError when it is not there after `timeout` seconds, while the call goes on. A KeyboardInterrupt ends the wait;
        the call goes on then as well, and can be waited for again. Only the end of the interpreter does not wait for it any more."""
        if self._state is not FINISHED:
            timeout = self._help(timeout)
        if self._state is FINISHED:
            error = self._exception
            if error is None:
                return self._result  # type: ignore[no-any-return]
            try:
                raise error
            finally:
                del error, self  # The traceback would keep them.
        return super().result(timeout)

    def exception(self, timeout: Optional[float] = None) -> Optional[BaseException]:
        """The exception that `result` would raise, None if it would return. Waits as `result`."""
        if self._state != FINISHED:
            timeout = self._help(timeout)
        return super().exception(timeout)

    def _help(self, timeout: Optional[float]) -> Optional[float]:
        """Waits in the engine for this call, so that no other thread has to wake this one. Returns what is left of the time."""
        core = self._core
        if core is None:
            return timeout
        if timeout is None:
            core.help(self, None)
            return None
        end = time.monotonic() + timeout
        core.help(self, timeout)
        return max(0.0, end - time.monotonic())

    # ---- for Core, by the thread that has claimed it; each may be called again when an interrupt came in between ----

    def _finish(self, value: Any, error: Optional[BaseException]) -> None:
        """Sets how it ended, and tells those who wait. Callbacks are the caller's."""
        if error is None:
            self._result = value
        else:
            self._exception = error
        self._end(FINISHED)

    def _withdraw(self) -> None:
        """Ends it as cancelled; otherwise as _finish."""
        self._end(CANCELLED_AND_NOTIFIED)

    def _end(self, state: str) -> None:
        with _making:
            made = self._made
            if made is None:
                self._state = state
        if made is not None:
            self._tell(state)
        self._core = self._keep = None  # Not before: who waits with none would not help, and an interrupt may come in between.

    def _tell(self, state: Optional[str] = None) -> None:
        """Tells those who wait, as often as it is called; sets the state before, if one is given."""
        with self._condition:
            if state is not None:
                self._state = state
            for waiter in self._waiters:
                if self in waiter.finished_futures:
                    continue
                if self._state != FINISHED:
                    waiter.add_cancelled(self)
                elif self._exception is None:
                    waiter.add_result(self)
                else:
                    waiter.add_exception(self)
            self._condition.notify_all()

    def _invoke_callbacks(self) -> None:
        while self._done_callbacks:
            callback = self._done_callbacks[0]
            del self._done_callbacks[0]  # Not by pop(), behind which an interrupt may come, and the callback be lost.
            try:
                callback(self)
            except Exception:
                LOGGER.exception("exception calling callback for %r", self)
