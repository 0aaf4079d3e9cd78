"""The first steps of a user who has nothing but the wheel: run by an empty environment's Python, isolated and with all warnings as errors."""
import gc
import os
import pathlib
import signal
import subprocess
import sys
import threading

descriptors = os.listdir("/proc/self/fd")
environment = dict(os.environ)
handlers = [signal.getsignal(number) for number in range(1, 32)]

import mapengine  # noqa: E402

assert "numpy" not in sys.modules and "multiprocessing" not in sys.modules
assert threading.active_count() == 1, threading.enumerate()
assert os.listdir("/proc/self/fd") == descriptors
from mapengine import _abi  # noqa: E402

assert mapengine.map(lambda x: x * x, range(5)) == [0, 1, 4, 9, 16]
with mapengine.Executor(2) as executor:
    assert executor.submit(pow, 2, 10).result() == 1024
with mapengine.Pool(2) as pool:
    assert pool.map(abs, [-1, 2]) == [1, 2]
assert list(mapengine.cfunction("double pow(double x, double y)", library="libm.so.6")([1, 2, 3], 2)) == [1, 4, 9]

mapengine.shutdown()
mapengine.cfunctions.close_default_pool()
gc.collect()
assert os.listdir("/proc/self/fd") == descriptors
assert os.environ == environment
assert [signal.getsignal(number) for number in range(1, 32)] == handlers
assert threading.active_count() == 1, threading.enumerate()
children = pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
assert not children, children

native = pathlib.Path(mapengine.__file__).parent / "_native"
assert _abi.load(str(native / "lib" / _abi.SONAME)).mape_version() == _abi.MAPE_VERSION
printed = subprocess.run([native / "bin/mapengine", "map", "--library", "libm.so.6", "double sqrt(double)", "9"], check=True,
                         stdout=subprocess.PIPE).stdout
assert printed.split() == [b"3.0"], printed
