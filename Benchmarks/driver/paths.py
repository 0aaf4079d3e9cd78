"""Where things lie, seen from this file."""

import os
from dataclasses import dataclass
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent
ROOT = BENCHMARKS.parent
BUILD = ROOT / ".build-bench"
NATIVE = BUILD / "native"
# By its soname, of which there is one in each build.
LIBRARY = next((f"lib/{path.name}" for path in (BUILD / "plain" / "lib").glob("libmapengine.so.?")), "lib/libmapengine.so")


@dataclass(frozen=True)
class Build:
    """A build of the library to measure, as scripts/bench.sh has copied it: a build in the middle of a run changes nothing."""

    dist: Path
    # The same without symbols: what the row `load` loads, and what valgrind can read.
    plain: Path


NEW = Build(BUILD / "dist", BUILD / "plain")
# What --against compares with.
OLD = Build(BUILD / "old" / "dist", BUILD / "old" / "plain")

# Set by --smoke, for all that is measured by this process's children: every row does a little of its work, and no figure counts.
SMOKE_VARIABLE = "BENCH_SMOKE"
# Set by scripts/bench.sh when the Python peers could not be fetched for a smoke run.
WITHOUT_PYTHON = "BENCH_WITHOUT_PYTHON" in os.environ

OUT = BENCHMARKS / "out"
THRESHOLDS = BENCHMARKS / "thresholds.json"
PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"
