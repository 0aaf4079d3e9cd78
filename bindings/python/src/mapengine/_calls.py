"""Calls that are outstanding: their submission, who completes them, their cancelling.

A call is completed by who claims it. What completing does can be done twice: a thread that a signal handler's exception takes out of it gives the
call back, and the next one begins anew. Its job is released last.
"""
from __future__ import annotations

import ctypes
import threading
from ctypes import byref
from typing import Any, Callable, Dict, List, Optional

from . import _abi as abi
from ._codec import Unpickle, decode
from ._engine import Event, Lease, message
from ._figures import Names
from ._format import TAG_KEPT
from ._futures import Future
from ._problems import MapEngineError
from ._pump import Pump, Put

COPIED = 1 << 20  # Results with buffers of fewer bytes are copied, so that no job stays for them; calls of fewer are submitted with the GIL.


class Calls(Pump):
    """The calls of one pool."""

    def __init__(self, pool: Any, function: int, threaded: bool, unpickle: Unpickle, output: Callable[[Event], None]) -> None:
        super().__init__(pool, threaded, output)
        self.function, self.unpickle = function, unpickle
        self.names = Names(function)
        self.calls: Dict[int, Future[Any]] = {}
        self.views: List[Any] = []  # Memory of which a worker's function has kept a view.
        self.lock = threading.RLock()  # Guards the configuration that submit fills, and what the end sets.
        self.closed = self.is_exiting = False
        self.broken: Optional[BaseException] = None  # Why the engine takes no more calls.
        self.name = ""  # For messages.
        self._config = abi.mape_job_config(deliver=abi.MAPE_DELIVER_ITEMS)
        self._configured: Any = None  # What stands in it: timeout, attempts, priority.
        self._config_at, self._handle = byref(self._config), pool.handle
        self._job = abi.mape_job()
        self._job_at = byref(self._job)
        self._apply, self._release = pool.fast.mape_apply, pool.fast.mape_job_release
        self._wait = pool.lib.mape_job_wait

    def start_thread(self) -> None:
        """Starts the package's thread, if this pool has one and it does not run yet."""
        raise NotImplementedError

    # ---- submitting ----

    def submit(self, function: int, payload: bytes, timeout: Optional[float], attempts: int, priority: int, spans: Any = None,
               keep: Any = None) -> Future[Any]:
        """Submits an encoded call. `function` is the id it is counted under. `spans` are (address, size) of further pieces, in memory that `keep` owns."""
        future: Future[Any] = Future()
        future._core = self
        future._id = number = next(self.numbers)
        if keep is not None:
            future._keep = keep
        self.calls[number] = future
        settings = timeout, attempts, priority
        with self.lock:
            config = self._config
            config.context = number
            if settings != self._configured:
                config.attempts, config.priority = attempts, priority
                config.item_timeout_ns = int(timeout * 1e9) if timeout is not None else 0
                self._configured = settings
            if self.closed:
                status = abi.MAPE_E_CLOSED
            elif spans is None:
                # Of a large one the copy takes its time, without the GIL.
                apply = self._apply if len(payload) < COPIED else self.pool.lib.mape_apply
                status = apply(self._job_at, self._handle, function, payload, len(payload), self._config_at)
            else:
                status = self._submit_pieces(function, payload, spans)
            if not status:
                future._job = self._job.value  # type: ignore[assignment]
        if status:
            del self.calls[number]
            self.refuse(status)
        self.start_thread()
        return future

    def _submit_pieces(self, function: int, payload: bytes, spans: List[Any]) -> int:
        pieces = (abi.mape_span * (len(spans) + 1))()
        pieces[0].data, pieces[0].size = ctypes.cast(ctypes.c_char_p(payload), ctypes.c_void_p), len(payload)
        for i, (address, size) in enumerate(spans, 1):
            pieces[i].data, pieces[i].size = address, size
        item = abi.mape_pieces(pieces=pieces, count=len(pieces))
        items = abi.mape_items(count=1, pieces=ctypes.pointer(item))
        return int(self.pool.lib.mape_map(self._job_at, self._handle, function, byref(items), self._config_at))

    def refuse(self, status: int, starting: bool = False) -> None:
        """Raises what a submission that the engine has refused is for users."""
        if status == abi.MAPE_E_CLOSED:
            raise RuntimeError("cannot schedule new futures after " + ("interpreter shutdown" if self.is_exiting else "shutdown"))
        if status == abi.MAPE_E_WORKERS or starting:
            from ._errors import PoolBroken

            self.broken = PoolBroken(message(self.pool.handle), status)
            raise self.broken
        self.pool.check(status)

    # ---- completing ----

    def help(self, future: Future[Any], timeout: Optional[float]) -> None:
        """Waits for a call in the engine, for at most `timeout` seconds, and completes it, unless another thread does."""
        if future._done_callbacks and self.threaded:
            return  # They run on the package's thread.
        job = future._job or self._job_of(future)
        if not job:
            return
        try:
            if self.shows_here():
                has_ended = self.pool.has_ended
                if self.await_news(lambda: future.done() or has_ended(job, 0), timeout):
                    self._take(future, None)
                return
            try:
                self.begin_help(future)
                limit = -1 if timeout is None else max(0, int(timeout * 1e9))
                status = self._wait(job, limit)
                while status == -20:  # MAPE_E_INTERRUPTED: Python runs its signal handlers before it goes on here.
                    status = self._wait(job, limit)
                if not status:
                    self._take(future, None)
            finally:
                self.end_help(future)
        except BaseException as error:  # That may have come in the middle of end_help.
            self.interrupted(future, error)
            raise

    def _job_of(self, future: Future[Any]) -> int:
        """Its job; a thread that got the future before submit returned waits for that."""
        if not future._job:
            with self.lock:
                pass
        return future._job

    def call_ended(self, event: Event, put: Put) -> None:
        future = self.calls.get(event[3])
        if future is not None:
            self._take(future, event, put)

    def _take(self, future: Future[Any], event: Optional[Event], put: Put = None) -> None:
        """Completes a call whose item has ended, unless another thread does. Its callbacks are left to the backlog, by `put`."""
        number, token, claims = future._id, object(), self._claims
        try:
            if number not in self.calls or claims.setdefault(number, token) is not token:
                return
            if number in self.calls:
                if event is not None:
                    future._job = event[2]
                job = future._job
                if not future.done():
                    self._complete(future, job, event)
                else:  # An interrupt came in between.
                    future._tell()
                if future._done_callbacks:
                    (put or self.defer)(future)
                if future._lease is None:
                    self._release(job)
                else:
                    future._lease = None  # The value has it.
                self.calls.pop(number, None)
            claims.pop(number)
        except BaseException:
            if claims.get(number) is token:
                claims.pop(number, None)
                self.defer(lambda: self._take(future, None))
            raise

    def _complete(self, future: Future[Any], job: int, event: Optional[Event]) -> None:
        value: Any = None
        error: Optional[BaseException] = None
        try:
            state, data, size = event[8:11] if event is not None else self.pool.one_result(job, 0)
            if future._keep is not None:
                self.note_kept(future._keep, data, size)
            if state == abi.MAPE_ITEM_CANCELLED:
                future._withdraw()
                return
            if state != 1:  # MAPE_ITEM_OK
                from ._failures import failure

                error = failure(self.pool, job, 0, self.unpickle, 0, self.name)
            elif size < COPIED:
                value = decode(data, size, None, self.unpickle)
            else:
                if future._lease is None:
                    future._lease = Lease(self.pool, job)
                value = decode(data, size, future._lease, self.unpickle)
        except KeyboardInterrupt:  # This thread's, not the call's.
            raise
        except BaseException as trouble:  # Decoding runs code of users.
            error = undecoded(trouble)
        future._finish(value, error)

    def note_kept(self, keep: Any, address: int, size: int) -> None:
        """Keeps memory that workers read as long as the pool lives, when the item's result says that its function has kept a view of it."""
        if address and size > 8 and ctypes.string_at(address + size - 1, 1)[0] & TAG_KEPT:
            self.views.append(keep)

    # ---- asking about one ----

    def is_assigned(self, future: Future[Any]) -> bool:
        """Whether a worker has the call."""
        job = self._job_of(future)
        try:
            return bool(job) and self.pool.progress(job).running > 0
        except (MapEngineError, AttributeError):  # It has ended meanwhile, or the pool has.
            return False

    def fraction(self, future: Future[Any]) -> Optional[float]:
        """How far the call is, by its own account."""
        try:
            now = self.pool.progress(self._job_of(future))
        except (MapEngineError, AttributeError):
            return None
        return float(now.fraction) if now.running or now.done else None

    # ---- ending one ----

    def cancel(self, future: Future[Any]) -> bool:
        """Cancels a call that has not begun; callbacks run at once. False for one that runs, or has ended otherwise."""
        job = self._job_of(future)
        try:
            if not job or not self.pool.cancel(job, False):
                return future.cancelled()
        except (MapEngineError, AttributeError):  # It has ended meanwhile, or the pool has.
            return future.cancelled()
        # The engine has ended it: whoever completes it finds it cancelled.
        if self._withdraw(future):
            future._invoke_callbacks()
        return True

    def kill(self, future: Future[Any]) -> bool:
        """Cancels a call, also one that runs: its worker is ended after the pool's grace. False when it has ended already."""
        if not self._withdraw(future):
            return False
        if future._done_callbacks:
            self.defer(future)
        return True

    def _withdraw(self, future: Future[Any]) -> bool:
        """Ends a call as cancelled, unless another thread completes it."""
        number, token, claims = future._id, object(), self._claims
        ended = False
        try:
            if number not in self.calls or claims.setdefault(number, token) is not token:
                return False
            if number in self.calls:
                if not future.done():
                    future._withdraw()
                    ended = True
                self._release(self._job_of(future))  # Cancels it.
                self.calls.pop(number, None)
            claims.pop(number)
        except BaseException:
            if claims.get(number) is token:
                claims.pop(number, None)
                self.defer(lambda: self._withdraw(future))
                if future._done_callbacks:
                    self.defer(future)
            raise
        return ended

    def drop(self) -> None:
        """Ends what the user has given up: see given_up."""
        for number, future in list(self.calls.items()):
            if number < self.given_up:
                self.kill(future)
        for number, block in list(self.blocks.items()):
            if number < self.given_up and block.job:
                self.pool.fast.mape_job_cancel(block.job)


def undecoded(trouble: BaseException) -> BaseException:
    """The exception of a call whose result did not come out of its pickle."""
    from ._errors import TransferError

    error = TransferError(f"the result does not come out of its pickle: {type(trouble).__name__}: {trouble}")
    error.__cause__ = trouble
    return error
