#!/usr/bin/env python3
"""One tool for Maya, Houdini, Nuke, Blender, Unreal, and for their batch modes: python3 relax.py runs it without any of them.

The scene is read on the main thread, numbers go to the workers, and what returns is written back on the main thread. With windows run()
returns at once and the application lives on; in batch mode it waits. Which of the two it is, mapengine.hosts finds out.

SPDX-License-Identifier: Apache-2.0
"""
import mapengine
import mapengine.hosts


def relaxed(points, neighbours, rounds):
    """Runs in a worker: moves each point towards the middle of its neighbours, again and again. Knows nothing of the application."""
    for _ in range(rounds):
        points = [[sum(points[other][axis] for other in around) / len(around) if around else points[index][axis] for axis in range(3)]
                  for index, around in enumerate(neighbours)]
    return points


def run(meshes, write, rounds=50):
    """meshes: (points, neighbours) of each. write(list of points of each mesh) puts them back; on the main thread."""
    rows = [(points, neighbours, rounds) for points, neighbours in meshes]
    host = mapengine.hosts.find()
    if host is None:  # mayapy, hython, nuke -t, blender -b, plain Python: no loop that could call back.
        write(mapengine.map(relaxed, rows))
    else:
        mapengine.map(relaxed, rows, callback=write)
    return host


if __name__ == "__main__":
    # A closed ring of points, twice.
    count = 200
    ring = [[float(index % 7), float(index % 5), 0.0] for index in range(count)]
    around = [[(index - 1) % count, (index + 1) % count] for index in range(count)]

    def write(results):
        spread = [max(point[0] for point in points) - min(point[0] for point in points) for points in results]
        print("wide before:", 6.0, "after:", [round(one, 2) for one in spread])

    host = run([(ring, around)] * 2, write)
    print("loop:", host, "interpreter of the workers:", mapengine.hosts.find_python())
