"""Maps over nodes, for test_python.py: `same.py URL [TRIAL]`. Makes each trial with a pool of this machine and with one that has workers on other
machines alone, and compares, bit by bit. Functions are those of a program, so they travel by value.
"""

import asyncio
import os
import sys

import mapengine
import numpy

import work

FACTOR = 3
TABLE = {n: str(n) * 3 for n in range(4000)}


def square(x):
    return x * x


def scaled(x):
    return x * FACTOR


def looked_up(x):
    return TABLE[x % 4000]


def fails(x):
    if x % 7 == 3:
        raise ValueError(f"{x} will not do", x)
    if x % 7 == 5:
        raise work.TwoArguments("a", x)
    return x


def rows(x):
    return numpy.full(3, x, "f4")


def roots(part):
    return numpy.sqrt(part)


def totals(array):
    return float(array.sum()), array.dtype.str, array.shape, array.flags.writeable


def ramp(n):
    return numpy.arange(n, dtype="u2").reshape(2, -1)


class Adder:
    """A work object of MapScale."""

    def __init__(self, base):
        self.base = base

    def setup(self):
        self.more = numpy.arange(10)

    def __call__(self, x):
        return self.base + int(self.more[x % 10])

    def cleanup(self):
        print("cleaned up")


class Point:
    def __init__(self, x):
        self.x = x


# ---- What has to be the same. ----


def some_values(x):
    return [None, True, False, x, -x, 1 << 62, 1 << 80, x / 3, "", "short", "a longer text", b"", b"bytes" * x, (x, [x]), {"k": x}, {x, -1},
            complex(x, 1), range(x), Point, "\ud800", slice(x)][x % 21]


def trial_square(pool):
    return pool.map(square, range(2000))


def trial_by_name(pool):
    return pool.map(work.half, list(range(500)))


def trial_lambda_and_closure(pool):
    add = 11
    return pool.map(lambda x: x + add, [1, 2.5, 3]), pool.starmap(lambda a, b: (b, a), zip("abc", range(3)))


def trial_globals_of_main(pool):
    global FACTOR
    FACTOR = 3
    first = pool.map(scaled, range(10))
    FACTOR = 5
    return first, pool.map(scaled, range(10))


def trial_large_function(pool):
    return pool.map(looked_up, range(0, 9000, 7))


def trial_values(pool):
    return pool.map(some_values, range(210))


def trial_large_elements(pool):
    return pool.map(len, [b"x" * (n * 20000) for n in range(8)]), pool.map(bytes, [200_000, 5, 70_000])


def trial_arrays_in(pool):
    own = pool.empty((400, 300), "f8")
    own[:] = 0.5
    return pool.map(totals, [numpy.arange(n, dtype="i4") for n in (3, 5000, 200_000)]), pool.map(totals, [own, own[10:50]]), \
        pool.apply(totals, (numpy.ones((300, 400), "f4"),))


def trial_arrays_out(pool):
    return pool.map(ramp, [10, 30_000, 1_000_000])


def trial_kept_arrays(pool):
    pool.map(work.keep, [numpy.full(30_000, n) for n in range(12)], 1)
    pool.map(totals, [numpy.zeros(30_000) for _ in range(12)], 1)
    return sorted(set(pool.map(work.are_kept_ones_whole, range(40), 1)))


def trial_out(pool):
    out = numpy.zeros((200, 3), "f4")
    return pool.map(rows, range(200), out=out), pool.map(square, range(300), out=numpy.zeros(300, "i8"))


def trial_vectorized(pool):
    points = numpy.arange(30_000, dtype="f8")
    return pool.map(roots, points, vectorized=True), pool.map(roots, range(9000), out=numpy.zeros(9000, "f4"), vectorized=True)


def trial_exceptions(pool):
    job = pool._workers.map(fails, range(50))
    found = []
    for index in range(50):
        try:
            found.append(next(job))
        except Exception as error:
            found.append((type(error).__name__, error.args, str(error), "in fails" in str(error.__cause__)))
    return found


def trial_imap(pool):
    return list(pool.imap(square, iter(range(700)))), sorted(pool.imap_unordered(square, (x for x in range(300)), 5))


def trial_calls(pool):
    return [one.get() for one in [pool.apply_async(work.call, (x,), {"b": x * 2}) for x in range(40)]]


def trial_bound_names(pool):
    def hypotenuse(a, b):
        return m.sqrt(a * a + b * b) * scale  # noqa: F821

    return mapengine.map(hypotenuse, [(3, 4), (5, 12)], modules=["math as m"], runtime_globals={"scale": 10})


def trial_processor(pool):
    with mapengine.Processor(Adder(100), 2, **pool.options) as processor:
        return processor(range(200)), list(processor.imap(range(50)))


def trial_initializer(pool):
    with mapengine.Executor(2, initializer=work.prepare, initargs=(40,), **pool.options) as executor:
        return list(executor.map(work.prepared, range(40))), executor.submit(divmod, 17, 5).result()


def trial_environment(pool):
    with mapengine.Pool(1, env={"FOR_WORKERS": "yes", "HOME": None}, **pool.options) as inner:
        return inner.map(work.variable, ["FOR_WORKERS", "HOME", "MAPENGINE_CLUSTER"])


def trial_sandbox(pool):
    with mapengine.Executor(1, sandbox=True, **pool.options) as executor:
        return executor.submit(sorted, [3, 1]).result(), type(executor.submit(open, "/tmp/x", "w").exception()).__name__


def trial_copies(pool):
    with mapengine.Executor(1, mp_context="fork", **pool.options) as executor:
        return list(executor.map(scaled, range(20))), executor.submit(work.half, 5).result()


def trial_asyncio(pool):
    async def all_of():
        return await pool.amap(square, range(100)), [x async for x in pool.amap(lambda a, b: a + b, "abc", "def")], await pool.aapply(len, "four")

    return asyncio.run(all_of())


def trial_c_functions(pool):
    inner = mapengine.NativePool(1, **pool.options)
    return mapengine.cfunction("double cbrt(double)", "libm.so.6", pool=inner)(numpy.arange(1000.0))


def canon(value):
    """All of a value, as a text."""
    if isinstance(value, numpy.ndarray):
        return f"array {value.dtype.str} {value.shape} {value.flags.writeable} {value.tobytes().hex()}"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}[{', '.join(map(canon, value))}]"
    return f"{type(value).__name__} {value!r}"


def same(url, only=""):
    """The pool of `map` and of trials that make their own has the cluster by the environment, as a program would that was not changed."""
    trials = [(name[6:], found) for name, found in list(globals().items()) if name.startswith("trial_") and only in name]
    outcomes = []
    for options in {"cluster": ""}, {"cluster_only": True}:
        if "cluster" not in options:
            os.environ["MAPENGINE_CLUSTER"] = url
        mapengine.configure(2, **options)
        with mapengine.Pool(2, **options) as pool:
            pool.options = options
            outcomes.append([canon(trial(pool)) for _, trial in trials])
            stats = pool.stats()
        mapengine.shutdown()
    for (name, _), here, there in zip(trials, *outcomes):
        print("same" if here == there else f"FAILED: {here[:300]} and {there[:300]}", name)
    print("nodes", stats.get("nodes"), "here", stats.get("workers_started"))


if __name__ == "__main__":
    same(*sys.argv[1:])
