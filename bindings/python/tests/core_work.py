"""Functions for the workers of test_core_*.py, which workers import by name."""
import ctypes
import logging
import os
import signal
import sys
import time


def square(x):
    return x * x


def same(x):
    return x


def add(a, b=0, *, c=0):
    return a + b + c


def pid(_=None):
    return os.getpid()


def crash_at(x, bad, how):
    """Dies at element `bad`."""
    if x == bad:
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif how == "segv":
            ctypes.string_at(8)
        elif how == "exit":
            os._exit(3)
        elif how == "exit0":
            os._exit(0)
        elif how == "abort":
            os.abort()
    return x


def fail_at(x):
    if x % 3 == 0:
        raise ValueError(f"{x} is a multiple of three")
    return x


def sleep_at(x, slow, seconds):
    if x == slow:
        time.sleep(seconds)
    return x


class TwoArguments(Exception):
    """Does not come out of a pickle: its arguments are not those of __init__."""

    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")
        self.b = b


class Stubborn(Exception):
    """Cannot be pickled at all."""

    def __reduce__(self):
        raise TypeError("no pickle of this")


def raise_two(a, b):
    raise TwoArguments(a, b)


def raise_stubborn():
    raise Stubborn("a reason")


def raise_with_lock():
    import threading

    raise ValueError("held", threading.Lock())


def raise_exit():
    sys.exit(5)


class Unpicklable:
    """A result that cannot be sent."""

    def __reduce__(self):
        raise TypeError("this result stays here")


def unpicklable():
    return Unpicklable()


class Explodes:
    """A result whose pickle raises when it is loaded."""

    def __reduce__(self):
        return int, ("no number",)


def explodes():
    return Explodes()


def talk(x):
    print("line", x)
    print("part", x, end="")
    print("error", x, file=sys.stderr)


def log(x):
    logging.getLogger("test.worker").warning("number %d %s", x, "long " * 500)
    try:
        raise KeyError(x)
    except KeyError:
        logging.getLogger("test.worker").exception("an exception")
    logging.getLogger("test.quiet").debug("not for the host")
    return x


state = []


def initialize(path, value):
    state.append(value)
    with open(path, "a") as file:
        file.write("i")


def finalize():
    with open(os.environ["FINALIZED"], "a") as file:
        file.write("f")


def get_state(_=None):
    return list(state)


def failing_initializer():
    raise RuntimeError("no licence")


_views = []


def keep_view(array):
    _views.append(array)
    return int(array[0])


def kept(_=None):
    return [int(array[0]) for array in _views]


def write_to(array):
    try:
        array[0] = 1
    except ValueError:
        return "read-only"
    return "written"


def environment(name):
    return os.environ.get(name)


def random_numbers(_=None):
    import random

    return random.random()


def slowly(seconds):
    time.sleep(seconds)
    return os.getpid()


def busy(x):
    end = time.perf_counter() + 50e-6
    while time.perf_counter() < end:
        pass
    return x + 1


def mixed(x):
    return x if x % 100 else None


def note_and_die(index, path):
    """Counts up a byte of a file, as the element begins. Every 997th element kills its worker."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        count = os.pread(descriptor, 1, index)[0]
        os.pwrite(descriptor, bytes((count + 1,)), index)
    finally:
        os.close(descriptor)
    if index % 997 == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return index * 3 + 1


def note_and_die_of(pair):
    return note_and_die(*pair)


def talk_and_wait(path):
    """Waits until somebody has seen what it prints."""
    print("I wait", flush=True)
    end = time.monotonic() + 60
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.005)
    return "seen" if os.path.exists(path) else "not seen"


def note_and_wait(index, folder):
    """Leaves a file in the folder as it begins; ends when there is one that is called gate."""
    with open(f"{folder}/begun{index}", "w"):
        pass
    end = time.monotonic() + 60
    while not os.path.exists(f"{folder}/gate") and time.monotonic() < end:
        time.sleep(0.005)
    return index
