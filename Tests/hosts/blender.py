"""Blender measured: bpy.app.timers with windows, a loop of the script's own with -b. blender [-b] --factory-startup --python blender.py"""
import os
import sys
import time

sys.path[:0] = os.environ["MEASURE_PYTHON"].split(":")

import bpy

import mapengine.hosts
from measure_host import Measure, say

background = bpy.app.background
say(f"host Blender {bpy.app.version_string} of Python {sys.version.split()[0]}, {'-b' if background else 'bpy.app.timers'}")


def quit():
    # In the middle of a job it ends with the job running.
    if not background:
        bpy.ops.wm.quit_blender()


measure = Measure(quit)
if background:
    assert mapengine.hosts.find() is None
    while not measure.ended:
        if measure.pool:
            measure.pool.wait(0.005)
            measure.pool.dispatch(budget=0.005)
        else:
            time.sleep(0.005)
        measure.tick()
else:
    bpy.app.timers.register(lambda: measure.tick() or 0.005)
    if measure.pool:
        attachment = mapengine.hosts.attach(measure.pool, interval=0.005)
        assert attachment.host == "blender", attachment.host
