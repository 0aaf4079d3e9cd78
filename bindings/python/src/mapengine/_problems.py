"""The package's own error, and what a status of the engine is called."""
from __future__ import annotations


class MapEngineError(Exception):
    """The engine refused a call, or a pool cannot go on. `status` is the engine's number (mape_status), 0 when it has none."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
