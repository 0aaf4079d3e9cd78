"""Functions that workers of host.py import by name."""

import os

_kept = []
_lock = None
_ready = {}


class TwoArguments(Exception):
    """Does not come out of a pickle: its arguments are not those of __init__."""

    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")


def half(x):
    return x / 2


def call(a, b=0):
    return a, b


def keep(array):
    _kept.append((float(array[0]), array))


def are_kept_ones_whole(_):
    return all(bool((array == first).all()) for first, array in _kept)


def prepare(count):
    _ready.update({n: n * n for n in range(count)})


def prepared(x):
    return _ready[x]


def refuse(host):
    """An initializer that fails everywhere but below the process `host`."""
    raise LookupError("no licence")


def hold(lock):
    global _lock
    _lock = lock


def locked(x):
    with _lock:
        return x


def variable(name):
    return os.environ.get(name)


def environment(_):
    return sorted(name for name in os.environ if name in ("MAPENGINE_CLUSTER", "_MAPENGINE_SHARED"))
