"""python -m mapengine."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import mapengine
import pytest
from mapengine import _abi as abi

PACKAGE = pathlib.Path(mapengine.__file__).parent


def run(*arguments, folder=None, **environment):
    """(exit code, what was printed)"""
    path = {"PYTHONPATH": str(folder)} if folder else {}
    done = subprocess.run([sys.executable, "-m", "mapengine", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={**os.environ, **path, **environment}, timeout=100, cwd=folder)
    return done.returncode, done.stdout.decode()


@pytest.fixture(scope="module")
def told():
    return run("doctor")


def test_all_is_well_here(told):
    code, text = told
    assert code == 0, text
    assert text.splitlines()[-1].endswith("0 failed, 0 warnings") or " 0 failed, " in text.splitlines()[-1]
    names = {line[5:25].strip() for line in text.splitlines()}
    assert {"Python", "C library", "package", "library", "zygote", "workers' Python", "event loop", "/dev/shm", "C functions",
            "Python functions", "optional packages", "kernel", "pidfd", "descriptors"} <= names


def test_json_says_the_same(told):
    code, text = run("doctor", "--json")
    report = json.loads(text)
    assert code == 0 and report["failed"] == 0
    lines = [line for line in told[1].splitlines() if line[:4].strip() in ("ok", "warn", "fail")]
    assert len(report["checks"]) == len(lines)
    assert all(one["level"] in ("ok", "warn", "fail") and one["name"] and one["found"] for one in report["checks"])
    assert any(one["found"] == f"libmapengine {abi.VERSION}" for one in report["checks"])


def test_quiet_prints_what_is_not_in_order():
    code, text = run("doctor", "--quiet")
    assert code == 0 and not any(line.startswith("ok") for line in text.splitlines())


@pytest.fixture
def copy(tmp_path):
    """The package as a folder that somebody has copied."""
    shutil.copytree(PACKAGE, tmp_path / "mapengine", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_a_folder_that_was_copied_works(copy):
    code, text = run("doctor", folder=copy)
    assert code == 0 and str(copy) in text, text


def test_modes_that_were_lost_are_noticed(copy):
    zygote = copy / "mapengine/_native/libexec/mapengine-zygote"
    zygote.chmod(0o644)
    code, text = run("doctor", folder=copy)
    assert code == 1 and f"fail zygote              {zygote} cannot be executed" in text and f"chmod +x {zygote}" in text
    assert "fail C functions" in text


def test_a_library_that_is_missing_is_noticed(copy):
    (copy / "mapengine/_native/lib" / abi.SONAME).unlink()
    code, text = run("doctor", "--json", folder=copy)
    failed = [one["name"] for one in json.loads(text)["checks"] if one["level"] == "fail"]
    assert code == 1 and "library" in failed and "C functions" in failed


def test_without_the_command_line(copy):
    (copy / "mapengine/_native/bin/mapengine").unlink()
    code, text = run("doctor", folder=copy)
    assert code == 0 and "warn kernel and limits" in text
    code, text = run("map", folder=copy)
    assert code == 64 and "no command line" in text


def test_all_else_is_the_command_line():
    code, text = run("map", "--library", "libm.so.6", "double sqrt(double)", "9")
    assert (code, text) == (0, "3.0\n")
    assert run("--version")[1].strip().endswith(abi.VERSION)
    assert run()[0] == 64
    assert run("doctor", "--nonsense")[0] == 2
