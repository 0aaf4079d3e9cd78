"""Samples within one round: their median."""

import statistics
import time


class WrongResult(Exception):
    pass


def expect(right):
    if not right:
        raise WrongResult("wrong result")


def sample(body, check=None):
    """How long `body` took once; `check` looks at what it answered, which is not timed. The answer is dropped."""
    begin = time.perf_counter()
    answer = body()
    took = time.perf_counter() - begin
    if check:
        expect(check(answer))
    return took


def median_seconds(body, seconds, check=None, between=None):
    """Runs `body` for about so many seconds, once at least; `check` looks at what it answered, `between` comes before each run;
    neither is timed."""
    samples = []
    end = time.monotonic() + seconds
    while not samples or time.monotonic() < end:
        if between:
            between()
        samples.append(sample(body, check))
    return statistics.median(samples)
