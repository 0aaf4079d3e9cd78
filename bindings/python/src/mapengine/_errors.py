"""What goes wrong in workers, as exceptions."""
from __future__ import annotations

import concurrent.futures
import multiprocessing
from typing import Any, Dict, List, Optional

from ._problems import MapEngineError

try:
    from concurrent.futures.process import BrokenProcessPool
except RuntimeError:  # The interpreter is ending, and that module is no longer imported then. Its base has to do.
    from concurrent.futures import BrokenExecutor as BrokenProcessPool  # type: ignore[assignment]


class RemoteTraceback(Exception):
    """The `__cause__` of an exception that came from a worker; `tb` is the traceback there, as text."""

    def __init__(self, tb: str) -> None:
        super().__init__(tb)
        self.tb = tb

    def __str__(self) -> str:
        return self.tb


class RemoteError(Exception):
    """In place of a worker's exception that does not come out of a pickle. `type_name` is its type's, the text its own."""

    def __init__(self, text: str, type_name: str = "") -> None:
        super().__init__(text)
        self.type_name = type_name


class PoolBroken(MapEngineError, BrokenProcessPool):
    """The pool cannot run the call: it was terminated, its workers cannot be started, or their initializer fails."""

    def __init__(self, message: str, status: int = 0) -> None:
        MapEngineError.__init__(self, message, status)


class TransferError(PoolBroken):
    """The call's arguments did not come out of their pickle in the worker, or its result did not here: the `__cause__` says why. Only this
    call is lost. It is a BrokenProcessPool since that is what concurrent.futures makes of it."""


class WorkerDied(PoolBroken):
    """The call ended its worker: by a signal, by an exit, or by overwriting the worker's memory. Only this call is lost.

    element: its index in its map, 0 for a single call. signal: the signal's number, 0 if there was none. exit_code: None after a signal.
    place: where in native code, when known. python_stack, c_stack: lines of both stacks, "" when the worker could not tell. pid: that of
    the worker. attempts: how often it was begun. host: the machine's name in a cluster, "" for this one.
    """

    def __init__(self, message: str, element: int = 0, signal: int = 0, exit_code: Optional[int] = None, place: str = "",
                 python_stack: str = "", c_stack: str = "", pid: int = 0, attempts: int = 1, host: str = "") -> None:
        super().__init__(message)
        self.element, self.signal, self.exit_code, self.place = element, signal, exit_code, place
        self.python_stack, self.c_stack, self.pid, self.attempts, self.host = python_stack, c_stack, pid, attempts, host

    def __str__(self) -> str:
        stacks = "".join(f"\n{title}:\n{text}" for title, text in (("Python", self.python_stack), ("C", self.c_stack)) if text)
        return str(self.args[0]) + stacks

    def __reduce__(self) -> Any:
        return type(self), (self.args[0], self.element, self.signal, self.exit_code, self.place, self.python_stack, self.c_stack,
                            self.pid, self.attempts, self.host)


# Since 3.11 the first is the third.
_TIMEOUTS: Any = tuple(dict.fromkeys((concurrent.futures.TimeoutError, multiprocessing.TimeoutError, TimeoutError)))


class ItemTimeout(*_TIMEOUTS):  # type: ignore[misc]
    """The call took longer than its `timeout`, and its worker was ended. A TimeoutError of all kinds."""

    def __init__(self, message: str, element: int = 0, python_stack: str = "") -> None:
        super().__init__(message)
        self.element, self.python_stack = element, python_stack

    def __reduce__(self) -> Any:
        return type(self), (self.args[0], self.element, self.python_stack)


class MapErrors(MapEngineError):
    """Elements of a map have failed; the others have not been lost.

    failures: exceptions by the index of their element. results: the list of all results, None where there is a failure. exceptions: those
    failures, in order, as an ExceptionGroup has them.
    """

    def __init__(self, failures: Dict[int, BaseException], results: List[Any]) -> None:
        self.failures, self.results = failures, results
        self.exceptions = tuple(failures[index] for index in sorted(failures))
        first = min(failures)
        error = failures[first]
        super().__init__(f"{len(failures)} of {len(results)} elements failed; the first, element {first}: {type(error).__name__}: {error}")

    def __reduce__(self) -> Any:
        return type(self), (self.failures, self.results)
