"""A map: elements in, outcomes out.

Elements become items of the engine one to one, so that each has its own outcome; only their pickles are made by the chunk. Consecutive
elements that are submitted at once are a *block*, one job of the engine: the first ones small, so that workers begin soon, later ones large.
"""
from __future__ import annotations

import collections
import ctypes
import time
from ctypes import byref
from typing import Any, Callable, Deque, Dict, Iterator, List, Optional, Tuple

from . import _abi as abi
from ._blocks import Block
from ._core import Core
from ._encoder import Encoded, Encoder
from ._engine import Lease

TAKEN = 1024  # Values that take() hands out at once, at most, unless a block is done.
MOMENT = 0.001  # Seconds that take() waits for a block to be done before it looks up what has ended of it.
FOLLOW = 500_000  # Nanoseconds between two looks for items that have ended, at least.

Outcome = Tuple[int, bool, Any]


class MapJob:
    """The elements of one map and their outcomes. Made by Workers.map. One thread at a time takes outcomes from it."""

    def __init__(self, core: Core, encoder: Encoder, *, ordered: bool, window: Optional[int], timeout: Optional[float], attempts: int, priority: int,
                 chunk: int, bulk: bool, out: Any = None) -> None:
        self._core, self._encoder = core, encoder
        self._total, self._ordered, self._window, self._bulk = encoder.total, ordered, window, bulk
        self._chunk, self._out = chunk, out
        # In the order of the input, items need no event each: what has ended is looked up.
        self._follows = ordered and not bulk and out is None
        if self._follows:
            self._bulk, deliver = True, abi.MAPE_DELIVER_DONE | abi.MAPE_DELIVER_PROGRESS
        else:
            deliver = abi.MAPE_DELIVER_DONE if bulk else abi.MAPE_DELIVER_ITEMS
        self._config = abi.mape_job_config(deliver=deliver, ordered=1 if ordered else 0, priority=priority, attempts=attempts,
                                           progress_interval_ns=FOLLOW)
        if timeout is not None:
            self._config.item_timeout_ns = int(timeout * 1e9)
        self._blocks: Deque[Block] = collections.deque()
        self._arrived: Deque[List[Any]] = collections.deque()  # Unordered: [block, how many outcomes], as they come.
        self._submitted = self._delivered = self._ended = 0
        self._exhausted = self._cancelled = False
        self._source_error: Optional[BaseException] = None
        self._callbacks: List[Callable[[Any], Any]] = []

    # ---- sending ----

    def feed(self) -> None:
        """Submits what the window has room for; without one, everything."""
        if self._exhausted:
            return
        token = object()
        self._core.begin_help(token)  # Whoever feeds also fetches, soon.
        try:
            while not self._exhausted and (self._window is None or self._submitted - self._delivered < self._window):
                self._feed_block()
        finally:
            self._core.end_help(token)

    def _feed_block(self) -> None:
        before = self._submitted
        try:
            for encoded in self._encoder.next(None if self._window is None else self._window - (self._submitted - self._delivered)):
                self._submit(encoded)
        except BaseException as error:
            self._exhausted = True
            if self._window is None:
                self.cancel()
                raise
            self._source_error = error
        if self._submitted == before:
            self._exhausted = True
            self._total = self._submitted

    def _submit(self, encoded: Encoded) -> None:
        core = self._core
        block = Block(core, self, next(core.numbers), self._submitted, encoded.count, self._out)
        block.local, block.keep = encoded.error, encoded.buffers
        self._blocks.append(block)
        self._submitted += encoded.count
        if encoded.error is not None:
            block.ready.append((1, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0))
            block.is_read = True
            block.added(1)
            return
        data = encoded.data(block.number)
        items = abi.mape_items(count=encoded.count)
        encoded.say(items)
        job, config = abi.mape_job(), self._config
        core.blocks[block.number] = block
        text = ctypes.c_char_p(data)
        config.context, config.data, config.data_size = block.number, ctypes.cast(text, ctypes.c_void_p), len(data)
        config.chunk = min(self._chunk or encoded.chunk, encoded.count)
        pool = core.pool
        status = abi.MAPE_E_CLOSED
        if not core.closed and pool is not None:
            status = pool.lib.mape_map(byref(job), pool.handle, core.function, byref(items), byref(config))
        if status:
            del core.blocks[block.number]
            self._blocks.pop()
            core.refuse(status)
        block.job = job.value or 0
        block.lease = Lease(pool, block.job)
        if core._thread is None:
            core.start_thread()

    # ---- receiving one by one ----

    def __iter__(self) -> Iterator[Outcome]:
        return self

    def __next__(self) -> Outcome:
        return self.next()

    def next(self, timeout: Optional[float] = None) -> Outcome:
        """The next outcome: (index, True, value) or (index, False, exception); in order of the input, or as they come. StopIteration after
        the last; TimeoutError when there is none after `timeout` seconds. What the input itself raises comes behind the outcomes before."""
        if self._window is not None:
            self.feed()
        return self._next(timeout)

    def take(self, timeout: Optional[float] = None) -> Tuple[List[Any], Optional[BaseException]]:
        """`next` for many: the values that are there, at least one, up to the first element that has failed, and that one's exception. Nothing
        and None after the last; otherwise as `next`. Input is read before, not while values are gathered: the caller has fetched none of
        them yet."""
        if self._window is not None:
            self.feed()
        if self._follows and self._blocks and not self._blocks[0].ready and self._blocks[0].local is None:
            # A block that is done is read as a whole. That is so much cheaper that it is waited for, a moment.
            if self._blocks[0].wait(MOMENT if timeout is None else min(MOMENT, timeout)):
                values = self._take_block(self._blocks[0])
                if values:
                    return values, None
        values = []
        try:
            _, ok, value = self._next(timeout)
            while ok:
                values.append(value)
                if len(values) >= TAKEN or not self._has_news():
                    return values, None
                _, ok, value = self._next(0)
            return values, value
        except StopIteration:
            return values, None

    def _next(self, timeout: Optional[float]) -> Outcome:
        if not self._has_news():
            if self._delivered == self._submitted and self._exhausted:
                error, self._source_error = self._source_error, None
                if error is not None:
                    raise error
                raise StopIteration
            if not self._core.await_news(self._has_news, timeout):
                from ._errors import ItemTimeout

                raise ItemTimeout(f"no outcome within {timeout} seconds")
        block = self._next_block()
        event = block.ready.popleft()
        block.taken += 1
        self._delivered += 1
        index = event[4]
        ok, value = block.outcome(index, event[8], event[9], event[10])
        if block.taken == block.count:
            self._drop(block)
        return block.first + index, ok, value

    def _note_ended(self, block: Block, count: int) -> None:
        """Called by the pump."""
        self._ended += count
        if not self._ordered:
            self._arrived.append([block, count])
        if self._callbacks:
            self._look_whether_done()

    def _has_news(self) -> bool:
        if not self._ordered:
            return bool(self._arrived)
        if not self._blocks:
            return False
        block = self._blocks[0]
        if block.ready or (self._bulk and block.ended == block.count):
            return True
        return self._follows and block.has_ended(block.taken)

    def _next_block(self) -> Block:
        """The block of the next outcome."""
        if self._ordered:
            block = self._blocks[0]
        else:
            run = self._arrived[0]
            block = run[0]
            run[1] -= 1
            if not run[1]:
                self._arrived.popleft()
        if self._bulk and not block.ready:
            block.look_up()
        return block

    def _take_block(self, block: Block) -> List[Any]:
        """The values of what is left of a block that is done, when all is well; else nothing."""
        if not block.is_well():
            return []
        failures: Dict[int, BaseException] = {}
        values = block.values(failures, block.taken)
        if failures:  # Results that do not come out of their pickle.
            return []
        self._delivered += block.count - block.taken
        self._ended += block.count - block.ended
        self._drop(block)
        return values

    def _drop(self, block: Block) -> None:
        """Forgets a block whose outcomes were all taken. Its results live on as long as an array lies in them."""
        if self._blocks and self._blocks[0] is block:
            self._blocks.popleft()
        else:
            self._blocks.remove(block)
        self._core.blocks.pop(block.number, None)
        block.lease = block.keep = None

    # ---- receiving all ----

    def results(self) -> Any:
        """All values, in the order of the input; waits for them. Raises MapErrors when elements failed: it has the values of the others. With an
        array of the caller's (`out`) it is that array, in which the places of elements that have failed are as they were."""
        values, failures = self._collect()
        if failures:
            from ._errors import MapErrors

            raise MapErrors(failures, values)
        return values

    def outcomes(self) -> List[Outcome]:
        """All outcomes, in the order of the input; waits for them."""
        values, failures = self._collect()
        if self._out is not None:
            values = [None if i in failures else value for i, value in enumerate(values)]
        return [(i, False, failures[i]) if i in failures else (i, True, value) for i, value in enumerate(values)]

    def _collect(self) -> Tuple[Any, Dict[int, BaseException]]:
        failures: Dict[int, BaseException] = {}
        values: List[Any] = []
        token = object()
        self._core.begin_help(token)
        try:
            while True:
                if self._window is not None:
                    self.feed()
                if not self._blocks:
                    if self._source_error is not None:
                        error, self._source_error = self._source_error, None
                        raise error
                    break
                block = self._blocks[0]
                block.wait(None)
                values += block.values(failures, block.taken if self._ordered else 0)
                self._delivered += block.count - block.taken
                self._drop(block)
        finally:
            self._core.end_help(token)
        self._ended = self._submitted
        if self._callbacks:
            self._look_whether_done()
        return values if self._out is None else self._out.array, failures

    # ---- as a whole ----

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Waits until all elements have ended; False when the time was over first. Not for a lazy input, which goes on as outcomes are taken."""
        end = None if timeout is None else time.monotonic() + timeout
        token = object()
        self._core.begin_help(token)
        try:
            return all(block.wait(None if end is None else end - time.monotonic()) for block in list(self._blocks))
        finally:
            self._core.end_help(token)

    def done(self) -> bool:
        """Whether all elements have ended."""
        done, total = self.progress()
        return total is not None and done >= total

    def progress(self) -> Tuple[int, Optional[int]]:
        """How many elements have ended, and how many there are, None for an input that has not come to its end."""
        done = self._delivered
        for block in list(self._blocks):
            lease = block.lease
            if block.local is not None:
                done += 1 - block.taken
            elif lease is not None:
                done += lease.pool.progress(block.job).done - block.taken
        return done, self._total

    def cancel(self, running: bool = False) -> bool:
        """Takes back elements that have not begun: they end as cancelled. With `running`, ends those that run as well, with their workers,
        after the pool's grace. False when all had ended."""
        if self.done():
            return False
        self._cancelled = self._exhausted = True
        self._total = self._submitted
        for block in list(self._blocks):
            lease = block.lease
            # The engine cancels a job as a whole. What little is behind elements that run is left to run.
            if lease is not None and (running or not self._nearly_done(lease.pool.progress(block.job))):
                lease.pool.fast.mape_job_cancel(block.job)
        return True

    def _nearly_done(self, progress: Any) -> bool:
        return bool(0 < progress.running and progress.total - progress.done - progress.running <= 4 * progress.running)

    def add_done_callback(self, fn: Callable[[Any], Any]) -> None:
        """Calls fn(self) when all elements have ended: on the package's thread or in dispatch(); at once if they have."""
        self._callbacks.append(fn)
        self._core.kept.add(self)
        self._look_whether_done()

    def _look_whether_done(self) -> None:
        """Called by the pump after each outcome: whether that was the last."""
        if self._exhausted and self._ended >= self._submitted and self._callbacks:
            callbacks, self._callbacks = self._callbacks, []
            self._core.kept.discard(self)
            for callback in callbacks:
                self._core.defer(lambda callback=callback: callback(self))

    def __del__(self) -> None:
        for block in getattr(self, "_blocks", ()):  # The others go with their last event.
            if block.ended == block.count:
                self._core.blocks.pop(block.number, None)


