"""`map` and `apply`: the calls of *map for Maya*, with nothing to set up before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ._default import default_pool
from ._face import Face, chunk
from ._handle import Handle
from ._splat import splatting

__all__ = ["apply", "map"]


def map(
    func: Callable[..., Any],
    iterable: Iterable[Any],
    callback: Callable[[list[Any]], object] | None = None,
    chunk_size: int = 1,
    modules: Sequence[str] | None = None,
    runtime_globals: Mapping[str, Any] | Sequence[Any] | None = None,
    *,
    errback: Callable[[BaseException], object] | None = None,
    return_exceptions: bool = False,
    timeout: float | None = None,
    attempts: int | None = None,
    priority: int = 0,
    progress: bool = False,
    pool: Face | None = None,
    out: Any = None,
    vectorized: bool = False,
) -> Any:
    """`func` over the elements of `iterable`, in worker processes.

    Without `callback` it waits, and returns the list of values in order of the input. With one it returns a `Handle` at once.

    func
        Any callable: lambdas, closures and functions of ``__main__`` or a notebook too. A `cfunction` is called range by range, without a
        Python in between.
    iterable
        An element that can be iterated over gives the arguments: ``func(*element)``; text, bytes and dicts are single arguments. So a row
        of a 2-D array gives a number per column, and a single list as argument is written ``[[1, 2]]``.
    callback
        Called with the list of values: on the main thread if the host has a loop that `mapengine.hosts` knows, else on a thread of the
        pool.
    chunk_size
        Elements that travel together; 1 leaves the choice to the engine.
    modules
        Modules to be imported in the worker, bound in `func`'s globals there: ``"numpy"``, ``"time as t"``.
    runtime_globals
        What else `func` finds in its globals: a dict of names and values, or a list of classes and functions, which have names.
    errback
        Called with the `MapErrors` in place of `callback` when an element has failed. Without it the error is logged.
    return_exceptions
        Exceptions stand in the list in place of values; nothing is raised.
    timeout
        Seconds that one element may run before it is ended, alone, with `ItemTimeout`.
    attempts
        How often an element is tried whose worker dies.
    priority
        Work of a higher priority begins earlier; 0 is the default.
    progress
        Show a bar: tqdm's if it is installed.
    pool
        A `Pool`, `Executor` or `Processor` whose workers are used; the default is one for all calls (see `configure`).

    out
        An array of as many elements as `iterable` has, which takes the values in place of a list and is returned: NumPy's, an
        ``array.array``, a bytearray or memoryview that can be written. Each value becomes an element: a number, or a row of an array of
        several dimensions. A value that does not fit is the failure of its element; places of elements that have failed stay as they
        are. Do not touch the array until the map is done.
    vectorized
        `iterable` is an array or a range, and `func` is called with parts of it as arrays (NumPy's, read-only; without NumPy an
        ``array.array``), for which it returns arrays of as many elements. Nothing is pickled. The value is an array: `out`, or, if there
        is no callback, one like the first element's result. What `func` raises is the failure of the whole part; `timeout` and
        `chunk_size` are those of a call.

    Raises `MapErrors` when an element has failed, after all others are done; it has ``results`` and ``failures``.
    """
    rows = getattr(func, "map_rows", None)
    if rows is not None and callback is None and pool is None and not (return_exceptions or progress):
        # A C function: its own workers take whole ranges, and no Python is in between.
        return rows(iterable, timeout=timeout, attempts=attempts or 1, priority=priority, out=out)
    workers = (pool or default_pool(callback is not None))._workers
    options: dict[str, Any] = {
        "modules": modules or (), "runtime_globals": runtime_globals, "timeout": timeout, "attempts": attempts, "priority": priority,
    }
    items: Any = iterable
    star: Any = False
    if not vectorized:
        items, star = splatting(iterable)
    elif out is None and callback is None:
        from ._vectors import made_for

        out = made_for(workers, func, items, **options)
    job = workers.map(
        func,
        items,
        star=star,
        chunk_size=chunk(chunk_size),
        bulk=True,
        out=out,
        vectorized=vectorized,
        **options,
    )
    handle = Handle(workers, job, callback, errback, return_exceptions, progress)
    if callback is not None:
        return handle
    return handle.wait_here()


def apply(
    func: Callable[..., Any],
    args: Iterable[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    callback: Callable[[Any], object] | None = None,
    modules: Sequence[str] | None = None,
    runtime_globals: Mapping[str, Any] | Sequence[Any] | None = None,
    *,
    errback: Callable[[BaseException], object] | None = None,
    timeout: float | None = None,
    attempts: int | None = None,
    priority: int = 0,
    pool: Face | None = None,
) -> Any:
    """``func(*args, **kwargs)`` in a worker process: its value, or with `callback` at once a `Handle`. Raises what `func` raises.

    Parameters are those of `map`; `callback` is called with the value, `errback` with the exception.
    """
    workers = (pool or default_pool(callback is not None))._workers
    future = workers.submit(
        func,
        tuple(args or ()),
        dict(kwargs or {}),
        timeout=timeout,
        attempts=attempts,
        priority=priority,
        modules=modules or (),
        runtime_globals=runtime_globals,
    )
    handle = Handle(workers, future, callback, errback)
    if callback is not None:
        return handle
    return handle.wait_here()
