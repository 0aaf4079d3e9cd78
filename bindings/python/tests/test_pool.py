"""`Pool` as a multiprocessing.Pool."""

from __future__ import annotations

import builtins
import concurrent.futures
import itertools
import multiprocessing
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Iterator

import face_work as work
import pytest

from mapengine import Pool, WorkerDied
from mapengine.pool import TimeoutError


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    pool = Pool(2)
    yield pool
    pool.close()
    pool.join()


def test_calls_that_wait(pool: Pool) -> None:
    assert pool.apply(work.add, (1,), {"y": 2}) == 3
    assert pool.map(work.square, range(100)) == [x * x for x in range(100)]
    assert pool.map(work.square, (x for x in range(100)), chunksize=7) == [x * x for x in range(100)]
    assert pool.starmap(work.add, zip(range(10), range(10))) == [2 * x for x in range(10)]
    assert pool.map(work.square, []) == [] and pool.starmap(work.add, []) == []


def test_calls_that_do_not(pool: Pool) -> None:
    assert pool.apply_async(work.add, (1, 2)).get() == 3
    assert pool.map_async(work.square, range(9)).get(60) == [x * x for x in range(9)]
    assert pool.starmap_async(work.add, [(1, 2), (3, 4)]).get() == [3, 7]
    result = pool.apply_async(work.fail_odd, (1,))
    result.wait()
    assert result.ready() and not result.successful()
    for _ in range(2):
        with pytest.raises(ValueError, match="1 is odd"):
            result.get()
    result = pool.map_async(work.fail_odd, range(4))
    for _ in range(2):
        with pytest.raises(ValueError, match="1 is odd"):
            result.get()
    assert not result.successful()


def test_a_result_that_is_not_there(pool: Pool, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    for result in pool.apply_async(work.wait_for, (str(stop),)), pool.map_async(work.wait_for, [str(stop)]):
        assert not result.ready()
        with pytest.raises(ValueError):
            result.successful()
        for kind in (multiprocessing.TimeoutError, builtins.TimeoutError, concurrent.futures.TimeoutError):
            with pytest.raises(kind):
                result.get(timeout=0.01)
    stop.touch()


def test_callbacks_have_run_when_a_wait_ends(pool: Pool) -> None:
    for call in (
        lambda **to: pool.apply_async(work.fail_odd, (2,), **to),
        lambda **to: pool.map_async(work.fail_odd, [2], **to),
        lambda **to: pool.starmap_async(work.fail_odd, [(2,)], **to),
    ):
        values: list[Any] = []
        call(callback=values.append, error_callback=values.append).wait()
        assert values in ([2], [[2]])
    for argument in 1, 3:
        errors: list[Any] = []
        pool.apply_async(work.fail_odd, (argument,), callback=errors.append, error_callback=errors.append).wait()
        assert isinstance(errors[0], ValueError)
        errors.clear()
        pool.map_async(work.fail_odd, [0, argument], callback=errors.append, error_callback=errors.append).wait()
        assert len(errors) == 1 and isinstance(errors[0], ValueError)


def test_a_callback_that_raises_loses_nothing(pool: Pool) -> None:
    def callback(_: Any) -> None:
        raise KeyError("callback")

    assert pool.apply_async(work.square, (2,), callback=callback).get(60) == 4
    assert pool.map_async(work.square, [2], callback=callback).get(60) == [4]


@pytest.mark.parametrize("name", ["imap", "imap_unordered"])
@pytest.mark.parametrize("chunksize", [1, 7])
@pytest.mark.parametrize("kind", [list, iter])
def test_imap(pool: Pool, name: str, chunksize: int, kind: Any) -> None:
    iterator = getattr(pool, name)(work.square, kind(range(1000)), chunksize)
    assert iter(iterator) is iterator
    values = list(iterator)
    assert (values if name == "imap" else sorted(values)) == [x * x for x in range(1000)]
    with pytest.raises(StopIteration):
        next(iterator)


def test_imap_goes_on_after_an_element_that_fails(pool: Pool) -> None:
    iterator = pool.imap(work.fail_odd, range(4))
    assert iterator.next() == 0
    with pytest.raises(ValueError):
        iterator.next()
    assert iterator.next(timeout=60) == 2


def test_imap_timeout(pool: Pool, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    iterator = pool.imap(work.wait_for, [str(stop)])
    with pytest.raises(TimeoutError):
        iterator.next(timeout=0.01)
    stop.touch()
    assert iterator.next() == str(stop)


def failing(count: int) -> Iterator[int]:
    yield from range(count)
    raise LookupError("the input has failed")


def test_an_input_that_raises(pool: Pool) -> None:
    with pytest.raises(LookupError):
        pool.map(work.square, failing(3))
    iterator = pool.imap(work.square, failing(3))
    assert [next(iterator) for _ in range(3)] == [0, 1, 4]
    with pytest.raises(LookupError):
        next(iterator)
    values = []
    with pytest.raises(LookupError):
        for value in pool.imap_unordered(work.square, failing(3)):
            values.append(value)
    assert sorted(values) == [0, 1, 4]


def test_imap_reads_as_values_are_taken(pool: Pool) -> None:
    counter = itertools.count()
    iterator = pool.imap(work.square, counter, buffersize=10)
    assert [next(iterator) for _ in range(50)] == [x * x for x in range(50)]
    assert next(counter) <= 60
    iterator.cancel()
    pool._reading.discard(iterator)


def test_close_and_join_finish_what_imap_has_not_read(tmp_path: Path) -> None:
    pool = Pool(2)
    taken = []

    def numbers() -> Iterator[int]:
        for x in range(1000):
            taken.append(x)
            yield x

    iterator = pool.imap(work.square, numbers(), buffersize=4)
    pool.imap_unordered(work.note, (str(tmp_path / str(x)) for x in range(300)), buffersize=4)
    pool.close()
    with pytest.raises(ValueError, match="not running"):
        pool.map(work.square, [1])
    pool.join()
    assert len(taken) == 1000 and len(list(tmp_path.iterdir())) == 300
    assert list(iterator) == [x * x for x in range(1000)]


def test_threads_share_an_iterator(pool: Pool) -> None:
    iterator = pool.imap(work.square, iter(range(500)))
    values: list[int] = []
    threads = [threading.Thread(target=lambda: values.extend(iterator)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(values) == [x * x for x in range(500)]


def test_a_death_costs_one_element(pool: Pool) -> None:
    with pytest.raises(WorkerDied):
        pool.map(work.die_at_three, range(10))
    iterator = pool.imap(work.die_at_three, range(10))
    assert [next(iterator) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(WorkerDied):
        next(iterator)
    assert list(iterator) == [4, 5, 6, 7, 8, 9]


def test_terminate_ends_what_runs() -> None:
    pool = Pool(2)
    result = pool.map_async(work.sleep, [600] * 10_000, chunksize=1)
    pool.terminate()
    pool.join()
    assert pool.pids() == []
    with pytest.raises(Exception):
        result.get(60)


def test_the_block_of_a_with_terminates() -> None:
    with Pool(1) as pool:
        assert pool.map(work.square, [2]) == [4]
        pool.apply_async(work.sleep, (600,))
    with pytest.raises(ValueError):
        pool.apply(work.square, (1,))
    with pytest.raises(ValueError):
        pool.__enter__()
    pool.join()


def test_join_comes_after_close(pool: Pool) -> None:
    with pytest.raises(ValueError, match="still running"):
        pool.join()


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (ValueError, {"processes": 0}),
        (ValueError, {"processes": -1}),
        (ValueError, {"maxtasksperchild": 0}),
        (ValueError, {"maxtasksperchild": 1.5}),
        (TypeError, {"initializer": 1}),
    ],
)
def test_what_it_refuses(error: type[Exception], arguments: Any) -> None:
    with pytest.raises(error):
        Pool(**arguments)


def test_it_cannot_be_pickled(pool: Pool) -> None:
    with pytest.raises(NotImplementedError):
        pickle.dumps(pool)


def test_maxtasksperchild() -> None:
    with Pool(1, maxtasksperchild=2) as pool:
        pids = pool.map(work.pid, range(8), chunksize=1)
    assert len(set(pids)) == 4


def test_an_initializer_runs_though_nothing_is_called(tmp_path: Path) -> None:
    path = tmp_path / "started"
    pool = Pool(1, work.note, (str(path),))
    pool.close()
    pool.join()
    assert path.read_text() == "x"


@pytest.mark.skipif(sys.flags.dev_mode, reason="warns by itself")
def test_a_pool_that_is_forgotten_warns_and_ends() -> None:
    with pytest.warns(ResourceWarning, match="unclosed running multiprocessing pool"):
        pool = Pool(1)
        pool.apply(work.square, (1,))
        del pool


def test_the_end_of_the_interpreter_does_not_wait() -> None:
    program = """
import face_work, mapengine
pool = mapengine.Pool(1)
pool.apply_async(face_work.sleep, (600,))
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, cwd=Path(__file__).parent, timeout=100)


def test_locks_and_queues_in_initargs() -> None:
    context = multiprocessing.get_context("spawn")
    queue, lock = context.Queue(), context.Lock()
    with Pool(2, start, (queue, lock)) as pool:
        pool.map(put, range(4))
        assert sorted(queue.get(timeout=60) for _ in range(4)) == [0, 1, 2, 3]
    if sys.version_info >= (3, 12):
        with pytest.raises(RuntimeError, match="get_context"):
            Pool(1, start, (None, multiprocessing.get_context("fork").Lock()))


held: Any = None


def start(queue: Any, lock: Any) -> None:
    global held
    held = queue, lock


def put(x: int) -> None:
    queue, lock = held
    with lock:
        queue.put(x)
