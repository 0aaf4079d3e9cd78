"""Samples within one round: their median."""

import statistics
import time


class WrongResult(Exception):
    pass


def expect(right):
    if not right:
        raise WrongResult("wrong result")


def median_seconds(body, seconds, check=None, between=None):
    """Runs `body` for about so many seconds, once at least; `check` looks at what it answered, `between` comes before each run;
    neither is timed."""
    samples = []
    end = time.monotonic() + seconds
    while not samples or time.monotonic() < end:
        if between:
            between()
        begin = time.perf_counter()
        answer = body()
        samples.append(time.perf_counter() - begin)
        if check:
            expect(check(answer))
    return statistics.median(samples)
