"""Pools in applications: Blender's where it is there, Maya's, Houdini's, Nuke's and Unreal's by modules that have what their documentation
says."""
import shutil
import subprocess
import sys
import textwrap

import pytest
from hostrun import COUNT, HERE, PACKAGE, POOLS, SEEDS, needs, run


BLENDER = f"""
import sys
sys.path[:0] = [{str(HERE)!r}, {str(PACKAGE)!r}]
import bpy, mapengine, hostpool
"""


def blender(code, *arguments, display=False):
    program = shutil.which("blender")
    if program is None:
        pytest.skip("there is no blender")
    asked = subprocess.run([program, "-b", "--factory-startup", "--python-expr", "import sys; print('version', *sys.version_info[:2])"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode()
    if f"version {sys.version_info[0]} {sys.version_info[1]}" not in asked:
        pytest.skip(f"blender has another Python, or does not run here: {asked[-200:]}")
    return run(BLENDER + textwrap.dedent(code), command=[program, *arguments, "--factory-startup", "--python-expr"], display=display)


@pytest.mark.once
@POOLS
def test_blender_with_windows(pool):
    blender(f"""
        assert mapengine.hosts.find() == "blender"
        pool = hostpool.{pool}()
        pool.start({COUNT})
        attachment = mapengine.hosts.attach(pool, budget=0.0005)
        def tick():
            if not pool.idle():
                return 0.01
            pool.check(rounds=2)
            attachment.detach()
            print("right", flush=True)
            pool.close()
            bpy.ops.wm.quit_blender()
        bpy.app.timers.register(tick)
    """, display=True)


@pytest.mark.once
def test_callbacks_of_map_in_blender():
    blender(textwrap.dedent(SEEDS.format(end="")) + textwrap.dedent("""
        def tick():
            if len(told) < 3:
                return 0.01
            check()
            bpy.ops.wm.quit_blender()
        bpy.app.timers.register(tick)
    """), display=True)


@pytest.mark.once
def test_blender_in_batch_mode_is_polled():
    blender(f"""
        assert mapengine.hosts.find() is None
        pool = hostpool.EventPool()
        pool.start({COUNT})
        try:
            mapengine.hosts.attach(pool)
            raise SystemExit("attached")
        except RuntimeError as error:
            assert "dispatch()" in str(error)
        while not pool.idle():
            pool.wait(0.1)
            pool.dispatch(budget=0.0005)
        pool.check(rounds=2)
        print("right", flush=True)
    """, "-b")


@pytest.mark.once
def test_blender_is_never_its_own_worker():
    blender("""
        assert mapengine.hosts.is_embedded()
        python = mapengine.hosts.find_python()
        import os
        assert os.path.basename(python).startswith("python3."), python
        assert os.path.realpath(python) != os.path.realpath("/proc/self/exe")
        print("right", flush=True)
    """, "-b")


# ---- Applications that are not here. ----

MAYA = """
    import sys, types, threading, time
    batch = False
    timers = {}
    maya, cmds, api, OpenMaya = (types.ModuleType(name) for name in ("maya", "maya.cmds", "maya.api", "maya.api.OpenMaya"))
    cmds.about = lambda batch=False: globals()["batch"]
    class MTimerMessage:
        @staticmethod
        def addTimerCallback(period, function, data=None):
            timers[id(function)] = function, period
            return id(function)
    class MMessage:
        @staticmethod
        def removeCallback(handle):
            del timers[handle]
    OpenMaya.MTimerMessage, OpenMaya.MMessage = MTimerMessage, MMessage
    maya.cmds, maya.api, api.OpenMaya = cmds, api, OpenMaya
    sys.modules.update({"maya": maya, "maya.cmds": cmds, "maya.api": api, "maya.api.OpenMaya": OpenMaya})
    import mapengine, hostpool
"""
ROUNDS = """
    pool = hostpool.EventPool()
    pool.start(200)
    attachment = mapengine.hosts.attach(pool, budget=0.0005)
    assert attachment.host == name, attachment.host
    deadline = time.monotonic() + 60
    while not pool.idle() and time.monotonic() < deadline:
        once()
        time.sleep(0.002)
    pool.check()
    attachment.detach()
    pool.start(1)
    pool.wait(10)
    once()
    assert len(pool.results) == 200
    print("right")
"""


def without_qt(code):
    """Where there is no Qt to use."""
    return "\n    import sys\n    sys.modules.update({'PySide6': None, 'PySide2': None})" + code


@pytest.mark.once
def test_maya_without_qt():
    run(without_qt(MAYA) + """
    name = mapengine.hosts.find()
    assert name == "maya"
    def once():
        for function, period in list(timers.values()):
            function(0.02, 0.02, None)
    """ + ROUNDS + "\n    assert not timers")


@pytest.mark.once
def test_maya_with_qt():
    needs("PySide6.QtCore")
    run(MAYA + """
    from PySide6 import QtCore
    app = QtCore.QCoreApplication([])
    name = mapengine.hosts.find()
    assert name == "maya"
    once = app.processEvents
    """ + ROUNDS + "\n    assert not timers", QT_QPA_PLATFORM="offscreen")


@pytest.mark.once
def test_maya_in_batch_mode():
    run(MAYA + "\n    batch = True\n    assert mapengine.hosts.find() is None\n    print('right')")


@pytest.mark.once
def test_houdini():
    run("""
    import sys, types, time
    hou = types.ModuleType("hou")
    callbacks = []
    hou.isUIAvailable = lambda: True
    hou.ui = types.SimpleNamespace(addEventLoopCallback=callbacks.append,
                                   removeEventLoopCallback=lambda f: callbacks.remove(next(c for c in callbacks if c is f)))
    sys.modules["hou"] = hou
    import mapengine, hostpool
    name = mapengine.hosts.find()
    assert name == "houdini"
    def once():
        for one in list(callbacks):
            one()
    """ + ROUNDS + """
    assert not callbacks
    hou.isUIAvailable = lambda: False
    assert mapengine.hosts.find() is None
    """)


@pytest.mark.once
def test_nuke_without_qt():
    run(without_qt("""
    import sys, types, time, queue, threading
    calls = queue.Queue()
    nuke = types.ModuleType("nuke")
    nuke.GUI = True
    nuke.executeInMainThread = lambda f, args=(), kwargs={}: calls.put(f)
    sys.modules["nuke"] = nuke
    import mapengine, hostpool
    name = mapengine.hosts.find()
    assert name == "nuke"
    def once():
        while not calls.empty():
            calls.get()()
    """) + ROUNDS + """
    nuke.GUI = False
    assert mapengine.hosts.find() is None
    """)


@pytest.mark.once
def test_unreal():
    run("""
    import sys, types, time
    ticks = {}
    unreal = types.ModuleType("unreal")
    def register(function):
        ticks[len(ticks)] = function
        return len(ticks) - 1
    unreal.register_slate_post_tick_callback, unreal.unregister_slate_post_tick_callback = register, ticks.pop
    sys.modules["unreal"] = unreal
    import mapengine, hostpool
    name = mapengine.hosts.find()
    assert name == "unreal"
    def once():
        for one in list(ticks.values()):
            one(0.016)
    """ + ROUNDS + "\n    assert not ticks")
