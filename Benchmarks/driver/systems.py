"""How one system is run once for one row: a process of its own, which answers a number, or several by name."""

import json
import os
import subprocess
import sys
from collections import defaultdict

from .paths import BENCHMARKS, NATIVE, NEW, SMOKE_VARIABLE


class Failed(Exception):
    """A system did not answer, or answered wrongly."""


def run(command, timeout=120, **options):
    environment = os.environ | {
        "PYTHONPATH": str(BENCHMARKS),
        "BENCH_PYTHON_WORK": str(NATIVE / "libpythonwork.so"),
    } | options.pop("environment", {})
    try:
        done = subprocess.run(
            [str(word) for word in command], env=environment, timeout=timeout, capture_output=True, text=True, **options
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"no answer within {timeout} s") from None
    except OSError as error:
        raise Failed(str(error)) from None
    if done.returncode != 0:
        lines = [line for line in (done.stderr + done.stdout).strip().splitlines() if line.strip()]
        raise Failed(f"exit code {done.returncode}: {lines[-1] if lines else 'no message'}")
    return done.stdout


class Native:
    """A row of a program that Google Benchmark drives. A benchmark with arguments answers a value for each. A program that uses the
    library loads the given build of it."""

    def __init__(self, program, benchmark, counter="value"):
        self.program, self.benchmark, self.counter = program, benchmark, counter

    def __call__(self, seconds, build=NEW):
        output = run([
            build.native / f"bench-{self.program}",
            f"--benchmark_filter=^{self.benchmark}/",
            f"--benchmark_min_time={seconds}",
            "--benchmark_format=json",
        ], environment={"LD_LIBRARY_PATH": str(build.dist / "lib")})
        values = {}
        # A program that has no such row prints nothing.
        for result in json.loads(output)["benchmarks"] if output.strip() else []:
            if result.get("error_occurred"):
                raise Failed(result.get("error_message", "failed"))
            parts = result["run_name"].split("/")
            parameter = parts[1] if len(parts) > 1 and parts[1].isdigit() else ""
            values[parameter] = result[self.counter]
            for counter in ("growth", "few", "many"):
                if counter in result:
                    values[counter] = result[counter]
        if not values:
            raise Failed(f"{self.program} has no {self.benchmark}")
        return values


class Python:
    """A row of one of the Python peers."""

    def __init__(self, system, row):
        self.system, self.row = system, row

    def __call__(self, seconds, build=NEW):
        (answer,) = self.answers([self.row], seconds, build)
        return answer.get("values") or {"": answer["value"]}

    def answers(self, rows, seconds, build):
        output = run(
            [sys.executable, "-m", "python_peers", ",".join(rows), self.system, "--seconds", seconds],
            environment={"PYTHONPATH": f"{BENCHMARKS}:{build.package}"},
        )
        # A peer may write lines of its own.
        return [json.loads(line) for line in output.splitlines() if line.startswith('{"row"')]


class Package(Python):
    """A row of the Python package, or of a peer beside it. A smoke run has all rows of a system run by one process: there are many, and
    most of their time would be interpreters that start."""

    rows_of = defaultdict(list)  # by system
    smoked = {}  # by system, build and row: what was answered, until it is asked for.

    def __init__(self, system, row):
        super().__init__(system, row)
        self.rows_of[system].append(row)

    def __call__(self, seconds, build=NEW):
        if SMOKE_VARIABLE not in os.environ:
            return super().__call__(seconds, build)
        key = self.system, build
        if (*key, self.row) not in self.smoked:
            # The first time all of them, and later one that has failed, or is asked for again.
            rows = [self.row] if key in self.smoked else self.rows_of[self.system]
            self.smoked[key] = True
            self.smoked |= {(*key, answer["row"]): answer for answer in self.answers(rows, seconds, build)}
        answer = self.smoked.pop((*key, self.row), {"failed": "no answer"})
        if "failed" in answer:
            raise Failed(answer["failed"])
        return answer.get("values") or {"": answer["value"]}
