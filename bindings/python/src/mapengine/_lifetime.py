"""What becomes of pools that are open when the interpreter ends.

An executor finishes what it was given, as concurrent.futures does; a pool is terminated, as multiprocessing does. Both happen on the
main thread before the handlers of ``atexit``, while threads can still run: the hook is that of ``concurrent.futures.thread``.
"""

from __future__ import annotations

import atexit
import threading
import weakref
from typing import Protocol

__all__ = ["finish_at_exit", "is_over", "terminate_at_exit"]


class Closable(Protocol):
    """What is asked of a pool at the end: ``Workers``."""

    def close(self, wait: bool = True, cancel: bool = False) -> None: ...

    def terminate(self) -> None: ...


class _Exit:
    """The open pools of this process, by what becomes of them."""

    def __init__(self) -> None:
        self.over = False
        self.hooked = False
        self.finish: weakref.WeakSet[Closable] = weakref.WeakSet()
        self.terminate: weakref.WeakSet[Closable] = weakref.WeakSet()

    def hook(self) -> None:
        if self.hooked:
            return
        self.hooked = True
        # Since 3.9; it is private, and so may go.
        register = getattr(threading, "_register_atexit", atexit.register)
        register(self.run)

    def run(self) -> None:
        self.over = True
        for workers in list(self.terminate):
            workers.terminate()
        finishing = list(self.finish)
        for workers in finishing:
            workers.close(wait=False)
        for workers in finishing:
            workers.close(wait=True)


_exit = _Exit()


def finish_at_exit(workers: Closable) -> None:
    """The interpreter's end waits until `workers` have done what they were given."""
    _exit.hook()
    _exit.finish.add(workers)


def terminate_at_exit(workers: Closable) -> None:
    """The interpreter's end kills `workers`."""
    _exit.hook()
    _exit.terminate.add(workers)


def is_over() -> bool:
    """Whether the interpreter has begun to end: nothing new may be started then."""
    return _exit.over
