"""Workers: processes that run Python functions. What all faces of the package stand on."""
from __future__ import annotations

import sys
import threading
from _pickle import dumps
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from ._cluster import named
from ._figures import figures_of, worker_figures
from ._format import CALL_MARSHAL, CALL_STAR, HEAD
from ._functions import Travels, encode_call, make_spec

if TYPE_CHECKING:  # What is imported with the first call, since a program that only imports this need not wait for it.
    from ._core import Core
    from ._functions import Bound, Star
    from ._futures import Future
    from ._map import MapJob
    from ._places import Places

SPEC_INLINE = 16 << 10  # A spec with more bytes is a global of the pool.
BESIDE = 64 << 10  # Buffers of a call with at least so many bytes go beside its pickle.


class Workers:
    """Worker processes for Python functions.

    Nothing is started before the first call. All methods may be used by any thread. When the last reference goes, what is outstanding is
    finished and the workers end; likewise at the end of the interpreter.

    workers
        How many processes; the default is as many as the processors this process may use.
    python
        Their interpreter, of this one's version; the default is this one's own program if that is a plain Python.
    start
        ``"exec"``: processes of their own; ``"fork"``: copies of this process.
    initializer, initargs, finalizer
        ``initializer(*initargs)`` runs once in each worker before its first call, ``finalizer()`` when it ends in an orderly way.
    max_tasks_per_child
        A worker is replaced after so many calls.
    options
        As in `mapengine.Options`.
    """

    def __init__(self, workers: Optional[int] = None, *, python: Optional[str] = None, start: str = "exec",
                 initializer: Optional[Callable[..., Any]] = None, initargs: Sequence[Any] = (),
                 finalizer: Optional[Callable[[], Any]] = None, max_tasks_per_child: Optional[int] = None,
                 memory_growth: Optional[int] = None, attempts: int = 1, timeout: Optional[float] = None, modules: Sequence[str] = (),
                 runtime_globals: Bound = None, sandbox: bool = False, env: Optional[Mapping[str, Optional[str]]] = None,
                 threads: Optional[int] = None, mode: str = "threaded", name: Optional[str] = None,
                 cluster: Optional[str] = None, cluster_only: bool = False) -> None:
        if workers is not None and workers < 1:
            raise ValueError("workers has to be at least 1")
        if start not in ("exec", "fork"):
            raise ValueError("start is 'exec' or 'fork'")
        if mode not in ("threaded", "attached"):
            raise ValueError("mode is 'threaded' or 'attached'")
        if attempts < 1:
            raise ValueError("attempts has to be at least 1")
        if workers is None:
            from ._interpreter import cores

            workers = cores()
        self._count = workers
        self._python, self._start_method, self._mode, self.name = python, start, mode, name
        self._initializer, self._initargs, self._finalizer = initializer, tuple(initargs), finalizer
        self._max_tasks, self._memory_growth = max_tasks_per_child, memory_growth
        self._attempts, self._timeout = attempts, timeout
        self._modules, self._bound, self._sandbox = tuple(modules), runtime_globals, sandbox
        self._env, self._threads = dict(env or {}), threads
        self._cluster, self._cluster_only = named(cluster), cluster_only
        if cluster_only and not self._cluster:
            raise ValueError("cluster_only needs a cluster")
        self._core: Optional[Core] = None
        self._places: Places = None  # type: ignore[assignment] # Set with the core.
        self._closed = False
        self._making = threading.Lock()
        self.at_exit = "finish"  # What becomes of it with the interpreter: "finish" what is outstanding, or "terminate".
        self._globals: Dict[bytes, bool] = {}  # Specs that are globals of the pool.
        self._flags = 0 if sandbox else CALL_MARSHAL
        self._travels = Travels(self._flags)

    # ---- calls ----

    def submit(self, func: Callable[..., Any], args: Tuple[Any, ...] = (), kwargs: Optional[Dict[str, Any]] = None, *,
               timeout: Optional[float] = None, attempts: Optional[int] = None, priority: int = 0, modules: Sequence[str] = (),
               runtime_globals: Bound = None) -> Future[Any]:
        """Calls ``func(*args, **kwargs)`` in a worker. What cannot be pickled is the future's exception."""
        core = self._core or self._begin(func)
        keep: Any = None
        spans: Any = None
        try:
            head = self._travels.by_name(func) if not modules and runtime_globals is None and self._bound is None else b""
            buffers: Any = None
            if not head:
                payload, buffers = self._encode(core, func, args, kwargs, modules, runtime_globals)
            elif "numpy" in sys.modules or not (payload := self._small(head, args, kwargs)):
                data, buffers = encode_call((args, kwargs), BESIDE)
                payload = head + data
            if buffers:
                keep, spans = self._places.place(self._places.find(buffers))
        except Exception as error:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown") from None
            from ._futures import Future

            future: Future[Any] = Future()
            future._finish(None, error)
            return future
        limit = self._timeout if timeout is None else timeout
        return core.submit(core.names.of(func, core.pool), payload, limit, attempts or self._attempts, priority, spans, keep)

    def _small(self, head: bytes, args: Any, kwargs: Any) -> bytes:
        """The payload of a call without large buffers: without numpy, nothing is known that has any. b"" when pickle alone will not do."""
        try:
            data = dumps((args, kwargs), 5)
        except Exception:
            return b""
        return b"" if b"main__" in data else head + data

    def _encode(self, core: Core, func: Any, args: Any, kwargs: Any, modules: Sequence[str], bound: Bound) -> Tuple[bytes, Any]:
        """The payload of a call whose function travels as a spec."""
        key, inline = self._spec(core, func, False, modules, bound)
        data, buffers = encode_call((args, kwargs), BESIDE)
        return HEAD.pack(key, len(inline), self._flags) + inline + data, buffers

    def _spec(self, core: Core, func: Any, star: Star, modules: Sequence[str], bound: Bound) -> Tuple[bytes, bytes]:
        """A spec as it is sent: its key, and its bytes if they go along."""
        if bound is None:
            bound = self._bound
        if callable(star) or modules or bound is not None:
            spec = make_spec(func, star if callable(star) else False, modules, bound)
        else:
            spec = self._travels.spec(func)
        if len(spec.data) <= SPEC_INLINE:
            return spec.key, spec.data
        if spec.key not in self._globals:
            core.pool.set_global(spec.key.hex(), spec.data)
            self._globals[spec.key] = True
            if len(self._globals) > 64:
                oldest = next(iter(self._globals))
                del self._globals[oldest]
                core.pool.set_global(oldest.hex(), None)
        return spec.key, b""

    def map(self, func: Callable[..., Any], items: Any, *, star: Star = False, chunk_size: Optional[int] = None, ordered: bool = True,
            buffersize: Optional[int] = None, timeout: Optional[float] = None, attempts: Optional[int] = None, priority: int = 0,
            modules: Sequence[str] = (), runtime_globals: Bound = None, bulk: bool = False, out: Any = None,
            vectorized: bool = False) -> MapJob:
        """Calls `func` for each element of an iterable: ``func(x)``; with `star` ``func(*x)``, or as ``star(x)`` says for each element.

        chunk_size
            How many elements a worker is given at a time; the default leaves the choice to the engine.
        ordered
            Outcomes come in the order of the input, else as they end.
        buffersize
            Elements are taken from `items` as outcomes are taken, at most so many ahead; the default is all at once.
        timeout
            Seconds for each element.
        bulk
            The outcomes will be asked for as a whole, by ``results()`` or a callback: nothing is told of single elements, which is cheaper;
            iteration then goes on by some thousand.
        out
            An array of as many elements as there are in `items`, into which results are put, element by element; it has to stay as it is
            until the map is done.
        vectorized
            `items` is an array or a range, and `func` is called with parts of it, as read-only arrays of NumPy's (without NumPy an
            ``array.array``): it returns an array of as many elements. Needs `out`. What it raises is the failure of the whole part, `timeout`
            and `chunk_size` are those of a call.
        """
        if chunk_size is not None and chunk_size < 1:
            raise ValueError("chunk_size has to be at least 1")
        if buffersize is not None and buffersize < 1:
            raise ValueError("buffersize has to be at least 1")
        if buffersize is None and not hasattr(type(items), "__len__"):
            items = list(items)
        elif buffersize is not None and type(items) in (list, tuple, range):
            items = iter(items)
        place: Any = None
        if out is not None or vectorized:
            from ._vectors import place_of

            place = place_of(items, out, vectorized and (star or buffersize), buffersize)
        core = self._core or self._begin(func, ("numpy",) if vectorized else ())
        spec = self._spec(core, func, star, modules, runtime_globals)
        from ._map import MapJob

        encoder: Any
        if place is None:
            from ._encoder import Encoder

            flags = self._flags | (CALL_STAR if star is True else 0)
            encoder = Encoder(items, spec, flags, chunk_size, self._width(core), self._places)
        else:
            from ._vectors import encoder_of

            encoder = encoder_of(items, spec, star is True, chunk_size, self._width(core), self._places, place, vectorized)
        if self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        limit = self._timeout if timeout is None else timeout
        job = MapJob(core, core.names.of(func, core.pool), encoder, ordered=ordered, window=buffersize, timeout=limit, attempts=attempts or self._attempts,
                     priority=priority, chunk=chunk_size or 0, bulk=bulk, out=place)
        job.feed()
        return job

    def _width(self, core: Core) -> int:
        """Into how many hands a map is parted: the workers of this machine, and those that other machines offer now."""
        if not self._cluster or core.pool is None:
            return self._count
        return max(self._count, int(core.pool.stats().workers_ready + core.pool.stats().remote_ready))

    # ---- the start ----

    def _begin(self, func: Any, also: Sequence[str] = ()) -> Core:
        """Starts the pool: at the first call, so that what its function needs is imported before workers are made."""
        with self._making:
            if self._core is not None:
                return self._core
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            from . import _start

            core, self._places = _start.start(self, func, also)
            self._core = core  # Last: from now on other threads go ahead.
            return core

    def buffer(self, size: int) -> Any:
        """Memory of so many bytes that workers see in place: an object whose view() is a writable memoryview of it. What lies in it travels
        without a copy, as arguments of calls and elements of maps; do not change it meanwhile. It lives as long as a view of it."""
        self._started()
        return self._places.make(size)

    # ---- for loops ----

    def _started(self) -> Core:
        return self._core or self._begin(None)

    def engine(self) -> Any:
        """The engine's pool, started. Raises RuntimeError when the workers have ended."""
        pool = self._started().pool
        if pool is None:
            raise RuntimeError("the workers have ended")
        return pool

    def fileno(self) -> int:
        """A descriptor that is readable when there is something for dispatch()."""
        return self._started().fileno()

    def dispatch(self, budget: Optional[float] = None) -> int:
        """Completes futures, runs callbacks, writes what workers printed, on this thread. Never waits; stops after `budget` seconds. Returns
        how many events there were."""
        core = self._core
        return core.dispatch(budget) if core is not None and core.pool is not None else 0

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Waits until there is something for dispatch(); False when the time was over first, or the workers have ended."""
        core = self._started()
        return core.pool is not None and core.wait(timeout)

    def idle(self) -> bool:
        """Whether nothing is outstanding, and nothing is left for dispatch()."""
        return self._core is None or self._core.idle()

    # ---- looking after it ----

    def stats(self) -> Dict[str, Any]:
        """The engine's figures (mape_stats): workers, workers_ready, workers_started, workers_died, jobs, items, input_bytes and others.
        by_worker: of each worker (mape_worker_info): its items, and how many nanoseconds it was busy, in setups, idle, and waiting for this process.
        by_function: of each function, by its name (mape_work_stats): items by how they ended, times per item, bytes."""
        core = self._core
        pool = core.pool if core is not None else None
        if core is None or pool is None:
            return {"workers": self._count, "workers_ready": 0, "is_started": 0, "is_closed": int(self._closed), "by_worker": [], "by_function": {}}
        found = figures_of(pool.stats())
        found["by_worker"] = worker_figures(pool, self._count)
        found["by_function"] = core.names.figures(pool)
        return found

    def resize(self, n: int) -> None:
        """Changes how many workers there are to be; returns at once."""
        if n < 1:
            raise ValueError("n has to be at least 1")
        self._count = n
        core = self._core
        if core is not None and core.pool is not None:
            core.pool.check(core.pool.lib.mape_pool_resize(core.pool.handle, n))

    def pids(self) -> List[int]:
        """Process ids of the workers that are there."""
        core = self._core
        if core is None or core.pool is None:
            return []
        found = (core.pool.worker(index) for index in range(self._count))
        return [one.pid for one in found if one is not None and one.pid and not one.is_remote]

    # ---- the end ----

    @property
    def count(self) -> int:
        """How many workers there are to be."""
        return self._count

    @property
    def mode(self) -> str:
        """"threaded" or "attached"."""
        return self._mode

    @property
    def broken(self) -> Optional[BaseException]:
        """Why no call can run any more: workers cannot be started, or their initializer fails. None while all is well."""
        return None if self._core is None else self._core.broken

    @property
    def closed(self) -> bool:
        """Whether close() or terminate() was called."""
        return self._closed

    def close(self, wait: bool = True, cancel: bool = False) -> None:
        """Takes no more calls, finishes those there are, ends the workers. With `cancel` calls that no worker has yet are cancelled. With wait
        False it returns at once. A second call waits for the first one's end.

        The oldest calls, one per worker, count as begun also while workers are starting."""
        with self._making:
            self._closed = True
        core = self._core
        if core is None:
            return
        core.closed = True
        if cancel:
            for future in list(core.calls.values())[self._count:]:
                future.cancel()
        if wait:
            core.finish()
        else:
            core.close_later()

    def terminate(self) -> None:
        """Ends everything now: calls that have not ended have the exception PoolBroken."""
        with self._making:
            self._closed = True
        if self._core is not None:
            self._core.finish(cancel=True)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "started" if self._core is not None else "not started"
        return f"<{type(self).__name__}{' ' + repr(self.name) if self.name else ''}: {self._count} workers, {state}>"

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        if kind is None:
            self.close()
        else:
            self.terminate()
