"""A map: elements in, outcomes out.

Elements become items of the engine one to one, so that each has its own outcome; only their pickles are made by the chunk. Consecutive
elements that are submitted at once are a *block*, one job of the engine: the first ones small, so that workers begin soon, later ones large.
Results stay where the worker wrote them until they are asked for: all of a block at once (results), or one after another (iteration).
"""
from __future__ import annotations

import collections
import ctypes
import time
import weakref
from ctypes import byref
from typing import Any, Callable, Deque, Dict, Iterator, List, Optional, Tuple

from . import _abi as abi
from ._codec import bulk, decode
from ._calls import undecoded
from ._core import Core
from ._engine import Lease, nanoseconds
from ._encoder import Encoded, Encoder

TAKEN = 1024  # Values that take() hands out at once, at most, unless a block is done.
LOOKED_UP = 64  # Items of a block that is not done that are looked up at once, at most.
MOMENT = 0.001  # Seconds that take() waits for a block to be done before it looks up what has ended of it.
FOLLOW = 500_000  # Nanoseconds between two looks for items that have ended, at least.

Outcome = Tuple[int, bool, Any]


class Block:
    """Consecutive elements that were submitted together; one job. Owned by its MapJob."""

    __slots__ = ("number", "first", "count", "lease", "job", "ready", "taken", "ended", "local", "keep", "owner", "core", "is_read")

    def __init__(self, core: Core, owner: Any, number: int, first: int, count: int) -> None:
        self.core, self.owner = core, weakref.ref(owner)
        self.number, self.first, self.count = number, first, count
        self.lease: Optional[Lease] = None
        self.job = 0
        self.ready: Deque[Any] = collections.deque()  # Events of items that have ended, from the pump.
        self.taken = self.ended = 0
        self.is_read = False  # Whether `ready` was filled with what is told of a block as a whole.
        self.local: Optional[BaseException] = None  # An element that could not be encoded: nothing was submitted.
        self.keep: Any = None  # Memory that workers read.

    def added(self, count: int) -> None:
        """So many more items have ended. Called by the pump."""
        self.ended += count
        owner = self.owner()
        if owner is not None:
            owner._note_ended(self, count)
        elif self.ended == self.count:
            self.core.blocks.pop(self.number, None)


class MapJob:
    """The elements of one map and their outcomes. Made by Workers.map. One thread at a time takes outcomes from it."""

    def __init__(self, core: Core, encoder: Encoder, *, ordered: bool, window: Optional[int], timeout: Optional[float], attempts: int, priority: int,
                 chunk: int, bulk: bool) -> None:
        self._core, self._encoder = core, encoder
        self._total, self._ordered, self._window, self._bulk = encoder.total, ordered, window, bulk
        self._chunk = chunk
        # In the order of the input, items need no event each: what has ended is looked up.
        self._follows = ordered and not bulk
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
        self._unpickle = core.unpickle

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
        block = Block(core, self, next(core.numbers), self._submitted, encoded.count)
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
        if encoded.pieces is not None:
            items.pieces = encoded.pieces
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
            if self._wait_block(self._blocks[0], MOMENT if timeout is None else min(MOMENT, timeout)):
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
        ok, value = self._outcome(block, index, event[8], event[9], event[10])
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
        return self._follows and block.lease is not None and block.lease.pool.has_ended(block.job, block.taken)

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
            assert block.lease is not None
            last = min(block.count, block.taken + LOOKED_UP)
            block.ready.extend((1, 0, 0, 0, index, 0, 0, 0, *how) for index, how in
                               enumerate(block.lease.pool.job_results(block.job, last, block.taken), block.taken))
        return block

    def _take_block(self, block: Block) -> List[Any]:
        """The values of what is left of a block that is done, when all is well; else nothing."""
        assert block.lease is not None
        if block.lease.pool.progress(block.job).ok != block.count:
            return []
        failures: Dict[int, BaseException] = {}
        values = self._values(block, failures)
        if failures:  # Results that do not come out of their pickle.
            return []
        self._delivered += block.count - block.taken
        self._ended += block.count - block.ended
        self._drop(block)
        return values

    def _outcome(self, block: Block, index: int, state: int, address: int, size: int) -> Tuple[bool, Any]:
        if block.keep is not None:
            self._core.note_kept(block.keep, address, size)
        if state == 1:
            try:
                return True, decode(address, size, block.lease, self._unpickle)
            except KeyboardInterrupt:  # This thread's, not the element's.
                raise
            except BaseException as error:
                return False, undecoded(error)
        if block.local is not None:
            return False, block.local
        from ._failures import failure

        assert block.lease is not None
        return False, failure(block.lease.pool, block.job, index, self._unpickle, block.first + index, self._core.name)

    def _drop(self, block: Block) -> None:
        """Forgets a block whose outcomes were all taken. Its results live on as long as an array lies in them."""
        if self._blocks and self._blocks[0] is block:
            self._blocks.popleft()
        else:
            self._blocks.remove(block)
        self._core.blocks.pop(block.number, None)
        block.lease = block.keep = None

    # ---- receiving all ----

    def results(self) -> List[Any]:
        """All values, in the order of the input; waits for them. Raises MapErrors when elements failed: it has the values of the others."""
        values, failures = self._collect()
        if failures:
            from ._errors import MapErrors

            raise MapErrors(failures, values)
        return values

    def outcomes(self) -> List[Outcome]:
        """All outcomes, in the order of the input; waits for them."""
        values, failures = self._collect()
        return [(i, False, failures[i]) if i in failures else (i, True, value) for i, value in enumerate(values)]

    def _collect(self) -> Tuple[List[Any], Dict[int, BaseException]]:
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
                self._wait_block(block, None)
                values += self._values(block, failures)
                self._delivered += block.count - block.taken
                self._drop(block)
        finally:
            self._core.end_help(token)
        self._ended = self._submitted
        if self._callbacks:
            self._look_whether_done()
        return values, failures

    def _wait_block(self, block: Block, timeout: Optional[float]) -> bool:
        if block.local is not None:
            return True
        assert block.lease is not None
        if self._core.shows_here():
            progress, job = block.lease.pool.progress, block.job
            return self._core.await_news(lambda: bool(progress(job).is_done), timeout)
        wait, end = block.lease.pool.lib.mape_job_wait, None if timeout is None else time.monotonic() + timeout
        while True:
            status = wait(block.job, nanoseconds(None if end is None else end - time.monotonic()))
            if status == abi.MAPE_OK:
                return True
            if status in (abi.MAPE_E_TIMEOUT, abi.MAPE_E_AGAIN):
                return False
            if status != abi.MAPE_E_INTERRUPTED:
                block.lease.pool.check(status)

    def _values(self, block: Block, failures: Dict[int, BaseException]) -> List[Any]:
        """The values of a block that is done, but for those that were taken one by one."""
        if block.local is not None:
            failures[block.first] = block.local
            return [None]
        assert block.lease is not None
        pool = block.lease.pool
        if not block.taken and block.keep is None:
            values = bulk(pool, block.job, block.count)
            if values is not None:
                return values
        values = []
        lease, unpickle, core, keep = block.lease, self._unpickle, self._core, block.keep
        taken = block.taken if self._ordered else 0
        for index, (state, address, size) in enumerate(pool.job_results(block.job, block.count)):
            if index < taken:
                continue
            if state == 1:
                if keep is not None:
                    core.note_kept(keep, address, size)
                try:
                    values.append(decode(address, size, lease, unpickle))
                    continue
                except KeyboardInterrupt:
                    raise
                except BaseException as error:
                    failures[block.first + index] = undecoded(error)
            else:
                failures[block.first + index] = self._outcome(block, index, state, address, size)[1]
            values.append(None)
        return values

    # ---- as a whole ----

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Waits until all elements have ended; False when the time was over first. Not for a lazy input, which goes on as outcomes are taken."""
        end = None if timeout is None else time.monotonic() + timeout
        token = object()
        self._core.begin_help(token)
        try:
            return all(self._wait_block(block, None if end is None else end - time.monotonic()) for block in list(self._blocks))
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
        after the pool's grace. False when there was nothing to end."""
        if self.done():
            return False
        ends = not self._exhausted or running
        self._cancelled = self._exhausted = True
        self._total = self._submitted
        for block in list(self._blocks):
            lease = block.lease
            if lease is not None and lease.pool.cancel(block.job, running):
                ends = True
        return ends

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


