#!/usr/bin/env python3
"""Runs other people's tests with MapEngine's classes in the place of theirs. Called by run.sh.

    suites.py PYTHON FOLDER SUITE...     suites: cpython, loky, joblib

A test counts as failed if it fails with our class and passes with their own; so what does not work on this machine at all says nothing.
Tests that excluded.txt names do not run. FOLDER has the suites that lie in no environment, and gets the logs.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
# Seconds after which a test is taken to hang; the longest takes 30.
LIMIT = 180

COLLECT = """
import sys, unittest
def each(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite): yield from each(test)
        else: yield test
for name in sys.argv[1:]:
    try: __import__(name)
    except ImportError: continue
    for test in each(unittest.defaultTestLoader.loadTestsFromName(name)): print(test.id())
"""

# A module of tests, and those of its tests that are about process pools.
CPYTHON = {
    "test.test_concurrent_futures": r"ProcessPool|FailingInitializerResourcesTest",
    "test.test_multiprocessing_fork": r"WithProcessesTestPool|test_pool_initializer|test_pool_in_process|TestPoolNotLeak",
    "test.test_multiprocessing_spawn": r"WithProcessesTestPool|test_pool_initializer|test_pool_in_process|TestPoolNotLeak",
}


def excluded(suite: str) -> dict[str, str]:
    """Patterns of names of tests, and why they do not run."""
    patterns = {}
    for line in (HERE / "excluded.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, pattern, reason = line.split(None, 2)
            if name == suite:
                patterns[pattern] = reason
    return patterns


class Suite:
    """One suite in one environment."""

    def __init__(self, name: str, python: str, folder: Path) -> None:
        self.name, self.python, self.folder = name, python, folder
        self.excluded = excluded(name)
        self.used: set[str] = set()

    def is_excluded(self, test: str) -> bool:
        found = [pattern for pattern in self.excluded if fnmatch.fnmatchcase(test, pattern)]
        self.used.update(found)
        return bool(found)

    def environment(self, ours: bool) -> dict[str, str]:
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "MAPENGINE_PEERS": self.name if ours else ""}
        environment["MAPENGINE_PEERS_PATH"] = str(self.folder / "cpython") if (self.folder / "cpython").exists() else ""
        return environment

    def run(self, *arguments: str, ours: bool, limit: int, cwd: Path | None = None) -> tuple[int, str]:
        process = subprocess.Popen(
            [self.python, *arguments],
            env=self.environment(ours),
            cwd=cwd or self.folder,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            try:
                output, _ = process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                output = ""
            return 1, output + f"\nstill running after {limit} s"
        return process.returncode, output


class CPython(Suite):
    """A process per test, so that a test that hangs costs nothing but itself."""

    def tests(self) -> list[str]:
        names = []
        for package in CPYTHON:
            base = package.replace("_futures", "_futures.test_%s") if package.endswith("futures") else package + ".test_%s"
            parts = ("as_completed", "deadlock", "init", "process_pool", "shutdown", "wait", "processes", "misc")
            names += [package, *(base % part for part in parts)]
        status, output = self.run("-c", COLLECT, *names, ours=False, limit=LIMIT)
        found = [line for line in output.splitlines() if line.startswith("test.")]
        wanted = re.compile("|".join(f"{re.escape(name)}.*(?:{what})" for name, what in CPYTHON.items()))
        return [test for test in dict.fromkeys(found) if wanted.match(test)]

    def outcome(self, test: str, ours: bool) -> tuple[str, str]:
        # A resource "walltime" is asked for by the tests that wait.
        program = f"import test.support as s, unittest; s.use_resources = None; unittest.main(None, argv=['test', '-v', {test!r}])"
        status, output = self.run("-c", program, ours=ours, limit=LIMIT)
        if status == 0 and re.search(r"^OK \(skipped=", output, re.M):
            return "skipped", output
        # Since 3.12 a run without a test ends with 5: a class may skip all of its own.
        if status in (0, 5):
            return ("passed" if re.search(r"^Ran [1-9]", output, re.M) else "skipped"), output
        return "failed", output

    def outcomes(self) -> dict[str, tuple[str, str]]:
        tests = [test for test in self.tests() if not self.is_excluded(test)]
        only = os.environ.get("PEERS_ONLY")
        if only:
            tests = [test for test in tests if re.search(only, test)]
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
            return dict(zip(tests, threads.map(lambda test: self.outcome(test, True), tests)))


class Pytest(Suite):
    """One run of pytest for all; when a test ends the process, another one for the rest."""

    arguments: tuple[str, ...] = ()
    cwd: Path | None = None

    def select(self, test: str) -> bool:
        return True

    def is_wanted(self, test: str) -> bool:
        only = os.environ.get("PEERS_ONLY")
        return self.select(test) and not self.is_excluded(test) and (not only or bool(re.search(only, test)))

    def outcomes(self) -> dict[str, tuple[str, str]]:
        collected, _ = self.pytest(None, ours=True)
        return self.results([test for test in collected if self.is_wanted(test)], ours=True)

    def outcome(self, test: str, ours: bool) -> tuple[str, str]:
        return self.results([test], ours)[test]

    def results(self, tests: list[str], ours: bool) -> dict[str, tuple[str, str]]:
        outcomes: dict[str, tuple[str, str]] = {}
        left = tests
        while left:
            found, output = self.pytest(left, ours)
            outcomes.update({test: (what, output if what in ("failed", "started") else "") for test, what in found.items()})
            # One that has begun and not ended has ended the process.
            outcomes.update({test: ("failed", output) for test, (what, output) in outcomes.items() if what == "started"})
            before, left = left, [test for test in left if test not in outcomes]
            if len(left) == len(before):
                outcomes.update({test: ("failed", "it did not run\n" + output) for test in left})
                break
        return outcomes

    def pytest(self, tests: list[str] | None, ours: bool) -> tuple[dict[str, str], str]:
        """Runs tests, or with None only says which there are. What became of each, and what pytest printed."""
        listed, report = self.folder / f"{self.name}.tests", self.folder / f"{self.name}.report"
        listed.write_text(json.dumps(tests))
        report.unlink(missing_ok=True)
        options = ["-p", "no:cacheprovider", "-p", "mapengine_peers_pytest", "-o", "addopts=", "--timeout=60", "--timeout-method=thread", "-q"]
        options += [] if tests else ["--collect-only"]
        os.environ.update(MAPENGINE_PEERS_TESTS=str(listed), MAPENGINE_PEERS_REPORT=str(report))
        _, output = self.run("-m", "pytest", *options, *self.arguments, ours=ours, limit=1800, cwd=self.cwd)
        (self.folder / f"{self.name}.log").write_text(output)
        found: dict[str, str] = {}
        for line in report.read_text().splitlines() if report.exists() else []:
            test, what = json.loads(line)
            # An error in the teardown comes after the test's own word.
            if found.get(test) != "failed":
                found[test] = what
        return found, output


class Loky(Pytest):
    arguments = ("tests/test_process_executor_loky.py",)

    def __init__(self, name: str, python: str, folder: Path) -> None:
        super().__init__(name, python, folder)
        self.cwd = next(folder.glob("loky-*/"))


class Joblib(Pytest):
    arguments = ("--pyargs", "joblib.test.test_parallel")

    def select(self, test: str) -> bool:
        return not re.search(r"threading|sequential|multiprocessing|Threading|dask", test.rpartition("::")[2])


def main() -> int:
    python, folder, *names = sys.argv[1:]
    passed = failed = 0
    for name in names:
        suite = {"cpython": CPython, "loky": Loky, "joblib": Joblib}[name](name, python, Path(folder).resolve())
        counts: Counter[str] = Counter()
        for test, (what, output) in suite.outcomes().items():
            if what == "failed" and suite.outcome(test, ours=False)[0] != "passed":
                what = "failed with their own class as well"
            counts[what] += 1
            if what == "failed":
                print(f"FAILED {name}: {test}\n    " + "\n    ".join(output.splitlines()[-12:]))
                (suite.folder / "failed").mkdir(exist_ok=True)
                (suite.folder / "failed" / re.sub(r"\W+", "_", test)[-120:]).write_text(output)
        if not counts:
            print(f"FAILED {name}: there were no tests")
            counts["failed"] += 1
        unused = set(suite.excluded) - suite.used
        if unused and not os.environ.get("PEERS_ONLY"):
            print(f"note: no test of {name} here is called {', '.join(sorted(unused))}")
        print(f"{name}: " + ", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
        passed += counts["passed"]
        failed += counts["failed"]
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
