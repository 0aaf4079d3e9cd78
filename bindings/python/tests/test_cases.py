"""Fifteen cases from other people's bug reports: each a script of an interpreter of its own, that prints OK and exits with 0."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

CASES = sorted((Path(__file__).parent / "cases").glob("P*.py"))
NEEDS = {"P07": ("numpy", "threadpoolctl"), "P12": ("numpy",)}
# Seconds after which a case is taken to hang.
LIMIT = {"P12": 240}


def marks(case: Path) -> list[pytest.MarkDecorator]:
    missing = [name for name in NEEDS.get(case.name[:3], ()) if importlib.util.find_spec(name) is None]
    found = [pytest.mark.timeout(2 * LIMIT.get(case.name[:3], 100))]
    if missing:
        found.append(pytest.mark.skip(reason=f"needs {', '.join(missing)}"))
    if case.name.startswith("P12"):
        found.append(pytest.mark.once)
    return found


@pytest.mark.parametrize("case", [pytest.param(case, id=case.stem, marks=marks(case)) for case in CASES])
def test_case(case: Path, tmp_path: Path) -> None:
    interactive = case.name.startswith("P03")
    command = [sys.executable, *(["-c", case.read_text()] if interactive else [str(case)])]
    environment = {**os.environ, "COUNT_FILE": str(tmp_path / "count")}
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # One of its own, for the case that interrupts its whole group.
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=LIMIT.get(case.name[:3], 100))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        output, errors = process.communicate()
        pytest.fail(f"it hangs\n{output}\n{errors}")
    assert process.returncode == 0, output + errors
    assert "OK" in output.splitlines(), output + errors
    assert "Traceback" not in errors and "Warning" not in errors, errors
    assert len(CASES) == 15
