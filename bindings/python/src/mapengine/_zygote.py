"""The zygote's program: an interpreter that has imported what workers need, and is then forked for each.

The host starts it with `-c`, see _interpreter.py; `main` gets its settings.
"""
from __future__ import annotations

import sys

TYPE_CHECKING = False  # Without importing typing, which takes longer than all else of a worker's start.
if TYPE_CHECKING:
    from typing import Any, Dict, Sequence


def main(settings: Dict[str, Any]) -> None:
    """Becomes the zygote; ends the process when the pool ends."""
    mine = list(sys.version_info[:2])
    if settings["version"] != mine or settings["abi"] != getattr(sys, "abiflags", "") or settings["implementation"] != sys.implementation.name:
        sys.stderr.write(f"mapengine: {sys.executable or 'the workers'} is {sys.implementation.name} {mine[0]}.{mine[1]}"
                         f"{getattr(sys, 'abiflags', '')}, but the host is {settings['implementation']} "
                         f"{settings['version'][0]}.{settings['version'][1]}{settings['abi']}: functions cannot travel between them. "
                         "Name an interpreter of the host's version by python=\n")
        sys.exit(69)
    _take_shared()
    if not settings["no_site"]:
        from ._multiprocessing import keep_site

        keep_site()
    become(settings["worker"], settings["argv"], settings["preload"])


def _take_shared() -> None:
    """What the host tells its own machine alone."""
    import os

    from ._cluster import SHARED

    if SHARED in os.environ:
        from _pickle import loads

        from . import _worker

        _worker.shared = loads(bytes.fromhex(os.environ.pop(SHARED)))


def become(worker: str, argv: Sequence[str], modules: Sequence[str]) -> None:
    """Makes this interpreter the zygote, with these modules imported. `worker` is the path of mapengine_python.so."""
    sys.argv[:] = argv
    _add_builtins()
    # What functions of the host's __main__ find as theirs; this program's own names are none of their business.
    sys.modules["__main__"] = type(sys)("__main__")
    import faulthandler  # noqa: F401 - what follows is for the workers' setup

    from . import _logs, _worker  # noqa: F401

    preload(modules)
    _worker.library = worker
    _enter(worker, _worker.HELPERS)


def preload(modules: Sequence[str]) -> None:
    """Imports once what all workers will. What cannot be imported here is reported by the call that needs it."""
    for name in modules:
        try:
            __import__(name)
        except BaseException:
            pass


def _add_builtins() -> None:
    """What `site` adds for people, without the rest of site."""
    import builtins

    if not hasattr(builtins, "exit"):
        import _sitebuiltins

        builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D (i.e. EOF)")
        builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D (i.e. EOF)")


def _enter(path: str, helpers: Sequence[Any]) -> None:
    """Calls mapengine_python_main, and ends the process as it says, without the interpreter's own end: nobody waits for that.

    ctypes itself costs some milliseconds, which _ctypes does not."""
    import gc
    from posix import _exit

    gc.freeze()
    place = id(helpers).to_bytes(8, sys.byteorder)  # ctypes passes bytes by their address.
    try:
        import _ctypes

        function = _ctypes.dlsym(_ctypes.dlopen(path, 2), "mapengine_python_main")
        enter = _ctypes.call_cdeclfunction
    except AttributeError:
        import ctypes

        _exit(ctypes.CDLL(path).mapengine_python_main(place))
    _exit(enter(function, (place,)))
