"""The peers behind one small interface, each used as its documentation says it is used best."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
import multiprocessing

from .items import WORKERS


def default_chunk(count, workers):
    """What multiprocessing.Pool takes by default; given to those whose own default is 1."""
    return max(1, -(-count // (4 * workers)))


class Arrays:
    """Where a system's inputs lie: in this process's memory, if it has no place for them."""

    takes_lambdas = False

    def arrays(self, count, length):
        """So many arrays of so many numbers, to be filled."""
        import numpy

        return [numpy.empty(length) for _ in range(count)]


class MultiprocessingPool(Arrays):
    name = "multiprocessing.Pool"
    imports = "import multiprocessing.pool"

    def __init__(self, workers=WORKERS):
        self.pool = multiprocessing.Pool(workers)

    def map(self, function, items, chunk=None):
        return self.pool.map(function, items, chunk)

    def unordered(self, function, items):
        """An iterator. Its own default is a chunk of 1, at 20 to 30 µs an element."""
        return self.pool.imap_unordered(function, items, default_chunk(len(items), WORKERS))

    def call(self, function, item):
        return self.pool.apply(function, (item,))

    def stop(self):
        self.pool.terminate()
        self.pool.join()


class Executor(Arrays):
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
    imports = "import concurrent.futures.process"
    make = staticmethod(ProcessPoolExecutor)


class Loky(Executor):
    name = "loky"
    takes_lambdas = True
    imports = "import loky"

    @staticmethod
    def make(workers):
        from loky import ProcessPoolExecutor as LokyExecutor

        return LokyExecutor(max_workers=workers)


class Mpire(Arrays):
    name = "mpire"
    imports = "import mpire"

    def __init__(self, workers=WORKERS):
        from mpire import WorkerPool

        self.pool = WorkerPool(n_jobs=workers, keep_alive=True)

    def map(self, function, items, chunk=None):
        # It would join arrays that come back.
        return self.pool.map(function, items, chunk_size=chunk, concatenate_numpy_output=False)

    def call(self, function, item):
        return self.pool.apply(function, (item,))

    def stop(self):
        self.pool.terminate()


class Pebble(Arrays):
    name = "pebble"
    imports = "import pebble"

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


class Joblib(Arrays):
    name = "joblib"
    takes_lambdas = True
    imports = "import joblib"

    def __init__(self, workers=WORKERS):
        import joblib

        self.joblib = joblib
        # The block keeps its workers from one call to the next.
        self.pool = joblib.Parallel(n_jobs=workers).__enter__()

    def map(self, function, items, chunk=None):
        self.pool.batch_size = chunk or "auto"
        delayed = self.joblib.delayed(function)
        return self.pool(delayed(item) for item in items)

    def call(self, function, item):
        return self.map(function, [item])[0]

    def stop(self):
        from joblib.externals.loky import get_reusable_executor

        self.pool.__exit__(None, None, None)
        get_reusable_executor().shutdown()


class MapEngine(Arrays):
    """Our package, in the place of multiprocessing.Pool."""

    name = "mapengine"
    takes_lambdas = True
    imports = "import mapengine"

    def __init__(self, workers=WORKERS):
        import mapengine

        self.pool = mapengine.Pool(workers)

    def map(self, function, items, chunk=None):
        return self.pool.map(function, items, chunk)

    def unordered(self, function, items):
        return self.pool.imap_unordered(function, items)

    def call(self, function, item):
        return self.pool.apply(function, (item,))

    def stop(self):
        self.pool.terminate()
        self.pool.join()

    @staticmethod
    def power():
        """`pow` of C over arrays, and what ends its workers."""
        import mapengine

        pool = mapengine.NativePool(WORKERS)
        return mapengine.cfunction("double pow(double x, double y)", library="libm.so.6", pool=pool), pool.close


class MapEngineInPlace(MapEngine):
    """With arrays in memory that workers see in place."""

    name = "mapengine, pool.empty"

    def arrays(self, count, length):
        return list(self.pool.empty((count, length)))


class MapEngineExecutor(Executor):
    """In the place of ProcessPoolExecutor."""

    name = "mapengine, Executor"
    takes_lambdas = True
    imports = "from mapengine import Executor, Pool"

    @staticmethod
    def make(workers):
        import mapengine

        return mapengine.Executor(workers)

    def map(self, function, items, chunk=None):
        return list(self.pool.map(function, items, chunksize=chunk or 1))


class MapEngineWorkers(Arrays):
    """What both stand on: a chunk is what was asked for, where `Pool` takes 1 for "choose"."""

    name = "mapengine, Workers"
    takes_lambdas = True

    def __init__(self, workers=WORKERS):
        import mapengine

        self.pool = mapengine.Workers(workers)

    def map(self, function, items, chunk=None):
        return self.pool.map(function, items, chunk_size=chunk, bulk=True).results()

    def call(self, function, item):
        return self.pool.submit(function, (item,)).result()

    def stop(self):
        self.pool.close()


class Serial(Arrays):
    """No pool: a loop in this process."""

    name = "serial"
    takes_lambdas = True

    def __init__(self, _workers=WORKERS):
        pass

    def map(self, function, items, chunk=None):
        return [function(item) for item in items]

    def call(self, function, item):
        return function(item)

    def stop(self):
        pass

    @staticmethod
    def power():
        import numpy

        return numpy.power, lambda: None


class Threads(Executor):
    """No processes: threads, for what does its work without the interpreter's lock."""

    name = "threads"
    make = staticmethod(ThreadPoolExecutor)


class Ctypes:
    """No pool: Python's own way to call a C function, in this process."""

    name = "Python ctypes"


POOLS = {
    pool.name: pool for pool in (
        MultiprocessingPool, ConcurrentFutures, Loky, Mpire, Pebble, Joblib, MapEngine, MapEngineInPlace, MapEngineExecutor,
        MapEngineWorkers, Serial, Threads, Ctypes,
    )
}

