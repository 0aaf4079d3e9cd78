"""What runs a pool of the engine for Python: who fetches its events, and who completes what.

Threads. Calls of users go straight to the engine. Events are fetched by one thread at a time, the *pump*: in a threaded pool by the package's
thread, which sleeps on the engine's descriptor; in an attached pool by whoever calls dispatch(). A thread that waits for a result helps
itself: for one call it waits in the engine and completes that call alone; for the elements of a map it becomes the pump for
as long as it waits. While such helpers are there the package's thread only looks every NAP nanoseconds, so that a round trip
never waits for a second thread. Code of users (callbacks, prints into sys.stdout) runs on the package's thread or in dispatch(), never on a
helper: what a helper fetches of that kind goes to the backlog.
"""
from __future__ import annotations

import collections
import ctypes
import itertools
import os
import select
import sys
import threading
import time
from concurrent.futures._base import LOGGER
from ctypes import byref
from typing import Any, Callable, Deque, Dict, List, Optional, Set

from . import _abi as abi
from ._codec import Unpickle, decode
from ._engine import Event, Lease, Pool, message, nanoseconds
from ._format import TAG_KEPT
from ._futures import Future
from ._library import watcher
from ._problems import MapEngineError

NAP = 2_000_000  # Nanoseconds.
COPIED = 1 << 20  # Results with buffers of fewer bytes are copied, so that no job stays for them.


class Core:
    """A started pool and what is outstanding on it. Workers is its handle; futures and maps keep the core, not the handle."""

    def __init__(self, pool: Pool, function: int, threaded: bool, unpickle: Unpickle, output: Callable[[Event], None]) -> None:
        self.pool: Any = pool  # None when it has ended.
        self.function, self.threaded, self.unpickle, self.output = function, threaded, unpickle, output
        self.calls: Dict[int, Future[Any]] = {}
        self.blocks: Dict[int, Any] = {}  # _map.Block by number
        self.views: List[Any] = []  # Memory of which a worker's function has kept a view.
        self.kept: Set[Any] = set()  # Maps with callbacks to run.
        self.lock = threading.RLock()  # Guards the configuration that submit fills, and the state below.
        self.numbers = itertools.count(1)
        self.closed = self.abandoned = False
        self.process = os.getpid()
        self.broken: Optional[BaseException] = None  # Why the engine takes no more calls.
        self.ends_at_exit = False  # Whether what is outstanding is dropped when the interpreter ends.
        self.ended = threading.Event()
        self.backlog: Deque[Any] = collections.deque()  # Events and callables for the package's thread or dispatch().
        self.helpers: Set[Any] = set()
        self.name = ""  # For messages.
        self._woken = False
        self._busy = ctypes.c_int()  # How many helpers there are, for a wait without the GIL (native/watch.c).
        self._watch = watcher()
        self.news = threading.Condition()  # Notified when a map has got events.
        self.awaited = 0
        self._pump = threading.Lock()
        self._config = abi.mape_job_config(deliver=abi.MAPE_DELIVER_ITEMS)
        self._configured: Any = None  # What stands in it: timeout, attempts, priority.
        self._config_at, self._handle = byref(self._config), pool.handle
        self._job = abi.mape_job()
        self._job_at = byref(self._job)
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        os.set_blocking(self._wake_read, False)
        self._events_fd = pool.event_fd()
        self._epoll: Optional[select.epoll] = None
        self._poll = select.poll()
        self._poll.register(self._events_fd, select.POLLIN)
        self._poll.register(self._wake_read, select.POLLIN)
        self._thread: Optional[threading.Thread] = None
        self._closer: Optional[threading.Thread] = None
        self._ending = threading.Lock()
        self._thread_disposes = False
        self._apply, self._release = pool.fast.mape_apply, pool.fast.mape_job_release
        self._wait = pool.lib.mape_job_wait

    # ---- calls ----

    def submit(self, payload: bytes, timeout: Optional[float], attempts: int, priority: int, spans: Any = None, keep: Any = None) -> Future[Any]:
        """Submits an encoded call. `spans` are (address, size) of further pieces, in memory that `keep` owns."""
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
                status = self._apply(self._job_at, self._handle, self.function, payload, len(payload), self._config_at)
            else:
                status = self._submit_pieces(payload, spans)
            if not status:
                future._job = self._job.value  # type: ignore[assignment]
        if status:
            del self.calls[number]
            self.refuse(status)
        if self._thread is None:
            self.start_thread()
        return future

    def _submit_pieces(self, payload: bytes, spans: List[Any]) -> int:
        pieces = (abi.mape_span * (len(spans) + 1))()
        pieces[0].data, pieces[0].size = ctypes.cast(ctypes.c_char_p(payload), ctypes.c_void_p), len(payload)
        for i, (address, size) in enumerate(spans, 1):
            pieces[i].data, pieces[i].size = address, size
        item = abi.mape_pieces(pieces=pieces, count=len(pieces))
        items = abi.mape_items(count=1, pieces=ctypes.pointer(item))
        return int(self.pool.lib.mape_map(self._job_at, self._handle, self.function, byref(items), self._config_at))

    def refuse(self, status: int, starting: bool = False) -> None:
        """Raises what a submission that the engine has refused is for users."""
        if status == abi.MAPE_E_CLOSED:
            raise RuntimeError("cannot schedule new futures after " + ("interpreter shutdown" if _exiting else "shutdown"))
        if status == abi.MAPE_E_WORKERS or starting:
            from ._errors import PoolBroken

            self.broken = PoolBroken(message(self.pool.handle), status)
            raise self.broken
        self.pool.check(status)

    def help(self, future: Future[Any], timeout: int) -> None:
        """Waits in the engine for a call, and completes it, unless another thread does. `timeout` in nanoseconds, -1 for ever."""
        if future._done_callbacks and self.threaded:
            return  # They run on the package's thread.
        job = future._job or self._job_of(future)
        if not job:
            return
        self.begin_help(future)
        try:
            status = self._wait(job, timeout)
            while status == -20:  # MAPE_E_INTERRUPTED: Python runs its signal handlers before it goes on here.
                status = self._wait(job, timeout)
            if not status and self.calls.pop(future._id, None) is not None:
                self._complete(future, None)
        finally:
            self.end_help(future)

    def _job_of(self, future: Future[Any]) -> int:
        """Its job; a thread that got the future before submit returned waits for that."""
        if not future._job:
            with self.lock:
                pass
        return future._job

    def _complete(self, future: Future[Any], event: Optional[Event], on_dispatch: bool = False) -> None:
        """Completes a call that was taken out of `calls`, whose item has ended."""
        job = future._job
        try:
            if event is not None:
                state, data, size = event[8:]
            else:
                state, data, size = self.pool.one_result(job, 0)
            if future._keep is not None:
                self.note_kept(future._keep, data, size)
            if state == 1:  # MAPE_ITEM_OK
                value, error = self._value(job, data, size)
            elif state == abi.MAPE_ITEM_CANCELLED:
                self._release(job)
                future._withdraw(None if on_dispatch else self.defer)
                return
            else:
                from ._failures import failure

                value, error = None, failure(self.pool, job, 0, self.unpickle, 0, self.name)
                self._release(job)
        except BaseException as trouble:  # Decoding runs code of users.
            value, error = None, undecoded(trouble)
            self._release(job)
            if isinstance(trouble, KeyboardInterrupt):  # This thread's, not the call's.
                future._finish(value, error, self.defer)
                raise
        future._finish(value, error, None if on_dispatch else self.defer)

    def note_kept(self, keep: Any, address: int, size: int) -> None:
        """Keeps memory that workers read as long as the pool lives, when the item's result says that its function has kept a view of it."""
        if address and size > 8 and ctypes.string_at(address + size - 1, 1)[0] & TAG_KEPT:
            self.views.append(keep)

    def _value(self, job: int, data: int, size: int) -> Any:
        if size < COPIED:
            try:
                return decode(data, size, None, self.unpickle), None
            finally:
                self._release(job)
        lease = Lease(self.pool, job)
        return decode(data, size, lease, self.unpickle), None

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

    def cancel(self, future: Future[Any]) -> bool:
        """Cancels a call that no worker has."""
        if self.is_assigned(future) or self.calls.pop(future._id, None) is None:
            return future.cancelled()
        self._release(future._job)  # Cancels it.
        future._withdraw()
        return True

    def kill(self, future: Future[Any]) -> bool:
        """Cancels a call, also one that runs: its worker is ended after the pool's grace."""
        if self.calls.pop(future._id, None) is None:
            return False
        self._release(future._job)
        future._withdraw(self.defer)
        return True

    # ---- events ----

    def defer(self, what: Any) -> None:
        """Leaves it to the package's thread or to dispatch() to run callbacks: of a future, or a function of no arguments."""
        self.backlog.append(what)
        self.wake()

    def wake(self) -> None:
        """Makes fileno() readable until the next dispatch."""
        if not self._woken:
            self._woken = True
            try:
                os.write(self._wake_write, b"!")
            except OSError:  # It is full, or the pool has ended.
                pass

    def _sleep_again(self) -> None:
        """Undoes wake(). Who calls looks afterwards at what wake() is called for: it writes nothing until the flag is down."""
        if self._woken:
            try:
                os.read(self._wake_read, 512)
            except OSError:
                pass
            self._woken = False

    def route(self, events: List[Event], on_dispatch: bool) -> None:
        """Gives events to whom they are for. A helper (not `on_dispatch`) leaves to others what could run code of users."""
        number, count, told = 0, 0, False
        block: Any = None
        for event in events:
            if event[0] == 1:  # MAPE_EVENT_ITEM; those of a map come one after another.
                if event[3] != number:
                    if count:
                        block.added(count)
                        told, count = True, 0
                    number = event[3]
                    block = self.blocks.get(number)
                if block is not None:
                    block.ready.append(event)
                    count += 1
                else:
                    self._route_call(event, number, on_dispatch)
            elif event[0] == 3:  # MAPE_EVENT_DONE
                whole = self.blocks.get(event[3])
                if whole is not None:
                    whole.added(whole.count)
                    told = True
            elif event[0] == 2:  # MAPE_EVENT_PROGRESS: of a map whose ended items are looked up
                told = True
            elif event[0] > 3:
                if on_dispatch:
                    self.output(event)
                else:
                    self.backlog.append(event)
                    self.wake()
        if count:
            block.added(count)
            told = True
        if told and self.awaited:
            with self.news:
                self.news.notify_all()

    def _route_call(self, event: Event, number: int, on_dispatch: bool) -> None:
        future = self.calls.get(number)
        if future is None:
            return
        if not on_dispatch and future._done_callbacks:
            self.backlog.append(event)
            self.wake()
        elif self.calls.pop(number, None) is not None:
            if not future._job:
                self._job_of(future)
            self._complete(future, event, on_dispatch)

    def dispatch(self, budget: Optional[float] = None) -> int:
        """Completes what has ended, runs callbacks, writes what workers printed. Never waits. How many events there were."""
        end = None if budget is None else time.monotonic() + budget
        count = 0
        while True:
            self._sleep_again()
            while self.backlog:
                try:
                    one = self.backlog.popleft()
                except IndexError:
                    break
                count += 1
                if type(one) is tuple:
                    self.route([one], True)
                elif isinstance(one, Future):
                    one._invoke_callbacks()
                else:
                    try:
                        one()
                    except Exception:  # A callback's, as those of futures.
                        LOGGER.exception("exception calling callback")
                if end is not None and time.monotonic() >= end:
                    if self.backlog:
                        self.wake()
                    return count
            if not self._pump.acquire(False):
                return count
            try:
                events = self.pool.fetch(0)
            finally:
                self._pump.release()
            if not events:
                if self.backlog:
                    continue
                self._sleep_again()
                if not self.backlog:
                    return count
                continue
            if end is None:
                self.route(events, True)
            else:
                self.backlog.extend(events)
                continue
            count += len(events)

    def await_news(self, ready: Callable[[], bool], timeout: Optional[float]) -> bool:
        """Waits until ready() says so, which must be cheap and depend on events of maps alone. False when the time was over first."""
        end = None if timeout is None else time.monotonic() + timeout
        token = object()
        self.begin_help(token)
        try:
            while not ready():
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    return False
                if self.ended.is_set():
                    return ready()
                if self._pump.acquire(False):
                    try:
                        events = self.pool.fetch(nanoseconds(left))
                    finally:
                        self._pump.release()
                    if events:
                        self.route(events, False)
                    else:
                        self._look_for_end()
                else:
                    with self.news:
                        self.awaited += 1
                        try:
                            if not ready():
                                self.news.wait(0.005 if left is None else min(left, 0.005))
                        finally:
                            self.awaited -= 1
            return True
        finally:
            self.end_help(token)

    def _look_for_end(self) -> None:
        """A fetch that came back empty: by a signal, or since the pool has ended for good."""
        stats = self.pool.stats()
        if stats.is_closed:
            time.sleep(0.001)

    # ---- the descriptor and the thread ----

    def fileno(self) -> int:
        """A descriptor that is readable when there is something for dispatch()."""
        if self._epoll is None:
            epoll = select.epoll()
            epoll.register(self._events_fd, select.EPOLLIN)
            epoll.register(self._wake_read, select.EPOLLIN)
            self._epoll = epoll
        return self._epoll.fileno()

    def wait(self, timeout: Optional[float]) -> bool:
        """Waits until there is something for dispatch()."""
        if self.backlog:
            return True
        return bool(self._poll.poll(None if timeout is None else timeout * 1000))

    def idle(self) -> bool:
        """Whether nothing is outstanding and nothing left to dispatch."""
        return not self.calls and not self.blocks and not self.backlog

    def start_thread(self) -> None:
        """Starts the package's thread, if this pool has one and it does not run yet."""
        if not self.threaded or self._thread is not None:
            return
        with self.lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"mapengine-{self.name}" if self.name else "mapengine", daemon=True)
                self._thread.start()

    def begin_help(self, token: Any) -> None:
        """A thread is going to fetch events or to wait for a call itself."""
        self.helpers.add(token)
        self._busy.value = 1

    def end_help(self, token: Any) -> None:
        """It has done so."""
        self.helpers.discard(token)
        self._busy.value = len(self.helpers)

    def _run(self) -> None:
        busy = byref(self._busy)
        while not self.ended.is_set():
            if self.abandoned:
                self.abandoned = False
                self.close_later()
            self._watch(self._events_fd, self._wake_read, busy, NAP)
            if self.helpers and not self.ended.is_set():
                self._sleep_again()
                if not self.backlog:
                    continue
            self.dispatch()
        self.dispatch()
        if self._thread_disposes:
            self.dispose()

    # ---- the end ----

    def abandon(self) -> None:
        """Nobody has the handle any more: what is outstanding is finished, then the pool ends. Called by the garbage collector."""
        self.closed = True
        if self.ended.is_set() or self.process != os.getpid():
            return
        if self._thread is not None:
            self.abandoned = True
            self.wake()
        else:
            self.close_later()

    def close_later(self) -> None:
        """Lets a thread finish what is outstanding and end the pool."""
        with self.lock:
            self.closed = True
            if self._closer is not None or self.ended.is_set():
                return
            self._closer = threading.Thread(target=self.finish, name="mapengine-close", daemon=True)
        try:
            self._closer.start()
        except RuntimeError:  # The interpreter is ending: at_exit does it.
            pass

    def finish(self, cancel: bool = False) -> None:
        """Ends the pool: after what is outstanding, or with `cancel` at once. Returns when it has ended. A KeyboardInterrupt may leave it before;
        another call goes on."""
        with self.lock:
            self.closed = True
        if cancel and not self.ended.is_set():
            pool = self.pool
            if pool is not None:
                pool.shutdown(True, 0)
        with self._ending:
            if self.ended.is_set():
                return
            while self.pool.shutdown(cancel, 0 if cancel else -1) == abi.MAPE_E_INTERRUPTED:
                pass
            thread = self._thread
            self._thread_disposes = thread is threading.current_thread()
            if thread is None:
                self.dispatch()
            self.ended.set()
            self.wake()
            if self._thread_disposes:
                return
            if thread is not None:
                thread.join()
            self.dispose()

    def dispose(self) -> None:
        """Gives back descriptors, and the engine's pool as soon as no result is read in place any more."""
        _live.discard(self)
        with self.lock:
            descriptors, self._wake_read, self._wake_write = (self._wake_read, self._wake_write), -1, -1
            epoll, self._epoll = self._epoll, None
            self.pool = None
        if epoll is not None:
            epoll.close()
        for descriptor in descriptors:
            if descriptor >= 0:
                os.close(descriptor)


def undecoded(trouble: BaseException) -> BaseException:
    """The exception of a call whose result did not come out of its pickle."""
    from ._errors import TransferError

    error = TransferError(f"the result does not come out of its pickle: {type(trouble).__name__}: {trouble}")
    error.__cause__ = trouble
    return error


_live: Set[Core] = set()
_exiting = False


def at_exit() -> None:
    """At the end of the interpreter: what is outstanding is finished, as in concurrent.futures, or ended, as in multiprocessing. After a Ctrl-C
    that nobody has caught it is ended: the user does not want to wait."""
    global _exiting
    _exiting = True
    interrupted = getattr(sys, "last_type", None) is KeyboardInterrupt
    for core in sorted(_live, key=lambda core: not core.ends_at_exit):
        if core.process == os.getpid():  # In a forked child there may be some of its parent.
            core.finish(cancel=core.ends_at_exit or interrupted)


def register(core: Core) -> None:
    """From now on the core is ended at the latest with the interpreter. RuntimeError when that is ending already."""
    if _exiting:
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")
    if not _registered:
        _registered.append(True)
        try:
            threading._register_atexit(at_exit)  # type: ignore[attr-defined]
        except AttributeError:
            import atexit

            atexit.register(at_exit)
    _live.add(core)


_registered: List[bool] = []
