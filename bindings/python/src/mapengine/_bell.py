"""What wakes those who are to look for events: the engine's descriptor, and a pipe for what this process leaves to others."""
from __future__ import annotations

import os
import select
from typing import Any, Optional

from ._library import watcher

NAP = 2_000_000  # Nanoseconds.


class Bell:
    """The descriptors that say that there is something to dispatch. All methods may be used by any thread.

    A signal handler may raise within any of them: no ring is lost by that."""

    def __init__(self, events: int) -> None:
        self._events = events
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        os.set_blocking(self._read, False)
        self._is_rung = False
        self._epoll: Optional[select.epoll] = None
        self._poll = select.poll()
        self._poll.register(self._events, select.POLLIN)
        self._poll.register(self._read, select.POLLIN)
        self._watch = watcher()

    def ring(self) -> None:
        """Makes the descriptor readable until `hush`."""
        if self._is_rung:
            return
        try:
            self._is_rung = True
            os.write(self._write, b"!")
        except OSError:  # It is full, or the pool has ended.
            pass
        except BaseException:  # A signal handler's: whoever rings later must not find it rung when it is not.
            self._is_rung = False
            self.ring()
            raise

    def hush(self) -> None:
        """Undoes `ring`. Who calls looks afterwards at what is rung for: a ring before that writes nothing."""
        if not self._is_rung:
            return
        try:
            try:
                os.read(self._read, 512)
            except OSError:
                pass
            self._is_rung = False
        except BaseException:
            self._is_rung = False
            raise

    def fileno(self) -> int:
        """A descriptor that is readable while there are events, or it is rung."""
        if self._epoll is None:
            epoll = select.epoll()
            epoll.register(self._events, select.EPOLLIN)
            epoll.register(self._read, select.EPOLLIN)
            self._epoll = epoll
        return self._epoll.fileno()

    def wait(self, timeout: Optional[float]) -> bool:
        """Waits until the descriptor is readable; False when the time (seconds) was over first."""
        return bool(self._poll.poll(None if timeout is None else timeout * 1000))

    def watch(self, helpers: Any) -> None:
        """The same for the package's thread: while there are helpers it looks only now and then (native/watch.c). May come back too early.
        `helpers`: a ctypes.c_int by reference."""
        self._watch(self._events, self._read, helpers, NAP)

    def close(self) -> None:
        """Gives the descriptors back."""
        descriptors, self._read, self._write = (self._read, self._write), -1, -1
        epoll, self._epoll = self._epoll, None
        if epoll is not None:
            epoll.close()
        for descriptor in descriptors:
            if descriptor >= 0:
                os.close(descriptor)
