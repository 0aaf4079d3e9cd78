"""Which interpreter runs the workers of an application that has Python built in.

`sys.executable` is then the application itself, of which a second window would open, or whatever Python comes first on PATH. So it is
looked for where applications bring one, and asked for its version: code objects and pickles of functions do not pass between minor ones.
"""
from __future__ import annotations

import functools
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

# It prints what has to be the same. -I -S: neither the user's settings nor site-packages have a part in it.
_ASK = "import sys; print(sys.implementation.name, sys.version_info[0], sys.version_info[1], getattr(sys, 'abiflags', ''), sep='|')"
_PATIENCE = 60
"""Seconds that an interpreter may take to say so: on a network drive in the morning they do take long."""


def is_embedded() -> bool:
    """Whether this interpreter runs inside of another program: `sys.executable` is not what this process runs."""
    own = sys.executable
    try:
        return not own or os.path.realpath(own) != os.path.realpath("/proc/self/exe")
    except OSError:
        return True


def find_python() -> str:
    """The path of a plain interpreter whose version is this one's, for the workers.

    That is `sys.executable` when this process runs it. Else: mayapy of Maya, $HFS/python of Houdini, the python beside Nuke, the one in
    Blender's and Unreal's folders, and the one that belongs to this interpreter's libraries. Raises ValueError, which says where it
    looked, when there is none.
    """
    return _find(sys.executable, sys.prefix)


@functools.lru_cache(maxsize=None)
def _find(executable: str, prefix: str) -> str:
    if not is_embedded():
        return executable
    tried = []
    for host, candidate in candidates():
        if not os.access(candidate, os.X_OK) or os.path.isdir(candidate):
            tried.append(f"{candidate} ({host}): there is none")
            continue
        problem = mismatch(str(candidate))
        if problem is None:
            return str(candidate)
        tried.append(f"{candidate} ({host}): {problem}")
    raise ValueError(f"no Python {_version()} was found that could run the workers of {executable or 'this program'}; name one by "
                     "python='/path/to/python'. " + "; ".join(tried))


def candidates() -> Iterator[tuple[str, Path]]:
    """Where applications bring an interpreter: (whose, path), each path once, the best first."""
    # Two names may be one file, and one file behave differently by its name: only what is spelled alike is the same.
    seen: set[Path] = set()
    for host, place in _places():
        if place not in seen:
            seen.add(place)
            yield host, place


def _places() -> Iterator[tuple[str, Path]]:
    program = Path(os.path.realpath("/proc/self/exe"))
    names = (f"python{_version()}", "python3", "python")
    # Maya: bin/maya.bin, bin/mayapy.
    if "maya" in sys.modules or program.name.startswith("maya"):
        for bin_folder in (program.parent, *_of_environment("MAYA_LOCATION", "bin")):
            yield "Maya", bin_folder / "mayapy"
    # Houdini: $HFS/bin/houdini-bin, $HFS/python/bin. hython would take a licence.
    if "hou" in sys.modules or program.name.startswith(("houdini", "hython", "hindie", "happrentice", "hescape")):
        for home in (*_of_environment("HFS"), program.parent.parent):
            for name in names:
                yield "Houdini", home / "python" / "bin" / name
    # Nuke: its python lies beside it. nuke -t would take a licence.
    if "nuke" in sys.modules or program.name.startswith("Nuke"):
        for name in names[1:]:
            yield "Nuke", program.parent / name
    # Blender: blender, 4.2/python/bin/python3.11.
    if "bpy" in sys.modules or program.name.startswith("blender"):
        for folder in sorted(program.parent.glob("[0-9]*.[0-9]*/python/bin"), reverse=True):
            yield "Blender", folder / names[0]
    # Unreal: Engine/Binaries/Linux/UnrealEditor, Engine/Binaries/ThirdParty/Python3/Linux/bin.
    if "unreal" in sys.modules or program.name.startswith(("UnrealEditor", "UE4Editor")):
        for name in names:
            yield "Unreal", program.parent.parent / "ThirdParty" / "Python3" / "Linux" / "bin" / name
    # Where this interpreter's own libraries lie: that of a virtual environment, of the system, or one that the application brings.
    for prefix in (sys.prefix, sys.exec_prefix, sys.base_prefix):
        yield "sys.prefix", Path(prefix) / "bin" / names[0]
    standard = sysconfig.get_path("stdlib")
    if standard:
        yield "the standard library", Path(standard).parent.parent / "bin" / names[0]


def _of_environment(name: str, *parts: str) -> list[Path]:
    value = os.environ.get(name)
    return [Path(value, *parts)] if value else []


def mismatch(python: str) -> Optional[str]:
    """What is wrong with an interpreter for workers of this process; None when nothing is. Starts it to ask."""
    try:
        answer = subprocess.run([python, "-I", "-S", "-c", _ASK], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    told = answer.stdout.decode("utf-8", "replace").strip().splitlines()[-1:]
    wanted = [sys.implementation.name, *map(str, sys.version_info[:2]), getattr(sys, "abiflags", "")]
    if answer.returncode or not told or told[0].count("|") != 3:
        return f"it is no Python: it ended with {answer.returncode}, {answer.stderr.decode('utf-8', 'replace').strip()[-200:]}"
    given = told[0].split("|")
    if given != wanted:
        return f"it is {given[0]} {given[1]}.{given[2]}{given[3]}, and this is {wanted[0]} {wanted[1]}.{wanted[2]}{wanted[3]}"
    return None


def _version() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"
