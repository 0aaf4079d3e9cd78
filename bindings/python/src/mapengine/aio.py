"""Pools and asyncio: ``await pool.amap(f, items)`` and ``async for value in pool.amap(f, items)``.

A pool whose thread completes things needs nothing of the loop. One that is attached to the loop (`mapengine.hosts.attach`) works as well.
Futures of an `Executor` are awaited as always: ``await asyncio.wrap_future(executor.submit(f, x))``, ``loop.run_in_executor(executor, f)``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ._face import values_of

if TYPE_CHECKING:
    from ._futures import Future
    from ._map import MapJob

__all__ = ["AsyncCall", "AsyncMap"]

T = TypeVar("T")


class AsyncMap(Generic[T]):
    """A map under way: awaited it is the list of its values, iterated over it gives them as they come; either, once.

    An element's exception is raised: by await when all are done, by iteration in the value's place. When the task that waits is
    cancelled, elements that have not begun are taken back and those that run are ended.
    """

    def __init__(self, job: MapJob) -> None:
        self._job = job

    def __await__(self) -> Generator[Any, None, list[T]]:
        return self._list().__await__()

    async def __aiter__(self) -> AsyncIterator[T]:
        job, loop = self._job, asyncio.get_running_loop()
        # A wait for values blocks a thread: one of its own, since the loop's own threads may all be at such waits.
        with ThreadPoolExecutor(1, thread_name_prefix="mapengine-aio") as thread:
            try:
                while True:
                    values, error = await loop.run_in_executor(thread, job.take)
                    if not values and error is None:
                        return
                    values.reverse()
                    while values:
                        yield values.pop()
                    if error is not None:
                        try:
                            raise error
                        finally:
                            del error
            finally:
                # Ends a wait that is under way as well.
                job.cancel(running=True)

    async def _list(self) -> Any:
        await _done(self._job)
        return values_of(self._job)

    def cancel(self) -> bool:
        """Takes back what has not begun, and ends what runs."""
        return self._job.cancel(running=True)

    def progress(self) -> tuple[int, int | None]:
        """How many elements are done, and of how many."""
        return self._job.progress()


class AsyncCall(Generic[T]):
    """A call under way: awaited it is the call's value. When the task that waits is cancelled, the call is ended."""

    def __init__(self, future: Future[T]) -> None:
        self.future = future

    def __await__(self) -> Generator[Any, None, T]:
        return self._value().__await__()

    async def _value(self) -> T:
        try:
            return await asyncio.wrap_future(self.future)
        except asyncio.CancelledError:
            self.future.kill()
            raise


async def _done(job: MapJob) -> None:
    """Comes back when the job is done; ends it when the task is cancelled."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def tell() -> None:
        if not done.done():
            done.set_result(None)

    def tell_loop(_: object) -> None:
        try:
            loop.call_soon_threadsafe(tell)
        except RuntimeError:
            # The loop is closed: nobody waits any more.
            pass

    job.add_done_callback(tell_loop)
    try:
        await done
    except asyncio.CancelledError:
        job.cancel(running=True)
        raise
