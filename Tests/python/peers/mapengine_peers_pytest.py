"""A plugin of pytest: runs the tests that suites.py names, tells it of each how it ended, and keeps suites' fixtures from looking into the
class that they test."""

from __future__ import annotations

import json
import os

import pytest


def tell(test: str, what: str) -> None:
    with open(os.environ["MAPENGINE_PEERS_REPORT"], "a") as report:
        print(json.dumps([test, what]), file=report)


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("MAPENGINE_PEERS") == "joblib":
        import mapengine_peers

        mapengine_peers.joblib()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    with open(os.environ["MAPENGINE_PEERS_TESTS"]) as file:
        wanted = json.load(file)
    if wanted is None:
        for item in items:
            tell(item.nodeid, "collected")
    else:
        items[:] = [item for item in items if item.nodeid in set(wanted)]
    if os.environ.get("MAPENGINE_PEERS") == "loky":
        from tests import _executor_mixin as mixin

        # Both read private attributes of the executor.
        mixin._check_subprocesses_number = lambda *_, **__: None
        mixin.ExecutorMixin.teardown_method = lambda self, method: self.executor is None or self.executor.shutdown(wait=True)


def pytest_runtest_logstart(nodeid: str, location: object) -> None:
    tell(nodeid, "started")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed or report.when == "call" or report.skipped:
        tell(report.nodeid, "passed" if report.passed else "skipped" if report.skipped else "failed")
