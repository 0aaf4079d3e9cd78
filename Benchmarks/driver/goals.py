"""What each row is to reach: a figure of ours, or its ratio to a peer's figure from the same run."""

from dataclasses import dataclass

from .rows import CHUNK_OF_ONE, CLASSES, IN_PLACE, OURS, PACKAGE_PEERS

POOL = "multiprocessing.Pool"
# Stands for whichever of the Python peers was best in the same run.
BEST = "the best peer"
EXECUTOR = f"{OURS}, Executor"


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
    beside: str  # the peer's name
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
    # The Python package: what issue and page promise. Where that is a time, its ratio to a peer's on the same quiet machine is here too,
    # because a ratio survives other machines.
    Goal("py_small/def", 1 / 1.6, BEST),
    Goal("py_small/lambda", 1.1, OURS, against_bench="py_small/def"),
    Goal("py_unordered", 1, POOL),
    Goal("py_small_array/range", 1 / 3, BEST, against_bench="py_small/def"),
    Goal("py_small_array/array", 1 / 3, BEST, against_bench="py_small/def"),
    Goal("py_small_array/vectorized", 1 / 20, BEST, against_bench="py_small/def"),
    Goal("py_chunk1", 4, ours=CHUNK_OF_ONE),
    Goal("py_chunk1", 1 / 4, BEST, ours=CHUNK_OF_ONE),
    Goal("py_apply/hot", 12, ours=EXECUTOR),
    Goal("py_apply/hot", 1 / 7, BEST, ours=EXECUTOR),
    Goal("py_apply/after 20 ms", 100, ours=EXECUTOR),
    Goal("py_apply/after 20 ms", 1 / 1.6, BEST, ours=EXECUTOR),
    Goal("py_arrays_in", 5, POOL, at_least=True),
    Goal("py_arrays_in", 2, "mpire", at_least=True),
    Goal("py_arrays_in", 2, "loky", at_least=True),
    Goal("py_arrays_in", 0.9, "threads", at_least=True, ours=IN_PLACE),
    Goal("py_arrays_out", 3, BEST, at_least=True),
    Goal("py_dicts/in", 1.6),
    Goal("py_dicts/in", 1 / 2.4, BEST),
    Goal("py_dicts/in and out", 3),
    Goal("py_dicts/in and out", 1 / 2.4, BEST),
    Goal("py_uneven", 0.98, at_least=True),
    Goal("py_uneven", 1, BEST, at_least=True),
    Goal("py_life", 25),
    Goal("py_life", 1 / 5.4, "loky"),
    Goal("py_import", 20),
    Goal("py_import", 20, ours=CLASSES),
    Goal("py_submit_many", 1.5),
]


def peer_of(goal, found):
    """The system that a goal's ratio is taken to, and its result, if they are there."""
    bench = goal.against_bench or goal.bench
    if goal.against != BEST:
        return goal.against, found.get((bench, goal.against))
    peers = [(found[(bench, name)]["value"], name) for name in PACKAGE_PEERS if (bench, name) in found]
    if not peers:
        return BEST, None
    name = (max if goal.at_least else min)(peers)[1]
    return name, found[(bench, name)]


def outcomes(results):
    """The goals whose figures are there."""
    found = {(result["bench"], result["system"]): result for result in results}
    answer = []
    for goal in GOALS:
        ours = found.get((goal.bench, goal.ours))
        if not ours:
            continue
        beside, peer = peer_of(goal, found) if goal.against else ("", None)
        if goal.against and not (peer and peer["value"]):
            continue
        measured = ours["value"] / peer["value"] if peer else ours["value"]
        met = measured >= goal.limit if goal.at_least else measured <= goal.limit
        answer.append(Outcome(goal, ours["value"], ours["unit"], peer and peer["value"], beside, measured, met))
    return answer
