"""interrupt_host.py - a host that waits by ctypes and gets SIGINT meanwhile: KeyboardInterrupt comes at once, not when the item ends.

Run by test_interrupt.c, which knows the header: interrupt_host.py LIBRARY WORKERS signal|call SIZE-AND-OFFSETS...
The way is `signal`, a pool that is interruptible; or `call`, a thread that calls mape_pool_interrupt, woken by the descriptor that Python
writes each signal to.

SPDX-License-Identifier: Apache-2.0
"""

import ctypes
import os
import signal
import struct
import sys
import threading
import time

library, workers, way = sys.argv[1:4]
config_size, interruptible, function_size, function_library, run_symbol, grace, sleeps = map(int, sys.argv[4:11])
engine = ctypes.CDLL(library)
void = ctypes.c_void_p


def ok(status):
    if status != 0:
        raise SystemExit(f"status {status}")


def structure(size, *fields):
    bytes_of = ctypes.create_string_buffer(size)
    struct.pack_into("N", bytes_of, 0, size)
    for offset, form, value in fields:
        struct.pack_into(form, bytes_of, offset, value)
    return bytes_of


config = structure(config_size, (interruptible, "I", way == "signal"), (grace, "q", 100_000_000))
path, symbol = ctypes.create_string_buffer(os.fsencode(workers)), ctypes.create_string_buffer(b"run_fault")
function = structure(
    function_size, (function_library, "P", ctypes.addressof(path)), (run_symbol, "P", ctypes.addressof(symbol))
)
pool, job, number = void(), void(), ctypes.c_uint32()
ok(engine.mape_pool_create(ctypes.byref(pool), config))
ok(engine.mape_function_register(ctypes.byref(number), pool, function))
ok(engine.mape_pool_start(pool, ctypes.c_int64(-1)))
item = struct.pack("QII", 1, sleeps, 0)
ok(engine.mape_apply(ctypes.byref(job), pool, number, item, ctypes.c_size_t(len(item)), None))

if way == "call":
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)

    def interrupt():
        while os.read(reading, 1):
            engine.mape_pool_interrupt(pool)

    threading.Thread(target=interrupt, daemon=True).start()

waits = threading.Event()
main = threading.get_native_id()


def press():
    """Sends SIGINT when the main thread has slept for a while in the call."""
    waits.wait()
    asleep = 0
    while asleep < 50:
        with open(f"/proc/self/task/{main}/stat", encoding="ascii") as stat:
            asleep = asleep + 1 if stat.read().rsplit(")", 1)[1].split()[0] == "S" else 0
        time.sleep(0.002)
    os.kill(os.getpid(), signal.SIGINT)


for _ in range(3):
    waits.clear()
    presser = threading.Thread(target=press)
    presser.start()
    try:
        waits.set()
        engine.mape_job_wait(job, ctypes.c_int64(-1))
        raise SystemExit("the wait ended without a KeyboardInterrupt")
    except KeyboardInterrupt:
        pass
    presser.join()

assert engine.mape_job_wait(job, ctypes.c_int64(0)) == -8  # MAPE_E_AGAIN: the item goes on
ok(engine.mape_pool_release(pool))
