"""`Pool.trace`: the timeline of a pool, as events and as a file."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import face_work as work
import pytest

import mapengine
from mapengine import Executor, MapEngineError, Pool, WorkerDied


def sleeps(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def dies(x: int) -> int:
    if x == 3:
        os.kill(os.getpid(), signal.SIGSEGV)
    return x


def total(events: list[mapengine.TraceEvent], kind: str) -> int:
    return sum(event.items for event in events if event.kind == kind)


def test_a_file_holds_what_the_events_do(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    with Pool(2) as pool:
        with pool.trace(path) as trace:
            assert pool.map(work.square, range(500)) == [x * x for x in range(500)]
            assert not path.exists()
        events = trace.events()
    assert total(events, "range") == 500
    # A range that waits behind a slow one is taken back, and runs elsewhere.
    assert {event.state for event in events if event.kind == "range" and event.items > 0} == {"ok"}
    assert all(0 <= event.begin <= event.end for event in events)
    file: Any = json.loads(path.read_text("utf-8"))
    told = [event for event in file["traceEvents"] if event.get("cat") == "range"]
    assert sum(event["args"]["items"] for event in told) == 500
    assert file["mapengine"]["schema"] == 1 and file["mapengine"]["lost"] == 0
    assert sum(worker["items"] for worker in file["mapengine"]["workers"]) == 500
    # Written when it stopped: the file has what was recorded by then, and the object still has it when the pool is gone.
    assert json.loads(trace.data())["mapengine"]["events"] == file["mapengine"]["events"] == len(events)
    # A page of it, and a notebook's frame.
    trace.report(tmp_path / "report.html")
    assert "square" in (tmp_path / "report.html").read_text("utf-8")
    assert trace._repr_html_().startswith("<iframe")


def test_slow_elements_and_deaths_are_named() -> None:
    with Pool(1) as pool, pool.trace() as trace:
        pool.map(sleeps, [0, 0, 0.5, 0], chunksize=4)
        with pytest.raises(WorkerDied):
            pool.map(dies, range(6), chunksize=6)
        events = trace.events()
    slow = max(events, key=lambda event: event.slowest_seconds)
    assert slow.slowest_seconds >= 0.5 and slow.name.endswith("sleeps") and slow.slowest_of == 1
    assert slow.first <= slow.slowest < slow.first + slow.assigned
    (death,) = [event for event in events if event.kind == "death"]
    assert death.name == "SIGSEGV" and death.code == signal.SIGSEGV and death.items == 1
    assert "SIGSEGV" in death.text
    assert [event.crashed for event in events if event.state == "crashed" and event.kind == "range"] == [1]


def test_a_trace_is_read_as_it_goes_on_and_the_next_one_ends_it(tmp_path: Path) -> None:
    with Executor(1) as executor:
        first = executor.trace(events=1000)
        executor.submit(work.square, 3).result()
        executor.submit(work.square, 4).result()
        before = first.events()
        assert total(before, "range") == 2 and first.lost == 0
        with pytest.raises(MapEngineError, match="stop that trace"):
            executor.trace()
        executor.submit(work.square, 5).result()
        assert total(first.events(), "range") == 3 and first.events()[: len(before)] == before
        first.stop()
        first.stop()
        executor.submit(work.square, 6).result()
        assert total(first.events(), "range") == 3
        with executor.trace(events=3) as second:
            for i in range(20):
                executor.submit(work.square, i).result()
        with pytest.raises(MapEngineError, match="another trace"):
            first.save(tmp_path / "gone.json")
        assert len(second.events()) == 3 and second.lost >= 37
        with pytest.raises(MapEngineError, match="no/such"):
            second.save(tmp_path / "no" / "such.json")
        with pytest.raises(ValueError):
            executor.trace(events=0)
    second.save(tmp_path / "after.json")
    with pytest.raises(RuntimeError):
        executor.trace()
