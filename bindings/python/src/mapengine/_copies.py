"""Pools whose workers are copies of this process (start="fork")."""
from __future__ import annotations

import ctypes
import os
import sys
import threading
from typing import Any

from . import _abi as abi
from ._engine import Pool
from ._problems import MapEngineError

TIME = 60_000_000_000  # Nanoseconds for the workers' start.

_lock = threading.Lock()
_native: Any = None


def _renew_lock() -> None:
    """In a copy of this process the lock is held for ever: by the thread that made it, which is not there."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


def prepare(path: str) -> None:
    """Offers the workers' functions from this process. `path` is that of mapengine_python.so."""
    global _native
    from . import _worker

    with _lock:
        if _native is None:
            native = ctypes.CDLL(path)
            native.mapengine_python_prepare.restype = ctypes.c_char_p
            _worker.library = path
            place = id(_worker.HELPERS).to_bytes(8, sys.byteorder)
            missing = native.mapengine_python_prepare(place)
            if missing:
                raise MapEngineError(f"this process cannot be copied for workers: it has no {missing.decode()}")
            _native = native


def start(pool: Pool) -> int:
    """Starts the pool: its workers are copies of this process as it is now. No thread of Python runs while the copy is made."""
    with _lock:
        _native.mapengine_python_fork(1)
        try:
            status = int(pool.lib.mape_pool_start(pool.handle, TIME))
        finally:
            _native.mapengine_python_fork(0)
    # What is wrong with a setup is what calls are told.
    return abi.MAPE_OK if status in (abi.MAPE_E_SETUP, abi.MAPE_E_LOAD) else status
