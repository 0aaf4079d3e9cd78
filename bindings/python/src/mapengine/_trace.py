"""A timeline of a pool: what each of its workers did when, as events, and as a file for Perfetto (mapengine/trace.h of the engine)."""
from __future__ import annotations

import ctypes
import os
from ctypes import byref
from typing import Any, List, NamedTuple, Optional, Union

from . import _abi as abi
from ._problems import MapEngineError

AT_ONCE = 512  # Events that are read with one call.

_KINDS = {abi.MAPE_TRACE_RANGE: "range", abi.MAPE_TRACE_REMOTE: "remote", abi.MAPE_TRACE_SETUP: "setup", abi.MAPE_TRACE_CLEANUP: "cleanup",
          abi.MAPE_TRACE_MODULE: "module", abi.MAPE_TRACE_WAIT: "wait", abi.MAPE_TRACE_COPY: "copy", abi.MAPE_TRACE_CALLBACK: "callback",
          abi.MAPE_TRACE_DEATH: "death", abi.MAPE_TRACE_RECLAIM: "reclaim", abi.MAPE_TRACE_JOB: "job"}
_STATES = {abi.MAPE_TRACE_OK: "ok", abi.MAPE_TRACE_FAILED: "failed", abi.MAPE_TRACE_CRASHED: "crashed", abi.MAPE_TRACE_TIMED_OUT: "timeout",
           abi.MAPE_TRACE_LOST: "lost", abi.MAPE_TRACE_CANCELLED: "cancelled", abi.MAPE_TRACE_RECLAIMED: "reclaimed",
           abi.MAPE_TRACE_RUNNING: "running"}


class TraceEvent(NamedTuple):
    """Something that took time, or happened. Fields that do not belong to its kind are 0 or empty."""

    kind: str  #: "range", "remote", "setup", "cleanup", "module", "wait", "copy", "callback", "death", "reclaim" or "job".
    name: str  #: Of the function; of a module its path, of a death the signal.
    begin: float  #: Seconds since the trace began.
    end: float
    state: str  #: "ok", "failed", "crashed", "timeout", "lost", "cancelled", "reclaimed" or "running".
    job: int  #: Each map or call is one job of the engine, or several; 0: none.
    function: int
    worker: int  #: -1: it is this process's.
    pid: int
    first: int  #: The first element, counted within the job.
    items: int  #: Elements that ended with it.
    assigned: int  #: Elements that the worker was given.
    failed: int
    crashed: int
    timed_out: int
    cancelled: int
    bytes: int  #: Of a copy: what was copied, and what was not because it lay in memory that workers see.
    shared_bytes: int
    slowest: int  #: The element that took longest; one of `slowest_of` from here on.
    slowest_seconds: float  #: 0.0: not known.
    slowest_of: int
    code: int  #: Of a death: the signal; 0 or less: minus the exit code.
    host: str  #: The machine; "": this one.
    symbol: str  #: Of a death: the place in the code.
    text: str  #: Of a death: the first lines of its report.


class Trace:
    """A trace of a pool. Made by `Pool.trace` and its like: see there.

    It goes on until `stop`, or the end of the pool, and can be read and saved during that time and afterwards, until the pool's next trace
    begins. The block of a ``with`` stops it.
    """

    def __init__(self, pool: Any, path: Optional[Union[str, bytes, os.PathLike[Any]]] = None, events: Optional[int] = None) -> None:
        self._pool, self._path = pool, path
        self._read: List[TraceEvent] = []
        self._lost = 0
        if events is not None and events < 1:
            raise ValueError("events has to be at least 1")
        config = abi.mape_trace_config(capacity=events or 0)
        pool.check(pool.lib.mape_pool_trace_start(pool.handle, byref(config)))
        pool.trace = self

    def __enter__(self) -> Trace:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<mapengine.Trace: {'another has begun since' if self._pool.trace is not self else f'{len(self._read)} events read'}>"

    def stop(self) -> None:
        """Ends the trace, and saves it if it has a path. A second call changes nothing."""
        if self._pool.trace is not self:
            return
        status = self._pool.lib.mape_pool_trace_stop(self._pool.handle)
        if status == abi.MAPE_E_STATE:  # It has ended, or its pool has.
            if self._path is None:
                return
        else:
            self._pool.check(status)
        if self._path is not None:
            path, self._path = self._path, None
            self.save(path)

    def save(self, path: Union[str, bytes, os.PathLike[Any]]) -> None:
        """Writes the trace to a file, which https://ui.perfetto.dev and ``mapengine report`` open: docs/trace-file.md."""
        self._check()
        self._pool.check(self._pool.lib.mape_pool_trace_write(self._pool.handle, os.fsencode(path)))

    def data(self) -> bytes:
        """What `save` writes to a file."""
        file = os.memfd_create("mapengine-trace")
        try:
            self.save(f"/dev/fd/{file}")
            with open(file, "rb", closefd=False) as written:
                return written.read()
        finally:
            os.close(file)

    def report(self, path: Union[str, bytes, os.PathLike[Any]]) -> None:
        """Writes a page that shows the trace, and says what could be better: what ``mapengine report`` makes."""
        from ._report import page

        text = page(self.data())
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def _repr_html_(self) -> str:
        from ._report import frame

        return frame(self.data())

    def events(self) -> List[TraceEvent]:
        """All events up to now, in the order in which they ended."""
        self._check()
        pool = self._pool
        out, count, lost = (abi.mape_trace_event * AT_ONCE)(), ctypes.c_size_t(1), ctypes.c_uint64()
        while count.value:
            out[0].struct_size = ctypes.sizeof(abi.mape_trace_event)
            pool.check(pool.lib.mape_pool_trace_read(out, AT_ONCE, byref(count), byref(lost), pool.handle))
            self._lost += lost.value
            self._read += [_event(out[i]) for i in range(count.value)]
        return list(self._read)

    @property
    def lost(self) -> int:
        """How many events `events` has not, because it was called too late: a trace keeps the latest ones."""
        return self._lost

    def _check(self) -> None:
        if self._pool.trace is not self:
            raise MapEngineError("the pool has begun another trace since: this one is gone", abi.MAPE_E_STATE)


def _event(event: Any) -> TraceEvent:
    def text(value: Optional[bytes]) -> str:
        return (value or b"").decode("utf-8", "replace")

    return TraceEvent(
        _KINDS.get(event.kind, ""), text(event.name), event.begin_ns / 1e9, event.end_ns / 1e9, _STATES.get(event.state, ""), event.job,
        event.function, event.worker, event.pid, event.first, event.items, event.assigned, event.failed, event.crashed, event.timed_out,
        event.cancelled, event.bytes, event.shared_bytes, event.slowest, event.slowest_ns / 1e9, event.slowest_of, event.code,
        text(event.host), text(event.symbol), text(event.text))
