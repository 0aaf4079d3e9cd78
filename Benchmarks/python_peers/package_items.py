"""What the rows of the Python package do to an element: Python functions at the top level of a module, because most pools find them by
name. Workers import this before their first call, so it imports nothing that takes time."""

import os
import time

ARRAY_NUMBERS = (1 << 20) // 8


def square(number):
    return number * number


def total(array):
    return float(array.sum())


def made(seed):
    """A new array of a mebibyte."""
    import numpy

    return numpy.full(ARRAY_NUMBERS, seed)


def same(value):
    return value


def spin(seconds):
    """Keeps a core busy for so long."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def hold(path):
    """Keeps a worker occupied until the file at `path` is gone."""
    while os.path.exists(path):
        time.sleep(0.0005)
