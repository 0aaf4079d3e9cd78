"""Pools in event loops: each in a process of its own, with the real toolkit where it is there; Maya's, Houdini's, Nuke's and Unreal's by
modules that have what their documentation says."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import textwrap

import mapengine
import pytest

HERE = pathlib.Path(__file__).parent
PACKAGE = pathlib.Path(mapengine.__file__).parent.parent
COUNT = 2000


def run(code, *, command=None, display=False, timeout=90, **environment):
    """Runs a script that ends by printing "right"."""
    text = textwrap.dedent(code)
    command = [*(command or [sys.executable, "-c"]), text]
    if display:
        if shutil.which("xvfb-run") is None:
            pytest.skip("there is no xvfb-run (package xvfb)")
        command = ["xvfb-run", "-a", *command]
    path = os.pathsep.join([str(HERE), str(PACKAGE)])
    # A session of its own, so that nothing is left of one that hangs: xvfb-run has children.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True,
                               env={**os.environ, "PYTHONPATH": path, **environment})
    try:
        printed, errors = (text.decode() for text in process.communicate(timeout=timeout))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        printed, errors = (text.decode() for text in process.communicate())
        raise AssertionError(f"still running after {timeout} s: {printed}{errors}"[-4000:]) from None
    assert "right" in printed.splitlines(), (printed + errors)[-4000:]
    return printed + errors


def needs(module):
    if subprocess.run([sys.executable, "-c", f"import {module}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        pytest.skip(f"there is no {module} for this Python")


ASYNCIO = f"""
    import asyncio, mapengine, hostpool
    async def main():
        assert mapengine.hosts.find() == "asyncio"
        pool = hostpool.EventPool()
        pool.start({COUNT})
        with mapengine.hosts.attach(pool, budget=0.0005) as attachment:
            assert attachment.host == "asyncio" and attachment.alive
            ticks = 0
            while not pool.idle():
                await asyncio.sleep(0.001)
                ticks += 1
        assert not attachment.alive and ticks > 1
        attachment.detach()
        pool.check(rounds=2)
        pool.close()
    assert mapengine.hosts.find() is None
    asyncio.run(main())
    assert mapengine.hosts.find() is None
    print("right")
"""


POOLS = pytest.mark.parametrize("pool", ["EventPool", "PythonPool"])


@POOLS
def test_asyncio(pool):
    run(ASYNCIO.replace("EventPool", pool))


@pytest.mark.once
def test_a_loop_that_was_closed_is_noticed():
    run("""
        import asyncio, mapengine, hostpool
        pool = hostpool.EventPool()
        async def main():
            return mapengine.hosts.attach(pool)
        attachment = asyncio.run(main())
        assert not attachment.alive
        attachment.detach()
        async def again():
            pool.start(100)
            with mapengine.hosts.attach(pool):
                while not pool.idle():
                    await asyncio.sleep(0.001)
        asyncio.run(again())
        pool.check()
        print("right")
    """)


@pytest.mark.once
def test_notebook():
    needs("nbclient, ipykernel")
    run("import hostnotebook; hostnotebook.main()")


QT = f"""
    import sys, mapengine, hostpool
    from {{binding}} import QtCore
    assert mapengine.hosts.find() is None
    app = QtCore.QCoreApplication(sys.argv[:1])
    assert mapengine.hosts.find() == "qt"
    pool = hostpool.EventPool()
    pool.start({COUNT})
    attachment = mapengine.hosts.attach(pool, budget=0.0005)
    ticks = []
    def tick():
        ticks.append(1)
        if pool.idle():
            app.quit()
    timer = QtCore.QTimer()
    timer.timeout.connect(tick)
    timer.start(1)
    app.exec() if hasattr(app, "exec") else app.exec_()
    pool.check(rounds=2)
    attachment.detach()
    # What comes after it stays where it is.
    had = len(pool.results)
    pool.start(10)
    assert pool.wait(60)
    QtCore.QTimer.singleShot(50, app.quit)
    app.exec() if hasattr(app, "exec") else app.exec_()
    assert len(pool.results) == had and ticks
    pool.close()
    print("right")
"""


@pytest.mark.once
@POOLS
@pytest.mark.parametrize("binding", ["PySide6", "PyQt6", "PySide2", "PyQt5"])
def test_qt(binding, pool):
    needs(f"{binding}.QtCore")
    run(QT.format(binding=binding).replace("EventPool", pool), QT_QPA_PLATFORM="offscreen")


SEEDS = """
    import threading
    import mapengine
    told = []
    def tell(values):
        told.append((values, threading.current_thread() is threading.main_thread()))
        {end}
    handle = mapengine.map(lambda x: x * x, range(10), callback=tell)
    mapengine.apply(divmod, (7, 2), callback=tell)
    mapengine.map(lambda x: 1 // x, [1, 0], callback=tell, errback=tell)
    def check():
        assert all(main for _, main in told), told
        assert [x * x for x in range(10)] in [value for value, _ in told] and (3, 1) in [value for value, _ in told]
        assert [type(value).__name__ for value, _ in told].count("MapErrors") == 1 and not handle.is_alive()
        print("right", flush=True)
"""


@pytest.mark.once
@pytest.mark.parametrize("binding", ["PySide6", "PyQt5"])
def test_callbacks_of_map_in_qt(binding):
    needs(f"{binding}.QtCore")
    run(f"""
    import sys
    from {binding} import QtCore
    app = QtCore.QCoreApplication(sys.argv[:1])
    """ + SEEDS.format(end="len(told) == 3 and app.quit()") + """
    app.exec() if hasattr(app, "exec") else app.exec_()
    check()
    """, QT_QPA_PLATFORM="offscreen")


def test_callbacks_of_map_in_asyncio():
    """In two loops one after another."""
    run("""
    import asyncio
    async def main():
        done = asyncio.Event()
    """ + textwrap.indent(textwrap.dedent(SEEDS.format(end="len(told) == 3 and done.set()")), " " * 8) + """
        await asyncio.wait_for(done.wait(), 60)
        check()
    asyncio.run(main())
    asyncio.run(main())
    """)


def test_callbacks_of_map_without_a_loop_come_by_a_thread():
    run("""
    import threading
    import mapengine
    told = []
    handle = mapengine.map(abs, [-1, 2], callback=lambda values: told.append((values, threading.current_thread())))
    handle.join(60)
    assert told[0][0] == [1, 2] and told[0][1] is not threading.main_thread()
    print("right")
    """)


@pytest.mark.once
def test_a_callback_that_raises_does_not_end_qt():
    needs("PyQt5.QtCore")
    run("""
        import sys, mapengine, hostpool
        from PyQt5 import QtCore
        app = QtCore.QCoreApplication(sys.argv[:1])
        class Pool(hostpool.EventPool):
            def dispatch(self, budget=None):
                super().dispatch(budget)
                raise RuntimeError("as planned")
        pool = Pool()
        pool.start(5)
        mapengine.hosts.attach(pool)
        timer = QtCore.QTimer()
        timer.timeout.connect(lambda: pool.idle() and app.quit())
        timer.start(1)
        app.exec_()
        print("right")
    """)


@pytest.mark.once
@POOLS
def test_tkinter(pool):
    needs("tkinter")
    run(f"""
        import tkinter, mapengine, hostpool
        assert mapengine.hosts.find() is None
        root = tkinter.Tk()
        assert mapengine.hosts.find() == "tkinter"
        pool = hostpool.{pool}()
        pool.start({COUNT})
        attachment = mapengine.hosts.attach(pool, budget=0.0005)
        def tick():
            root.destroy() if pool.idle() else root.after(1, tick)
        root.after(1, tick)
        root.mainloop()
        pool.check(rounds=2)
        attachment.detach()
        print("right")
    """, display=True)


@pytest.mark.once
@POOLS
def test_glib(pool):
    needs("gi.repository.GLib")
    run(f"""
        import mapengine, hostpool
        from gi.repository import GLib
        assert mapengine.hosts.find() is None
        loop = GLib.MainLoop()
        pool = hostpool.{pool}()
        pool.start({COUNT})
        attachment = mapengine.hosts.attach(pool, budget=0.0005)
        assert attachment.host == "glib"
        found = []
        def tick():
            found.append(mapengine.hosts.find())
            if pool.idle():
                loop.quit()
            return True
        GLib.timeout_add(1, tick)
        loop.run()
        pool.check(rounds=2)
        assert set(found) == {{"glib"}}
        attachment.detach()
        pool.start(10)
        assert pool.wait(60)
        GLib.timeout_add(50, loop.quit)
        loop.run()
        assert len(pool.results) == {COUNT}
        print("right")
    """)


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


# ---- Rules. ----

def test_a_plain_script_has_no_loop():
    assert mapengine.hosts.find() is None
    with pytest.raises(RuntimeError, match="dispatch"):
        mapengine.hosts.attach(object())
    with pytest.raises(RuntimeError, match="no loop of qt"):
        mapengine.hosts.attach(object(), "qt")
    with pytest.raises(ValueError, match="no host is called 'gnome'"):
        mapengine.hosts.attach(object(), "gnome")


def test_a_pool_with_a_thread_is_refused():
    class Threaded:
        mode = "threaded"

    with pytest.raises(ValueError, match="attached"):
        mapengine.hosts.attach(Threaded(), "asyncio")


@pytest.mark.once
def test_another_thread_than_the_main_one_has_no_application():
    run("""
    import sys, types, threading
    hou = types.ModuleType("hou")
    hou.isUIAvailable = lambda: True
    sys.modules["hou"] = hou
    import mapengine
    found = []
    thread = threading.Thread(target=lambda: found.append(mapengine.hosts.find()))
    thread.start(), thread.join()
    assert found == [None] and mapengine.hosts.find() == "houdini"
    print("right")
    """)


@pytest.mark.once
def test_a_pool_that_was_closed_leaves_the_loop():
    run("""
    import sys, types
    ticks = {}
    unreal = types.ModuleType("unreal")
    unreal.register_slate_post_tick_callback = lambda f: ticks.setdefault(1, f) and 1
    unreal.unregister_slate_post_tick_callback = ticks.pop
    sys.modules["unreal"] = unreal
    import mapengine
    class Pool:
        closed, calls = False, 0
        def dispatch(self, budget=None):
            self.calls += 1
    pool = Pool()
    attachment = mapengine.hosts.attach(pool)
    ticks[1](0.1)
    pool.closed = True
    ticks[1](0.1)
    assert not ticks and pool.calls == 2 and not attachment.alive
    print("right")
    """)


@pytest.mark.once
def test_a_descriptor_that_is_given_to_somebody_else_is_not_watched():
    """The pool closes its descriptor and another file gets the number."""
    run("""
    import asyncio, os, mapengine
    class Pool:
        closed = False
        def __init__(self):
            self.read, self.write = os.pipe()
        def fileno(self):
            return self.read
        def dispatch(self, budget=None):
            assert not self.closed, "dispatched for somebody else's file"
    async def main():
        pool = Pool()
        attachment = mapengine.hosts.attach(pool)
        pool.closed = True
        os.close(pool.read)
        other, full = os.pipe()
        assert other == pool.read
        os.write(full, b"x")
        await asyncio.sleep(0.05)
        attachment.detach()
        assert os.read(other, 1) == b"x"
    asyncio.run(main())
    print("right")
    """)


# ---- Interpreters. ----

def test_a_plain_interpreter_is_its_own_worker():
    assert not mapengine.hosts.is_embedded() and mapengine.hosts.find_python() == sys.executable


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


FIND = """
import sys, types
sys.executable = sys.argv[1]
if sys.argv[2]:
    sys.modules[sys.argv[2]] = types.ModuleType(sys.argv[2])
if sys.argv[3] == "bare":
    sys.prefix = sys.exec_prefix = sys.base_prefix = "/nowhere"
    import sysconfig
    sysconfig.get_path = lambda name: None
from mapengine import _hostpython
print(_hostpython.find_python())
"""


def find(executable, module="", bare=True, **environment):
    done = subprocess.run([sys.executable, "-c", FIND, str(executable), module, "bare" if bare else ""], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(PACKAGE), **environment})
    return done.stdout.decode().strip() or done.stderr.decode()


def test_the_program_itself_is_never_started(tmp_path):
    gui = program(tmp_path / "bin" / "gui", f"touch {tmp_path}/started\n")
    found = find(gui, bare=False)
    assert os.path.basename(found).startswith("python3") and not (tmp_path / "started").exists()
    told = find(gui)
    assert "ValueError" in told and "python='/path/to/python'" in told and str(gui) in told
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("module, variable, place", [("maya", "MAYA_LOCATION", "bin/mayapy"), ("hou", "HFS", "python/bin/python3")])
def test_interpreters_of_applications(tmp_path, module, variable, place):
    gui = tmp_path / "gui"
    real = program(tmp_path / place, f'exec {sys.executable} "$@"\n')
    assert find(gui, module, **{variable: str(tmp_path)}) == str(real)
    # Of another version, or no Python at all.
    program(real, "echo 'cpython|3|7|'\n")
    told = find(gui, module, **{variable: str(tmp_path)})
    assert "it is cpython 3.7" in told and "ValueError" in told
    program(real, "exit 3\n")
    assert "ended with 3" in find(gui, module, **{variable: str(tmp_path)})
    real.unlink()
    assert f"{real} (" in find(gui, module, **{variable: str(tmp_path)})
