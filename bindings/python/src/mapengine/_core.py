"""What runs a pool of the engine for Python: its events (_pump.py), its calls (_calls.py), and here the package's thread and the end."""
from __future__ import annotations

import os
import sys
import threading
from ctypes import byref
from typing import Any, Callable, List, Optional, Set

from . import _abi as abi
from ._calls import Calls
from ._codec import Unpickle
from ._engine import Event


class Core(Calls):
    """A started pool and what is outstanding on it. Workers is its handle; futures and maps keep the core, not the handle."""

    def __init__(self, pool: Any, function: int, threaded: bool, unpickle: Unpickle, output: Callable[[Event], None]) -> None:
        super().__init__(pool, function, threaded, unpickle, output)
        self.kept: Set[Any] = set()  # Maps with callbacks to run.
        self.process = os.getpid()
        self.ends_at_exit = False  # Whether what is outstanding is dropped when the interpreter ends.
        self._is_abandoned = False
        self._thread: Optional[threading.Thread] = None
        self._closer: Optional[threading.Thread] = None
        self._ending = threading.Lock()
        self._thread_disposes = False

    def idle(self) -> bool:
        """Whether nothing is outstanding and nothing left to dispatch."""
        return not self.calls and not self.blocks and not self.backlog

    # ---- the thread ----

    def start_thread(self) -> None:
        if self._thread is not None or not self.threaded:
            return
        with self.lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"mapengine-{self.name}" if self.name else "mapengine", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        helpers = byref(self.busy)
        while not self.ended.is_set():
            if self._is_abandoned:
                self._is_abandoned = False
                self.close_later()
            self.bell.watch(helpers)
            if self.helpers and not self.ended.is_set():
                self.bell.hush()
                if not self.backlog:
                    continue
            self.dispatch()
        self.dispatch()
        if self._thread_disposes:
            self.dispose()

    # ---- the end ----

    def abandon(self) -> None:
        """Nobody has the handle any more: what is outstanding is finished, then the pool ends. Called by the garbage collector."""
        self.closed = True
        if self.ended.is_set() or self.process != os.getpid():
            return
        if self._thread is not None:
            self._is_abandoned = True
            self.bell.ring()
        else:
            self.close_later()

    def close_later(self) -> None:
        """Lets a thread finish what is outstanding and end the pool."""
        with self.lock:
            self.closed = True
            if self._closer is not None or self.ended.is_set():
                return
            self._closer = threading.Thread(target=self.finish, name="mapengine-close", daemon=True)
        try:
            self._closer.start()
        except RuntimeError:  # The interpreter is ending: at_exit does it.
            pass

    def finish(self, cancel: bool = False) -> None:
        """Ends the pool: after what is outstanding, or with `cancel` at once. Returns when it has ended. A KeyboardInterrupt may leave it before;
        another call goes on."""
        with self.lock:
            self.closed = True
        if cancel and not self.ended.is_set():
            pool = self.pool
            if pool is not None:
                pool.shutdown(True, 0)
        with self._ending:
            if self.ended.is_set():
                return
            self._drain(cancel)
            thread = self._thread
            self._thread_disposes = thread is threading.current_thread()
            if thread is None:
                self.dispatch()
            self.ended.set()
            self.bell.ring()
            if self._thread_disposes:
                return
            if thread is not None:
                thread.join()
            self.dispose()

    def _drain(self, cancel: bool) -> None:
        """Waits until nothing is outstanding and all processes have ended."""
        while self.pool.shutdown(cancel, 0 if cancel else -1) == abi.MAPE_E_INTERRUPTED:
            pass

    def dispose(self) -> None:
        """Gives back descriptors, and the engine's pool as soon as no result is read in place any more."""
        _live.discard(self)
        with self.lock:
            self.pool = None
            self.bell.close()


_live: Set[Core] = set()
_exiting = False
_registered: List[bool] = []


def at_exit() -> None:
    """At the end of the interpreter: what is outstanding is finished, as in concurrent.futures, or ended, as in multiprocessing. After a Ctrl-C
    that nobody has caught it is ended: the user does not want to wait. So is what was outstanding when a Ctrl-C ended a wait for a result."""
    global _exiting
    _exiting = True
    interrupted = getattr(sys, "last_type", None) is KeyboardInterrupt
    for core in sorted(_live, key=lambda core: not core.ends_at_exit):
        if core.process == os.getpid():  # In a forked child there may be some of its parent.
            core.is_exiting = True
            if core.given_up:
                core.drop()
            core.finish(cancel=core.ends_at_exit or interrupted)


def register(core: Core) -> None:
    """From now on the core is ended at the latest with the interpreter. RuntimeError when that is ending already."""
    if _exiting:
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")
    if not _registered:
        _registered.append(True)
        try:
            threading._register_atexit(at_exit)  # type: ignore[attr-defined]
        except AttributeError:
            import atexit

            atexit.register(at_exit)
    _live.add(core)
