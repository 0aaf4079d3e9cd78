"""C functions of any shared library, called from Python over arrays, in worker processes.

    pow = mapengine.cfunction("double pow(double x, double y)", library="libm.so.6")
    pow([1, 2, 3], 2)                   # array('d', [1.0, 4.0, 9.0]); NumPy's arrays when one is passed
    pow(2, 10)                          # 1024.0

No Python runs in the workers, and nothing is pickled. A call that crashes costs its own element.
"""
from __future__ import annotations

import ctypes
import functools
import math
import os
import sys
import threading
import weakref
from collections.abc import Iterable, Sequence
from typing import Any, Callable, Optional, Union

from . import _abi as abi
from ._errors import MapErrors
from ._c_inputs import Input, check_lengths, inputs_of, set_column
from ._c_memory import broadcast
from ._c_pool import SECOND, NativePool, close_default_pool, default_pool, failure
from ._c_outputs import Output
from ._problems import MapEngineError
from ._c_prototypes import Prototype, describe

__all__ = ["CFunction", "NativePool", "Proxy", "cfunction", "close_default_pool"]

_FUNCTION: Any = ctypes.CFUNCTYPE(None).__mro__[1]
Library = Union[str, "os.PathLike[str]", ctypes.CDLL, Any]


def cfunction(prototype: str, library: Library, *, symbol: Optional[str] = None, errno: bool = False,
              pool: Optional[NativePool] = None) -> CFunction:
    """A C function that is called in workers.

    prototype
        Its declaration in C, with lengths where C has none: ``"int sum(const double *v [n], size_t n, double *out [1])"``; the page
        docs/prototypes.md has all of it.
    library
        The path or soname of the shared library, a loaded one (`ctypes.CDLL`), or a function pointer of ctypes.
    symbol
        Its name in the library, when that is not the prototype's.
    errno
        ``errno`` is a further output.
    pool
        The workers; the default are those that all C functions share, as many as cores.

    Raises ValueError for a prototype that is wrong, with the column. A library that workers cannot load is an error of the first call.
    """
    return CFunction(prototype, library, symbol=symbol, errno=errno, pool=pool)


class CFunction:
    """A C function that is called in workers: see `cfunction`. May be called by any thread, by several at once."""

    def __init__(self, prototype: str, library: Library, *, symbol: Optional[str] = None, errno: bool = False,
                 pool: Optional[NativePool] = None) -> None:
        source, address = _source(library)
        self._declared = (prototype, source, symbol, address, errno)
        # Keeps the library loaded when it came as an object.
        self._library = library
        self._pool = pool
        self._ids: weakref.WeakKeyDictionary[NativePool, int] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        used = self._used_pool()
        self.prototype: Prototype = describe(used.library, used.check, used.handle, self._id(used), errno)
        self.__name__ = self.prototype.name
        self.__doc__ = prototype

    def __repr__(self) -> str:
        return f"<mapengine.cfunction {self._declared[0]!r}>"

    def __reduce__(self) -> Any:
        prototype, source, symbol, address, errno = self._declared
        if address or self._pool is not None:
            raise TypeError("a C function that was made with a pointer or with a pool of its own cannot be pickled")
        return _again, (prototype, source, symbol, errno)

    def __call__(self, *args: Any, out: Any = None, timeout: Optional[float] = None, attempts: int = 1, priority: int = 0) -> Any:
        """Calls the function for each row of the inputs, and returns its outputs: one, or a tuple of several.

        An input is a number, which goes to all calls, or an array, a list, a range of numbers; shapes are broadcast as NumPy does.
        For an array parameter the last axis is the array; its length parameters may be left out. A text is a str or bytes, or a list of
        them; a structure is bytes, a structured array's element, or a `ctypes.Structure`.

        Of numbers alone the result is a number. With an array of NumPy's among the inputs it is such an array, else an `array.array`, or
        a memoryview of several dimensions. `out`: the array, or a tuple of them (None: make one), that is filled instead, of the
        function's own types. `timeout`: seconds per call; a call that takes longer is ended alone. `attempts`: how often a call is made
        whose worker dies. `priority`: higher ones get workers first.

        Raises TypeError, ValueError and OverflowError for inputs that cannot be passed; WorkerDied, ItemTimeout or MapEngineError
        when a single call failed; MapErrors when some of several did, with the results of the others; MapEngineError when none could be
        made, for example because workers cannot load the library.
        """
        inputs = inputs_of(self.prototype, args)
        rows = broadcast(one.rows for one in inputs)
        check_lengths(self.prototype, inputs, rows)
        numpy = "numpy" in sys.modules and (any(one.is_numpy for one in inputs) or hasattr(out, "__array_interface__"))
        outputs = self._outputs(inputs, rows, numpy, out)
        count = math.prod(rows)
        if count:
            self._run(inputs, outputs, rows, count, _config(timeout, attempts, priority))
        made = tuple(one.result() for one in outputs)
        return made[0] if len(made) == 1 else made or None

    def map(self, *iterables: Iterable[Any], timeout: Optional[float] = None, attempts: int = 1, priority: int = 0, out: Any = None) -> Any:
        """The results as a list of Python's values: like `list(map(f, *iterables))`, so an iterable per input, up to the shortest. With `out`,
        an array (or a tuple of arrays) as of `__call__`, that is filled and returned instead."""
        columns: list[Any] = [one if hasattr(one, "__len__") and hasattr(one, "__getitem__") else list(one) for one in iterables]
        if not columns:
            raise TypeError("map needs an iterable for each input")
        length = min(map(len, columns))
        columns = [one if len(one) == length else one[:length] for one in columns]
        if out is not None:
            return self(*columns, out=out, timeout=timeout, attempts=attempts, priority=priority)
        try:
            return _listed(self(*columns, timeout=timeout, attempts=attempts, priority=priority), length)
        except MapErrors as several:
            values = _listed(several.results, length)
            for index in several.failures:
                values[index] = None
            raise _errors_of(several.failures, values, str(several)) from several.__cause__

    def map_rows(self, rows: Iterable[Any], *, timeout: Optional[float] = None, attempts: int = 1, priority: int = 0, out: Any = None) -> Any:
        """The same for an iterable of elements: each is what a function of one input takes, or a row with a value for each input."""
        if len(self.prototype.inputs) == 1:
            return self.map(rows, timeout=timeout, attempts=attempts, priority=priority, out=out)
        if getattr(rows, "ndim", 0) >= 2:
            columns = [rows[:, column] for column in range(rows.shape[1])]  # type: ignore[attr-defined,index]
        else:
            columns = list(zip(*rows))
        return self.map(*columns, timeout=timeout, attempts=attempts, priority=priority, out=out) if columns else [] if out is None else out

    def proxy(self, *, timeout: Optional[float] = None, attempts: int = 1, priority: int = 0,
              on_error: Optional[Callable[[BaseException], object]] = None) -> Proxy:
        """A native function pointer whose calls run in a worker: see `Proxy`. Arguments as of `__call__`, for each call."""
        return Proxy(self, self._used_pool(), _config(timeout, attempts, priority), on_error)

    def _used_pool(self) -> NativePool:
        if self._pool is None:
            return default_pool()
        if self._pool.closed:
            raise MapEngineError("the function's pool was closed")
        return self._pool

    def _id(self, pool: NativePool) -> int:
        """The function's number in a pool, in which it is registered if it was not."""
        with self._lock:
            found = self._ids.get(pool)
            if found is None:
                found = self._ids[pool] = pool.register(*self._declared)
                weakref.finalize(self, pool.library.mape_function_unregister, pool.handle, found)
            return found

    def _outputs(self, inputs: Sequence[Input], rows: tuple[int, ...], numpy: bool, out: Any) -> list[Output]:
        wanted = self.prototype.outputs
        given = out if isinstance(out, tuple) else (out,) + (None,) * (len(wanted) - 1)
        if len(given) != len(wanted) and out is not None:
            raise ValueError(f"out has {len(given)} arrays; {self.__name__} has {len(wanted)} outputs")
        made = []
        for parameter, one in zip(wanted, given):
            extent = None
            if parameter.is_array:
                extent = parameter.length
                if parameter.length_parameter >= 0:
                    extent *= inputs[self.prototype.parameters[parameter.length_parameter].input].largest()
            made.append(Output(parameter, rows, extent, numpy, one))
        return made

    def _run(self, inputs: Sequence[Input], outputs: Sequence[Output], rows: tuple[int, ...], count: int, config: Any) -> None:
        pool = self._used_pool()
        library = pool.library
        columns = (abi.mape_column * len(inputs))()
        # Lives until the engine has copied it.
        kept = [one.fill(column, rows) for one, column in zip(inputs, columns)]
        job = abi.mape_job()
        pool.check(library.mape_map_columns(abi.byref(job), pool.handle, self._id(pool), count, columns, len(columns), abi.byref(config)))
        del kept
        try:
            pool.wait(job)
            places = (abi.mape_column * len(outputs))()
            for place, output in zip(places, outputs):
                set_column(place, output.address, output.stride, output.size)
            missing = ctypes.c_uint64()
            pool.check(library.mape_job_gather_columns(places, len(outputs), abi.byref(missing), job))
            if missing.value:
                self._fail(pool, job, rows, missing.value, outputs)
        finally:
            library.mape_job_release(job)

    def _fail(self, pool: NativePool, job: Any, rows: tuple[int, ...], missing: int, outputs: Sequence[Output]) -> None:
        count = math.prod(rows)
        failures = pool.failures(job, count, missing)
        index, first = next(iter(failures.items()))
        if rows == () or (missing == count and type(first) is MapEngineError):
            raise first
        results: Any = tuple(one.result() for one in outputs)
        text = f"{missing} of {count} calls of {self.__name__} failed; the first, number {index}: {type(first).__name__}: {first}"
        raise _errors_of(failures, results[0] if len(results) == 1 else results, text) from first


class Proxy:
    """A C function pointer whose calls run in a worker: what crashes, crashes there, and the call returns 0.

    Called from Python, it takes and returns what ctypes does, and raises WorkerDied, ItemTimeout or MapEngineError when the call
    failed. `address` can be given to C code, as a callback for example: it is called on any thread, and calls `on_error` with an exception,
    on that thread, when it failed. `pointer` is the same for ctypes; None for functions that ctypes cannot call (structures by value).
    It works until `release()`, or until it is collected. A process can have 1024 at a time.
    """

    def __init__(self, function: CFunction, pool: NativePool, config: Any, on_error: Optional[Callable[[BaseException], object]]) -> None:
        self._function = function
        self._pool = pool
        self._failed = failed = threading.local()

        def heard(_: Any, result: Any) -> None:
            failed.error = failure(result.contents, 0)
            if on_error is not None:
                on_error(failed.error)

        self._heard = abi.mape_proxy_error_fn(heard)
        pointer = abi.mape_native_fn()
        pool.check(pool.library.mape_proxy_create(abi.byref(pointer), pool.handle, function._id(pool), abi.byref(config), self._heard, None))
        self._native = pointer
        self._release = weakref.finalize(self, _release_proxy, pool, pointer, self._heard)
        self.address = ctypes.cast(pointer, ctypes.c_void_p).value or 0
        kind = function.prototype.ctypes()
        self.pointer: Any = None if kind is None else kind(self.address)

    def __call__(self, *args: Any) -> Any:
        if not self._release.alive:
            raise MapEngineError("the proxy was released")
        if self.pointer is None:
            raise TypeError(f"ctypes cannot call {self._function!r}; use its address")
        self._failed.error = None
        given = self.pointer(*args)
        if self._failed.error is not None:
            raise self._failed.error
        return given

    def release(self) -> None:
        """Ends the pointer. Calls that run end as cancelled; the pointer must not be called any more."""
        self._release()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _errors_of(failures: dict[int, BaseException], results: Any, text: str) -> MapErrors:
    made = MapErrors(failures, results)
    made.args = (text,)
    return made


def _listed(given: Any, length: int) -> list[Any]:
    """Outputs as a list of Python's values: of tuples when there are several."""
    if given is None or (isinstance(given, tuple) and not given):
        return [None] * length
    lists = [one if isinstance(one, list) else one.tolist() for one in (given if isinstance(given, tuple) else (given,))]
    return list(zip(*lists)) if isinstance(given, tuple) else lists[0]


def _release_proxy(pool: NativePool, pointer: Any, _: Any) -> None:
    pool.library.mape_proxy_release(pointer)


def _again(prototype: str, source: str, symbol: Optional[str], errno: bool) -> CFunction:
    return CFunction(prototype, source, symbol=symbol, errno=errno)


def _source(library: Library) -> tuple[Optional[str], int]:
    """The library's name, or the address of a function pointer."""
    if isinstance(library, (str, os.PathLike)):
        return os.fspath(library), 0
    if isinstance(library, ctypes.CDLL):
        if not library._name:
            raise ValueError("the program itself is no library that workers can load; name the library")
        return library._name, 0
    if isinstance(library, _FUNCTION):
        return None, ctypes.cast(library, ctypes.c_void_p).value or 0
    raise TypeError(f"library must be a path, a soname, a ctypes.CDLL or a function of ctypes, not {type(library).__name__}")


@functools.lru_cache(maxsize=64)
def _config(timeout: Optional[float], attempts: int, priority: int) -> Any:
    if timeout is not None and timeout <= 0:
        raise ValueError(f"timeout must be above 0 seconds, not {timeout}")
    if attempts < 1:
        raise ValueError(f"attempts must be at least 1, not {attempts}")
    return abi.mape_job_config(item_timeout_ns=0 if timeout is None else int(timeout * SECOND), attempts=attempts, priority=priority)
