"""The host's program is never started as a worker, though `sys.executable` names it (ShapeWorks#2088, GraXpert#38, pebble#107)."""

import os
import sys
import tempfile

from mapengine import Executor


def successor(x):
    return x + 1


if __name__ == "__main__":
    gui = os.path.join(tempfile.mkdtemp(), "gui")
    with open(gui, "w") as file:
        file.write(f"#!/bin/sh\necho started >>{gui}.log\nexit 1\n")
    os.chmod(gui, 0o755)
    python, sys.executable = sys.executable, gui
    sys.argv[:] = [gui]
    executor = Executor(2, python=python)
    assert list(executor.map(successor, range(4))) == [1, 2, 3, 4]
    executor.shutdown()
    # Nor when nobody says which interpreter it should be: it finds one, or raises an error that says what to do.
    try:
        with Executor(2) as executor:
            assert list(executor.map(successor, range(4))) == [1, 2, 3, 4]
    except Exception as error:
        assert "python=" in str(error), repr(error)
    assert not os.path.exists(gui + ".log"), "the host's program was started"
    print("OK")
