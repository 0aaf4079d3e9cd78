"""From what the engine says of an item that did not end well, to an exception."""
from __future__ import annotations

import re
from concurrent.futures import CancelledError
from typing import Any, Dict, List, Optional, Tuple

from . import _abi as abi
from ._codec import Unpickle, decode_error, same_as
from ._engine import Pool, Result
from ._problems import MapEngineError
from ._errors import ItemTimeout, PoolBroken, RemoteError, RemoteTraceback, WorkerDied


def failure(pool: Pool, job: int, index: int, unpickle: Unpickle, element: int, name: str = "",
            alike: Optional[Dict[int, BaseException]] = None) -> BaseException:
    """The exception of an item that has ended, and not well. `element` is its index for people, `name` the pool's. `alike` keeps the last
    one, by its item, for the items that have failed with that."""
    result = pool.job_result(job, index)
    if result.state == abi.MAPE_ITEM_FAILED:
        first = same_as(result.data, result.size)
        if first is None or not 0 <= first < index:
            first = index
        elif alike and first in alike:
            return alike[first]
        else:
            try:
                result = pool.job_result(job, first)
            except MapEngineError as error:  # That one has not ended: no worker writes such a thing.
                return error
        found = _failed(result, unpickle)
        if alike is not None:
            alike.clear()
            alike[first] = found
        return found
    if result.state == abi.MAPE_ITEM_CRASHED:
        return _died(pool, job, index, result, element, name)
    if result.state == abi.MAPE_ITEM_TIMED_OUT:
        python, _ = _stacks(pool, job, index)
        return ItemTimeout(result.message or "the time for this item is over", element, python)
    if result.state == abi.MAPE_ITEM_CANCELLED:
        return CancelledError()
    return PoolBroken(result.message or "the pool was shut down before the call was done")


def _failed(result: Result, unpickle: Unpickle) -> BaseException:
    if result.cause == abi.MAPE_CAUSE_MEMORY:
        return MemoryError(result.message)
    if result.cause != abi.MAPE_CAUSE_FUNCTION:
        line, _, text = re.sub(r'^(node \S+: )?setup of "python" failed with code \d+: ', r"\1", result.message).partition("\n")
        broken = PoolBroken(line, result.code)
        if text:
            broken.__cause__ = RemoteTraceback('\n"""\n' + text + '"""')
        return broken
    try:
        told = decode_error(result.data, result.size, unpickle)
    except Exception:
        told = None
    if told is None:
        return RemoteError(result.message)
    how, what, line, text, name = told
    error: BaseException = _remade(how, what, unpickle)
    if error is None:  # Not `or`: exceptions may be false.
        error = RemoteError(line, name)
    error.__cause__ = RemoteTraceback('\n"""\n' + text + '"""')
    return error


def _remade(how: int, what: bytes, unpickle: Unpickle) -> Any:
    """The worker's exception, or None when this process cannot make it."""
    try:
        if how == 1:
            error = unpickle(what)
        elif how == 2:
            kind, arguments, attributes = unpickle(what)
            error = kind.__new__(kind, *arguments)
            error.args = arguments
            error.__dict__.update(attributes)
        else:
            return None
        return error if isinstance(error, BaseException) else None
    except Exception:
        return None


def _stacks(pool: Pool, job: int, index: int) -> Tuple[str, str]:
    """What the worker wrote of Python's stack and of C's before it died, without the package's own frames."""
    crash = pool.crash(job, index)
    python: List[str] = []
    native: List[str] = []
    for line in ((crash.text if crash is not None else None) or b"").decode("utf-8", "replace").splitlines():
        if line.startswith("> "):
            if not _OWN_FRAME.search(line):
                python.append(line[2:])
        elif line.startswith("#"):
            native.append(line)
    return "\n".join(python), "\n".join(native)


_OWN_FRAME = re.compile(r'File "([^"]*[/\\])?_(zygote|node)\.py", line \d+ in (_enter|become|main)$|File "<string>", line 1 in <module>$')
_PYTHON_PLACE = re.compile(r'File "(.*)", line (\d+) in (.*)')
_ENGINE_PLACE = re.compile(r'(?: in (\S[^"]*?))?, function "python", item \d+ of job \d+')


def _died(pool: Pool, job: int, index: int, result: Result, element: int, name: str) -> WorkerDied:
    crash = pool.crash(job, index)
    python, native = _stacks(pool, job, index)
    signal = result.code if result.cause == abi.MAPE_CAUSE_SIGNAL else 0
    code = result.code if result.cause == abi.MAPE_CAUSE_EXIT else None
    inner = _PYTHON_PLACE.search(python)
    found = _ENGINE_PLACE.search(result.message)
    place = found[1] or "" if found else ""
    said = _ENGINE_PLACE.sub(f" in {place}" if place else "", result.message)
    where = f', called by {inner[3]} ({inner[1]}:{inner[2]})' if inner else ""
    of = f" of {name}" if name else ""
    return WorkerDied(f"{said}{where}, in element {element}{of}", element, signal, code, place, python, native,
                      crash.pid if crash is not None else 0, result.attempts,
                      (crash.host or b"").decode("utf-8", "replace") if crash is not None else "")
