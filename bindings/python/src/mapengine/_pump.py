"""Events of the engine: who fetches them, and to whom they go.

Threads. Events are fetched by one thread at a time, the *pump*: in a threaded pool by the package's thread, which sleeps on the bell; in an
attached pool by whoever calls dispatch(). A thread that waits for a result helps itself: for one call it waits in the engine and completes that
call alone; for the elements of a map it becomes the pump for as long as it waits. While such helpers are there the package's thread only looks every
NAP nanoseconds, so that a round trip never waits for a second thread. Code of users (callbacks, prints into sys.stdout) runs on
the package's thread or in dispatch(), never on a helper: what a helper fetches of that kind goes to the backlog. One exception: in an attached
pool the main thread shows what workers print while it waits itself, since nobody else would.

Interrupts. On the main thread a signal handler may raise between any two steps: Ctrl-C. What was taken by then is not lost: whoever takes
something (the pump's role, a call) does so by one dict operation with a token of its own, so that in the end it knows whether it has taken it;
and does it, gives back what is left: events to the backlog.
"""
from __future__ import annotations

import collections
import ctypes
import itertools
import threading
import time
from concurrent.futures._base import LOGGER
from typing import Any, Callable, Deque, Dict, Optional, Set, TypeVar

from ._bell import Bell
from ._engine import Event, nanoseconds
from ._futures import Future

PUMP = "pump"  # What the pump's token stands for among the claims.
LOOK = 0.005  # Seconds between two looks for what another thread has fetched, at most.
LONGEST = 0.1  # Seconds that a wait for events takes before it looks again, at most.

Put = Optional[Callable[[Any], None]]
T = TypeVar("T")

_main = threading.main_thread


class Pump:
    """Fetches and routes the events of one pool."""

    def __init__(self, pool: Any, threaded: bool, output: Callable[[Event], None]) -> None:
        self.pool = pool  # An _engine.Pool; None when it has ended.
        self.threaded, self.output = threaded, output
        self.bell = Bell(pool.event_fd())
        self.blocks: Dict[int, Any] = {}  # _map.Block by number
        self.backlog: Deque[Any] = collections.deque()  # Events, futures and callables for the package's thread or dispatch().
        self._oldest = iter(self.backlog.popleft, None)
        self.ended = threading.Event()
        self.numbers = itertools.count(1)  # Of calls and blocks.
        self.given_up = 0  # A Ctrl-C has ended a wait: at the end nobody waits for what has smaller numbers.
        self.helpers: Set[Any] = set()
        self.busy = ctypes.c_int()  # How many helpers there are, for a wait without the GIL.
        self._claims: Dict[Any, Any] = {}  # Who has taken what: the token of PUMP, and of calls that are being completed, by number.
        self._news = threading.Condition()  # Notified when a map has got events.
        self._awaited = 0

    # ---- helpers ----

    def begin_help(self, token: Any) -> None:
        """A thread is going to fetch events or to wait for a call itself."""
        self.helpers.add(token)
        self.busy.value = 1

    def end_help(self, token: Any) -> None:
        """It has done so. May be called twice."""
        self.helpers.discard(token)
        self.busy.value = len(self.helpers)

    def helping(self, what: Callable[[], T]) -> T:
        """what(), on a thread that is a helper meanwhile."""
        token = object()
        try:
            try:
                self.begin_help(token)
                return what()
            finally:
                self.end_help(token)
        except BaseException as error:  # That may have come in the middle of end_help.
            self.interrupted(token, error)
            raise

    def interrupted(self, token: Any, error: BaseException) -> None:
        """An exception has ended a wait of the helper with this token."""
        self.end_help(token)
        if isinstance(error, KeyboardInterrupt):
            self.given_up = next(self.numbers)

    def shows_here(self) -> bool:
        """Whether this thread, while it waits, shows what workers print."""
        return not self.threaded and threading.current_thread() is _main()

    # ---- routes ----

    def defer(self, what: Any) -> None:
        """Leaves it to the package's thread or to dispatch() to run callbacks: of a future, or a function of no arguments, which is called again when
        an interrupt has ended it."""
        self.backlog.append(what)
        self.bell.ring()

    def call_ended(self, event: Event, put: Put) -> None:
        """An item has ended that is of no map."""
        raise NotImplementedError

    def route(self, events: Deque[Any], put: Put) -> None:
        """Gives events to whom they are for. Each leaves `events` when that is done; one of a map becomes what is left to do for it, as soon as the
        map has counted it. `put` has futures whose callbacks are to run; a helper has none, and leaves to others what could run code of users."""
        told = False
        while events:
            event = events[0]
            if type(event) is not tuple:
                event()
                events.popleft()
                continue
            kind = event[0]
            if kind == 1 or kind == 3:  # MAPE_EVENT_ITEM, MAPE_EVENT_DONE
                block = self.blocks.get(event[3])
                if block is not None:
                    block.ended_by(event, events)
                    told = True
                    continue
                if kind == 1:
                    self.call_ended(event, put)
            elif kind == 2:  # MAPE_EVENT_PROGRESS: of a map whose ended items are looked up
                told = True
            elif kind > 3:
                if put is not None or self.shows_here():
                    self.output(event)
                else:
                    self.defer(event)
            events.popleft()
        if told and self._awaited:
            with self._news:
                self._news.notify_all()

    # ---- fetching ----

    def _step(self, timeout: int, put: Put, aside: bool = False, ready: Optional[Callable[[], bool]] = None) -> Optional[int]:
        """Fetches events, waiting `timeout` nanoseconds for the first, and routes them, or puts them `aside` into the backlog. How many there were;
        None when another thread is the pump. Does nothing if ready() says so.

        Who is the pump stays it until the events are routed, and asks ready() before it waits: else what it waits for could be in the hands of
        the one before. Decoding a result may lead here again on the same thread."""
        events: Deque[Event] = collections.deque()
        token, claims = (threading.get_ident(), events), self._claims
        try:
            holder = claims.setdefault(PUMP, token)
            if holder[0] != token[0]:
                return None
            if ready is None or not ready():
                self.pool.fetch(events, timeout)
            count = len(events)
            if aside:
                self.backlog.extend(events)
                events.clear()
            else:
                self.route(events, put)
            if holder is token:
                claims.pop(PUMP)
            return count
        except BaseException:
            if claims.get(PUMP) is token:
                self.pool.fetch_again(events)
                claims.pop(PUMP, None)
            if events:
                self.backlog.extend(events)
                self.bell.ring()
            raise

    def dispatch(self, budget: Optional[float] = None) -> int:
        """Completes what has ended, runs callbacks, writes what workers printed. Never waits. How many events and callbacks there were."""
        end = None if budget is None else time.monotonic() + budget
        count = 0
        try:
            while True:
                self.bell.hush()
                while self.backlog:
                    count += self._run_one()
                    if end is not None and time.monotonic() >= end:
                        if self.backlog:
                            self.bell.ring()
                        return count
                fetched = self._step(0, self.backlog.append, aside=end is not None)
                if fetched is None:
                    return count
                if fetched:
                    count += fetched if end is None else 0
                elif not self.backlog:
                    self.bell.hush()
                    if not self.backlog:
                        return count
        except BaseException:
            if self.backlog:
                self.bell.ring()
            raise

    def _run_one(self) -> int:
        """Does what is due in the backlog. How many things: 1, or 0 when another thread was faster."""
        hand: Deque[Any] = collections.deque()
        try:
            try:
                hand.extend(itertools.islice(self._oldest, 1))  # In one step.
            except IndexError:
                return 0
            one = hand[0]
            if type(one) is tuple:
                self.route(hand, self.backlog.appendleft)  # They come next.
            elif isinstance(one, Future):
                one._invoke_callbacks()
            else:
                try:
                    one()
                except Exception:  # A callback's, as those of futures.
                    LOGGER.exception("exception calling callback")
            return 1
        except BaseException:
            self.backlog.extendleft(hand)
            raise

    def await_news(self, ready: Callable[[], bool], timeout: Optional[float]) -> bool:
        """Waits until ready() says so, which must be cheap and depend on events alone. False when the time (seconds) was over first."""
        return self.helping(lambda: self._await_news(ready, timeout))

    def _await_news(self, ready: Callable[[], bool], timeout: Optional[float]) -> bool:
        end = None if timeout is None else time.monotonic() + timeout
        while not ready():
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return False
            if self.ended.is_set():
                return ready()
            # Not for ever: another thread may complete what this one waits for without an event.
            fetched = self._step(nanoseconds(LONGEST if left is None else min(left, LONGEST)), None, ready=ready)
            if fetched is None:
                with self._news:
                    self._awaited += 1
                    try:
                        if not ready():
                            self._news.wait(LOOK if left is None else min(left, LOOK))
                    finally:
                        self._awaited -= 1
            elif not fetched and self.pool.stats().is_closed:  # Not for a signal's sake: the pool has ended for good.
                time.sleep(0.001)
        return True

    # ---- for loops ----

    def fileno(self) -> int:
        """A descriptor that is readable when there is something for dispatch()."""
        return self.bell.fileno()

    def wait(self, timeout: Optional[float]) -> bool:
        """Waits until there is something for dispatch()."""
        return bool(self.backlog) or self.bell.wait(timeout)
