"""What can go wrong."""
from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from typing import Any, Optional
import concurrent.futures


class MapEngineError(Exception):
    """The engine refused a call, or failed."""

    status: int = 0


class WorkerDied(MapEngineError, BrokenProcessPool):
    """A worker died in an item."""

    index: Optional[int] = None
    signal: int = 0
    report: str = ""


# Since 3.11 they are one.
_TIMEOUTS: Any = tuple(dict.fromkeys((concurrent.futures.TimeoutError, TimeoutError)))


class ItemTimeout(MapEngineError, *_TIMEOUTS):  # type: ignore[misc]
    """An item passed its time limit."""

    index: Optional[int] = None


class MapErrors(MapEngineError):
    """Some items failed: `failures` by index, and the results of the others."""

    def __init__(self, message: str, results: Any, failures: dict[int, BaseException]) -> None:
        super().__init__(message)
        self.results = results
        self.failures = failures
