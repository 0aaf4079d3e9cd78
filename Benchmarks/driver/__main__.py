"""Runs the rows given, or all:

    scripts/bench.sh [ROW...] [--seconds S] [--quick | --smoke] [--list]
    scripts/bench.sh --check [ROW...] [--last | --smoke]
    scripts/bench.sh --against OTHER/dist [ROW...] [--seconds S] [--quick | --smoke]
"""

import argparse
import json
import os
import sys

from . import against, check, machine, page, plots, report
from .measuring import QUICK, SMOKE, measure, progress
from .paths import OUT, SMOKE_VARIABLE
from .rows import ROWS


def parse():
    parser = argparse.ArgumentParser(
        prog="bench", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures MapEngine beside its peers.", epilog="rows: " + ", ".join(row.name for row in ROWS),
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help="rows to run; all if none is given")
    parser.add_argument("--seconds", type=float, default=900, help="about how long a whole run may measure (default: 900)")
    parser.add_argument("--quick", action="store_true", help="one or two short rounds: a look, no measurement")
    parser.add_argument("--smoke", action="store_true", help="every row once, with little work: whether all of them run; keeps no figure")
    parser.add_argument("--list", action="store_true", help="list the rows")
    parser.add_argument("--check", action="store_true", help="compare ratios with thresholds.json; 1 on a regression")
    parser.add_argument("--last", action="store_true", help="with --check: the results of the last run, instead of a quick one")
    parser.add_argument("--against", metavar="DIST", help="compare this other build, the old one, with the new, round by round")
    arguments = parser.parse_args()
    unknown = set(arguments.rows) - {row.name for row in ROWS}
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are: {', '.join(row.name for row in ROWS)}")
    return arguments


def load(path):
    return json.loads(path.read_text()) if path.exists() else []


def save(path, results, rows):
    """What was measured of other rows before stays."""
    measured = {row.name for row in rows}
    kept = [result for result in load(path) if result["bench"].split("/")[0] not in measured]
    order = {row.name: index for index, row in enumerate(ROWS)}
    # A row that is no more is dropped.
    merged = [result for result in kept + results if result["bench"].split("/")[0] in order]
    merged.sort(key=lambda result: order[result["bench"].split("/")[0]])
    OUT.mkdir(parents=True, exist_ok=True)
    path.write_text("[\n" + ",\n".join("  " + json.dumps(result, ensure_ascii=False) for result in merged) + "\n]\n")


def run_check(arguments):
    path = OUT / ("results.json" if arguments.last else "check.json")
    if not arguments.last:
        rows = [row for row in chosen(arguments) if row.name in check.rows_with_thresholds()]
        results, _ = measure(rows, min(arguments.seconds, 150), QUICK)
        save(path, results, rows)
    return 0 if check.check(load(path), arguments.rows) else 1


def run_smoke(arguments):
    """Every row runs and is right, and each threshold names something that is measured."""
    os.environ[SMOKE_VARIABLE] = "1"
    rows = [row for row in chosen(arguments) if not arguments.check or row.name in check.rows_with_thresholds()]
    results, broken = measure(rows, 0, SMOKE)
    # A peer that does not bear a busy machine is tried once more; ours are not.
    again = [row for row in rows if any(name.startswith(row.name + ", ") and not is_ours(name) for name in broken)]
    if again:
        progress(f"once more: {', '.join(broken)}")
        names = {row.name for row in again}
        results = [result for result in results if result["bench"].split("/")[0] not in names]
        broken = {name: why for name, why in broken.items() if name.split(", ")[0] not in names or is_ours(name)}
        more, still = measure(again, 0, SMOKE)
        results += more
        broken |= still
    report.print_figures(results)
    fine = check.check(results, {row.name for row in rows}, smoke=True)
    empty = [row.name for row in rows if not any(result["bench"].split("/")[0] == row.name for result in results)]
    for name, why in broken.items():
        progress(f"FAILED {name}: {why}")
    for name in empty:
        progress(f"FAILED {name}: no figure")
    progress(f"smoke: {len(rows) - len(empty)} of {len(rows)} rows ran")
    return 1 if broken or empty or not fine else 0


def run_against(arguments):
    if arguments.smoke:
        os.environ[SMOKE_VARIABLE] = "1"
    # Rows of the peers alone have nothing to compare.
    rows = [row for row in chosen(arguments) if against.systems(row)]
    share = sum(row.share for row in rows) / sum(row.share for row in ROWS)
    pace = SMOKE if arguments.smoke else QUICK if arguments.quick else 1
    return 0 if against.compare(rows, 0 if arguments.smoke else arguments.seconds * share, pace) else 1


def is_ours(name):
    """Whether what was not measured, `row, system`, is MapEngine."""
    return name.split(", ")[1].startswith("mapengine")


def chosen(arguments):
    return [row for row in ROWS if not arguments.rows or row.name in arguments.rows]


def main():
    arguments = parse()
    if arguments.list:
        for row in ROWS:
            print(f"{row.name:<16} {row.text} ({row.unit})")
        return 0
    for text in machine.warnings():
        progress(f"warning: {text}")
    if arguments.against:
        return run_against(arguments)
    if arguments.smoke:
        return run_smoke(arguments)
    if arguments.check:
        return run_check(arguments)
    rows = chosen(arguments)
    # A few rows take their share of the time, and no more.
    share = sum(row.share for row in rows) / sum(row.share for row in ROWS)
    results, broken = measure(rows, arguments.seconds * share, QUICK if arguments.quick else 1)
    path = OUT / ("quick.json" if arguments.quick else "results.json")
    save(path, results, rows)
    report.print_figures(results)
    print()
    report.print_goals(results)
    for name, why in broken.items():
        progress(f"not measured: {name}: {why}")
    if not arguments.quick:
        drawn = plots.draw(results)
        # The page tells of one run, not of rows from several.
        if not arguments.rows:
            page.write(results, broken, ROWS, drawn)
            progress("wrote docs/performance.md")
    progress(f"wrote {path.relative_to(path.parent.parent.parent)}")
    return 1 if any(name.split(", ")[1].startswith(("mapengine", "all")) for name in broken) else 0


if __name__ == "__main__":
    sys.exit(main())
