"""An add-on of Blender: displaces the active mesh by fractal noise that C code in worker processes computes.

In the 3D view, F3 "Displace in workers", or the menu Object. The window stays alive, a bar shows how far it is, Esc cancels and leaves the mesh
as it was. With `blender -b` the same operator waits. Code that crashes costs its block of vertices, which stay where they were.

`make` packs it with all that it needs into build/mapengine_displace.zip: Preferences, Add-ons, Install. Written for Blender 3.4 and later.

SPDX-License-Identifier: Apache-2.0
"""
import ctypes
import os
import stat
import struct
import sys

import bpy
import numpy

HERE = os.path.dirname(os.path.abspath(__file__))

bl_info = {
    "name": "Displace in workers",
    "author": "MapEngine",
    "version": (1, 0, 0),
    "blender": (3, 4, 0),
    "category": "Object",
    "description": "Fractal displacement by C code in worker processes",
    "location": "3D view, Object",
}

SETTINGS = struct.Struct("=fffii")  # struct settings of displace.c
BLOCK = 1024  # Vertices per item.
_pool = None


def pool():
    """One for the whole session. Its processes start with the first use."""
    global _pool, _displace
    if _pool is None:
        # The library lies in the add-on as it would in /usr/local.
        for folder in (HERE, os.path.join(HERE, "mapengine", "share", "mapengine")):
            if folder not in sys.path:
                sys.path.append(folder)
        import cpool

        # Below the window's priority, so that drawing gets its turn.
        _pool = cpool.CPool(nice=0 if bpy.app.background else 5)
        _displace = _pool.function(os.path.join(HERE, "libdisplace.so"), "displace_vertices")
    return _pool


class OBJECT_OT_mapengine_displace(bpy.types.Operator):
    """Displace the active mesh by fractal noise, in worker processes"""

    bl_idname = "object.mapengine_displace"
    bl_label = "Displace in workers"
    bl_options = {"REGISTER", "UNDO"}

    strength: bpy.props.FloatProperty(name="Strength", default=0.35, soft_min=0, soft_max=2)
    scale: bpy.props.FloatProperty(name="Scale", default=1.1, min=0.001, soft_max=20)
    octaves: bpy.props.IntProperty(name="Octaves", default=9, min=1, max=24)
    seed: bpy.props.FloatProperty(name="Seed", default=0)
    crash: bpy.props.BoolProperty(name="Crash", description="Have the worker of the first block crash", default=False)

    @classmethod
    def poll(cls, context):
        return context.active_object is not None and context.active_object.type == "MESH" and context.mode == "OBJECT"

    # ---- The work: the same with a window and without. ----

    def begin(self, context):
        mesh = context.active_object.data
        self.mesh = mesh.name
        count = len(mesh.vertices)
        vertices = numpy.empty((count, 2, 3), numpy.float32)
        for column, name in enumerate(("co", "normal")):
            values = numpy.empty(count * 3, numpy.float32)
            mesh.vertices.foreach_get(name, values)
            vertices[:, column] = values.reshape(-1, 3)
        self.moved = vertices[:, 0].copy()
        self.result = None
        settings = SETTINGS.pack(self.strength, self.scale, self.seed, self.octaves, self.crash)
        blocks = [vertices[first:first + BLOCK].tobytes() for first in range(0, count, BLOCK)]
        data = ctypes.create_string_buffer(settings, len(settings))
        running = pool()
        self.job = running.map(_displace, blocks, self.block_done, self.all_done, data=ctypes.addressof(data), data_size=len(settings))

    def block_done(self, index, result):
        if result.size:
            moved = numpy.frombuffer(ctypes.string_at(result.data, result.size), numpy.float32).reshape(-1, 3)
            self.moved[index * BLOCK:index * BLOCK + len(moved)] = moved

    def all_done(self, progress):
        self.result = {name: getattr(progress, name) for name in ("total", "ok", "crashed", "failed", "cancelled")}

    def end(self):
        """Moves the vertices, unless the user has cancelled, or has changed the mesh meanwhile."""
        mesh = bpy.data.meshes.get(self.mesh)
        if self.result["cancelled"] or mesh is None or len(mesh.vertices) != len(self.moved):
            self.report({"INFO"}, "Cancelled")
            return {"CANCELLED"}
        lost = self.result["total"] - self.result["ok"]
        mesh.vertices.foreach_set("co", self.moved.reshape(-1))
        mesh.update()
        self.report({"WARNING" if lost else "INFO"}, f"{self.result['ok']} of {self.result['total']} blocks displaced")
        return {"FINISHED"}

    # ---- Without a window: wait. ----

    def execute(self, context):
        self.begin(context)
        while self.result is None:
            pool().wait(0.1)
            pool().dispatch()
        return self.end()

    # ---- With one: a timer brings Blender here, and other events too. ----

    def invoke(self, context, event):
        if bpy.app.background:
            return self.execute(context)
        self.begin(context)
        self.timer = context.window_manager.event_timer_add(0.02, window=context.window)
        context.window_manager.progress_begin(0, 1)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        if event.type == "ESC" and event.value == "PRESS":
            self.job.cancel()
        if event.type != "TIMER":
            return {"PASS_THROUGH"} if event.type != "ESC" else {"RUNNING_MODAL"}
        pool().dispatch(budget=0.005)
        if self.result is None:
            context.window_manager.progress_update(self.job.progress().fraction)
            context.workspace.status_text_set(f"Displacing: {self.job.progress().fraction:.0%}. Esc cancels")
            return {"RUNNING_MODAL"}
        context.window_manager.event_timer_remove(self.timer)
        context.window_manager.progress_end()
        context.workspace.status_text_set(None)
        return self.end()


def menu(self, context):
    self.layout.operator_context = "INVOKE_DEFAULT"
    self.layout.operator(OBJECT_OT_mapengine_displace.bl_idname)


def register():
    # Blender's own installer does not keep the modes of a zip's files.
    for name in os.listdir(os.path.join(HERE, "mapengine", "libexec")):
        path = os.path.join(HERE, "mapengine", "libexec", name)
        if not os.access(path, os.X_OK):
            os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    bpy.utils.register_class(OBJECT_OT_mapengine_displace)
    bpy.types.VIEW3D_MT_object.append(menu)


def unregister():
    global _pool
    bpy.types.VIEW3D_MT_object.remove(menu)
    bpy.utils.unregister_class(OBJECT_OT_mapengine_displace)
    if _pool is not None:
        _pool.close()
        _pool = None
