"""Compares two builds of the library side by side: in each round every row runs with the old and the new one, in turn, and every
other round in the other order, so that whatever the machine does meanwhile meets both alike. Only systems that are MapEngine run."""

import statistics
import subprocess
import time
from collections import defaultdict
from dataclasses import dataclass

from . import probes
from .measuring import QUICK, SMOKE, names, progress
from .paths import NEW, OLD
from .report import figure
from .rows import OURS
from .systems import Failed

LEAST_ROUNDS, MOST_ROUNDS = 5, 15


@dataclass
class Comparison:
    """The figures of one system of a row, a figure of each build per round."""

    bench: str
    system: str
    unit: str
    higher_is_better: bool
    old: list
    new: list

    @property
    def ratio(self):
        """New to old."""
        old, new = statistics.median(self.old), statistics.median(self.new)
        return new / old if old else 1.0 if new == old else float("inf")

    @property
    def verdict(self):
        """A difference exceeds the noise when the medians lie further apart than the middle half of either build's rounds."""
        difference = statistics.median(self.new) - statistics.median(self.old)
        if len(self.old) < LEAST_ROUNDS:
            return "too few rounds"
        if abs(difference) <= max(spread(self.old), spread(self.new)):
            return "noise"
        return "better" if (difference > 0) == self.higher_is_better else "WORSE"


def quartiles(values):
    """The bounds of the middle half."""
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def spread(values):
    low, high = quartiles(values)
    return high - low


def loaded_library(build):
    """The library that a row's program loads for this build."""
    text = subprocess.run(
        ["ldd", build.native / "bench-mapengine"], env={"LD_LIBRARY_PATH": str(build.dist / "lib")}, capture_output=True, text=True
    ).stdout
    return next((line.split("=>")[1].split()[0] for line in text.splitlines() if "libmapengine.so" in line and "=>" in line), "")


def expect_libraries():
    """A comparison of a build with itself would always be fine."""
    for build in (OLD, NEW):
        found = loaded_library(build)
        if not found.startswith(f"{build.dist}/"):
            raise SystemExit(f"bench: bench-mapengine loads {found or 'no library'} where it should load one of {build.dist}")


def systems(row):
    return {name: run_once for name, run_once in row.systems.items() if name == "all" or name.startswith(OURS)}


def run(run_once, seconds, build):
    if run_once is probes.idle:
        return run_once(seconds, build, peers=())
    return run_once(seconds, build)


def compare_row(row, seconds, pace):
    """Returns the row's comparisons, and what went wrong: a text per system."""
    values = defaultdict(lambda: {OLD: [], NEW: []})
    broken = {}
    begin = time.monotonic()
    least, most = {QUICK: (3, 3), SMOKE: (1, 1)}.get(pace, (LEAST_ROUNDS, MOST_ROUNDS))
    for number in range(most):
        round_begin = time.monotonic()
        for system, run_once in systems(row).items():
            for build in (OLD, NEW) if number % 2 == 0 else (NEW, OLD):
                if system in broken:
                    continue
                try:
                    answer = run(run_once, row.seconds * pace, build)
                except Failed as failure:
                    broken[system] = f"{'old' if build is OLD else 'new'} build: {failure}"
                    progress(f"{row.name}: {system}: {broken[system]}")
                    continue
                for parameter, value in answer.items():
                    values[(system, *names(row, system, parameter))][build].append(value)
        now = time.monotonic()
        if number + 1 >= least and now - begin + (now - round_begin) > seconds:
            break
    progress(f"{row.name}: {number + 1} rounds in {now - begin:.0f} s")
    return [
        Comparison(bench, name, unit, row.higher_is_better, both[OLD], both[NEW])
        for (system, bench, name, unit), both in values.items() if system not in broken
    ], broken


def line(comparison):
    cells = [comparison.bench, comparison.system]
    for values in (comparison.old, comparison.new):
        low, high = quartiles(values)
        cells += [figure(statistics.median(values)), f"{figure(low)} to {figure(high)}"]
    return [*cells, comparison.unit, f"× {figure(comparison.ratio)}", comparison.verdict]


HEAD = ["row", "system", "old", "middle half", "new", "middle half", "unit", "new/old", ""]


def print_table(comparisons):
    lines = [HEAD, *map(line, comparisons)]
    widths = [max(len(each[i]) for each in lines) for i in range(len(HEAD))]
    for each in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(each, widths)).rstrip())


def compare(rows, seconds, pace=1):
    """Prints a line per figure. Returns whether every row ran with both builds; a figure that is worse is for the reader to judge."""
    expect_libraries()
    comparisons, broken = [], {}
    shares = sum(row.share for row in rows)
    end = time.monotonic() + seconds
    for row in rows:
        left = max(0.0, end - time.monotonic())
        found, wrong = compare_row(row, left * row.share / shares, pace)
        shares -= row.share
        comparisons += found
        broken |= {f"{row.name}, {system}": why for system, why in wrong.items()}
    print_table(comparisons)
    for name, why in broken.items():
        progress(f"FAILED {name}: {why}")
    verdicts = [comparison.verdict for comparison in comparisons]
    progress(
        f"against: {len(verdicts)} figures compared: {verdicts.count('WORSE')} worse, {verdicts.count('better')} better, "
        f"{len(verdicts) - verdicts.count('WORSE') - verdicts.count('better')} within the noise or with too few rounds"
    )
    return not broken and bool(comparisons)
