"""Where things lie, seen from this file."""

import os
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent
ROOT = BENCHMARKS.parent
BUILD = ROOT / ".build-bench"
NATIVE = BUILD / "native"
# A copy of dist/, so that a build in the middle of a run changes nothing.
DIST = BUILD / "dist"
# The same without symbols: what is loaded in the row `load`, and what valgrind can read.
PLAIN = BUILD / "plain"
LIBRARY = "lib/libmapengine.so.1"

# Set by --smoke, for all that is measured by this process's children: every row does a little of its work, and no figure counts.
SMOKE_VARIABLE = "BENCH_SMOKE"
# Set by scripts/bench.sh when the Python peers could not be fetched for a smoke run.
WITHOUT_PYTHON = "BENCH_WITHOUT_PYTHON" in os.environ

OUT = BENCHMARKS / "out"
THRESHOLDS = BENCHMARKS / "thresholds.json"
PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"
