"""Where things lie, seen from this file."""

import os
from dataclasses import dataclass
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent
ROOT = BENCHMARKS.parent
BUILD = ROOT / ".build-bench"
NATIVE = BUILD / "native"


@dataclass(frozen=True)
class Build:
    """A build of the library to measure, as scripts/bench.sh has copied it: a build in the middle of a run changes nothing."""

    dist: Path
    # The same without symbols: what the row `load` loads, and what valgrind can read.
    plain: Path
    # The programs that measure it: ours, or, if it has another interface, those of its own checkout.
    native: Path

    @property
    def package(self):
        """The folder into which its wheel is installed: what Python finds our package in."""
        return self.dist.parent / "package"

    @property
    def library(self):
        """The library without symbols, by its soname, of which there is one in each build."""
        return next((self.plain / "lib").glob("libmapengine.so.?"), self.plain / "lib" / "libmapengine.so")


NEW = Build(BUILD / "dist", BUILD / "plain", NATIVE)
# What --against compares with.
_OLD_NATIVE = BUILD / "old" / "native"
OLD = Build(BUILD / "old" / "dist", BUILD / "old" / "plain", _OLD_NATIVE if _OLD_NATIVE.is_dir() else NATIVE)

# Set by --smoke, for all that is measured by this process's children: every row does a little of its work, and no figure counts.
SMOKE_VARIABLE = "BENCH_SMOKE"
# Set by scripts/bench.sh when the Python peers could not be fetched for a smoke run.
WITHOUT_PYTHON = "BENCH_WITHOUT_PYTHON" in os.environ
# Set when there is no wheel of our Python package, or no NumPy.
WITHOUT_PACKAGE = "BENCH_WITHOUT_PACKAGE" in os.environ

OUT = BENCHMARKS / "out"
THRESHOLDS = BENCHMARKS / "thresholds.json"
PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"
