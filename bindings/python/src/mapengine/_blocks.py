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
from ._codec import bulk, decode
from ._core import Core, undecoded
from ._engine import Lease, nanoseconds
from ._library import native
from ._problems import MapEngineError

LOOKED_UP = 64  # Items of a block that is not done that are looked up at once, at most.


class Block:
    """One job of the engine. Owned by its MapJob.

    first, count: its elements in the map. out: the caller's array (_out.Out), if results go there.
    """

    __slots__ = ("number", "first", "count", "lease", "job", "ready", "taken", "ended", "local", "keep", "owner", "core", "is_read", "out", "_alike")

    def __init__(self, core: Core, owner: Any, number: int, first: int, count: int, out: Any) -> None:
        self.core, self.owner = core, weakref.ref(owner)
        self.number, self.first, self.count, self.out = number, first, count, out
        self.lease: Optional[Lease] = None
        self.job = 0
        self.ready: Deque[Any] = collections.deque()  # Events of items that have ended, from the pump.
        self.taken = self.ended = 0
        self.is_read = False  # Whether `ready` was filled with what is told of a block as a whole.
        self.local: Optional[BaseException] = None  # An element that could not be encoded: nothing was submitted.
        self.keep: Any = None  # Memory that workers read.
        self._alike: Dict[int, BaseException] = {}  # See failure().

    def added(self, count: int) -> None:
        """So many more items have ended. Called by the pump."""
        self.ended += count
        owner = self.owner()
        if owner is not None:
            owner._note_ended(self, count)
        elif self.ended == self.count:
            self.core.blocks.pop(self.number, None)

    def wait(self, timeout: Optional[float]) -> bool:
        """Waits until all items have ended; False when the time was over first."""
        if self.local is not None:
            return True
        assert self.lease is not None
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

    def look_up(self) -> None:
        """Fills `ready` with the next items that have ended, of which the pump has heard nothing."""
        assert self.lease is not None
        last = min(self.count, self.taken + LOOKED_UP)
        self.ready.extend((1, 0, 0, 0, index, 0, 0, 0, *how) for index, how in
                          enumerate(self.lease.pool.job_results(self.job, last, self.taken), self.taken))

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
        values, others = self._read(taken)
        for index in others:
            (state, address, size), = pool.job_results(self.job, index + 1, index)
            ok, value = self.outcome(index, state, address, size)
            if ok:
                values[index - taken] = value
            else:
                failures[self.first + index] = value
        return values

    def _read(self, first: int) -> Tuple[List[Any], Iterable[int]]:
        """The values of items from `first` on that need no code of Python's to be read, with None in place of the others, and which these are. A
        result that says that its function has kept a view is one of these, since it has a tag of its own; so it is none that bulk reads."""
        assert self.lease is not None
        found = native()
        if found is None:
            return [None] * (self.count - first), range(first, self.count)
        values: List[Any] = []
        others: List[int] = []
        read = found.mapengine_python_read(self.job, first, self.count, self.core.unpickle is loads, values, others)
        if read != self.count - first:
            raise MapEngineError(f"{self.count - first} results were to be read, and {read} have been")
        return values, others
