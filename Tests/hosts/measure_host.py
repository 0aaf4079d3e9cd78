"""What measure.py asks of a host, for hosts that speak Python: python_*.py and blender.py bring their loops.

    measure = measure_host.Measure(quit=application.quit)
    measure.pool        to be attached to the loop; None without MapEngine
    measure.tick()      every 5 ms

SPDX-License-Identifier: Apache-2.0
"""
import ctypes
import os
import struct
import threading
import time

import mapengine_abi as abi
from cpool import CPool

COUNT, HALF, CRASH, ENDLESS = 400, 200, 100, 390
FOLLOWING = {"map": "cancel", "cancel": "crash"}


def say(text):
    print(text, flush=True)


class Measure:
    """`quit` ends the host as its users do; it is called on the loop's thread."""

    def __init__(self, quit):
        self.mode = os.environ["MEASURE_MODE"]
        self.quit = quit
        self.pool = None
        self.ended = False
        self.gap = 0.0
        self.last = None
        self.began = time.monotonic()
        if self.mode != "beside":
            self.pool = CPool(workers=2)
            self.square = self.pool.function(os.environ["MEASURE_WORK"], "work_square")
            self.pool.start()
            self.submit("map" if self.mode == "run" else "quit")

    def submit(self, phase):
        """The next job: "map"; "cancel" and "quit", whose last items never end; "crash"."""
        values = [1e6 if phase in ("cancel", "quit") and index >= ENDLESS else float(index) for index in range(COUNT)]
        if phase == "crash":
            values[CRASH] = -1.0
        self.phase, self.seen, self.right, self.main, self.gap, self.last, self.crashed = phase, 0, 0, 0, 0.0, None, ""
        self.job = self.pool.map(self.square, [struct.pack("d", value) for value in values], self.item, self.done)

    def tick(self):
        """Notes the longest time between two ticks."""
        now = time.monotonic()
        if self.last is not None:
            self.gap = max(self.gap, now - self.last)
        self.last = now
        if self.mode == "beside" and now - self.began >= 1 and not self.ended:
            self.ended = True
            say(f"beside gap={self.gap * 1e3:.1f}")
            self.quit()

    def item(self, index, result):
        self.seen += 1
        self.main += threading.current_thread() is threading.main_thread()
        if result.state == abi.MAPE_ITEM_OK:
            self.right += ctypes.cast(result.data, ctypes.POINTER(ctypes.c_double))[0] == index * index
        if result.state == abi.MAPE_ITEM_CRASHED:
            self.crashed = f" item={index} signal={result.code}"
        if self.seen == HALF and self.phase == "cancel":
            self.job.cancel()
        if self.seen == HALF and self.phase == "quit":
            say("quit in the middle")
            self.ended = True
            self.quit()

    def done(self, progress):
        if self.ended:
            return
        say(f"{self.phase} ok={progress.ok} right={self.right} main={self.main} failed={progress.failed} crashed={progress.crashed} "
            f"cancelled={progress.cancelled} gap={self.gap * 1e3:.1f}{self.crashed}")
        if self.phase in FOLLOWING:
            self.submit(FOLLOWING[self.phase])
            return
        self.ended = True
        self.pool.close()
        self.quit()
