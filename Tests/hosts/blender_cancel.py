"""Esc in the window while host-examples/blender displaces a mesh: blender --enable-event-simulate --python blender_cancel.py

The add-on was installed by blender_addon.py.
"""
import os
import signal
import sys
import traceback

import bpy
import numpy

bpy.ops.preferences.addon_enable(module="mapengine_displace")
addon = sys.modules["mapengine_displace"]
addon.pool()
import mapengine_abi as abi  # noqa: E402  # The add-on has put its folder on sys.path.


def positions(mesh):
    values = numpy.empty(len(mesh.vertices) * 3, numpy.float32)
    mesh.vertices.foreach_get("co", values)
    return values


def begin():
    window = bpy.context.window_manager.windows[0]
    area = next(one for one in window.screen.areas if one.type == "VIEW_3D")
    with bpy.context.temp_override(window=window, area=area, region=next(one for one in area.regions if one.type == "WINDOW")):
        bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=7, radius=1)
        mesh = bpy.context.active_object.data
        before = positions(mesh)
        # Workers that are stopped are not done before the key comes.
        pool = addon.pool()
        pool.start()
        info = abi.mape_worker_info()
        for index in range(pool.stats().workers):
            assert pool.lib.mape_pool_worker(abi.byref(info), pool.handle, index) == 0
            os.kill(info.pid, signal.SIGSTOP)
        assert bpy.ops.object.mapengine_displace("INVOKE_DEFAULT") == {"RUNNING_MODAL"}
        window.event_simulate(type="ESC", value="PRESS", x=area.x + area.width // 2, y=area.y + area.height // 2)
    return mesh, before


def step():
    try:
        if not state:
            state.extend(begin())
            return 0.05
        if not addon.pool().idle():
            return 0.05
        mesh, before = state
        assert numpy.array_equal(positions(mesh), before), "the mesh has changed"
        print("right: cancelled", flush=True)
        bpy.ops.wm.quit_blender()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


state = []
bpy.app.timers.register(step, first_interval=0.5)
