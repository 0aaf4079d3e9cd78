"""The peers behind one small interface, each used as its documentation says it is used best."""

from concurrent.futures import ProcessPoolExecutor
import multiprocessing

from .items import WORKERS


def default_chunk(count, workers):
    """What multiprocessing.Pool takes by default; given to those whose own default is 1."""
    return max(1, -(-count // (4 * workers)))


class MultiprocessingPool:
    name = "multiprocessing.Pool"

    def __init__(self, workers=WORKERS):
        self.pool = multiprocessing.Pool(workers)

    def map(self, function, items, chunk=None):
        return self.pool.map(function, items, chunk)

    def call(self, function, item):
        return self.pool.apply(function, (item,))

    def stop(self):
        self.pool.terminate()
        self.pool.join()


class Executor:
    """The interface of concurrent.futures, which loky has too."""

    def __init__(self, workers=WORKERS):
        self.workers = workers
        self.pool = self.make(workers)

    def map(self, function, items, chunk=None):
        return list(self.pool.map(function, items, chunksize=chunk or default_chunk(len(items), self.workers)))

    def call(self, function, item):
        return self.pool.submit(function, item).result()

    def stop(self):
        self.pool.shutdown()


class ConcurrentFutures(Executor):
    name = "concurrent.futures"
    make = staticmethod(ProcessPoolExecutor)


class Loky(Executor):
    name = "loky"

    @staticmethod
    def make(workers):
        from loky import ProcessPoolExecutor as LokyExecutor

        return LokyExecutor(max_workers=workers)


class Mpire:
    name = "mpire"

    def __init__(self, workers=WORKERS):
        from mpire import WorkerPool

        self.pool = WorkerPool(n_jobs=workers, keep_alive=True)

    def map(self, function, items, chunk=None):
        return self.pool.map(function, items, chunk_size=chunk)

    def call(self, function, item):
        return self.pool.apply(function, (item,))

    def stop(self):
        self.pool.terminate()


class Pebble:
    name = "pebble"

    def __init__(self, workers=WORKERS):
        from pebble import ProcessPool

        self.workers = workers
        self.pool = ProcessPool(max_workers=workers)

    def map(self, function, items, chunk=None):
        chunk = chunk or default_chunk(len(items), self.workers)
        return list(self.pool.map(function, items, chunksize=chunk).result())

    def call(self, function, item):
        return self.pool.schedule(function, args=(item,)).result()

    def stop(self):
        self.pool.stop()
        self.pool.join()


class Ctypes:
    """No pool: Python's own way to call a C function, in this process."""

    name = "Python ctypes"


POOLS = {pool.name: pool for pool in (MultiprocessingPool, ConcurrentFutures, Loky, Mpire, Pebble, Ctypes)}
