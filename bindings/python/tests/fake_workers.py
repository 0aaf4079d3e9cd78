"""Workers made of threads, with the interface of `mapengine._workers`: what the faces' tests run on where the engine is not what is
tested. `install()` puts it in place of the real one, before any face is imported."""

from __future__ import annotations

import collections
import concurrent.futures
import copy
import itertools
import queue
import sys
import threading
import time
import types
from typing import Any


class MapErrors(Exception):
    def __init__(self, results: list[Any], failures: dict[int, BaseException]) -> None:
        super().__init__(f"{len(failures)} of {len(results)} elements have failed")
        self.results, self.failures = results, failures
        self.exceptions = tuple(failures[index] for index in sorted(failures))


class Future(concurrent.futures.Future):
    def kill(self) -> bool:
        return self.cancel()

    def progress(self) -> float | None:
        return None


class Workers:
    def __init__(self, workers: int | None = None, *, initializer: Any = None, initargs: tuple[Any, ...] = (), finalizer: Any = None,
                 max_tasks_per_child: int | None = None, mode: str = "threaded", **options: Any) -> None:
        self.count, self.mode, self.options = workers or 2, mode, {**options, "max_tasks_per_child": max_tasks_per_child}
        self.closed, self.broken = False, None
        self.calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.outstanding, self.told = 0, threading.Condition()
        self.life = (initializer, initargs, finalizer)
        self.threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self.count)]
        if mode == "threaded":
            self.threads.append(threading.Thread(target=self._pump, daemon=True))
        for thread in self.threads:
            thread.start()

    def _work(self) -> None:
        initializer, initargs, finalizer = self.life
        try:
            if initializer is not None:
                initializer(*initargs)
        except BaseException as error:
            from concurrent.futures.process import BrokenProcessPool

            self.broken = BrokenProcessPool(f"the initializer has failed: {error!r}")
        while True:
            call = self.calls.get()
            if call is None:
                if finalizer is not None:
                    finalizer()
                return
            future, func, args, kwargs = call
            ok, value = True, None
            if not future.set_running_or_notify_cancel():
                func = args = None
                self._event(None)
                continue
            try:
                if self.broken is not None:
                    raise self.broken
                value = func(*args, **kwargs)
            except BaseException as error:
                ok, value = False, error
            call = func = args = kwargs = None
            self._event((future, ok, value))
            future = value = None

    def _event(self, event: Any) -> None:
        self.events.put(event)
        with self.told:
            self.told.notify_all()

    def _pump(self) -> None:
        while True:
            event = self.events.get()
            if event == "end":
                return
            self._deliver(event)
            event = None

    def _deliver(self, event: Any) -> None:
        if event is not None:
            future, ok, value = event
            (future.set_result if ok else future.set_exception)(value)
        with self.told:
            self.outstanding -= 1
            self.told.notify_all()

    def submit(self, func: Any, args: Any = (), kwargs: Any = None, **options: Any) -> Future:
        if self.closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if self.broken is not None:
            raise self.broken
        future = Future()
        with self.told:
            self.outstanding += 1
        self.last_options = options
        self.calls.put((future, func, args, kwargs or {}))
        return future

    def map(self, func: Any, items: Any, *, star: Any = False, chunk_size: int | None = None, ordered: bool = True,
            buffersize: int | None = None, **options: Any) -> MapJob:
        if self.closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        self.last_map = {"star": star, "chunk_size": chunk_size, **options}
        return MapJob(self, func, items, star, ordered, buffersize)

    def fileno(self) -> int:
        raise NotImplementedError

    def dispatch(self, budget: float | None = None) -> int:
        count = 0
        while True:
            try:
                self._deliver(self.events.get_nowait())
            except queue.Empty:
                return count
            count += 1

    def wait(self, timeout: float | None = None) -> bool:
        with self.told:
            return self.told.wait_for(lambda: not self.events.empty(), timeout)

    def idle(self) -> bool:
        return self.outstanding == 0

    def stats(self) -> dict[str, int]:
        return {"outstanding": self.outstanding}

    def pids(self) -> list[int]:
        return []

    def resize(self, count: int) -> None:
        self.count = count

    def close(self, wait: bool = True, cancel: bool = False) -> None:
        if cancel:
            while True:
                try:
                    call = self.calls.get_nowait()
                except queue.Empty:
                    break
                if call is not None:
                    call[0].cancel()
                    call[0].set_running_or_notify_cancel()
                    self._event(None)
        if not self.closed:
            self.closed = True
            for _ in range(self.count):
                self.calls.put(None)
        if wait:
            if self.mode == "attached":
                while not self.idle():
                    self.wait(0.05)
                    self.dispatch()
            for thread in self.threads[:self.count]:
                thread.join()
            with self.told:
                self.told.wait_for(lambda: self.outstanding == 0)

    def terminate(self) -> None:
        self.close(wait=False, cancel=True)


class MapJob:
    def __init__(self, workers: Workers, func: Any, items: Any, star: Any, ordered: bool, buffersize: int | None) -> None:
        self.workers, self.func, self.ordered, self.window = workers, func, ordered, buffersize
        self.star = star if callable(star) else (lambda _: star)
        self.items = iter(items)
        self.futures: list[Future] = []
        self.given = self.failed_at = 0
        self.ready: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.is_read = self.is_cancelled = False
        self.input_error: BaseException | None = None
        self.callbacks: list[Any] = []
        self.lock = threading.RLock()
        if buffersize is None:
            for item in self.items:
                self._add(item)
            self._end()
        else:
            self._fill()

    def _fill(self) -> None:
        with self.lock:
            while not self.is_read and len(self.futures) - self.given < self.window:
                try:
                    item = next(self.items)
                except StopIteration:
                    self._end()
                except BaseException as error:
                    self.input_error = error
                    self._end()
                else:
                    self._add(item)

    def _add(self, item: Any) -> None:
        index = len(self.futures)
        future = self.workers.submit(self.func, tuple(item) if self.star(item) else (item,))
        self.futures.append(future)
        future.add_done_callback(lambda _: self._is_ready(index))

    def _end(self) -> None:
        self.is_read = True
        if self.done():
            self._call()

    def _is_ready(self, index: int) -> None:
        self.ready.put(index)
        if self.is_read and self.done():
            self._call()

    def _call(self) -> None:
        with self.lock:
            callbacks, self.callbacks = self.callbacks, []
        for callback in callbacks:
            callback(self)

    def __iter__(self) -> MapJob:
        return self

    def __next__(self) -> Any:
        return self.next()

    def next(self, timeout: float | None = None) -> Any:
        self._fill()
        if self.given == len(self.futures):
            if self.input_error is not None:
                error, self.input_error = self.input_error, None
                raise error
            raise StopIteration
        if self.ordered:
            index = self.given
            if not self._wait(self.futures[index], timeout):
                raise TimeoutError
        else:
            try:
                index = self.ready.get(timeout=timeout)
            except queue.Empty:
                raise TimeoutError from None
        self.given += 1
        outcome = self._outcome(index)
        self.futures[index] = None
        return outcome

    def take(self, timeout: float | None = None) -> Any:
        try:
            _, ok, value = self.next(timeout)
        except StopIteration:
            return [], None
        return ([value], None) if ok else ([], value)

    def _wait(self, future: Any, timeout: float | None) -> bool:
        if self.workers.mode == "attached":
            deadline = time.monotonic() + (1e9 if timeout is None else timeout)
            while not future.done() and time.monotonic() < deadline:
                self.workers.wait(0.01)
                self.workers.dispatch()
        return bool(concurrent.futures.wait([future], timeout).done)

    def _outcome(self, index: int) -> Any:
        future = self.futures[index]
        try:
            return index, True, future.result()
        except concurrent.futures.CancelledError as error:
            return index, False, error
        except BaseException as error:
            return index, False, error

    def wait(self, timeout: float | None = None) -> bool:
        deadline = None if timeout is None else time.monotonic() + timeout
        for future in self.futures:
            if future is not None and not self._wait(future, None if deadline is None else max(0, deadline - time.monotonic())):
                return False
        return True

    def done(self) -> bool:
        return all(future is None or future.done() for future in self.futures)

    def cancel(self, running: bool = False) -> bool:
        self.is_read = True
        return any([future is not None and future.cancel() for future in self.futures])

    def progress(self) -> Any:
        return sum(future is None or future.done() for future in self.futures), len(self.futures) if self.is_read else None

    def results(self) -> list[Any]:
        outcomes = self.outcomes()
        failures = {index: value for index, ok, value in outcomes if not ok}
        if failures:
            raise MapErrors([value for _, _, value in outcomes], failures)
        return [value for _, _, value in outcomes]

    def outcomes(self) -> list[Any]:
        self.wait()
        return [self._outcome(index) for index in range(len(self.futures))]

    def add_done_callback(self, callback: Any) -> None:
        with self.lock:
            if not (self.is_read and self.done()):
                self.callbacks.append(callback)
                return
        callback(self)


def install() -> None:
    for name, members in {"_workers": (Workers, MapJob), "_futures": (Future,), "_errors": (MapErrors,)}.items():
        module = types.ModuleType("mapengine." + name)
        for member in members:
            setattr(module, member.__name__, member)
        sys.modules["mapengine." + name] = module
