"""A pool for C functions: its workers are the engine's own program, and no Python runs in them."""
from __future__ import annotations

import ctypes
import math
import os
import re
import struct
import sys
import threading
import weakref
from collections.abc import Sequence
from typing import Any, Optional, Union

from . import _abi as abi
from . import _cluster
from ._errors import ItemTimeout, WorkerDied
from ._engine import Buffer, Pool, message
from ._problems import MapEngineError

SECOND = 1_000_000_000
OWN_FAILURES = 1000
"""So many failures of a job have exceptions of their own: a million would be half a gigabyte."""


class NativePool:
    """Worker processes that run C functions.

    `workers`: how many; None: as many as this process may use cores. `sandbox`: the kernel denies workers everything but computing.
    `memory_limit`: bytes of private memory per worker, 0: none. `crash_dir`: a folder for files from which a crash can be run again.
    `cluster`, `cluster_only`: as of each pool (`mapengine.Options`); nodes run the functions of libraries that they allow.
    Processes start with the first call. All methods may be called by any thread.
    """

    def __init__(self, workers: Optional[int] = None, *, sandbox: bool = False, memory_limit: int = 0,
                 crash_dir: Optional[str] = None, cluster: Optional[str] = None, cluster_only: bool = False) -> None:
        settings = {} if crash_dir is None else {"crash_dir": os.fsencode(crash_dir)}
        settings.update(_cluster.settings(_cluster.named(cluster), cluster_only, python=False))
        self.engine = Pool(workers=_workers(workers), memory_limit=memory_limit, interruptible=1,
                           sandbox=abi.MAPE_SANDBOX_COMPUTE if sandbox else abi.MAPE_SANDBOX_NONE, **settings)
        self.library = self.engine.lib
        self.handle = self.engine.handle
        self.check = self.engine.check
        # Also when the interpreter ends. What `empty` made stays readable: the engine's pool is released with the last of it.
        self._end = weakref.finalize(self, _end, self.engine)

    def register(self, prototype: str, source: Optional[str], symbol: Optional[str], address: int, errno: bool) -> int:
        """Registers a C function and returns its id."""
        found = ctypes.c_uint32()
        function = abi.mape_function(library=None if source is None else os.fsencode(source), prototype=prototype.encode(),
                                     run_symbol=None if symbol is None else symbol.encode(),
                                     native_flags=abi.MAPE_NATIVE_ERRNO if errno else 0)
        if address:
            function.native = abi.mape_native_fn(address)
        status = self.library.mape_function_register(abi.byref(found), self.handle, abi.byref(function))
        if status == abi.MAPE_E_ARGUMENT:
            raise ValueError(message(self.handle) or "the prototype is refused")
        self.check(status)
        return found.value

    def wait(self, job: Any) -> None:
        """Until all items have ended. A signal handler's exception, as of Ctrl-C, passes through."""
        while self.library.mape_job_wait(job, abi.MAPE_FOREVER) == abi.MAPE_E_INTERRUPTED:
            pass

    def failures(self, job: Any, count: int, missing: int) -> dict[int, BaseException]:
        """How the `missing` items of a job that failed did, by index. Those beyond the first 1000 that ended alike share an exception."""
        found: dict[int, BaseException] = {}
        alike: dict[tuple[int, int, int], BaseException] = {}
        result = abi.mape_result()
        place, read = abi.byref(result), self.engine.fast.mape_job_result
        for index in range(count):
            self.check(read(place, job, index))
            if result.state == abi.MAPE_ITEM_OK:
                continue
            how = (result.state, result.cause, result.code)
            if len(found) < OWN_FAILURES or how not in alike:
                alike[how] = self._failure(job, index, result)
            found[index] = alike[how]
            if len(found) == missing:
                break
        return found

    def _failure(self, job: Any, index: int, result: Any) -> BaseException:
        made = failure(result, index)
        crash = abi.mape_crash()
        if isinstance(made, WorkerDied) and self.library.mape_job_crash(abi.byref(crash), job, index) == abi.MAPE_OK:
            made.pid = crash.pid
            made.c_stack = "\n".join(line for line in crash.text.decode("utf-8", "replace").splitlines() if line.startswith("#"))
        return made

    @property
    def closed(self) -> bool:
        return not self._end.alive

    def close(self) -> None:
        """Ends the workers. Calls that run end as abandoned. Arrays of `empty` stay."""
        self._end()

    def empty(self, shape: Union[int, Sequence[int]], dtype: Any = "d") -> Any:
        """An array that workers read where it lies: inputs in it are not copied. Do not change it while a call reads it.

        `dtype`: a type of NumPy's, or what `array.array` calls it. A NumPy array if NumPy was imported, else a memoryview. It is not zeroed.
        It lives as long as somebody holds it, or a part of it, also after the pool was closed.
        """
        extents = (shape,) if isinstance(shape, int) else tuple(shape)
        if any(extent < 0 for extent in extents):
            raise ValueError(f"an array cannot have the shape {extents}")
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            kind = numpy.dtype(dtype)
            memory = Buffer(self.engine, math.prod(extents) * kind.itemsize).view()
            return numpy.frombuffer(memory, kind, math.prod(extents)).reshape(extents)
        code: Any = dtype
        memory = Buffer(self.engine, math.prod(extents) * struct.calcsize(code)).view()
        memory = memory[:math.prod(extents) * struct.calcsize(code)]
        return memory.cast(code) if len(extents) == 1 or 0 in extents else memory.cast(code, extents)

    def __enter__(self) -> NativePool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _end(engine: Pool) -> None:
    engine.shutdown(cancel=True, timeout=0)


def _workers(workers: Optional[int]) -> int:
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    return workers or 0


def failure(result: Any, index: int) -> BaseException:
    """How an item failed, as an exception."""
    text = result.message.decode("utf-8", "replace") or "the call was cancelled"
    if result.state == abi.MAPE_ITEM_CRASHED:
        place = re.search(r"\) in (\S.*?), function ", text)
        return WorkerDied(text, index, result.code if result.cause == abi.MAPE_CAUSE_SIGNAL else 0,
                          result.code if result.cause == abi.MAPE_CAUSE_EXIT else None, place[1] if place else "",
                          attempts=result.attempts)
    if result.state == abi.MAPE_ITEM_TIMED_OUT:
        return ItemTimeout(text, index)
    return MapEngineError(text)


_default: dict[int, NativePool] = {}
_lock = threading.Lock()


def default_pool() -> NativePool:
    """The pool that all C functions share which were given none. A forked child has one of its own."""
    with _lock:
        pool = _default.get(os.getpid())
        if pool is None or pool.closed:
            # What a parent had is of no use here.
            _default.clear()
            pool = _default[os.getpid()] = NativePool()
        return pool


# A thread of the parent may have held it.
os.register_at_fork(after_in_child=lambda: globals().update(_lock=threading.Lock()))


def close_default_pool() -> None:
    """Ends the shared pool's workers; the next call starts new ones."""
    with _lock:
        pool = _default.pop(os.getpid(), None)
    if pool is not None:
        pool.close()
