"""What the tests of event loops and applications share: scripts in processes of their own."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import textwrap

import mapengine
import pytest

HERE = pathlib.Path(__file__).parent
PACKAGE = pathlib.Path(mapengine.__file__).parent.parent
COUNT = 2000


def run(code, *, command=None, display=False, timeout=90, **environment):
    """Runs a script that ends by printing "right"."""
    text = textwrap.dedent(code)
    command = [*(command or [sys.executable, "-c"]), text]
    if display:
        if shutil.which("xvfb-run") is None:
            pytest.skip("there is no xvfb-run (package xvfb)")
        command = ["xvfb-run", "-a", *command]
    path = os.pathsep.join([str(HERE), str(PACKAGE)])
    # A session of its own, so that nothing is left of one that hangs: xvfb-run has children.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True,
                               env={**os.environ, "PYTHONPATH": path, **environment})
    try:
        printed, errors = (text.decode() for text in process.communicate(timeout=timeout))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        printed, errors = (text.decode() for text in process.communicate())
        raise AssertionError(f"still running after {timeout} s: {printed}{errors}"[-4000:]) from None
    assert "right" in printed.splitlines(), (printed + errors)[-4000:]
    return printed + errors


def needs(module):
    if subprocess.run([sys.executable, "-c", f"import {module}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        pytest.skip(f"there is no {module} for this Python")


POOLS = pytest.mark.parametrize("pool", ["EventPool", "PythonPool"])

SEEDS = """
    import threading
    import mapengine
    told = []
    def tell(values):
        told.append((values, threading.current_thread() is threading.main_thread()))
        {end}
    handle = mapengine.map(lambda x: x * x, range(10), callback=tell)
    mapengine.apply(divmod, (7, 2), callback=tell)
    mapengine.map(lambda x: 1 // x, [1, 0], callback=tell, errback=tell)
    def check():
        assert all(main for _, main in told), told
        assert [x * x for x in range(10)] in [value for value, _ in told] and (3, 1) in [value for value, _ in told]
        assert [type(value).__name__ for value, _ in told].count("MapErrors") == 1 and not handle.is_alive()
        print("right", flush=True)
"""
