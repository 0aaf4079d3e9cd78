"""The rows: what each system does in a round, and what of it is told.

A row belongs to a farm, the machines that are there while it runs: `one` (three nodes of a worker each, and Dask's workers of a thread each), `four`
(three nodes of four workers each), `slow` (a node behind a link of 10 Mbit/s).
"""

from dataclasses import dataclass, field
from typing import Callable


@dataclass(frozen=True)
class Ours:
    """A map by host.c."""

    function: str
    count: int
    size: int = 8
    workers: int = 0  # Here.
    cluster: bool = True
    rounds: int = 1


@dataclass(frozen=True)
class Dask:
    """A map by dask_host.py."""

    row: str
    count: int
    size: int = 8
    rounds: int = 1


@dataclass(frozen=True)
class Bare:
    """The server alone, by floor.c: what no system that passes the same bytes, or calls, through it can fall below."""

    kind: str
    count: int
    size: int = 8
    rounds: int = 1


@dataclass(frozen=True)
class Row:
    name: str
    text: str
    farm: str
    systems: dict
    unit: str
    # From an answer and the count of items to the figure.
    figure: Callable = field(repr=False)


def rate(scale=1.0):
    return lambda answer, count: count / answer.seconds / scale


LOCAL, CLUSTER, BOTH = "local pool, 2 workers", "cluster", "cluster and 2 local workers"
TASK, BATCHED, DASK, SCATTERED = "Dask, a task per item", "Dask, batched by hand", "Dask", "Dask, scattered"
BARE, BARE_CALL = "bare server: SET and GET, twice", "bare server: there and back"
MIB = 1 << 20

ROWS = [
    Row("small", "200,000 items of 8 bytes", "one", {
        LOCAL: Ours("square", 200_000, workers=2, cluster=False, rounds=9), CLUSTER: Ours("square", 200_000, rounds=9),
        BATCHED: Dask("batched", 200_000, rounds=3), TASK: Dask("task", 1000),
    }, "M items/s", rate(1e6)),
    Row("call", "one call and its result", "one", {
        LOCAL: Ours("square", 1, workers=2, cluster=False, rounds=500), CLUSTER: Ours("square", 1, rounds=500), DASK: Dask("call", 1, rounds=30),
        BARE_CALL: Bare("calls", 1, rounds=500),
    }, "µs", lambda answer, count: answer.seconds * 1e6),
    Row("large", "200 items of 1 MiB in and out", "one", {
        LOCAL: Ours("echo", 200, MIB, workers=2, cluster=False, rounds=3), CLUSTER: Ours("echo", 200, MIB, rounds=3),
        DASK: Dask("large", 200, MIB), SCATTERED: Dask("scattered", 200, MIB), BARE: Bare("bytes", 200, MIB, rounds=3),
    }, "items/s", rate()),
    Row("large_cpu", "the same: processor time of all processes per item", "one", {}, "ms", lambda answer, count: answer.cpu / count * 1e3),
    Row("start", "from the pool's creation until a node can be given work", "one", {}, "ms", lambda answer, count: answer.start * 1e3),
    Row("sleep", "8,000 items that sleep 1 ms; three nodes of four workers", "four", {
        LOCAL: Ours("rest", 8000, workers=2, cluster=False), CLUSTER: Ours("rest", 8000),
    }, "items/s", rate()),
    Row("slow", "200 items of 1 MiB, two local workers; and a node at 10 Mbit/s", "slow", {
        LOCAL: Ours("echo", 200, MIB, workers=2, cluster=False, rounds=5), BOTH: Ours("echo", 200, MIB, workers=2, rounds=5),
    }, "ms", lambda answer, count: answer.seconds * 1e3),
    Row("slow_first", "the same: the first map of a pool", "slow", {}, "ms", lambda answer, count: answer.first * 1e3),
    Row("slow_work", "2,000 items of 64 KiB and 1 ms; the same machines", "slow", {
        LOCAL: Ours("rest_echo", 2000, 1 << 16, workers=2, cluster=False), BOTH: Ours("rest_echo", 2000, 1 << 16, workers=2),
    }, "ms", lambda answer, count: answer.seconds * 1e3),
]
# Rows whose figures come out of another's runs: of which systems.
TAKEN = {"large_cpu": ("large", (CLUSTER, DASK, SCATTERED, BARE)), "start": ("call", (CLUSTER,)), "slow_first": ("slow", (LOCAL, BOTH))}


@dataclass(frozen=True)
class Goal:
    row: str
    ours: str
    other: str  # "": the figure itself.
    limit: float
    at_least: bool

    def measured(self, medians):
        ours = medians.get((self.row, self.ours))
        other = medians.get((self.row, self.other)) if self.other else 1
        return ours / other if ours is not None and other else None


GOALS = [
    Goal("small", CLUSTER, "", 4, True), Goal("small", CLUSTER, BATCHED, 3, True), Goal("small", CLUSTER, TASK, 1000, True),
    Goal("call", CLUSTER, "", 200, False), Goal("call", CLUSTER, DASK, 1 / 20, False),
    Goal("large", CLUSTER, SCATTERED, 1, True), Goal("large_cpu", CLUSTER, "", 2.4, False),
    Goal("start", CLUSTER, "", 50, False), Goal("sleep", CLUSTER, LOCAL, 5.4, True), Goal("slow", BOTH, LOCAL, 1.5, False),
    Goal("slow_work", BOTH, LOCAL, 1.5, False),
]
