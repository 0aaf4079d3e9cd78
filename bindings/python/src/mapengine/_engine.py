"""Owners of the engine's objects over ctypes, and its failures as exceptions. No policy.

Handles are plain ints here. A thread may use any of this, unless said otherwise.
"""
from __future__ import annotations

import ctypes
import struct
from ctypes import byref
from typing import Any, Deque, Iterator, List, NamedTuple, Optional, Tuple

from . import _abi as abi
from ._library import fast_library, library
from ._problems import MapEngineError

FOREVER = -1
EVENTS = 512  # How many events are fetched at a time.


def _with_text(event: Any) -> Event:
    return (*event[:6], ctypes.string_at(event[6], event[7]) if event[6] else b"", *event[7:])


def nanoseconds(seconds: Optional[float]) -> int:
    """A time limit as the engine takes it: None is none, and what is over already is the least there is."""
    return FOREVER if seconds is None else max(0, int(seconds * 1e9))


class Result(NamedTuple):
    """How an item ended. `data` is an address, 0 without bytes; valid until its job is released."""

    state: int
    cause: int
    code: int
    attempts: int
    data: int
    size: int
    message: str


# Something that happened, as it is read: (type, code, job, context, index, worker, text, size of text, state, data, size of data, count). `data` is
# the address of an item's result, valid until its job is released. `text` is bytes for outputs and logs. `count`: how many items it is of.
Event = Tuple[int, int, int, int, int, int, Any, int, int, int, int, int]


def _layout(fields: List[Tuple[int, str]], size: int) -> struct.Struct:
    """A struct of fields at offsets, with the rest skipped."""
    out, at = "<", 0
    for offset, code in fields:
        out += f"{offset - at}x{code}"
        at = offset + struct.calcsize("<" + code)
    return struct.Struct(out + f"{size - at}x")


_E, _R = abi.mape_event, abi.mape_result
_R_AT = _E.result.offset
_EVENT = _layout([(_E.type.offset, "I"), (_E.code.offset, "i"), (_E.job.offset, "Q"), (_E.context.offset, "Q"), (_E.index.offset, "Q"),
                  (_E.worker.offset, "i"), (_E.text.offset, "Q"), (_E.text_size.offset, "Q"), (_R_AT + _R.state.offset, "I"),
                  (_R_AT + _R.data.offset, "Q"), (_R_AT + _R.size.offset, "Q"), (_E.count.offset, "Q")], ctypes.sizeof(_E))
_RESULT = _layout([(_R.state.offset, "I"), (_R.data.offset, "Q"), (_R.size.offset, "Q")], ctypes.sizeof(_R))


def message(pool: int = 0) -> str:
    """The particulars of the last call that failed on the pool, or of one that found no pool."""
    text = ctypes.create_string_buffer(8192)
    fast_library().mape_message(text, 8192, pool or None)
    return text.value.decode("utf-8", "replace").replace("config.zygote_path can name", "python= can name")


class Pool:
    """A pool of the engine. Released when `release` was called and no result is read in place any more."""

    def __init__(self, **settings: Any) -> None:
        self.lib, self.fast = library(), fast_library()
        config = abi.mape_pool_config()
        self._keep = [_assign(config, name, value) for name, value in settings.items()]
        handle = abi.mape_pool()
        self.handle = 0
        status = self.lib.mape_pool_create(byref(handle), byref(config))
        if status:
            raise MapEngineError(message(), status)
        self.handle = handle.value or 0
        self.trace: Any = None  # The trace that it has begun last: _trace.py.
        self._events = (abi.mape_event * EVENTS)()
        self._view = memoryview(self._events).cast("B")
        self._fetched = ctypes.c_size_t()
        self._fetched_at = byref(self._fetched)
        self._get = self.fast.mape_job_result

    def check(self, status: int) -> None:
        """Raises a MapEngineError for a call that failed."""
        if status < 0:
            raise MapEngineError(message(self.handle), status)

    def register_offered(self, name: str, data: bytes) -> int:
        """Registers the range function that the zygote offers by that name, with data for its setup."""
        function = abi.mape_function(name=name.encode(), library=abi.MAPE_ZYGOTE, run_range_symbol=name.encode())
        keep = ctypes.create_string_buffer(data, len(data))
        function.data, function.data_size = ctypes.addressof(keep), len(data)
        out = ctypes.c_uint32()
        self.check(self.lib.mape_function_register(byref(out), self.handle, byref(function)))
        return int(out.value)

    def alias(self, function: int, name: Optional[str]) -> int:
        """Another id of a function, by which calls are counted and shown apart; without a name they are only counted apart. 0: the pool gives none,
        since it is closed."""
        out = ctypes.c_uint32()
        self.fast.mape_function_alias(byref(out), self.handle, function, name.encode("utf-8", "replace") if name is not None else None)
        return int(out.value)

    def forget_alias(self, function: int) -> None:
        """Takes an alias back. What was submitted by it goes on."""
        self.fast.mape_function_unregister(self.handle, function)

    def function_stats(self, function: int) -> Any:
        """The figures of a function (mape_work_stats)."""
        out = abi.mape_work_stats()
        self.check(self.fast.mape_function_stats(byref(out), self.handle, function))
        return out

    def set_global(self, name: str, data: Optional[bytes]) -> None:
        """Sets a global of the pool; None removes it."""
        self.check(self.lib.mape_pool_set_global(self.handle, name.encode(), data, len(data or b"")))

    def fetch(self, into: Deque[Event], timeout: int) -> None:
        """The events that are there, at most EVENTS of them; waits for the first. One thread at a time. None when there is none in time, and when
        the pool is closed or another thread fetches. `into` is empty before."""
        self._fetched.value = 0
        events = self._events
        events[0].struct_size = ctypes.sizeof(_E)
        if not (self.lib if timeout else self.fast).mape_pool_next_events(events, EVENTS, self._fetched_at, self.handle, timeout):
            self.fetch_again(into)

    def fetch_again(self, into: Deque[Event]) -> None:
        """What the last `fetch` has fetched, if an exception has left it before it gave that to anybody."""
        if self._fetched.value and not into:
            into.extend([event if event[0] < abi.MAPE_EVENT_OUTPUT else _with_text(event)
                         for event in _EVENT.iter_unpack(self._view[:self._fetched.value * _EVENT.size])])
        self._fetched.value = 0

    def event_fd(self) -> int:
        """A descriptor that is readable while there are events."""
        out = ctypes.c_int()
        self.check(self.lib.mape_pool_event_fd(byref(out), self.handle))
        return out.value

    def job_result(self, job: int, index: int) -> Result:
        """How an item that has ended, did."""
        one = abi.mape_result()
        self.check(self.fast.mape_job_result(byref(one), job, index))
        return Result(one.state, one.cause, one.code, one.attempts, one.data or 0, one.size, (one.message or b"").decode("utf-8", "replace"))

    def one_result(self, job: int, index: int) -> Tuple[int, int, int]:
        """(state, address, size) of an item that has ended."""
        one = abi.mape_result()
        status = self._get(byref(one), job, index)
        if status:
            self.check(status)
        return _RESULT.unpack_from(one)

    def has_ended(self, job: int, index: int) -> bool:
        """Whether an item has ended."""
        return bool(self.fast.mape_job_result(byref(abi.mape_result()), job, index) == abi.MAPE_OK)

    def job_results(self, job: int, count: int, first: int = 0) -> Iterator[Tuple[int, int, int]]:
        """(state, address, size) of each item from `first` to before `count`, as far as they have ended."""
        one = abi.mape_result()
        at, view, call, unpack, pool = byref(one), memoryview(one).cast("B"), self.fast.mape_job_result, _RESULT.unpack, self
        for index in range(first, count):
            status = call(at, job, index)
            if status == abi.MAPE_E_AGAIN:
                return
            if status:
                pool.check(status)
            yield unpack(view)

    def gather(self, job: int, into: bytearray, stride: int) -> Optional[int]:
        """Copies the results of a job that is done, `stride` bytes apart; how many items did not end well. None when one is larger."""
        place = (ctypes.c_char * len(into)).from_buffer(into)
        return self.gather_at(job, ctypes.addressof(place), len(into), stride)

    def gather_at(self, job: int, address: int, size: int, stride: int) -> Optional[int]:
        """The same into `size` bytes at an address, which the caller keeps."""
        missing = ctypes.c_uint64()
        status = self.lib.mape_job_gather(address, size, stride, byref(missing), job)
        if status == abi.MAPE_E_OVERFLOW:
            return None
        self.check(status)
        return missing.value

    def crash(self, job: int, index: int) -> Optional[Any]:
        """The report of a crash (mape_crash), or None when there is none."""
        out = abi.mape_crash()
        return out if self.fast.mape_job_crash(byref(out), job, index) == 0 else None

    def cancel(self, job: int, running: bool) -> int:
        """Ends what has not begun of a job, or all of it. How many items this has ended at once; 0 with `running`."""
        if running:
            self.check(self.fast.mape_job_cancel(job))
            return 0
        count = ctypes.c_uint64()
        self.check(self.fast.mape_job_cancel_waiting(byref(count), job))
        return count.value

    def progress(self, job: int) -> Any:
        """The state of a job (mape_progress)."""
        out = abi.mape_progress()
        self.check(self.fast.mape_job_progress(byref(out), job))
        return out

    def stats(self) -> Any:
        """The pool's figures (mape_stats)."""
        out = abi.mape_stats()
        self.check(self.fast.mape_pool_stats(byref(out), self.handle))
        return out

    def worker(self, index: int) -> Any:
        """A worker's figures (mape_worker_info), or None when there is no such worker."""
        out = abi.mape_worker_info()
        return out if self.fast.mape_pool_worker(byref(out), self.handle, index) == 0 else None

    def shutdown(self, cancel: bool, timeout: int) -> int:
        """Ends work and processes. The status: MAPE_E_INTERRUPTED when a signal came while it waited for work."""
        return int(self.lib.mape_pool_shutdown(self.handle, abi.MAPE_SHUTDOWN_CANCEL if cancel else abi.MAPE_SHUTDOWN_DRAIN, timeout))

    def __del__(self) -> None:
        handle, self.handle = getattr(self, "handle", 0), 0
        if handle:
            self.lib.mape_pool_release(handle)


class Lease:
    """A job that is released when nobody reads its results any more."""

    __slots__ = ("pool", "job", "__weakref__")

    def __init__(self, pool: Pool, job: int) -> None:
        self.pool, self.job = pool, job

    def __del__(self) -> None:
        pool = getattr(self, "pool", None)
        if pool is not None and pool.handle:
            pool.fast.mape_job_release(self.job)


def leased_view(lease: Lease, address: int, size: int) -> memoryview:
    """Bytes of a job's result in place, writable, valid as long as somebody has a view of them."""
    return _view_at(address, size, lease)


def _view_at(address: int, size: int, owner: Any) -> memoryview:
    """Bytes at an address, whose views keep their owner alive. ctypes keeps each type of array for ever: there are few, by rounded sizes."""
    array: Any = (ctypes.c_char * (1 << size.bit_length())).from_address(address)
    array._owner = owner
    return memoryview(array).cast("B")[:size]


class Buffer:
    """Memory that the host writes and workers read in place. Its end is the object's."""

    __slots__ = ("pool", "handle", "address", "size", "__weakref__")

    def __init__(self, pool: Pool, size: int) -> None:
        out, data = abi.mape_buffer(), ctypes.c_void_p()
        self.handle = 0
        pool.check(pool.lib.mape_buffer_create(byref(out), pool.handle, max(1, size)))
        self.pool, self.size, self.handle = pool, size, out.value or 0
        pool.check(pool.lib.mape_buffer_data(byref(data), None, out))
        self.address = data.value or 0

    def view(self) -> memoryview:
        """Its bytes, writable; they keep the buffer alive."""
        return _view_at(self.address, self.size, self)

    def __del__(self) -> None:
        if self.handle and self.pool.handle:
            self.pool.fast.mape_buffer_release(self.handle)


def _assign(config: Any, name: str, value: Any) -> Any:
    """Sets a field of a configuration; lists of texts and texts are kept alive by what is returned."""
    if isinstance(value, str):
        value = value.encode()
    elif isinstance(value, list):
        array = (ctypes.c_char_p * (len(value) + 1))(*[os_bytes(text) for text in value], None)
        value = ctypes.cast(array, type(getattr(config, name)))
        setattr(config, name, value)
        return array
    setattr(config, name, value)
    return value


def os_bytes(text: str) -> bytes:
    """A text as the system has it."""
    import os

    return os.fsencode(text)
