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
from typing import Any, List, Sequence, Tuple

from ._engine import Buffer, Pool


class _PyBuffer(ctypes.Structure):
    _fields_ = [("buf", ctypes.c_void_p), ("obj", ctypes.py_object), ("len", ctypes.c_ssize_t), ("itemsize", ctypes.c_ssize_t),
                ("readonly", ctypes.c_int), ("ndim", ctypes.c_int), ("format", ctypes.c_char_p), ("shape", ctypes.c_void_p),
                ("strides", ctypes.c_void_p), ("suboffsets", ctypes.c_void_p), ("internal", ctypes.c_void_p)]


PYBUF_STRIDES = 0x18


def address_of(view: memoryview) -> int:
    """Where the first byte of a view lies; also of one that cannot be written to."""
    found = _PyBuffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(view), ctypes.byref(found), PYBUF_STRIDES)
    try:
        return found.buf or 0
    finally:
        ctypes.pythonapi.PyBuffer_Release(ctypes.byref(found))


class Places:
    """The buffers of one pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool: Any = weakref.ref(pool)
        self._lock = threading.Lock()
        self._own: List[Tuple[int, int, Any]] = []  # (begin, end, weakref) of what Workers.buffer has made, in order.

    def make(self, size: int) -> Buffer:
        """Memory for users, which workers see in place."""
        buffer = Buffer(self._pool(), size)
        with self._lock:
            self._own = [one for one in self._own if one[2]() is not None]
            self._insert(buffer)
        return buffer

    def _insert(self, buffer: Buffer) -> None:
        begins = [one[0] for one in self._own]
        self._own.insert(bisect.bisect(begins, buffer.address), (buffer.address, buffer.address + buffer.size, weakref.ref(buffer)))

    def _holder(self, address: int, size: int) -> Any:
        with self._lock:
            at = bisect.bisect([one[0] for one in self._own], address) - 1
            if at >= 0 and address + size <= self._own[at][1]:
                return self._own[at][2]()
        return None

    def place(self, views: Sequence[memoryview]) -> Tuple[List[Any], List[Tuple[int, int]]]:
        """(what has to live, spans): where workers read the bytes of these views."""
        keep: List[Any] = []
        spans: List[Tuple[int, int]] = []
        copies: List[Tuple[int, int, int]] = []
        total = 0
        for view in views:
            address, size = address_of(view), view.nbytes
            holder = self._holder(address, size)
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
