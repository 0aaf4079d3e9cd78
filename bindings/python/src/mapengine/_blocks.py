"""Consecutive elements of a map that were submitted together, and how their outcomes are read.

Results stay where workers wrote them until they are asked for: all of a block at once (values), or one after another (outcome).
"""
from __future__ import annotations

import collections
import time
import weakref
from _pickle import loads
from typing import Any, Deque, Dict, Iterable, List, Optional, Tuple

from . import _abi as abi
from ._calls import undecoded
from ._codec import bulk, decode
from ._core import Core
from ._engine import Lease, nanoseconds
from ._library import native
from ._problems import MapEngineError

LOOKED_UP = 64  # Items of a block that is not done that are looked up at once, at most.


class Block:
    """One job of the engine. Owned by its MapJob.

    first, count: its elements in the map. out: the caller's array (_out.Out), if results go there.
    """

    __slots__ = ("number", "first", "count", "lease", "job", "ready", "taken", "ended", "local", "keep", "owner", "core", "out", "_alike")

    def __init__(self, core: Core, owner: Any, number: int, first: int, count: int, out: Any) -> None:
        self.core, self.owner = core, weakref.ref(owner)
        self.number, self.first, self.count, self.out = number, first, count, out
        self.lease: Optional[Lease] = None
        self.job = 0
        self.ready: Deque[Tuple[int, int, int, int]] = collections.deque()  # The next items: index, state, address and size of the result.
        self.taken = self.ended = 0  # How many items were taken from here; of how many the pump knows that they have ended.
        self.local: Optional[BaseException] = None  # An element that could not be encoded: nothing was submitted.
        self.keep: Any = None  # Memory that workers read.
        self._alike: Dict[int, BaseException] = {}  # See failure().

    def ended_by(self, event: Any, events: Deque[Any]) -> None:
        """Items have ended: those of the event, or all. Called by the pump; `event` is the first of `events`, where what is left to do takes its
        place. That is done by statements without a call, so that no signal handler comes between them."""
        owner = self.owner()
        run = [self, event[4], event[4] + event[11], event[8:11]]
        count = event[11] or self.count - self.ended
        arrived = owner._arrived if owner is not None and event[11] else None
        self.ended += count
        if arrived is not None:
            arrived += (run,)
        events[0] = self._look

    def _look(self) -> None:
        """What is to be done once items have ended; any number of times."""
        if self.ended == self.count:
            owner = self.owner()
            if owner is not None:
                owner._look_whether_done()
            else:
                self.core.blocks.pop(self.number, None)

    def wait(self, timeout: Optional[float]) -> bool:
        """Waits until all items have ended; False when the time was over first."""
        if self.local is not None:
            return True
        assert self.lease is not None
        if self.core.shows_here():
            progress, job = self.lease.pool.progress, self.job
            return self.core.await_news(lambda: bool(progress(job).is_done), timeout)
        wait, end = self.lease.pool.lib.mape_job_wait, None if timeout is None else time.monotonic() + timeout
        while True:
            status = wait(self.job, nanoseconds(None if end is None else end - time.monotonic()))
            if status == abi.MAPE_OK:
                return True
            if status in (abi.MAPE_E_TIMEOUT, abi.MAPE_E_AGAIN):
                return False
            if status != abi.MAPE_E_INTERRUPTED:
                self.lease.pool.check(status)

    def has_ended(self, index: int) -> bool:
        """Whether an item has ended."""
        return self.lease is not None and self.lease.pool.has_ended(self.job, index)

    def look_up(self, first: int, end: int) -> None:
        """Fills `ready`, which is empty, with items from `first` to before `end`, as far as they have ended."""
        if self.local is not None:
            self.ready.append((0, -1, 0, 0))
            return
        assert self.lease is not None
        last = min(end, first + LOOKED_UP)
        self.ready.extend((index, *how) for index, how in enumerate(self.lease.pool.job_results(self.job, last, first), first))

    def is_well(self) -> bool:
        """Whether all items have ended well."""
        assert self.lease is not None
        return bool(self.lease.pool.progress(self.job).ok == self.count)

    def outcome(self, index: int, state: int, address: int, size: int) -> Tuple[bool, Any]:
        """(True, value) or (False, exception) of an item that has ended: state, address and size are what the engine says of it."""
        if self.out is not None and state == abi.MAPE_ITEM_OK:
            return True, self._placed(index, address, size)
        if self.keep is not None:
            self.core.note_kept(self.keep, address, size)
        if state == abi.MAPE_ITEM_OK:
            try:
                return True, decode(address, size, self.lease, self.core.unpickle)
            except KeyboardInterrupt:  # This thread's, not the element's.
                raise
            except BaseException as error:
                return False, undecoded(error)
        if self.local is not None:
            return False, self.local
        from ._failures import failure

        assert self.lease is not None
        return False, failure(self.lease.pool, self.job, index, self.core.unpickle, self.first + index, self.core.name, self._alike)

    def _placed(self, index: int, address: int, size: int) -> Any:
        """Puts a result into the caller's array, and returns the element. One that is longer by a byte says that the function has kept a view
        of its input."""
        if size > self.out.size and self.keep is not None:
            self.core.views.append(self.keep)
        self.out.put(self.first + index, address, size)
        return self.out.array[self.first + index]

    def values(self, failures: Dict[int, BaseException], taken: int) -> List[Any]:
        """The values of a block that is done, but for the first `taken` items; None in place of those that have failed, whose exceptions get into
        `failures`. With an array of the caller's they are put there, and the list is empty."""
        if self.local is not None:
            failures[self.first] = self.local
            return [] if self.out is not None else [None]
        assert self.lease is not None
        pool = self.lease.pool
        if self.out is not None:
            if self.out.gather(pool, self.job, self.first, self.count) != 0:
                for index, (state, address, size) in enumerate(pool.job_results(self.job, self.count)):
                    ok, value = self.outcome(index, state, address, size)
                    if not ok:
                        failures[self.first + index] = value
            return []
        if not self.taken:
            values = bulk(pool, self.job, self.count)
            if values is not None:
                return values
        values, others = self._read(taken, self.count)
        if len(values) != self.count - taken:
            raise MapEngineError(f"{self.count - taken} results were to be read, and {len(values)} have been")
        for index in others:
            ok, value = self._one(index)
            if ok:
                values[index - taken] = value
            else:
                failures[self.first + index] = value
        return values

    def some(self, first: int, end: int) -> Tuple[List[Any], Optional[BaseException]]:
        """The values of items from `first` to before `end`, as far as they have ended, up to the first that has failed, and its exception."""
        values, others = self._read(first, end)
        for index in others:
            ok, value = self._one(index)
            if not ok:
                return values[:index - first], value
            values[index - first] = value
        return values, None

    def _one(self, index: int) -> Tuple[bool, Any]:
        """The outcome of an item that has ended."""
        assert self.lease is not None
        return self.outcome(index, *self.lease.pool.one_result(self.job, index))

    def _read(self, first: int, end: int) -> Tuple[List[Any], Iterable[int]]:
        """The values of items from `first` to before `end`, as far as they have ended, that need no code of Python's to be read, with None in place
        of the others, and which these are. A result that says that its function has kept a view is one of these, since it has a tag of its
        own; so it is none that bulk reads."""
        assert self.lease is not None
        values: List[Any] = []
        others: List[int] = []
        found = native()
        if found is None or self.out is not None:
            values += [None for _ in self.lease.pool.job_results(self.job, end, first)]
            return values, range(first, first + len(values))
        if found.mapengine_python_read(self.job, first, end, self.core.unpickle is loads, values, others) < 0:
            raise MapEngineError("results could not be read")
        return values, others
