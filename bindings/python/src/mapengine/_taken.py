"""What a job has given and nobody has fetched yet: how values leave a map one by one, when they come many at a time."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from ._map import MapJob

__all__ = ["Taken"]

T = TypeVar("T")


class Taken(Generic[T]):
    """The values of a job, and then perhaps the exception of the element behind them. Not for several threads at once.

    Nothing here refers to a value that was given out.
    """

    __slots__ = ("_job", "error", "values")

    def __init__(self, job: MapJob) -> None:
        self._job = job
        self.values: collections.deque[T] = collections.deque()
        self.error: BaseException | None = None

    def refill(self, timeout: float | None = None) -> bool:
        """Takes what has come; waits for it, for at most `timeout` seconds (TimeoutError). False after the last."""
        self._job.take(self, timeout)
        return not self.is_empty()

    def is_empty(self) -> bool:
        """Whether there is nothing to pop."""
        return not self.values and self.error is None

    def pop(self) -> T:
        """The next value, or its exception. There has to be one."""
        if self.values:
            return self.values.popleft()
        error, self.error = self.error, None
        assert error is not None
        try:
            raise error
        finally:
            del error
