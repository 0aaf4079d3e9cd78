"""Which interpreter runs the workers of an application."""
import os
import subprocess
import sys

import mapengine
import pytest
from hostrun import PACKAGE


def test_a_plain_interpreter_is_its_own_worker():
    assert not mapengine.hosts.is_embedded() and mapengine.hosts.find_python() == sys.executable


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


FIND = """
import sys, types
sys.executable = sys.argv[1]
if sys.argv[2]:
    sys.modules[sys.argv[2]] = types.ModuleType(sys.argv[2])
if sys.argv[3] == "bare":
    sys.prefix = sys.exec_prefix = sys.base_prefix = "/nowhere"
    import sysconfig
    sysconfig.get_path = lambda name: None
from mapengine import _hostpython
print(_hostpython.find_python())
"""


def find(executable, module="", bare=True, **environment):
    done = subprocess.run([sys.executable, "-c", FIND, str(executable), module, "bare" if bare else ""], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(PACKAGE), **environment})
    return done.stdout.decode().strip() or done.stderr.decode()


def test_the_program_itself_is_never_started(tmp_path):
    gui = program(tmp_path / "bin" / "gui", f"touch {tmp_path}/started\n")
    found = find(gui, bare=False)
    assert os.path.basename(found).startswith("python3") and not (tmp_path / "started").exists()
    told = find(gui)
    assert "ValueError" in told and "python='/path/to/python'" in told and str(gui) in told
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("module, variable, place", [("maya", "MAYA_LOCATION", "bin/mayapy"), ("hou", "HFS", "python/bin/python3")])
def test_interpreters_of_applications(tmp_path, module, variable, place):
    gui = tmp_path / "gui"
    real = program(tmp_path / place, f'exec {sys.executable} "$@"\n')
    assert find(gui, module, **{variable: str(tmp_path)}) == str(real)
    # Of another version, or no Python at all.
    program(real, "echo 'cpython|3|7|'\n")
    told = find(gui, module, **{variable: str(tmp_path)})
    assert "it is cpython 3.7" in told and "ValueError" in told
    program(real, "exit 3\n")
    assert "ended with 3" in find(gui, module, **{variable: str(tmp_path)})
    real.unlink()
    assert f"{real} (" in find(gui, module, **{variable: str(tmp_path)})
