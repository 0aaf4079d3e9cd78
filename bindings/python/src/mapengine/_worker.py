"""What a worker does in Python: the functions that mapengine_python.so calls (see native/worker.c).

Imported by the zygote, so kept small: modules are imported where they are needed first.
"""
from __future__ import annotations

import sys
from _pickle import dumps, loads

TYPE_CHECKING = False  # Without importing typing, which takes longer than all else of a worker's start.
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Tuple, Union

IN_BAND = 16384  # Buffers of fewer bytes travel within the pickle.

library = ""  # The path of mapengine_python.so, which this process has loaded.
machine = ""  # On a node, its name; on the host's own machine nothing.
shared: Dict[str, Any] = {}  # What other machines are not told: see _multiprocessing.
_settings: Dict[str, Any] = {}
_finalizer: Optional[Callable[[], Any]] = None
_output: List[Any] = []
_inherited: List[Any] = []  # Streams of a host that was copied: what it has not written yet is not written here when they go.


def after_fork() -> None:
    """In a new worker, before anything else: what a copy of the zygote must not have in common with its siblings."""
    import _signal  # type: ignore[import-not-found] # signal itself imports more.

    _signal.signal(_signal.SIGPIPE, _signal.SIG_IGN)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    _open_output()


def _open_output() -> None:
    """Standard output and error anew: whole lines at once, any text."""
    import io

    _inherited.extend((sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__))
    del _output[:]
    for number, name in ((1, "stdout"), (2, "stderr")):
        try:
            raw = io.FileIO(number, "w", closefd=False)
            text = io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", "backslashreplace" if number == 2 else "surrogateescape",
                                    line_buffering=True)
        except OSError:
            continue
        setattr(sys, name, text)
        setattr(sys, f"__{name}__", text)
        _output.append(text)


def flush() -> None:
    """Writes out what was printed without a line feed."""
    for text in _output:
        text.flush()


def setup(data: bytes, report_fd: int) -> Optional[str]:
    """Sets the worker up as the host's Workers say. Returns what went wrong, with the traceback."""
    global _finalizer
    try:
        _settings.clear()
        _settings.update(loads(data))
        _leave_cluster()
        if report_fd >= 0:
            import faulthandler

            faulthandler.enable(report_fd, all_threads=True)
        if _settings["log_level"] is not None:
            from ._logs import install

            install(_settings["log_level"], _log)
        if machine:
            from ._node import arrive

            arrive(_settings["remote"])
        elif _settings["multiprocessing"] or shared:
            from ._multiprocessing import share

            share(_settings["multiprocessing"] or shared)
        if _settings["finalizer"]:
            _finalizer = loads(_settings["finalizer"])
        if _settings["initializer"]:
            function, arguments = loads(_settings["initializer"])
            function(*arguments)
    except BaseException as error:
        return f"initializer failed: {describe(error)}\n{traceback_of(error)}"
    return None


def _leave_cluster() -> None:
    """Pools in a worker have the workers of this machine alone."""
    import os

    os.environ.pop("MAPENGINE_CLUSTER", None)


def _native() -> Any:
    """mapengine_python.so, which this process has loaded."""
    import ctypes

    global _library
    if _library is None:
        _library = ctypes.PyDLL(library)
        _library.mapengine_python_progress.argtypes = [ctypes.c_double]
    return _library


_library: Any = None


def _log(text: bytes) -> None:
    _native().mapengine_python_log(1, text)


def report(fraction: float) -> bool:
    """Says how far the running call is, 0 to 1: what progress() of its future is in the host. False where no call runs."""
    return bool(_settings) and bool(_native().mapengine_python_progress(fraction))


def cleanup() -> None:
    """Before the worker ends in an orderly way."""
    if _finalizer is not None:
        try:
            _finalizer()
        except BaseException as error:
            sys.stderr.write(f"mapengine: finalizer failed: {describe(error)}\n{traceback_of(error)}")
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        try:
            util._run_finalizers()  # As in children of multiprocessing: waits for the threads that write what was put into queues.
        except Exception as error:
            sys.stderr.write(f"mapengine: {describe(error)}\n{traceback_of(error)}")


def load_function(spec: bytes) -> Callable[..., Any]:
    """The function of a spec (see _functions.py)."""
    if spec[0] == 110:  # BY_NAME
        function: Callable[..., Any] = unpickle(spec[1:])
        return function
    from ._functions import load

    return load(spec)


def activate(key: bytes) -> None:
    """Called before a call of another function than the last: its globals are as the host had them."""
    module = sys.modules.get(f"{__package__}._globals")
    if module is not None:
        module.activate(key)


def encode(value: Any) -> Union[bytes, Tuple[Any, ...]]:
    """The pickle of a result, or a tuple of it and of its large buffers."""
    buffers: List[memoryview] = []

    def aside(buffer: Any) -> bool:
        try:
            raw = buffer.raw()
        except BufferError:  # Not contiguous.
            return True
        if raw.nbytes < IN_BAND or len(buffers) >= 200:
            return True
        buffers.append(raw)
        return False

    try:
        pickled = dumps(value, 5, buffer_callback=aside)
    except Exception as first:
        del buffers[:]
        from ._functions import cloudpickle
        from ._globals import result

        try:
            pickled = result(value, cloudpickle(), aside)
        except Exception:
            raise first from None
    return (pickled, *buffers) if buffers else pickled


_buffers: List[Any] = []


def loads_with(pickled: Any, places: List[int]) -> Any:
    """Unpickles with buffers that lie at these addresses, of these sizes, to be looked at only."""
    del _buffers[:]
    view = copy_at if machine else view_at
    return unpickle(pickled, buffers=[view(address, size) for address, size in zip(places[::2], places[1::2])])


def copy_at(address: int, size: int) -> memoryview:
    """The same on a node, where the host does not hear who keeps a view."""
    import ctypes

    return memoryview(ctypes.string_at(address, size))


def view_at(address: int, size: int) -> memoryview:
    """Bytes that are to be looked at only, and not longer than until end_buffers."""
    import ctypes

    array = (ctypes.c_char * (1 << size.bit_length())).from_address(address)  # Few types, of which ctypes keeps each.
    _buffers.append(array)
    return memoryview(array).cast("B")[:size].toreadonly()


def unpickle(data: Any, **buffers: Any) -> Any:
    """What the host has pickled: arguments."""
    try:
        return loads(data, **buffers)
    except BaseException as error:
        from ._errors import TransferError

        raise TransferError(f"the arguments do not come out of their pickle in the worker: {describe(error)}") from error


def _most_references() -> int:
    return max(map(sys.getrefcount, _buffers), default=0)


def end_buffers() -> bool:
    """Whether somebody has kept a view of a buffer of the last loads_with. Each view holds on to the array that it is of."""
    if not _buffers:
        return False
    held = _most_references()
    if held > _references():
        import gc

        gc.collect()
        held = _most_references()
    del _buffers[:]
    return held > _references()


def _references() -> int:
    """How many references an array has that nobody views, by this interpreter's count."""
    global _unviewed
    if not _unviewed:
        saved = _buffers[:]
        _buffers[:] = [bytearray(1)]
        _unviewed = _most_references()
        _buffers[:] = saved
    return _unviewed


_unviewed = 0


def describe(error: BaseException) -> str:
    """One line: the type and the text."""
    try:
        return f"{type(error).__qualname__}: {error}"
    except Exception:
        return type(error).__qualname__


def traceback_of(error: BaseException) -> str:
    """The traceback as Python prints it."""
    import traceback

    try:
        return "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except Exception:
        return describe(error)


def encode_error(error: BaseException) -> Tuple[bytes, bytes]:
    """What the host is told of an exception: a line, and a pickle of (how, what, line, traceback, type's name). `how` says what `what` is a
    pickle of: 1 the exception; 2 its type, arguments and attributes; 0 nothing, since neither comes out of a pickle again."""
    line, text = describe(error), traceback_of(error)
    if machine:
        text = f"On machine {machine}:\n{text}"
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    error.__traceback__ = None
    for how, what in ((1, error), (2, (type(error), error.args, getattr(error, "__dict__", {})))):
        pickled = _comes_back(what)
        if pickled is not None:
            break
    else:
        how, pickled = 0, b""
    data = dumps((how, pickled, line, text, name), 5)
    return line.encode("utf-8", "replace")[:4000].replace(b"\0", b" "), data


def _comes_back(what: Any) -> Optional[bytes]:
    """A pickle that was unpickled for a trial, or None."""
    try:
        try:
            pickled: bytes = dumps(what, 5)
        except Exception:
            from ._functions import cloudpickle

            pickled = cloudpickle().dumps(what, 5)
        loads(pickled)
        return pickled
    except BaseException:
        return None


def element(value: Any, layout: bytes) -> Any:
    """See _elements.py."""
    from ._elements import element

    return element(value, layout)


def call_range(*call: Any) -> Any:
    """See _elements.py."""
    from ._elements import call_range

    return call_range(*call)


HELPERS = (after_fork, setup, cleanup, load_function, encode, encode_error, unpickle, loads_with, end_buffers, flush, activate, element, call_range)
