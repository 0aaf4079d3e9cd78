"""What the package is made of, as it was installed."""
import ctypes
import importlib.metadata
import pathlib
import shutil
import struct
import subprocess
import sys

import pytest

import mapengine
from mapengine import _abi, _format

NATIVE = pathlib.Path(mapengine.__file__).parent / "_native"


def test_the_library_is_that_of_the_declarations():
    library = _abi.load(str(NATIVE / "lib" / _abi.SONAME))
    assert library.mape_version() == _abi.MAPE_VERSION
    assert ctypes.sizeof(_abi.mape_job_config()) == _abi.mape_job_config().struct_size


def test_the_version_is_that_of_the_library():
    assert importlib.metadata.version("mapengine") == _abi.VERSION


def test_importing_starts_nothing_and_imports_no_numpy():
    code = ("import sys, threading, os; before = set(os.listdir('/proc/self/fd')); import mapengine; "
            "print(threading.active_count(), 'numpy' in sys.modules, set(os.listdir('/proc/self/fd')) == before, "
            "open(f'/proc/self/task/{os.getpid()}/children').read().split())")
    printed = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE).stdout.decode()
    assert printed.split(None, 3) == ["1", "False", "True", "[]\n"]


def test_host_and_workers_have_one_format():
    """native/format.h, as the library was compiled with it, and _format.py."""
    class Line(ctypes.Structure):
        _fields_ = [("name", ctypes.c_char_p), ("value", ctypes.c_uint64)]

    library = ctypes.CDLL(str(NATIVE / "lib" / "mapengine_python.so"))
    lines = (Line * 100).in_dll(library, "mapengine_python_format")
    theirs = {}
    for line in lines:
        if line.name is None:
            break
        theirs[line.name.decode()] = line.value
    ours = {name: value.size if isinstance(value, struct.Struct) else value for name, value in vars(_format).items() if name.isupper()}
    assert theirs == ours and len(ours) > 15


@pytest.mark.once
@pytest.mark.parametrize("host, made", [("c", "build/try_waves"), ("blender", "build/waves.zip")])
def test_the_command_line_writes_a_plugin_that_builds(host, made, tmp_path):
    """By the commands that it prints: the package brings templates, headers and what CMake reads."""
    if not (shutil.which("cmake") and shutil.which("cc") and shutil.which("make")):
        pytest.skip("there is no cmake, cc or make")
    told = subprocess.run([sys.executable, "-m", "mapengine", "new", "plugin", "--host", host, "waves"], check=True, cwd=tmp_path, stdout=subprocess.PIPE)
    commands = "\n".join(line.strip() for line in told.stdout.decode().splitlines() if line.startswith("    "))
    done = subprocess.run(["bash", "-ec", commands], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=110)
    assert done.returncode == 0, done.stdout.decode()[-3000:]
    assert (tmp_path / "waves" / made).exists()
    if host == "c":
        assert done.stdout.decode().endswith("waves: 1000 items, 0 without a result\n")
