"""Where things lie, seen from this file."""

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

OUT = BENCHMARKS / "out"
THRESHOLDS = BENCHMARKS / "thresholds.json"
PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"
