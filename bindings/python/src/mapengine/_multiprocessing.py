"""What workers have in common with a host that uses multiprocessing, as if they were its child processes.

An initializer's arguments may hold locks, queues, events and the proxies of a Manager: the documented way to hand them to workers. Workers are
no children of the host, so nothing is inherited. Semaphores are opened by their name; pipes by the host's descriptor in /proc; a Manager
lets in who knows the host's key. Memory that a worker attaches is watched by the host's tracker, else it would be removed with the worker.
"""
from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # Without importing typing: this runs at the start of workers.
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional

_key: Optional[bytes] = None  # In a worker, the host's.

# ---- In the host. ----


def shared() -> Dict[str, Any]:
    """What workers are told of this process's multiprocessing. If it was not imported, that is a key alone: see adopt."""
    process = sys.modules.get("multiprocessing.process")
    if process is None:
        return {"authkey": _key or os.urandom(32)}  # Pools within pools have one key.
    told: Dict[str, Any] = {"authkey": bytes(process.current_process().authkey)}
    tracker = sys.modules.get("multiprocessing.resource_tracker")
    if tracker is not None:
        if "multiprocessing.shared_memory" in sys.modules:
            tracker.ensure_running()
        descriptor = tracker._resource_tracker._fd
        if descriptor is not None:
            told["tracker"] = os.getpid(), descriptor
    return told


def adopt(told: Dict[str, Any]) -> None:
    """Gives this process the key that its workers were told, if it has none. multiprocessing is imported for that: at the start of workers, which
    are being made meanwhile, and not when a Manager comes, of which nobody tells."""
    if told and "multiprocessing.process" not in sys.modules:
        from multiprocessing import process

        process.current_process().authkey = told["authkey"]


def pickled_for_start(value: Any, pickled: Callable[[Any], bytes], cloudpickle: Callable[[], Any]) -> bytes:
    """`pickled(value)`, in which objects of multiprocessing may be. What they refer to has to live as long as workers are started."""
    if "multiprocessing.synchronize" not in sys.modules and "multiprocessing.connection" not in sys.modules:
        return pickled(value)
    import collections
    import io
    from multiprocessing import context, reduction

    from ._globals import pickler as by_value

    pickler = by_value(cloudpickle())

    class Pickler(pickler):  # type: ignore[misc,valid-type]
        dispatch_table = collections.ChainMap(reduction.ForkingPickler._extra_reducers, pickler.dispatch_table)  # type: ignore[attr-defined]

    before = context.get_spawning_popen()
    context.set_spawning_popen(_Spawning())
    try:
        out = io.BytesIO()
        Pickler(out, 5).dump(value)
        return out.getvalue()
    except RuntimeError as error:
        if "fork context" in str(error):
            raise RuntimeError(f"{error} Make it by multiprocessing.get_context('spawn'), or by a multiprocessing.Manager().") from None
        raise
    finally:
        context.set_spawning_popen(before)


class Descriptor:
    """A descriptor of the host, that a worker opens again."""

    def __init__(self, descriptor: int) -> None:
        import fcntl

        self.pid, self.descriptor = os.getpid(), descriptor
        self.flags = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE

    def detach(self) -> int:
        """The worker's own descriptor of the same."""
        try:
            return os.open(f"/proc/{self.pid}/fd/{self.descriptor}", self.flags | os.O_CLOEXEC)
        except OSError as error:
            raise OSError(error.errno, "a connection of the host cannot be opened in a worker; pipes can (multiprocessing.Pipe(duplex=False), "
                          "queues of the spawn context), sockets cannot") from None


class _Spawning:
    """What multiprocessing takes for the start of a child: how it hands on descriptors."""

    DupFd = Descriptor

    def duplicate_for_child(self, descriptor: int) -> int:
        return descriptor


# ---- In the worker. ----


def share(told: Dict[str, Any]) -> None:
    """Makes this worker's multiprocessing, now or as soon as it is imported, that of the host."""
    global _key
    if told:
        _key = told["authkey"]
        _When({"multiprocessing.process": lambda module: _set_key(module, told["authkey"]),
               "multiprocessing.resource_tracker": lambda module: _set_tracker(module, told.get("tracker"))}).watch()


def keep_site() -> None:
    """In the zygote, before it imports anything of users."""
    if sys.flags.no_site:
        _When({"subprocess": _with_site}).watch()


def _with_site(subprocess: Any) -> None:
    """Interpreters that multiprocessing and loky start get the flags of this one; but it was started without `site` for speed alone."""
    flags = subprocess._args_from_interpreter_flags
    subprocess._args_from_interpreter_flags = lambda: [flag for flag in flags() if flag != "-S"]


def _set_key(process: Any, key: bytes) -> None:
    process.current_process().authkey = key


def _set_tracker(module: Any, place: Any) -> None:
    if place is not None:
        try:
            module._resource_tracker._fd = os.open(f"/proc/{place[0]}/fd/{place[1]}", os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            pass


class _When:
    """Functions that are to be called when modules have been imported."""

    def __init__(self, functions: Dict[str, Callable[[Any], None]]) -> None:
        self.functions = functions

    def watch(self) -> None:
        for name in list(self.functions):
            if name in sys.modules:
                self.functions.pop(name)(sys.modules[name])
        if self.functions:
            sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: Any, target: Any = None) -> Optional[Any]:
        function = self.functions.pop(name, None)
        if function is None:
            return None
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_and_call(module: Any) -> None:
                run(module)
                function(module)

            spec.loader.exec_module = run_and_call  # type: ignore[method-assign]
        return spec
