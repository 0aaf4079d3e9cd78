"""interrupt_host.py - a host that waits by ctypes and gets SIGINT meanwhile: KeyboardInterrupt comes at once, not when the item ends.

Run by test_interrupt.c: interrupt_host.py LIBRARY WORKERS signal|call SLEEPS, with mapengine_abi.py in PYTHONPATH. SLEEPS is the way of
run_fault that sleeps (workers.h).
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

import mapengine_abi as abi
from mapengine_abi import byref

library, workers, way = sys.argv[1:4]
sleeps = int(sys.argv[4])
engine = abi.load(library)


def ok(status):
    if status != abi.MAPE_OK:
        raise SystemExit(f"status {status}")


config = abi.mape_pool_config(interruptible=way == "signal", grace_ns=abi.MAPE_MILLISECONDS(100))
function = abi.mape_function(library=os.fsencode(workers), run_symbol=b"run_fault")
pool, job, number = abi.mape_pool(), abi.mape_job(), ctypes.c_uint32()
ok(engine.mape_pool_create(byref(pool), byref(config)))
ok(engine.mape_function_register(byref(number), pool, byref(function)))
ok(engine.mape_pool_start(pool, abi.MAPE_FOREVER))
item = struct.pack("QII", 1, sleeps, 0)
ok(engine.mape_apply(byref(job), pool, number, item, len(item), None))

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
        engine.mape_job_wait(job, abi.MAPE_FOREVER)
        raise SystemExit("the wait ended without a KeyboardInterrupt")
    except KeyboardInterrupt:
        pass
    presser.join()

assert engine.mape_job_wait(job, 0) == abi.MAPE_E_AGAIN  # The item goes on.
ok(engine.mape_pool_release(pool))
