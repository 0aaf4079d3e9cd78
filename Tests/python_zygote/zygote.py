"""zygote.py - a Python as the zygote: its workers run functions that are written in Python, without any library of C.

    python3 zygote.py [--replay FILE]

MAPE_LIBRARY is the library's path; mapengine_abi.py is in PYTHONPATH.

SPDX-License-Identifier: Apache-2.0
"""

import ctypes
import faulthandler
import os
import signal
import struct
import sys
import traceback

import mapengine_abi as abi
from mapengine_abi import byref

engine = abi.load(os.environ["MAPE_LIBRARY"])
kept = []  # What C calls must stay.
factor = 0  # Set before the fork: all workers have it.
inside = False  # Whether the function of an item runs,
asked = False  # and whether the item was asked to stop, perhaps before that.


def on_stop(number, frame):
    """Raises KeyboardInterrupt where it is caught."""
    global asked
    asked = True
    if inside:
        raise KeyboardInterrupt


def setup(task, data, size, out_state):
    """What an interpreter wants done once per worker: its own stack in reports, and KeyboardInterrupt for SIGINT."""
    faulthandler.enable(file=engine.mape_task_report_fd(task))
    signal.signal(signal.SIGINT, on_stop)
    return 0


def offer(body):
    """Offers a Python function: it gets the task and the item's bytes, and returns the result's. An error in it fails the item."""

    def run(task, state, data, size):
        global inside, asked
        try:
            try:
                inside = True
                if asked:
                    raise KeyboardInterrupt
                result = body(task, ctypes.string_at(data, size))
            finally:
                inside = False
        except KeyboardInterrupt:
            asked = False
            return 1  # The item ends as its job does.
        except Exception:
            return engine.mape_task_fail(task, 1, traceback.format_exc().encode())
        ctypes.memmove(engine.mape_task_output(task, len(result)), result, len(result))
        return 0

    function = abi.mape_zygote_function(
        name=body.__name__.encode(), run=abi.mape_run_fn(run), setup=abi.mape_setup_fn(setup)
    )
    kept.append(function)
    if engine.mape_zygote_offer(byref(function)) != abi.MAPE_OK:
        sys.exit(f"{body.__name__} could not be offered")


@offer
def multiply(task, item):
    """The number times what the zygote has set, and who has done it."""
    return struct.pack("dq", struct.unpack("d", item)[0] * factor, os.getpid())


@offer
def square_root(task, item):
    number = struct.unpack("d", item)[0]
    if number < 0:
        raise ValueError(f"no square root of {number:g}, says Python")
    return struct.pack("d", number**0.5)


def reads_nothing():
    return ctypes.string_at(8)


@offer
def crash(task, item):
    return reads_nothing()


@offer
def endless(task, item):
    engine.mape_task_log(task, abi.MAPE_LOG_INFO, b"the endless item runs")
    while True:
        pass


factor = 3.0
arguments = [os.fsencode(word) for word in sys.argv]
sys.exit(engine.mape_zygote_main(len(arguments), (ctypes.c_char_p * (len(arguments) + 1))(*arguments)))
