"""`Executor` as a concurrent.futures.Executor."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import itertools
import multiprocessing
import os
import subprocess
import sys
import time
import weakref
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Iterator

import face_work as work
import pytest

from mapengine import Executor, ItemTimeout, WorkerDied


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(2) as executor:
        yield executor


def test_it_is_one(executor: Executor) -> None:
    assert isinstance(executor, concurrent.futures.Executor)
    future = executor.submit(work.add, 1, y=2)
    assert isinstance(future, concurrent.futures.Future) and future.result() == 3
    futures = [executor.submit(work.square, x) for x in range(10)]
    done, not_done = concurrent.futures.wait(futures)
    assert not not_done and {future.result() for future in done} == {x * x for x in range(10)}
    assert {future.result() for future in concurrent.futures.as_completed(futures)} == {x * x for x in range(10)}


def test_run_in_executor(executor: Executor) -> None:
    async def main() -> Any:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(
            loop.run_in_executor(executor, work.square, 3), asyncio.wrap_future(executor.submit(work.square, 4))
        )

    assert asyncio.run(main()) == [9, 16]


def test_names_of_arguments(executor: Executor) -> None:
    def show(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    assert executor.submit(show, 1, fn=2, self=3, timeout=4).result() == ((1,), {"fn": 2, "self": 3, "timeout": 4})
    with pytest.raises(TypeError):
        executor.submit()  # type: ignore[call-arg]


@pytest.mark.parametrize("chunksize", [1, 3, 100])
def test_map(executor: Executor, chunksize: int) -> None:
    assert list(executor.map(work.square, range(50), chunksize=chunksize)) == [x * x for x in range(50)]
    assert list(executor.map(work.add, range(5), itertools.count(10), chunksize=chunksize)) == [10, 12, 14, 16, 18]
    assert list(executor.map(work.square, [])) == []
    assert list(executor.map(work.square)) == []


def test_map_begins_at_once(executor: Executor, tmp_path: Path) -> None:
    """Also when nobody asks for a value."""
    path = tmp_path / "done"
    executor.map(work.note, [str(path)])
    assert executor.submit(work.wait_for, str(path)).result(60)


def test_map_raises_in_place_of_the_value(executor: Executor) -> None:
    values = executor.map(work.fail_odd, [0, 2, 3, 4])
    assert next(values) == 0 and next(values) == 2
    with pytest.raises(ValueError, match="3 is odd"):
        next(values)
    with pytest.raises(StopIteration):
        next(values)


@pytest.mark.parametrize(
    ("error", "options"),
    [(ValueError, {"chunksize": 0}), (ValueError, {"buffersize": 0}), (TypeError, {"buffersize": 1.5})],
)
def test_map_refuses(executor: Executor, error: type[Exception], options: Any) -> None:
    with pytest.raises(error):
        executor.map(work.square, [1], **options)


def test_map_timeout(executor: Executor, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    values = executor.map(work.wait_for, [os.devnull, str(stop)], timeout=5)
    assert next(values) == os.devnull
    with pytest.raises(concurrent.futures.TimeoutError):
        next(values)
    stop.touch()


def test_map_reads_as_values_are_taken(executor: Executor) -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        for x in itertools.count():
            taken += 1
            yield x

    values = executor.map(work.square, endless(), buffersize=8)
    assert taken <= 8
    for x in range(100):
        assert next(values) == x * x
        assert taken <= x + 1 + 8
    values.close()  # type: ignore[attr-defined]


def test_map_keeps_no_value(executor: Executor) -> None:
    for value in executor.map(set, [[x] for x in range(10)]):
        reference = weakref.ref(value)
        del value
        gc.collect()
        assert reference() is None


def test_a_death_costs_one_call(executor: Executor) -> None:
    futures = [executor.submit(work.die_at_three, x) for x in range(8)]
    errors = [future.exception() for future in futures]
    assert isinstance(errors[3], WorkerDied) and isinstance(errors[3], BrokenProcessPool)
    assert [x for x, error in enumerate(errors) if error is None] == [0, 1, 2, 4, 5, 6, 7]
    values = executor.map(work.die_at_three, range(8))
    assert [next(values) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(WorkerDied):
        next(values)


def test_options_for_single_calls(executor: Executor) -> None:
    hurried = executor.with_options(timeout=5)  # Long for the others, on a busy machine.
    with pytest.raises(ItemTimeout):
        hurried.submit(work.sleep, 600).result()
    values = hurried.map(work.sleep, [0, 600])
    assert next(values) == 0
    with pytest.raises(ItemTimeout):
        next(values)
    assert hurried.submit(work.square, 2).result() == 4


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (ValueError, {"max_workers": 0}),
        (ValueError, {"max_workers": -1}),
        (TypeError, {"initializer": 1}),
        (TypeError, {"max_tasks_per_child": 1.5}),
        (ValueError, {"max_tasks_per_child": 0}),
        (ValueError, {"max_tasks_per_child": 1, "mp_context": multiprocessing.get_context("fork")}),
    ],
)
def test_what_it_refuses(error: type[Exception], arguments: Any) -> None:
    with pytest.raises(error):
        Executor(**arguments)


def test_after_shutdown() -> None:
    executor = Executor(1)
    future = executor.submit(work.square, 3)
    executor.shutdown()
    assert future.result() == 9
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(work.square, 3)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.map(work.square, [3])
    executor.shutdown()


def test_cancel_futures(tmp_path: Path) -> None:
    begun, stop = tmp_path / "begun", tmp_path / "stop"
    executor = Executor(1)
    first = executor.submit(work.touch_and_wait, (str(begun), str(stop)))
    others = [executor.submit(work.square, x) for x in range(20)]
    while not begun.exists():
        time.sleep(0.005)
    executor.shutdown(wait=False, cancel_futures=True)
    assert all(future.cancelled() for future in others)
    stop.touch()
    assert first.result() is None


@pytest.mark.parametrize("name", ["terminate_workers", "kill_workers"])
def test_terminate_workers(name: str, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    executor = Executor(1)
    running = executor.submit(work.touch_and_wait, (str(begun), str(tmp_path / "never")))
    waiting = executor.submit(work.square, 1)
    while not begun.exists():
        time.sleep(0.005)
    getattr(executor, name)()
    for future in running, waiting:
        with pytest.raises((BrokenProcessPool, concurrent.futures.CancelledError)):
            future.result(60)
    with pytest.raises(RuntimeError):
        executor.submit(work.square, 1)


def test_an_executor_that_is_dropped_finishes() -> None:
    executor = Executor(2)
    values = executor.map(work.square, range(100))
    future = executor.submit(work.square, 5)
    del executor
    gc.collect()
    assert list(values) == [x * x for x in range(100)] and future.result() == 25


def fail_to_start() -> None:
    raise ValueError("no licence")


def test_an_initializer_that_fails_is_named() -> None:
    with Executor(2, initializer=fail_to_start) as executor:
        with pytest.raises(BrokenProcessPool, match="ValueError: no licence"):
            executor.submit(work.square, 1).result()


def test_max_tasks_per_child() -> None:
    with Executor(1, max_tasks_per_child=3) as executor:
        pids = [executor.submit(work.pid).result() for _ in range(9)]
    assert [len(set(pids[at : at + 3])) for at in (0, 3, 6)] == [1, 1, 1] and len(set(pids)) == 3


def test_the_end_of_the_interpreter_waits_for_what_is_outstanding(tmp_path: Path) -> None:
    path = tmp_path / "done"
    program = f"""
import face_work, mapengine, atexit
executor = mapengine.Executor(1)
executor.submit(face_work.sleep, 0.2)
executor.submit(face_work.note, {str(path)!r})
def late():
    try:
        executor.submit(face_work.square, 1)
    except RuntimeError as error:
        print(error)
atexit.register(late)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parent, timeout=100)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "cannot schedule new futures after interpreter shutdown\n"
    assert path.read_text() == "x"


def test_an_interrupt_that_nobody_catches_ends_what_is_outstanding(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    program = f"""
import _thread, os, threading, time
import face_work, mapengine
executor = mapengine.Executor(1)
future = executor.submit(face_work.touch_and_wait, ({str(begun)!r}, {str(tmp_path / "never")!r}))
def interrupt():
    while not os.path.exists({str(begun)!r}):
        time.sleep(0.005)
    os.kill(os.getpid(), 2)
threading.Thread(target=interrupt).start()
future.result()
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parent, timeout=100)
    assert result.returncode in (-2, 130, 1) and result.stderr.count("Traceback") == 1, result.stderr
    assert result.stderr.rstrip().endswith("KeyboardInterrupt")
