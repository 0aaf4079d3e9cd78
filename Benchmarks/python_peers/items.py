"""What is done to an item. Functions at the top level of a module, because pools find them by name.

The small rows call a Python function for each item, as a user of these pools would; the large rows call the same machine code as
the native systems.
"""

import ctypes
import os
import struct
import time

# A smoke run (scripts/bench.sh --smoke): every row does a little of its work, and no figure counts.
SMOKE = "BENCH_SMOKE" in os.environ
PAYLOADS = 64
PAYLOAD_SIZE = 1 << 20
WORKERS = 2


def sized(full, smoke):
    """A size of a row, or the one that it has in a smoke run."""
    return smoke if SMOKE else full


_work = ctypes.CDLL(os.environ["BENCH_PYTHON_WORK"])
_work.peer_line.restype = ctypes.c_double
_work.peer_line.argtypes = [ctypes.c_double]
_work.peer_sum.restype = ctypes.c_uint64
_work.peer_sum.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
_work.peer_fill.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint64]
_work.peer_is_filled.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]
_work.peer_walk.restype = ctypes.c_uint64
_work.peer_walk.argtypes = [ctypes.c_uint64, ctypes.c_uint64]
_work.peer_walk_end.restype = ctypes.c_uint64
_work.peer_walk_end.argtypes = [ctypes.c_uint64, ctypes.c_uint64]
_work.peer_uneven_items.restype = ctypes.c_size_t
_work.peer_uneven_items.argtypes = [ctypes.POINTER(ctypes.c_uint64), ctypes.c_size_t]


line = _work.peer_line


def square(number):
    return number * number


def word_sum(payload):
    return _work.peer_sum(payload, len(payload))


def fill(seed, size=PAYLOAD_SIZE):
    payload = bytearray(size)
    _work.peer_fill((ctypes.c_char * size).from_buffer(payload), size, seed)
    return payload


def filled(seed):
    """`fill`, as the bytes that a pool sends back."""
    return bytes(fill(seed))


def is_filled(payload, seed):
    return bool(_work.peer_is_filled(bytes(payload), len(payload), seed))


def walk(packed):
    """One item of computation, packed into bytes because mpire would take a tuple for several arguments."""
    return _work.peer_walk(*struct.unpack("QQ", packed))


def walk_end(packed):
    return _work.peer_walk_end(*struct.unpack("QQ", packed))


def uneven_items():
    room = 1 << 16
    words = (ctypes.c_uint64 * room)()
    count = _work.peer_uneven_items(words, room)
    return [struct.pack("QQ", words[2 * i], words[2 * i + 1]) for i in range(count)]


def who(_):
    return os.getpid()


def hold(path):
    """Keeps a worker occupied until the file at `path` is gone; writes the worker's process id into it first."""
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    while os.path.exists(path):
        time.sleep(0.0005)
    return 0
