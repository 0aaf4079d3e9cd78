"""What a pool counts of workers, functions and maps, under the names that users know."""
import functools
import time

import core_work as work

import mapengine
from mapengine._workers import Workers


class Scaled:
    def __init__(self, by):
        self.by = by

    def __call__(self, x):
        return x * self.by

    def times(self, x):
        return x * self.by


def nap(seconds):
    time.sleep(seconds)
    return seconds


def fails(x):
    if x % 2:
        raise ValueError(x)
    return x


def test_functions_are_counted_by_their_names():
    with Workers(2) as workers:
        assert workers.stats()["by_function"] == {} and workers.stats()["by_worker"] == []
        assert workers.submit(work.square, (3,)).result() == 9
        assert workers.map(work.square, range(100)).results() == [x * x for x in range(100)]
        workers.map(functools.partial(work.add, 1), range(7)).results()
        workers.submit(Scaled(3), (2,)).result()
        workers.submit(Scaled(3).times, (2,)).result()
        workers.submit(lambda: 1).result()
        workers.submit(len, ((1, 2),)).result()
        here = __name__
        functions = workers.stats()["by_function"]
        counted = {name: figures["items"] for name, figures in functions.items()}
        local = "test_functions_are_counted_by_their_names.<locals>.<lambda>"
        assert counted == {"core_work.square": 101, "core_work.add": 7, f"{here}.Scaled": 1, f"{here}.Scaled.times": 1,
                           f"{here}.{local}": 1, "len": 1}
        assert functions["core_work.square"]["ok"] == 101 and functions["core_work.square"]["copied_bytes"] > 0
        assert "done_ns" not in functions["len"]


def test_times_of_functions_and_workers_hold_what_was_slept():
    with Workers(2) as workers:
        job = workers.map(nap, [0.02] * 6, chunk_size=1)
        assert job.results() == [0.02] * 6
        least = 6 * 20_000_000
        figures = workers.stats()
        function = figures["by_function"][f"{__name__}.nap"]
        assert function["busy_ns"] >= least and function["min_ns"] >= 20_000_000
        assert function["timed"] == 6 and function["p50_ns"] >= 20_000_000 * 63 / 64
        assert sum(worker["busy_ns"] for worker in figures["by_worker"]) == function["busy_ns"]
        assert all(worker["setup_ns"] > 0 and worker["host"] == "" for worker in figures["by_worker"])
        assert job.stats()["busy_ns"] == function["busy_ns"]


def test_a_map_is_counted_alone_also_when_its_results_were_taken():
    with Workers(2) as workers:
        workers.map(fails, range(10)).cancel()
        job = workers.map(fails, range(5000), ordered=False)
        assert sum(not ok for _, ok, _ in job) == 2500
        stats = job.stats()
        assert stats["items"] == 5000 and stats["ok"] == 2500 and stats["failed"] == 2500
        name = f"{__name__}.fails"
        assert workers.stats()["by_function"][name]["items"] >= 5000
        del job
        assert workers.stats()["by_function"][name]["items"] >= 5000
    assert workers.stats()["by_function"] == {}


def test_names_have_an_end(monkeypatch):
    import mapengine._figures as figures

    monkeypatch.setattr(figures, "MOST", 2)
    with Workers(1) as workers:
        for function in (work.square, work.same, work.pid, abs):
            workers.submit(function, (1,)).result()
        assert {name: one["items"] for name, one in workers.stats()["by_function"].items()} == \
            {"core_work.square": 1, "core_work.same": 1, "others": 2}


def test_a_handle_has_the_figures_of_its_map():
    done = []
    handle = mapengine.map(work.square, range(50), callback=done.append)
    handle.join()
    assert done == [[x * x for x in range(50)]] and handle.stats()["items"] == 50
    one = mapengine.apply(work.square, (4,), callback=done.append)
    one.join()
    assert done[1:] == [16] and one.stats() == {}
