"""The backend for joblib."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import face_work as work
import pytest

joblib = pytest.importorskip("joblib", "1.4")
import mapengine.joblib  # noqa: E402
from mapengine import WorkerDied  # noqa: E402


@pytest.fixture(autouse=True)
def backend() -> Any:
    with joblib.parallel_config(backend="mapengine", n_jobs=2):
        yield


def parallel(function: Any, items: Any, **options: Any) -> Any:
    return joblib.Parallel(**options)(joblib.delayed(function)(x) for x in items)


def test_a_call() -> None:
    assert parallel(work.square, range(100)) == [x * x for x in range(100)]
    assert parallel(lambda x: -x, range(5)) == [0, -1, -2, -3, -4]
    assert list(parallel(work.square, range(100), return_as="generator")) == [x * x for x in range(100)]
    assert sorted(parallel(work.square, range(100), return_as="generator_unordered")) == [x * x for x in range(100)]


def test_it_runs_in_workers_which_stay() -> None:
    pids = set(parallel(work.pid, range(20)))
    assert os.getpid() not in pids and len(pids) <= 2
    assert set(parallel(work.pid, range(20))) <= pids | set(parallel(work.pid, range(20)))
    assert len(pids | set(parallel(work.pid, range(20)))) <= 2


@pytest.mark.parametrize(("n_jobs", "expected"), [(3, 3), (-1, joblib.cpu_count()), (-1000, 1), (None, 1)])
def test_numbers_of_workers(n_jobs: Any, expected: int) -> None:
    assert mapengine.joblib.MapEngineBackend().effective_n_jobs(n_jobs) == expected


def test_no_workers_have_no_meaning() -> None:
    with pytest.raises(ValueError):
        parallel(work.square, [1], n_jobs=0)


def test_errors_end_the_call_and_nothing_else() -> None:
    with pytest.raises(ValueError, match="is odd"):
        parallel(work.fail_odd, range(10))
    assert parallel(work.square, range(10)) == [x * x for x in range(10)]
    with pytest.raises(WorkerDied):
        parallel(work.die_at_three, range(10), batch_size=1)
    assert parallel(work.square, range(10)) == [x * x for x in range(10)]


def test_a_generator_that_is_dropped_ends_its_own_work_alone(tmp_path: Path) -> None:
    dropped = parallel(work.sleep, [600] * 4, return_as="generator")
    other = parallel(work.square, range(10), return_as="generator")
    del dropped
    gc.collect()
    assert list(other) == [x * x for x in range(10)]


def test_calls_within_calls() -> None:
    def outer(x: int) -> Any:
        return joblib.Parallel(n_jobs=2, backend="mapengine")(joblib.delayed(work.add)(x, y) for y in range(3))

    assert parallel(outer, range(3)) == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]


def test_threads_of_numeric_libraries() -> None:
    def threads(_: int) -> Any:
        return os.environ.get("OMP_NUM_THREADS")

    with joblib.parallel_config(backend="mapengine", n_jobs=2, inner_max_num_threads=3):
        assert set(parallel(threads, range(4))) == {"3"}
