"""What each row is to reach: a figure of ours, or its ratio to a peer's figure from the same run."""

from dataclasses import dataclass

from .rows import OURS

POOL = "multiprocessing.Pool"


@dataclass
class Goal:
    bench: str
    limit: float
    against: str = ""  # a system of the same row; none: the figure itself counts
    at_least: bool = False
    ours: str = OURS
    against_bench: str = ""  # when it is not the same bench

    @property
    def key(self):
        """Names a ratio in thresholds.json, or a row whose figure is one."""
        if not self.against:
            return f"{self.bench}: {self.ours}"
        other = f"{self.against_bench} " if self.against_bench else ""
        return f"{self.bench}: {self.ours} / {other}{self.against}"


@dataclass
class Outcome:
    goal: Goal
    value: float
    unit: str
    peer: float | None
    measured: float  # the ratio, or the value
    met: bool


GOALS = [
    Goal("map_small", 10),
    Goal("map_small", 1 / 25, POOL),
    Goal("map_small_range", 3),
    Goal("map_chunk1", 3, "OpenMP"),
    Goal("map_chunk1", 1 / 300, POOL),
    Goal("apply_hot", 1.5),
    Goal("apply_hot", 1 / 100, "concurrent.futures"),
    Goal("apply_cold", 2, "futex ping-pong"),
    # The whole call, where 20 ns on top of a C loop's are the aim.
    Goal("native_scalar", 20),
    Goal("native_scalar", 1 / 4, "Python ctypes"),
    Goal("proxy_hot", 1.2, "mapengine, mape_apply"),
    Goal("payload_in", 0.95, "oneTBB", at_least=True),
    Goal("payload_in", 4, "mpire", at_least=True),
    Goal("payload_out", 0.9, "oneTBB", at_least=True),
    # Pages are kept: a buffer that is used once costs no more than a copy.
    *(Goal(f"buffer_anew/{size}", 1, "mapengine, mape_map") for size in (64, 1024, 65536, 262144)),
    Goal("compute", 1 / 0.98, "OpenMP"),
    Goal("start", 1 / 3, POOL, ours="mapengine EXEC"),
    Goal("start", 1 / 3, POOL, ours="mapengine FORK"),
    Goal("start", 1 / 3, f"{POOL}, host of 4 GiB", ours="mapengine EXEC, host of 4 GiB"),
    Goal("start", 1, f"{POOL}, host of 4 GiB", ours="mapengine FORK, host of 4 GiB"),
    Goal("start", 1.1, "mapengine EXEC", ours="mapengine EXEC, host of 4 GiB"),
    Goal("recover", 3),
    Goal("recover", 1 / 20, "pebble"),
    Goal("recover", 1 / 20, "mpire"),
    Goal("stream", 2, "mapengine, map_small"),
    # "Flat": no more than the allocators' own unrest.
    Goal("stream", 1, ours="mapengine, resident memory after the first million"),
    Goal("idle", 0),
    Goal("idle", 1.5, ours="mapengine, private MiB per worker"),
    Goal("many_workers/16", 1.2, OURS, against_bench="many_workers/2"),
    Goal("many_workers/64", 1.2, OURS, against_bench="many_workers/2"),
    # What is not touched costs nothing.
    Goal("growth_jobs", 1.3),
    Goal("growth_buffers", 2),
    Goal("growth_globals", 3),
    Goal("growth_streams", 1.5),
    Goal("growth_workers_apply", 5),
    Goal("growth_workers_map", 4),
    Goal("load", 3),
    # A loss of 3 % of the host's own work makes it take 1/0.97 as long.
    Goal("busy_host", 1 / 0.97, "bare processes, workers compute", ours="mapengine, workers compute"),
    Goal("busy_host", 1 / 0.97, "bare processes, a call each ms", ours="mapengine, a call each ms"),
    Goal("busy_host", 1 / 0.97, "bare processes, at rest", ours="mapengine, at rest"),
]


def outcomes(results):
    """The goals whose figures are there."""
    found = {(result["bench"], result["system"]): result for result in results}
    answer = []
    for goal in GOALS:
        ours = found.get((goal.bench, goal.ours))
        if not ours:
            continue
        peer = found.get((goal.against_bench or goal.bench, goal.against)) if goal.against else None
        if goal.against and not (peer and peer["value"]):
            continue
        measured = ours["value"] / peer["value"] if peer else ours["value"]
        met = measured >= goal.limit if goal.at_least else measured <= goal.limit
        answer.append(Outcome(goal, ours["value"], ours["unit"], peer and peer["value"], measured, met))
    return answer
