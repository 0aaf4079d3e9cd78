"""A map: elements in, outcomes out.

Elements become items of the engine one to one, so that each has its own outcome; only their pickles are made by the chunk. Consecutive
elements that are submitted at once are a *block*, one job of the engine: the first ones small, so that workers begin soon, later ones large.

Of a map in the order of the input, what has ended is looked up; of one that gives outcomes as they come, the engine tells by the range.
"""
from __future__ import annotations

import ctypes
import time
from ctypes import byref
from typing import Any, Dict, Optional, Tuple

from . import _abi as abi
from ._blocks import Block
from ._core import Core
from ._encoder import Encoded, Encoder
from ._engine import Lease
from ._figures import work_figures
from ._outcomes import Outcomes

FOLLOW = 500_000  # Nanoseconds between two looks for items that have ended, at least.


class MapJob(Outcomes):
    """The elements of one map and their outcomes. Made by Workers.map. One thread at a time takes outcomes from it."""

    def __init__(self, core: Core, function: int, encoder: Encoder, *, ordered: bool, window: Optional[int], timeout: Optional[float], attempts: int, priority: int,
                 chunk: int, bulk: bool, out: Any = None) -> None:
        super().__init__(core, ordered=ordered, follows=ordered and not bulk, out=out)
        self._function, pool = function, core.pool
        self._counted = pool is not None and pool.alias(function, None) or function  # What its blocks are counted under.
        self._encoder, self._total, self._window, self._chunk = encoder, encoder.total, window, chunk
        if ordered:
            deliver = abi.MAPE_DELIVER_DONE | (0 if bulk else abi.MAPE_DELIVER_PROGRESS)
        else:
            deliver = abi.MAPE_DELIVER_RANGES
        self._config = abi.mape_job_config(deliver=deliver, ordered=1 if ordered else 0, priority=priority, attempts=attempts,
                                           progress_interval_ns=FOLLOW)
        if timeout is not None:
            self._config.item_timeout_ns = int(timeout * 1e9)

    # ---- sending ----

    def feed(self) -> None:
        """Submits what the window has room for; without one, everything."""
        if self._has_room():
            self._core.helping(self._feed)  # Whoever feeds also fetches, soon.

    def _has_room(self) -> bool:
        return not self._exhausted and (self._window is None or self._submitted - self._delivered < self._window)

    def _feed(self) -> None:
        while self._has_room():
            before = self._submitted
            try:
                for encoded in self._encoder.next(None if self._window is None else self._window - (before - self._delivered)):
                    self._submit(encoded)
            except Exception as error:
                self._exhausted = True
                if self._window is None:
                    self.cancel()
                    raise
                self._source_error = error
            except BaseException:  # A Ctrl-C. What was read of a lazy input is submitted the next time.
                if self._window is None:
                    self.cancel()
                raise
            if self._submitted == before:
                self._exhausted = True
                self._total = before
                self._look_whether_done()

    def _submit(self, encoded: Encoded) -> None:
        core, encoder, count = self._core, self._encoder, encoded.count
        block = Block(core, self, next(core.numbers), self._submitted, count, self._out)
        block.local, block.keep = encoded.error, encoded.buffers
        if encoded.error is not None:  # From here on without a call, as in _outcomes.py.
            block.ended = 1
            self._blocks += (block,)
            if not self._ordered:
                self._arrived += ([block, 0, 1, None],)
            self._submitted += 1
            encoder.at += 1
            del encoder.drawn[:1]
            return
        data = encoded.data(block.number)
        items = abi.mape_items(count=count)
        encoded.say(items)
        job, config = abi.mape_job(), self._config
        text = ctypes.c_char_p(data)
        config.context, config.data, config.data_size = block.number, ctypes.cast(text, ctypes.c_void_p), len(data)
        config.chunk = min(self._chunk or encoded.chunk, count)
        pool = core.pool
        if core.closed or pool is None:
            core.refuse(abi.MAPE_E_CLOSED)
        core.start_thread()
        lease = block.lease = Lease(pool, 0)
        core.blocks[block.number] = block
        try:
            status = pool.lib.mape_map(byref(job), pool.handle, self._counted, byref(items), byref(config))
        finally:  # Also when a signal handler has raised behind the call.
            if job.value:
                block.job = lease.job = job.value
                self._blocks += (block,)
                self._submitted += count
                encoder.at += count
                del encoder.drawn[:count]
            else:
                del core.blocks[block.number]
        if status:
            core.refuse(status)

    # ---- as a whole ----

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Waits until all elements have ended; False when the time was over first. Not for a lazy input, which goes on as outcomes are taken."""
        end = None if timeout is None else time.monotonic() + timeout
        return self._core.helping(lambda: all(
            block.wait(None if end is None else end - time.monotonic()) for block in list(self._blocks)))

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

    def stats(self) -> Dict[str, Any]:
        """What has been done of it, in the engine's words (mape_work_stats): `items` ended, `ok`, `failed`, `crashed` …, `busy_ns` of workers,
        times per element (`p50_ns` …), bytes copied and read in place. {} once its pool has ended."""
        pool = self._core.pool
        return work_figures(pool, self._counted) if pool is not None else {}

    def cancel(self, running: bool = False) -> bool:
        """Takes back elements that have not begun: they end as cancelled. With `running`, ends those that run as well, with their workers,
        after the pool's grace. False when there was nothing to end."""
        if self.done():
            return False
        ends = not self._exhausted or running
        self._exhausted = True
        self._total = self._submitted
        for block in list(self._blocks):
            lease = block.lease
            if lease is not None and lease.pool.cancel(block.job, running):
                ends = True
        return ends

    def __del__(self) -> None:
        pool = getattr(getattr(self, "_core", None), "pool", None)
        if pool is not None and getattr(self, "_counted", 0) != getattr(self, "_function", 0):
            pool.forget_alias(self._counted)
        for block in getattr(self, "_blocks", ()):  # The others go with their last event.
            if block.ended == block.count:
                self._core.blocks.pop(block.number, None)
