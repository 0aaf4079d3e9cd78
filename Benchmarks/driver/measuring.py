"""Rounds: each system of a row once, then each again, so that whatever the machine does meanwhile meets all of them alike."""

import statistics
import time
from collections import defaultdict

from .systems import Failed

LEAST_ROUNDS = 3


def progress(text):
    print(f"bench: {text}", flush=True)


def names(row, system, parameter):
    """Which bench and which system a value belongs to."""
    if system == "all":  # One run that looks at all systems.
        name, _, what = parameter.partition(": ")
        return row.name, what and f"{name}, {what}" or name, "MiB" if what else row.unit
    if parameter == "growth":
        return row.name, f"{system}, resident memory after the first million", "MiB more"
    if parameter in ("few", "many"):
        return row.name, f"{system}, {row.sizes[parameter == 'many']}", row.sizes[2]
    if parameter:
        return f"{row.name}/{parameter}", system, row.unit
    return row.name, system, row.unit


# How much of a row's time a system measures for: in a look, and in a smoke run, where it is enough that it runs.
QUICK, SMOKE = 0.5, 0.05


def measure_row(row, seconds, pace=1):
    """Answers the row's results, and what went wrong. When there is no time at all, a round is run all the same."""
    values = defaultdict(list)
    broken = {}
    begin = time.monotonic()
    least = 1 if pace < 1 or seconds <= 0 else min(LEAST_ROUNDS, row.rounds)
    rounds = row.rounds if pace == 1 else min(row.rounds, 2) if pace == QUICK else 1
    for number in range(rounds):
        round_begin = time.monotonic()
        for system, run_once in row.systems.items():
            if system in broken:
                continue
            try:
                answer = run_once(row.seconds * pace)
            except Failed as failure:
                broken[system] = str(failure)
                progress(f"{row.name}: {system}: {failure}")
                continue
            for parameter, value in answer.items():
                values[names(row, system, parameter)].append(value)
        now = time.monotonic()
        # Another round only if it is likely to end within the row's time.
        if number + 1 >= least and now - begin + (now - round_begin) > seconds:
            break
    results = [
        {
            "bench": bench, "system": system, "value": statistics.median(measured), "unit": unit,
            "rounds": len(measured), "min": min(measured), "max": max(measured),
        }
        for (bench, system, unit), measured in values.items()
        if system not in broken
    ]
    rounds_done = max((result["rounds"] for result in results), default=0)
    progress(f"{row.name}: {rounds_done} rounds in {time.monotonic() - begin:.0f} s")
    return results, broken


def measure(rows, seconds, pace=1):
    results, broken = [], {}
    shares = sum(row.share for row in rows)
    end = time.monotonic() + seconds
    for row in rows:
        # What earlier rows left over, later ones may use; what they took too much is missing.
        left = max(0.0, end - time.monotonic())
        row_results, row_broken = measure_row(row, left * row.share / shares, pace)
        shares -= row.share
        results += row_results
        broken |= {f"{row.name}, {system}": why for system, why in row_broken.items()}
    return results, broken
