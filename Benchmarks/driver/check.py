"""Compares ratios with thresholds.json. Ratios alone, because absolute times belong to a machine; generous, because CI's machines
are shared."""

import json

from .goals import BEST, outcomes
from .paths import THRESHOLDS, WITHOUT_PACKAGE, WITHOUT_PYTHON
from .report import ratio
from .rows import PACKAGE_PEERS


def thresholds():
    return json.loads(THRESHOLDS.read_text())


def row_of(key):
    return key.split(":")[0].split("/")[0]


def rows_with_thresholds():
    return {row_of(key) for key in thresholds()}


def needs_python(key):
    """Whether a threshold's peer is one of the Python pools."""
    return any(system in key for system in (*PACKAGE_PEERS, BEST, "threads", "Python ctypes"))


def cannot_be_measured(key):
    """Whether a part is missing that a threshold needs."""
    return WITHOUT_PYTHON and needs_python(key) or WITHOUT_PACKAGE and key.startswith("py_")


def check(results, rows=None, smoke=False):
    """Prints each comparison, of all rows or of those given; answers whether all are fine. The figures of a smoke run are not
    compared, but have to be there."""
    measured = {outcome.goal.key: outcome.measured for outcome in outcomes(results)}
    fine = True
    for key, threshold in thresholds().items():
        if rows and row_of(key) not in rows or cannot_be_measured(key):
            continue
        value = measured.get(key)
        if value is None:
            good, text = False, "not measured"
        elif smoke:
            good, text = True, f"{ratio(value)}, which does not count"
        else:
            good = value <= threshold.get("at_most", float("inf")) and value >= threshold.get("at_least", 0)
            text = ratio(value)
        sign, limit = next(iter(threshold.items()))
        print(f"bench-check: {'fine' if good else 'REGRESSION'}: {key}: {text} ({sign.replace('_', ' ')} {ratio(limit)})")
        fine &= good
    return fine
