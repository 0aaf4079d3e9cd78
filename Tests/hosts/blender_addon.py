"""host-examples/blender, installed from its zip as users do: blender -b --python blender_addon.py -- ZIP FOLDER

Renders an icosphere before and after, as FOLDER/blender-before.png and -after.png. SIZE in the environment is the pictures' width.
"""
import os
import sys

import bpy
import numpy

archive, folder = sys.argv[sys.argv.index("--") + 1:]
print("Blender", bpy.app.version_string)
bpy.ops.preferences.addon_install(filepath=archive)
bpy.ops.preferences.addon_enable(module="mapengine_displace")
bpy.ops.wm.save_userpref()


def positions(mesh):
    values = numpy.empty(len(mesh.vertices) * 3, numpy.float32)
    mesh.vertices.foreach_get("co", values)
    return values.reshape(-1, 3)


def sphere():
    bpy.ops.object.select_all(action="DESELECT")
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=8, radius=1)
    return bpy.context.active_object.data


def render(name):
    bpy.context.scene.render.filepath = os.path.join(folder, name)
    bpy.ops.render.render(write_still=True)


for one in list(bpy.data.objects):
    if one.type == "MESH":
        bpy.data.objects.remove(one)
mesh = sphere()
bpy.ops.object.shade_smooth()
material = bpy.data.materials.new("rock")
material.use_nodes = True
material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (0.42, 0.30, 0.22, 1)
material.node_tree.nodes["Principled BSDF"].inputs["Roughness"].default_value = 0.85
mesh.materials.append(material)
scene = bpy.context.scene
scene.render.engine = "CYCLES"
scene.cycles.samples = int(os.environ.get("SAMPLES", 4))
scene.cycles.use_denoising = False
scene.render.resolution_x = scene.render.resolution_y = int(os.environ.get("SIZE", 96))
scene.view_settings.view_transform = "Standard"
camera, light = bpy.data.objects["Camera"], bpy.data.objects["Light"]
camera.location, camera.rotation_euler = (0, -4.2, 0), (1.5708, 0, 0)
light.location, light.data.type, light.data.energy = (4, -3, 4), "SUN", 3.5
light.rotation_euler = (0.9, 0.3, 0.6)

before = positions(mesh)
render("blender-before.png")
assert bpy.ops.object.mapengine_displace(strength=0.45) == {"FINISHED"}
after = positions(mesh)
render("blender-after.png")
moved = numpy.linalg.norm(after - before, axis=1)
# Along the normals of a sphere around nothing: each vertex stays in its direction.
direction = numpy.abs(numpy.sum(after * before, axis=1) / numpy.linalg.norm(after, axis=1) / numpy.linalg.norm(before, axis=1))
blocks = -(-len(before) // 1024)
assert (moved > 0).mean() > 0.99 and moved.max() < 0.6 and direction.min() > 0.999, (moved.max(), direction.min())
print(f"right: {blocks} of {blocks} blocks")

mesh = sphere()
before = positions(mesh)
assert bpy.ops.object.mapengine_displace(strength=0.45, crash=True) == {"FINISHED"}
moved = numpy.linalg.norm(positions(mesh) - before, axis=1)
assert not moved[:1024].any() and (moved[1024:] > 0).mean() > 0.99
print(f"right: {blocks - 1} of {blocks} blocks")
bpy.ops.preferences.addon_disable(module="mapengine_displace")
