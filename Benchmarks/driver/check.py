"""Compares ratios with thresholds.json. Ratios alone, because absolute times belong to a machine; generous, because CI's machines
are shared."""

import json

from .goals import outcomes
from .paths import THRESHOLDS
from .report import ratio


def thresholds():
    return json.loads(THRESHOLDS.read_text())


def rows_with_thresholds():
    return {key.split(":")[0].split("/")[0] for key in thresholds()}


def check(results):
    """Prints each comparison; answers whether all are fine."""
    measured = {outcome.goal.key: outcome.measured for outcome in outcomes(results)}
    fine = True
    for key, threshold in thresholds().items():
        value = measured.get(key)
        if value is None:
            good, text = False, "not measured"
        else:
            good = value <= threshold.get("at_most", float("inf")) and value >= threshold.get("at_least", 0)
            text = ratio(value)
        sign, limit = next(iter(threshold.items()))
        print(f"bench-check: {'fine' if good else 'REGRESSION'}: {key}: {text} ({sign.replace('_', ' ')} {ratio(limit)})")
        fine &= good
    return fine
