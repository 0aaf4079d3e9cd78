"""What the package is made of, as it was installed."""
import ctypes
import importlib.metadata
import pathlib
import subprocess
import sys

import mapengine
from mapengine import _abi

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
