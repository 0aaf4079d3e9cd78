"""Run by Blender: blender -b --python new_addon.py -- ZIP NAME. Installs an add-on that `mapengine new plugin` wrote, and looks at what it does."""

import sys

import bpy
import numpy

archive, name = sys.argv[sys.argv.index("--") + 1 :]
bpy.ops.preferences.addon_install(filepath=archive)
bpy.ops.preferences.addon_enable(module=name)
bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=7, radius=1)
mesh = bpy.context.active_object.data


def positions():
    values = numpy.empty(len(mesh.vertices) * 3, numpy.float32)
    mesh.vertices.foreach_get("co", values)
    return values.reshape(-1, 3)


before = positions()
assert getattr(bpy.ops.object, name.lower())() == {"FINISHED"}
expected = before * (1 + 0.1 * numpy.sin(before * 9).prod(axis=1))[:, None]
assert numpy.abs(positions() - expected).max() < 1e-4
assert numpy.abs(positions() - before).max() > 0.01
bpy.ops.preferences.addon_disable(module=name)
print("Blender", bpy.app.version_string, "moved", len(before), "vertices")
