"""The pool that `mapengine.map` and `mapengine.apply` use: made when it is first needed, kept for the calls that follow."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from ._face import Face, Options
from ._workers import Workers

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["DefaultPool", "configure", "default_pool", "shutdown"]


class DefaultPool(Face):
    """Workers, and how they meet the main thread: attached to the loop of the host if there is one, else with a thread of their own."""

    def __init__(self, count: int | None, python: str | None, loop: str | None, options: Options) -> None:
        self.pid = os.getpid()
        self.loop = loop
        if loop is not None:
            options = options.copy()
            options["mode"] = "attached"
        self._workers = Workers(count, python=python, **options)
        self._attachment: Any = None
        if loop is not None:
            from . import hosts

            self._attachment = hosts.attach(self)
            # Nobody runs the loop when the interpreter ends, so nobody would hear of what is finished then.
            self._workers.at_exit = "terminate"

    def close(self, wait: bool) -> None:
        self._workers.close(wait=wait)

    def is_usable(self) -> bool:
        """Whether it still runs things, in this process. One whose loop was closed would never call back."""
        alive = self._attachment is None or self._attachment.alive
        return alive and not self.closed and self._workers.broken is None and self.pid == os.getpid()


class _Default:
    """The pool, and what the next one will be like."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.pool: DefaultPool | None = None
        self.count: int | None = None
        self.python: str | None = None
        self.options: Options = {}


_default = _Default()


def default_pool(calls_back: bool = False) -> DefaultPool:
    """The pool of `map` and `apply`. A new one is made when there is none, when it is broken, when this process is a forked child of the
    one that made it, and when a loop has appeared in which it should call back."""
    from . import hosts

    with _default.lock:
        pool = _default.pool
        loop = hosts.find()
        if pool is not None and pool.is_usable() and (pool.loop is not None or loop is None or not calls_back):
            return pool
        _default.pool = DefaultPool(_default.count, _default.python, loop, _default.options)
        if pool is not None and pool.pid == os.getpid():
            pool.close(wait=False)
        return _default.pool


def configure(workers: int | None = None, *, python: str | None = None, **options: Unpack[Options]) -> None:
    """Says how many workers `map` and `apply` use, of which interpreter, and with which options (see `mapengine.Options`); from their next
    call on. What runs is finished."""
    with _default.lock:
        _default.count = workers
        _default.python = python
        _default.options = options
        shutdown(wait=False)


def shutdown(wait: bool = True) -> None:
    """Ends the workers of `map` and `apply` when they are done; the next call starts new ones."""
    with _default.lock:
        pool, _default.pool = _default.pool, None
    if pool is not None and pool.pid == os.getpid():
        pool.close(wait=wait)
