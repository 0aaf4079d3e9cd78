"""Run Python and C functions over many inputs in worker processes."""
from __future__ import annotations

import importlib
from typing import Any

_EXPORTS = {"cfunction": "cfunctions", "CFunction": "cfunctions", "NativePool": "cfunctions",
            "MapEngineError": "_problems", "MapErrors": "_errors", "WorkerDied": "_errors", "ItemTimeout": "_errors"}


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module("." + _EXPORTS[name], __name__), name)
    if name in ("hosts", "cfunctions"):
        return importlib.import_module("." + name, __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
