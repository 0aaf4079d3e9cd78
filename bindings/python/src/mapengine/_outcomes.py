"""How outcomes leave a map: one by one, many at a time, or all.

What has been read and is not with the caller yet stands in the map (_hand, _values), and so do blocks that are to be forgotten (_spent). A step
that changes what is where consists of statements without a call: a signal handler may raise between two calls, and then the next call goes on
from there.
"""
from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any, Callable, Deque, Dict, Iterator, List, Optional, Tuple

if TYPE_CHECKING:
    from ._blocks import Block
    from ._core import Core
    from ._taken import Taken

TAKEN = 1024  # Values that take() hands out at once, at most, unless a block is done.
FEW = 3  # Items that ended together that are not worth reading at once.
MOMENT = 0.001  # Seconds that take() waits for a block to be done before it looks up what has ended of it.

Outcome = Tuple[int, bool, Any]


class Outcomes:
    """The elements of a map that were submitted, and their outcomes. One thread at a time takes outcomes from it."""

    def __init__(self, core: Core, *, ordered: bool, follows: bool, out: Any) -> None:
        self._core, self._ordered, self._out = core, ordered, out
        self._follows = follows  # Whether what has ended of a block that is not done is looked up.
        self._blocks: Deque[Block] = collections.deque()  # In the order of the input.
        self._arrived: Deque[List[Any]] = collections.deque()  # Unordered, as the pump adds them: [block, first item, behind the last, the first's result].
        self._submitted = self._delivered = 0
        self._exhausted = False  # Whether nothing more is submitted.
        self._source_error: Optional[BaseException] = None
        self._hand: List[Outcome] = []
        self._values: List[Any] = []
        self._failures: Dict[int, BaseException] = {}
        self._spent: List[Block] = []
        self._callbacks: List[Callable[[], None]] = []

    def feed(self) -> None:
        """Submits what there is room for."""
        raise NotImplementedError

    # ---- one by one ----

    def __iter__(self) -> Iterator[Outcome]:
        return self

    def next(self, timeout: Optional[float] = None) -> Outcome:
        """The next outcome: (index, True, value) or (index, False, exception); in order of the input, or as they come. StopIteration after
        the last; TimeoutError when there is none after `timeout` seconds. What the input itself raises comes behind the outcomes before."""
        hand = self._hand
        if not hand:
            self.feed()
            self._advance(timeout)
        outcome = hand[0]
        del hand[0]
        return outcome

    __next__ = next

    def _advance(self, timeout: Optional[float]) -> None:
        """Reads the next outcome."""
        self._tidy()
        self._await_news(timeout)
        block, first, end, run = self._next_run()
        ready = block.ready
        if not ready:
            block.look_up(first, end)
        ok, value = block.outcome(*ready[0])
        outcomes = ((block.first + ready[0][0], ok, value),)
        self._hand += outcomes
        del ready[0]
        block.taken += 1
        self._delivered += 1
        if run is not None:
            run[1] += 1
            run[3] = None
            if run[1] == run[2]:
                del self._arrived[0]
        if block.taken == block.count:
            self._spent += (block,)
        self._tidy()

    def _await_news(self, timeout: Optional[float]) -> None:
        if self._has_news():
            return
        if self._delivered == self._submitted and self._exhausted:
            error = self._source_error
            self._source_error = None
            if error is not None:
                raise error
            raise StopIteration
        if not self._core.await_news(self._has_news, timeout):
            from ._errors import ItemTimeout

            raise ItemTimeout(f"no outcome within {timeout} seconds")

    def _has_news(self) -> bool:
        if not self._ordered:
            return bool(self._arrived)
        if not self._blocks:
            return False
        block = self._blocks[0]
        return bool(block.ready) or block.ended == block.count or (self._follows and block.has_ended(block.taken))

    def _next_run(self) -> Tuple[Block, int, int, Optional[List[Any]]]:
        """The block of the next outcome, the items in it that come next, and what stands for them in _arrived."""
        if self._ordered:
            block = self._blocks[0]
            return block, block.taken, block.count, None
        run = self._arrived[0]
        return run[0], run[1], run[2], run

    # ---- many at a time ----

    def take(self, into: Taken[Any], timeout: Optional[float] = None) -> None:
        """`next` for many: `into`, which is empty, gets the values that are there, at least one, up to the first element that has failed, and that one's
        exception. Nothing and None after the last; otherwise as `next`. Input is read before, not while values are gathered: the caller has
        fetched none of them yet. An exception leaves in `into` what had come before it."""
        hand = self._hand
        while hand and into.error is None:  # What an interrupt has left of next().
            if hand[0][1]:
                into.values += (hand[0][2],)
            else:
                into.error = hand[0][2]
            del hand[0]
        if into.is_empty():
            self.feed()
        try:
            if into.is_empty() and not self._take_block(into, timeout):
                self._await_news(timeout)
            while into.error is None and len(into.values) < TAKEN and self._has_news():
                self._take_run(into)
        except StopIteration:
            pass

    def _take_block(self, into: Taken[Any], timeout: Optional[float]) -> bool:
        """Takes what is left of the next block, if that is done and all is well, or is so soon: to read it as a whole is so much cheaper."""
        self._tidy()
        if not self._follows or not self._blocks or self._out is not None:
            return False
        block = self._blocks[0]
        if block.ready or block.local is not None or not block.wait(MOMENT if timeout is None else min(MOMENT, timeout)) or not block.is_well():
            return False
        failures: Dict[int, BaseException] = {}
        values = block.values(failures, block.taken)
        if failures:  # Results that do not come out of their pickle.
            return False
        into.values += values
        self._delivered += block.count - block.taken
        block.taken = block.count
        self._spent += (block,)
        self._tidy()
        return True

    def _take_run(self, into: Taken[Any]) -> None:
        """Takes items of the next block that have ended. There are some."""
        block, first, end, run = self._next_run()
        ready = block.ready
        if not ready and block.local is None and end - first > FEW:
            values, error = block.some(first, min(end, first + TAKEN))
            count = len(values) + (error is not None)
        else:
            if not ready and run is not None and run[3] is not None:
                ok, value = block.outcome(first, *run[3])
            else:
                if not ready:
                    block.look_up(first, end)
                ok, value = block.outcome(*ready[0])
            values, error, count = [value] if ok else [], None if ok else value, 1
        into.values += values
        into.error = error
        if ready:
            del ready[0]
        block.taken += count
        self._delivered += count
        if run is not None:
            run[1] += count
            run[3] = None
            if run[1] == run[2]:
                del self._arrived[0]
        if block.taken == block.count:
            self._spent += (block,)
        if self._spent:
            self._tidy()

    # ---- all ----

    def results(self) -> Any:
        """All values, in the order of the input; waits for them. Raises MapErrors when elements failed: it has the values of the others. With an
        array of the caller's (`out`) it is that array, in which the places of elements that have failed are as they were."""
        self._core.helping(self._gather)
        values = self._values if self._out is None else self._out.array
        if self._failures:
            from ._errors import MapErrors

            raise MapErrors(self._failures, values)
        return values

    def outcomes(self) -> List[Outcome]:
        """All outcomes, in the order of the input; waits for them."""
        self._core.helping(self._gather)
        values, failures = self._values if self._out is None else self._out.array, self._failures
        return [(i, False, failures[i]) if i in failures else (i, True, value) for i, value in enumerate(values)]

    def _gather(self) -> None:
        """Reads all that is left into _values and _failures, which stay."""
        while True:
            self.feed()
            self._tidy()
            if not self._blocks:
                self._arrived.clear()
                error = self._source_error
                self._source_error = None
                if error is not None:
                    raise error
                return
            block = self._blocks[0]
            block.wait(None)
            failures: Dict[int, BaseException] = {}
            values = block.values(failures, block.taken if self._ordered else 0)
            self._values += values
            self._failures |= failures
            self._delivered += block.count - block.taken
            block.taken = block.count
            self._spent += (block,)

    # ---- when they have ended ----

    def add_done_callback(self, fn: Callable[[Any], Any]) -> None:
        """Calls fn(self) when all elements have ended: on the package's thread or in dispatch(); at once if they have."""
        left = [fn]

        def once() -> None:
            call = left[0] if left else None
            del left[:]
            if call is not None:
                call(self)

        self._callbacks.append(once)
        self._core.kept.add(self)
        self._look_whether_done()

    def _look_whether_done(self) -> None:
        """Leaves it to others to call back, if all elements have ended. May be called any number of times."""
        if self._callbacks and self._exhausted and all(block.ended == block.count for block in list(self._blocks)):
            for once in list(self._callbacks):
                self._core.defer(once)
            self._core.kept.discard(self)

    def _tidy(self) -> None:
        """Forgets blocks whose outcomes were all taken. Their results live on as long as an array lies in them."""
        while self._spent:
            block = self._spent[0]
            self._core.blocks.pop(block.number, None)
            block.ended = block.count
            block.lease = block.keep = None
            if self._blocks and self._blocks[0] is block:
                del self._blocks[0]
            elif block in self._blocks:
                self._blocks.remove(block)
            if self._callbacks:
                self._look_whether_done()
            del self._spent[0]
