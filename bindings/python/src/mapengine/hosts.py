"""Pools in the event loops of applications: callbacks on the main thread, without a line of the user's own.

    pool = mapengine.Pool(mode="attached")
    attachment = mapengine.hosts.attach(pool)       # Qt, Maya, Houdini, Nuke, Blender, Unreal, asyncio, tkinter, GLib
    ...
    attachment.detach()                             # before the pool is closed, or with it

The loop is told of the pool's descriptor, or calls it now and then where a host has no other way; each time it runs what has come, for
`budget` seconds at most, so that the application stays alive while results pour in.

What can be attached has `fileno()`, `dispatch(budget=)`, `wait(timeout)` and `idle()`; `closed` is looked at if it is there.
"""
from __future__ import annotations

import contextvars
import logging
import os
import sys
import threading
from typing import Any, Callable, Optional

from ._hostpython import find_python, is_embedded

__all__ = ["Attachment", "attach", "find", "find_python", "is_embedded"]

_log = logging.getLogger("mapengine")
# The loop need not keep what it calls.
_attached: set[Attachment] = set()


class Attachment:
    """A pool's place in a loop, until `detach()` or until the pool is closed. `host`: the loop's name. Keeps the pool alive meanwhile."""

    def __init__(self, pool: Any, host: str, budget: float, interval: float) -> None:
        self.host = host
        self.pool = pool
        self.budget = budget
        self.interval = interval
        self._descriptor = -1
        self._detach: Optional[Callable[[], object]] = None
        self._is_lost: Callable[[], bool] = lambda: False

    def descriptor(self) -> int:
        """The pool's descriptor, by a number of our own: one that the pool closes, and the system gives to somebody else, harms nobody."""
        if self._descriptor < 0:
            self._descriptor = os.dup(self.pool.fileno())
        return self._descriptor

    def tick(self, *_: object) -> bool:
        """Runs what has come: what the loop calls. False when it need not call again."""
        if self._detach is None:
            return False
        try:
            if getattr(self.pool, "closed", False):
                self.pool.dispatch()
                self.detach()
                return False
            self.pool.dispatch(budget=self.budget)
        except Exception:
            # Some loops end the program for an exception.
            _log.exception("mapengine: the dispatch in the loop of %s has failed", self.host)
        return True

    @property
    def alive(self) -> bool:
        """Whether the loop still calls: it was not detached, and the loop was not closed."""
        return self._detach is not None and not self._is_lost()

    def detach(self) -> None:
        """Takes the pool out of the loop. On the loop's thread. A second call does nothing."""
        detach, self._detach = self._detach, None
        if detach is None:
            return
        try:
            detach()
        except Exception:
            # A loop or window that is gone has let go of everything by itself.
            _log.debug("mapengine: detaching from %s", self.host, exc_info=True)
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        _attached.discard(self)

    def __enter__(self) -> Attachment:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()


def attach(pool: Any, host: Optional[str] = None, *, budget: float = 0.005, interval: float = 0.02) -> Attachment:
    """Lets a loop run the pool's callbacks. To be called on the loop's thread, before or while it runs.

    `host`: "asyncio", "maya", "houdini", "nuke", "blender", "unreal", "qt", "tkinter" or "glib"; None: the one that is there, see `find`.
    `budget`: seconds that one round may take; it goes on in the loop's next. `interval`: seconds between two rounds, in hosts that cannot
    wait for a descriptor (Blender, Houdini, Unreal). Raises RuntimeError when there is no such loop, as in batch mode: call
    `pool.dispatch()` now and then, or make the pool with a thread of its own (mode="threaded").
    """
    if getattr(pool, "mode", None) == "threaded":
        raise ValueError("this pool has a thread that runs its callbacks: make it with mode='attached'")
    if host is not None and host not in _RECIPES:
        raise ValueError(f"no host is called {host!r}; there are: {', '.join(_RECIPES)}")
    name = host or find() or ("glib" if _glib_loaded() else None)
    made = None
    if name is not None:
        attachment = Attachment(pool, name, budget, interval)
        made = _RECIPES[name][1](attachment)
    if made is None:
        what = f"there is no loop of {host} here" if host else "no loop that mapengine knows is here"
        raise RuntimeError(f"{what}: call dispatch() now and then, or make the pool with mode='threaded'")
    attachment._detach = made
    _attached.add(attachment)
    return attachment


def find() -> Optional[str]:
    """The name of the loop that a pool made on this thread would best be attached to; None when there is none.

    That is the asyncio loop that runs on this thread; else, on the main thread, that of the application around this interpreter, when it has
    windows (in batch mode none of them has a loop); else one whose toolkit is loaded and has made its application: Qt's QApplication,
    tkinter's root window, a GLib loop that runs. Nothing is imported for it.
    """
    if _running_loop() is not None:
        return "asyncio"
    if threading.current_thread() is not threading.main_thread():
        return None
    for name, (is_here, _) in _RECIPES.items():
        try:
            if is_here():
                return name
        except Exception:
            _log.debug("mapengine: asking for %s", name, exc_info=True)
    return None


# ---- asyncio. ----

def _running_loop() -> Any:
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _attach_asyncio(attachment: Attachment) -> Optional[Callable[[], object]]:
    loop = _running_loop()
    if loop is None:
        return None
    descriptor = attachment.descriptor()
    # In a context of its own, not in that of the task, or the notebook's cell, that happened to come first.
    contextvars.Context().run(loop.add_reader, descriptor, attachment.tick)
    attachment._is_lost = loop.is_closed
    return lambda: loop.remove_reader(descriptor)


# ---- Qt, which most applications have. ----

_QT = ("PySide6", "PyQt6", "PySide2", "PyQt5")


def _qt_core() -> Any:
    """QtCore of the binding that has made an application."""
    for binding in _QT:
        core = sys.modules.get(f"{binding}.QtCore")
        if core is not None and core.QCoreApplication.instance() is not None:
            return core
    return None


def _qt_of_host() -> Any:
    """The same in an application that is made with Qt, where nobody may have loaded its binding yet."""
    import importlib

    for binding in ("PySide6", "PySide2"):
        try:
            importlib.import_module(f"{binding}.QtCore")
        except ImportError:
            continue
    return _qt_core()


def _attach_qt(attachment: Attachment, core: Any = None) -> Optional[Callable[[], object]]:
    core = core or _qt_core()
    if core is None:
        return None
    # Qt 6 has the name in the enumeration alone, PyQt5 outside of it.
    kind = getattr(core.QSocketNotifier, "Read", None)
    notifier = core.QSocketNotifier(attachment.descriptor(), core.QSocketNotifier.Type.Read if kind is None else kind)
    # Since 5.15 the signal has two forms with different arguments.
    notifier.activated.connect(lambda *_: attachment.tick())

    def detach() -> None:
        notifier.setEnabled(False)
        notifier.deleteLater()

    return detach


# ---- Applications. ----

def _is_maya() -> bool:
    commands = sys.modules.get("maya.cmds")
    return commands is not None and not commands.about(batch=True)


def _attach_maya(attachment: Attachment) -> Optional[Callable[[], object]]:
    core = _qt_of_host()
    if core is not None:
        return _attach_qt(attachment, core)
    import maya.api.OpenMaya as api

    # Goes to the idle queue, and a firing that is late is skipped. Maya dies of one that is left when its module goes.
    handle = api.MTimerMessage.addTimerCallback(attachment.interval, attachment.tick)
    return lambda: api.MMessage.removeCallback(handle)


def _is_houdini() -> bool:
    hou = sys.modules.get("hou")
    return hou is not None and bool(hou.isUIAvailable())


def _attach_houdini(attachment: Attachment) -> Optional[Callable[[], object]]:
    ui = sys.modules["hou"].ui
    # To take it out again needs the same object, and each access to a method makes a new one.
    tick = attachment.tick
    ui.addEventLoopCallback(tick)
    return lambda: ui.removeEventLoopCallback(tick)


def _is_nuke() -> bool:
    nuke = sys.modules.get("nuke")
    return nuke is not None and bool(nuke.GUI)


def _attach_nuke(attachment: Attachment) -> Optional[Callable[[], object]]:
    core = _qt_of_host()
    if core is not None:
        return _attach_qt(attachment, core)
    nuke = sys.modules["nuke"]
    ended, done = threading.Event(), threading.Event()

    def watch() -> None:
        while not ended.is_set():
            if attachment.pool.wait(0.5) and not ended.is_set():
                done.clear()
                # Not the form that waits: on the main thread it would wait for itself.
                nuke.executeInMainThread(tick)
                done.wait(1)

    def tick() -> None:
        attachment.tick()
        done.set()

    threading.Thread(target=watch, name="mapengine-nuke", daemon=True).start()
    return ended.set


def _is_blender() -> bool:
    bpy = sys.modules.get("bpy")
    return bpy is not None and not bpy.app.background


def _attach_blender(attachment: Attachment) -> Optional[Callable[[], object]]:
    timers = sys.modules["bpy"].app.timers

    def tick() -> Optional[float]:
        if not attachment.tick():
            return None
        return attachment.interval * 5 if attachment.pool.idle() else attachment.interval

    # One that is not persistent is dropped when a file is opened.
    timers.register(tick, persistent=True)
    return lambda: timers.unregister(tick) if timers.is_registered(tick) else None


def _is_unreal() -> bool:
    return hasattr(sys.modules.get("unreal"), "register_slate_post_tick_callback")


def _attach_unreal(attachment: Attachment) -> Optional[Callable[[], object]]:
    unreal = sys.modules["unreal"]
    handle = unreal.register_slate_post_tick_callback(attachment.tick)
    return lambda: unreal.unregister_slate_post_tick_callback(handle)


# ---- Other toolkits. ----

def _tk_root() -> Any:
    return getattr(sys.modules.get("tkinter"), "_default_root", None)


def _attach_tkinter(attachment: Attachment) -> Optional[Callable[[], object]]:
    root = _tk_root()
    if root is None:
        return None
    descriptor = attachment.descriptor()
    root.tk.createfilehandler(descriptor, sys.modules["tkinter"].READABLE, attachment.tick)
    return lambda: root.tk.deletefilehandler(descriptor)


def _glib() -> Any:
    return sys.modules.get("gi.repository.GLib") or getattr(sys.modules.get("gi.repository"), "GLib", None)


def _glib_loaded() -> bool:
    return "gi.repository" in sys.modules and _glib() is not None and threading.current_thread() is threading.main_thread()


def _glib_runs() -> bool:
    return _glib_loaded() and _glib().main_depth() > 0


def _attach_glib(attachment: Attachment) -> Optional[Callable[[], object]]:
    glib = _glib()
    if glib is None:
        return None
    source = glib.unix_fd_add_full(glib.PRIORITY_DEFAULT, attachment.descriptor(), glib.IOCondition.IN, attachment.tick)
    return lambda: glib.source_remove(source)


# In the order in which `find` asks: an application before the toolkit that it is made with.
_RECIPES: dict[str, tuple[Callable[[], bool], Callable[[Attachment], Optional[Callable[[], object]]]]] = {
    "asyncio": (lambda: _running_loop() is not None, _attach_asyncio),
    "maya": (_is_maya, _attach_maya),
    "houdini": (_is_houdini, _attach_houdini),
    "nuke": (_is_nuke, _attach_nuke),
    "blender": (_is_blender, _attach_blender),
    "unreal": (_is_unreal, _attach_unreal),
    "qt": (lambda: _qt_core() is not None, _attach_qt),
    "tkinter": (lambda: _tk_root() is not None, _attach_tkinter),
    "glib": (_glib_runs, _attach_glib),
}
