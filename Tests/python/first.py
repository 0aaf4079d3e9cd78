"""The first steps of a user who has nothing but the wheel: run by an empty environment's Python, with all warnings as errors."""
import pathlib
import subprocess
import sys
import threading

import mapengine

assert "numpy" not in sys.modules
assert threading.active_count() == 1, threading.enumerate()
from mapengine import _abi  # noqa: E402

native = pathlib.Path(mapengine.__file__).parent / "_native"
assert _abi.load(str(native / "lib" / _abi.SONAME)).mape_version() == _abi.MAPE_VERSION
printed = subprocess.run([native / "bin/mapengine", "map", "--library", "libm.so.6", "double sqrt(double)", "9"], check=True,
                         stdout=subprocess.PIPE).stdout
assert printed.split() == [b"3.0"], printed
