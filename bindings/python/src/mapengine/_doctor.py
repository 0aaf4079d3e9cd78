"""What `python -m mapengine doctor` looks at: what this Python and this machine have of what pools need."""
from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

OLDEST_GLIBC = (2, 28)
PATIENCE = 60
"""Seconds that a pool may take to start and to make some calls."""


@dataclass
class Finding:
    """What a check found. `level`: "ok", "warn" (pools run, but something is lost) or "fail" (they cannot); `advice`: what to do then."""

    level: str
    name: str
    found: str
    advice: str = ""

    def __str__(self) -> str:
        line = f"{self.level:<5}{self.name:<20}{self.found}"
        return line if self.level == "ok" or not self.advice else f"{line}\n     {self.advice}"


def findings() -> Iterator[Finding]:
    """All of them, one after another; a check that cannot be made is a failure of its own."""
    checks = {"Python": _python, "C library": _glibc, "package": _package, "library": _library, "zygote": _program,
              "workers' Python": _interpreter, "/dev/shm": _shared_memory, "C functions": _c_functions,
              "Python functions": _python_functions, "optional packages": _others, "kernel and limits": _machine}
    for name, check in checks.items():
        try:
            yield from check()
        except Exception as error:
            yield Finding("fail", name, f"{type(error).__name__}: {error}")


def _python() -> Iterator[Finding]:
    found = f"{platform.python_implementation()} {platform.python_version()}{getattr(sys, 'abiflags', '')}, {sys.executable}"
    if sys.implementation.name != "cpython" or sys.version_info < (3, 9):
        yield Finding("fail", "Python", found, "CPython 3.9 or later is needed")
    else:
        yield Finding("ok", "Python", found)


def _glibc() -> Iterator[Finding]:
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (ValueError, OSError):
        name = version = ""
    if name != "glibc":
        yield Finding("fail", "C library", name or "not glibc", "the package is for Linux with glibc 2.28 or later; musl will not do")
    elif tuple(map(int, version.split(".")[:2])) < OLDEST_GLIBC:
        yield Finding("fail", "C library", f"glibc {version}", "glibc 2.28 or later is needed")
    else:
        yield Finding("ok", "C library", f"glibc {version}")


def _package() -> Iterator[Finding]:
    folder = os.path.dirname(os.path.abspath(__file__))
    try:
        version = importlib.metadata.version("mapengine")
    except importlib.metadata.PackageNotFoundError:
        version = "copied, not installed by pip"
    yield Finding("ok", "package", f"{version}, {folder}")


def _library() -> Iterator[Finding]:
    from . import _abi as abi
    from ._library import library

    try:
        loaded = library()
    except (ImportError, OSError) as error:
        yield Finding("fail", "library", str(error), "install the package again: its native files are missing or damaged")
        return
    number = loaded.mape_version()
    found = f"libmapengine {number // 1000000}.{number // 1000 % 1000}.{number % 1000}"
    if number != abi.MAPE_VERSION:
        yield Finding("warn", "library", found, f"the package was made for {abi.VERSION}; does MAPENGINE_LIBRARY name another one?")
    else:
        yield Finding("ok", "library", found)


def native(*parts: str) -> str:
    """The path of one of the package's native files."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "_native", *parts)


def _program() -> Iterator[Finding]:
    program = native("libexec", "mapengine-zygote")
    if not os.path.exists(program):
        yield Finding("warn", "zygote", f"there is no {program}", "C functions cannot run; install the package again")
    elif not os.access(program, os.X_OK):
        yield Finding("fail", "zygote", f"{program} cannot be executed", "copy the package with its modes, to a file system without noexec: "
                      f"chmod +x {program}")
    else:
        yield Finding("ok", "zygote", program)


def _interpreter() -> Iterator[Finding]:
    from .hosts import find, find_python, is_embedded

    try:
        found = find_python()
    except ValueError as error:
        yield Finding("warn", "workers' Python", "none was found", f"{error}")
        return
    yield Finding("ok", "workers' Python", found + (f" (this program is {sys.executable or 'without a name'})" if is_embedded() else ""))
    yield Finding("ok", "event loop", find() or "none: a pool's own thread runs callbacks")


def _shared_memory() -> Iterator[Finding]:
    try:
        whole = os.statvfs("/dev/shm")
        size = f"{whole.f_frsize * whole.f_blocks // 2**20} MiB"
    except OSError as error:
        size = f"none ({error.strerror})"
    yield Finding("ok", "/dev/shm", f"{size}; not used: the engine's memory has no name there and no such limit")


def _c_functions() -> Iterator[Finding]:
    from .cfunctions import NativePool, cfunction

    with NativePool(2) as pool:
        root = cfunction("double sqrt(double x)", "libm.so.6", pool=pool)
        right = root.map([float(i * i) for i in range(64)]) == list(range(64))
    yield Finding("ok" if right else "fail", "C functions", "64 calls in 2 workers are right" if right else "results are wrong")


def _python_functions() -> Iterator[Finding]:
    from ._workers import Workers

    workers = Workers(2)
    try:
        job = workers.map(_square, range(64))
        if not job.wait(PATIENCE):
            yield Finding("fail", "Python functions", f"no result after {PATIENCE} s", "does the workers' Python start? What it prints may tell")
            return
        right = job.results() == [i * i for i in range(64)]
    finally:
        workers.terminate()
    yield Finding("ok" if right else "fail", "Python functions", "64 calls in 2 workers are right" if right else "results are wrong")


def _square(x: int) -> int:
    return x * x


def _others() -> Iterator[Finding]:
    versions = []
    for name in ("numpy", "tqdm", "joblib"):
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {name}")
    yield Finding("ok", "optional packages", ", ".join(versions))


_LINE = re.compile(r"(ok|warn|fail) +(.{19}) (.*)")


def _machine() -> Iterator[Finding]:
    """What the engine's own program says of kernel and limits."""
    program = native("bin", "mapengine")
    if not os.access(program, os.X_OK):
        yield Finding("warn", "kernel and limits", "not looked at: this package has no command line",
                      "`mapengine doctor` of an installed MapEngine tells")
        return
    told = subprocess.run([program, "doctor"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    found: list[Finding] = []
    for line in told.stdout.decode("utf-8", "replace").splitlines():
        parts = _LINE.fullmatch(line)
        if parts:
            found.append(Finding(parts[1], parts[2].strip(), parts[3]))
        elif line.startswith("     ") and found:
            found[-1].advice = (found[-1].advice + " " + line.strip()).strip()
    if not found:
        yield Finding("fail", "kernel and limits", f"{program} ended with {told.returncode}: {told.stdout.decode('utf-8', 'replace')[-300:]}")
    yield from found


def report(found: list[Finding]) -> dict[str, Any]:
    """For programs: as `--json` prints it."""
    return {
        "python": platform.python_version(), "executable": sys.executable,
        "failed": sum(one.level == "fail" for one in found), "warnings": sum(one.level == "warn" for one in found),
        "checks": [{"name": one.name, "level": one.level, "found": one.found, "advice": one.advice} for one in found],
    }
