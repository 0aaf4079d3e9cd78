"""Pools for tests of event loops, with a callback per item that notes its thread: the engine's own, and the package's."""
import ctypes
import math
import select
import threading

import mapengine
from mapengine import _abi as abi


class EventPool:
    """`start(count)` has C's sqrt run over so many numbers; `results` has (index, value) of each, `threads` those that ran callbacks."""

    def __init__(self, workers=2):
        self.native = mapengine.NativePool(workers)
        self.library = self.native.library
        self.function = self.native.register("double sqrt(double x)", "libm.so.6", None, 0, False)
        self.results = []
        self.threads = set()
        self.rounds = 0
        self.wanted = 0
        self.closed = False
        self._callback = abi.mape_event_fn(self._item)
        self._jobs = []

    def _item(self, _, event):
        event = event.contents
        self.threads.add(threading.current_thread())
        self.results.append((event.index, ctypes.cast(event.result.data, ctypes.POINTER(ctypes.c_double))[0]))

    def start(self, count):
        self.wanted += count
        values = (ctypes.c_double * count)(*range(count))
        items = abi.mape_items(count=count, base=ctypes.addressof(values), item_size=8)
        config = abi.mape_job_config(on_item=self._callback, chunk=1)
        job = abi.mape_job()
        self.native.check(self.library.mape_map(abi.byref(job), self.native.handle, self.function, abi.byref(items), abi.byref(config)))
        self._jobs.append(job)

    def fileno(self):
        found = ctypes.c_int()
        self.native.check(self.library.mape_pool_event_fd(abi.byref(found), self.native.handle))
        return found.value

    def dispatch(self, budget=None):
        self.rounds += 1
        self.native.check(self.library.mape_pool_dispatch(self.native.handle, 0, 0 if budget is None else int(budget * 1e9)))

    def wait(self, timeout=None):
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return bool(poll.poll(None if timeout is None else timeout * 1000))

    def idle(self):
        return len(self.results) >= self.wanted

    def close(self):
        self.closed = True
        self.native.close()

    def check(self, rounds=1):
        """All results came, each once, on the main thread, in so many rounds or more: no round may take much longer than its budget."""
        assert sorted(self.results) == [(i, i**0.5) for i in range(self.wanted)], len(self.results)
        assert self.threads == {threading.main_thread()}, self.threads
        assert self.rounds >= rounds, self.rounds


class PythonPool(EventPool):
    """The same with `math.sqrt` in the package's own workers."""

    def __init__(self, workers=2):
        from mapengine._workers import Workers

        self.workers = Workers(workers, mode="attached")
        self.results = []
        self.threads = set()
        self.rounds = 0
        self.wanted = 0
        self.fileno, self.wait = self.workers.fileno, self.workers.wait

    @property
    def closed(self):
        return self.workers.closed

    def start(self, count):
        self.wanted += count
        for index in range(count):
            self.workers.submit(math.sqrt, (index,)).add_done_callback(lambda future, index=index: self._done(index, future))

    def _done(self, index, future):
        self.threads.add(threading.current_thread())
        self.results.append((index, future.result()))

    def dispatch(self, budget=None):
        self.rounds += 1
        return self.workers.dispatch(budget)

    def close(self):
        self.workers.close()
