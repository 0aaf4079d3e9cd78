"""Where large buffers go, so that workers read them in place.

A buffer of a call is copied into memory of the engine that this process owns, so that its life does not end with the call: a function may have
kept a view of it (the worker says so), and then the memory stays as it is until the pool ends. What lies in such memory already, because
Workers.buffer made it, is not copied.
"""
from __future__ import annotations

import bisect
import ctypes
import threading
import weakref
from typing import Any, List, NamedTuple, Sequence, Tuple

from ._engine import Buffer, Pool


class _PyBuffer(ctypes.Structure):
    _fields_ = [("buf", ctypes.c_void_p), ("obj", ctypes.py_object), ("len", ctypes.c_ssize_t), ("itemsize", ctypes.c_ssize_t),
                ("readonly", ctypes.c_int), ("ndim", ctypes.c_int), ("format", ctypes.c_char_p), ("shape", ctypes.c_void_p),
                ("strides", ctypes.c_void_p), ("suboffsets", ctypes.c_void_p), ("internal", ctypes.c_void_p)]


PYBUF_STRIDES = 0x18
_Bytes = ctypes.c_char * 0


def address_of(view: memoryview) -> int:
    """Where the first byte of a view lies; also of one that cannot be written to."""
    if not view.readonly and view.c_contiguous:
        return ctypes.addressof(_Bytes.from_buffer(view))
    found = _PyBuffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(view), ctypes.byref(found), PYBUF_STRIDES)
    try:
        return found.buf or 0
    finally:
        ctypes.pythonapi.PyBuffer_Release(ctypes.byref(found))


class Found(NamedTuple):
    """Bytes of a user's: where they lie. holder: the Buffer that Places.make has made, if they lie in one."""

    address: int
    size: int
    holder: Any
    view: memoryview


class Places:
    """The buffers of one pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool: Any = weakref.ref(pool)
        self._lock = threading.Lock()
        self._own: List[Tuple[int, int, Any]] = []  # (begin, end, weakref) of what Workers.buffer has made, in order.
        self._begins: List[int] = []

    def make(self, size: int) -> Buffer:
        """Memory for users, which workers see in place."""
        buffer = Buffer(self._pool(), size)
        with self._lock:
            own = [one for one in self._own if one[2]() is not None]
            own.insert(bisect.bisect([one[0] for one in own], buffer.address), (buffer.address, buffer.address + buffer.size, weakref.ref(buffer)))
            self._own, self._begins = own, [one[0] for one in own]
        return buffer

    def _holder(self, address: int, size: int) -> Any:
        with self._lock:
            at = bisect.bisect(self._begins, address) - 1
            if at >= 0 and address + size <= self._own[at][1]:
                return self._own[at][2]()
        return None

    def find(self, views: Sequence[memoryview]) -> List[Found]:
        """Where the bytes of these views lie."""
        out = []
        for view in views:
            address, size = address_of(view), view.nbytes
            out.append(Found(address, size, self._holder(address, size) if self._own else None, view))
        return out

    def place(self, buffers: Sequence[Found]) -> Tuple[List[Any], List[Tuple[int, int]]]:
        """(what has to live, spans): where workers read these bytes. What does not lie in the engine's memory is copied there."""
        keep: List[Any] = []
        spans: List[Tuple[int, int]] = []
        copies: List[Tuple[int, int, int]] = []
        total = 0
        for address, size, holder, view in buffers:
            if holder is not None:
                keep.append((holder, view))
                spans.append((address, size))
            else:
                copies.append((len(spans), address, total))
                spans.append((0, size))
                total += (size + 63) & ~63
        if copies:
            buffer = Buffer(self._pool(), total)
            keep.append(buffer)
            for index, address, offset in copies:
                size = spans[index][1]
                ctypes.memmove(buffer.address + offset, address, size)
                spans[index] = buffer.address + offset, size
        return keep, spans
