"""Maps: order, windows, chunks, deaths within, what becomes of the others."""
import array
import gc
import itertools
import os
import random
import signal
import threading
import time
import weakref
from concurrent.futures import CancelledError

import core_work as work
import pytest
from test_core_calls import eventually

from mapengine._blocks import Block
from mapengine._errors import ItemTimeout, MapErrors, WorkerDied
from mapengine._taken import Taken
from mapengine._workers import Workers


@pytest.mark.parametrize("count", [0, 1, 2, 31, 32, 33, 1000, 100_000])
@pytest.mark.parametrize("chunk", [None, 1, 7])
def test_results_are_in_order(workers, count, chunk):
    if count == 100_000 and chunk == 1:
        count = 5000
    assert workers.map(work.square, range(count), chunk_size=chunk).results() == [x * x for x in range(count)]


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("window", [None, 1, 2, 64])
def test_iteration(workers, ordered, window):
    got = list(workers.map(work.square, iter(range(700)), ordered=ordered, buffersize=window))
    assert all(ok for _, ok, _ in got)
    pairs = [(index, value) for index, _, value in got]
    assert (pairs if ordered else sorted(pairs)) == [(x, x * x) for x in range(700)]


def test_unordered_outcomes_come_as_they_end(workers):
    job = workers.map(work.sleep_at, [(0, 0, 1.0), (1, 0, 0), (2, 0, 0), (3, 0, 0)], star=True, ordered=False, chunk_size=1)
    assert [index for index, _, _ in job][-1] == 0


def test_failures_do_not_lose_the_others(workers):
    job = workers.map(work.fail_at, range(10))
    with pytest.raises(MapErrors, match="4 of 10 elements failed; the first, element 0: ValueError") as caught:
        job.results()
    assert caught.value.results == [None, 1, 2, None, 4, 5, None, 7, 8, None]
    assert sorted(caught.value.failures) == [0, 3, 6, 9] and len(caught.value.exceptions) == 4
    outcomes = list(workers.map(work.fail_at, range(10)))
    assert [ok for _, ok, _ in outcomes] == [x % 3 != 0 for x in range(10)]


@pytest.mark.parametrize("how", ["kill", "segv", "exit0"])
@pytest.mark.parametrize("chunk", [None, 1, 10])
def test_a_death_is_blamed_on_its_element(workers, how, chunk):
    outcomes = workers.map(work.crash_at, [(x, 77, how) for x in range(300)], star=True, chunk_size=chunk).outcomes()
    assert [index for index, ok, _ in outcomes if not ok] == [77]
    died = outcomes[77][2]
    assert isinstance(died, WorkerDied) and died.element == 77 and "in element 77" in str(died)
    assert [value for _, ok, value in outcomes if ok] == [x for x in range(300) if x != 77]


def test_a_timeout_ends_that_element_alone(workers):
    outcomes = workers.map(work.sleep_at, [(x, 5, 60) for x in range(40)], star=True, timeout=5).outcomes()
    assert [index for index, ok, _ in outcomes if not ok] == [5] and isinstance(outcomes[5][2], ItemTimeout)


def test_the_input_is_consumed_as_outcomes_are_taken(workers):
    taken = []

    def source():
        for i in itertools.count():
            taken.append(i)
            yield i

    job = workers.map(work.square, source(), buffersize=64)
    got = [job.next() for _ in range(100)]
    assert [value for _, _, value in got] == [x * x for x in range(100)]
    assert len(taken) <= 100 + 64 + 1
    job.cancel()


def test_an_input_that_raises(workers):
    def source(count):
        yield from range(count)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk"):
        workers.map(work.square, source(10))
    for count in (0, 1, 10, 100):
        job = workers.map(work.square, source(count), buffersize=16)
        got = []
        with pytest.raises(OSError, match="the disk"):
            for outcome in job:
                got.append(outcome[2])
        assert got == [x * x for x in range(count)]


def test_next_with_a_timeout(workers):
    job = workers.map(work.slowly, [0.5])
    with pytest.raises(TimeoutError):
        job.next(timeout=0.01)
    assert job.next()[1] and list(job) == []
    with pytest.raises(StopIteration):
        job.next()


def test_wait_done_progress_and_callback(workers):
    job = workers.map(work.slowly, [0.05] * 8, chunk_size=1)
    called = []
    job.add_done_callback(lambda job: called.append((job.done(), threading.current_thread().name)))
    assert not job.wait(0.001)
    assert job.wait(60) and job.done() and job.progress() == (8, 8)
    eventually(lambda: called == [(True, "mapengine")])
    assert len(job.results()) == 8 and job.progress() == (8, 8)
    late = []
    job.add_done_callback(late.append)
    eventually(lambda: late == [job])


def test_callbacks_of_a_map_that_nobody_holds(workers):
    called = []
    workers.map(work.square, range(100)).add_done_callback(lambda job: called.append(job.results()))
    gc.collect()
    eventually(lambda: called == [[x * x for x in range(100)]])


def test_a_map_that_nobody_holds_runs_to_its_end(tmp_path, workers):
    path = str(tmp_path / "done")

    def touch(x):
        with open(path, "a") as file:
            file.write(".")

    workers.map(touch, range(50))
    gc.collect()
    eventually(lambda: os.path.exists(path) and os.path.getsize(path) == 50)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("many", [True, False])
def test_failures_and_places_of_the_callers_one_by_one(workers, ordered, many):
    """Ranges in which some have failed; and results that become elements of an array."""
    for out in None, array.array("q", bytes(8 * 3000)):
        job = workers.map(work.fail_at, range(3000), ordered=ordered, out=out)
        good, bad = [], 0
        if many:
            taken = Taken(job)
            while taken.refill():
                good += taken.values
                taken.values.clear()
                bad += isinstance(taken.error, ValueError)
                taken.error = None
        else:
            for _, ok, value in job:
                good += [value] if ok else []
                bad += not ok
        assert sorted(good) == [x for x in range(3000) if x % 3] and bad == 1000
        if out is not None:
            assert out.tolist() == [x if x % 3 else 0 for x in range(3000)]


def test_outcomes_that_come_as_they_end_are_told_by_the_range(workers, monkeypatch):
    told, ended_by = [], Block.ended_by

    def count(block, event, events):
        told.append(event[11])
        ended_by(block, event, events)

    monkeypatch.setattr(Block, "ended_by", count)
    assert sum(value for _, _, value in workers.map(work.same, range(10_000), ordered=False)) == sum(range(10_000))
    assert sum(told) == 10_000 and len(told) < 5000


def test_cancel(workers):
    job = workers.map(work.slowly, [0.1] * 200, chunk_size=1)
    job.next()
    assert job.cancel()
    outcomes = list(job)
    assert len(outcomes) == 199 and not all(ok for _, ok, _ in outcomes)
    assert not job.cancel()
    assert workers.submit(work.square, (2,)).result() == 4


def test_memory_of_elements_and_results_is_given_back(workers):
    class Thing:
        pass

    things = [Thing() for _ in range(20)]
    die = [weakref.ref(thing) for thing in things]
    job = workers.map(work.same, things)
    results = job.results()
    del things
    eventually(lambda: gc.collect() or not any(one() for one in die))
    die = [weakref.ref(thing) for thing in results]
    del results, job
    eventually(lambda: gc.collect() or not any(one() for one in die))
    job = workers.map(work.same, [Thing() for _ in range(20)])
    die = [weakref.ref(job.next()[2]) for _ in range(10)]
    eventually(lambda: gc.collect() or not any(one() for one in die))
    del job
    eventually(lambda: workers.stats()["output_bytes"] == 0 or gc.collect() and False)


def test_functions_by_value_and_by_name(workers):
    factor = 3

    def recursive(n):
        return 1 if n < 2 else n * recursive(n - 1)

    assert workers.map(lambda x: x * factor, range(4)).results() == [0, 3, 6, 9]
    factor = 4
    assert workers.map(lambda x: x * factor, range(4)).results() == [0, 4, 8, 12]
    assert workers.submit(recursive, (10,)).result() == 3628800
    assert workers.map("x".__add__, ["a"]).results() == ["xa"]
    assert workers.map(complex, [1, 2]).results() == [1 + 0j, 2 + 0j]
    assert workers.submit(Accumulator(5), (2,)).result() == 7
    assert workers.submit(Accumulator(5).add, (2,)).result() == 7


class Accumulator:
    def __init__(self, start):
        self.start = start

    def __call__(self, x):
        return self.start + x

    def add(self, x):
        return self.start + x


def test_globals_that_change_are_sent_anew(workers):
    names = {"__name__": "__main__", "limit": 1, "table": [1]}
    exec("def helper(x): return x + limit\ndef f(x): return helper(x), list(table)", names)
    f = names["f"]
    assert workers.submit(f, (1,)).result() == (2, [1])
    names["limit"] = 10
    names["table"].append(2)
    assert workers.submit(f, (1,)).result() == (11, [1, 2])
    assert workers.map(f, [1, 2]).results() == [(11, [1, 2]), (12, [1, 2])]


def test_modules_and_runtime_globals(workers):
    names = {"__name__": "__main__"}
    exec("def f(x): return t.monotonic() > 0, os.path.basename('/a/b'), helper(x), scale", names)
    got = workers.submit(names["f"], (2,), modules=["time as t", "os.path"], runtime_globals={"helper": work.square, "scale": 3}).result()
    assert got == (True, "b", 4, 3)
    exec("def g(x): return square(x)", names)
    assert workers.map(names["g"], [2, 3], runtime_globals=[work.square]).results() == [4, 9]


def test_a_large_function_is_sent_once(workers):
    table = list(range(100_000))
    assert workers.map(lambda x: table[x], [5, 99_999]).results() == [5, 99_999]
    assert [workers.submit(lambda x: table[x], (i,)).result() for i in range(5)] == list(range(5))


def test_kill_of_workers_during_many_elements(workers):
    """Each element has exactly one outcome, and all but those that were killed are right."""
    stop = threading.Event()

    def killer():
        rng = random.Random(1)
        while not stop.wait(0.1):
            pids = workers.pids()
            if pids:
                try:
                    os.kill(rng.choice(pids), signal.SIGKILL)
                except ProcessLookupError:
                    pass

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        outcomes = workers.map(work.busy, range(20_000), chunk_size=50).outcomes()
    finally:
        stop.set()
        thread.join()
    assert [index for index, _, _ in outcomes] == list(range(20_000))
    assert all(value == index + 1 for index, ok, value in outcomes if ok)
    failed = [value for _, ok, value in outcomes if not ok]
    assert all(isinstance(error, WorkerDied) and error.signal == signal.SIGKILL for error in failed)
    assert len(failed) < 1000


def test_the_zygote_dies_meanwhile(workers):
    job = workers.map(work.sleep_at, [(x, -1, 0) for x in range(3000)], star=True, chunk_size=10)
    os.kill(workers.stats()["zygote_pid"], signal.SIGKILL)
    outcomes = job.outcomes()
    assert len(outcomes) == 3000 and sum(not ok for _, ok, _ in outcomes) <= 2
    assert workers.submit(work.square, (5,)).result() == 25


@pytest.mark.parametrize("ordered", [True, False])
def test_iterating_what_is_told_as_a_whole(workers, ordered):
    got = sorted(list(workers.map(work.square, range(3000), bulk=True, ordered=ordered)))
    assert got == [(x, True, x * x) for x in range(3000)]
    called = []
    workers.map(work.square, range(3000), bulk=True).add_done_callback(lambda job: called.append(len(job.results())))
    eventually(lambda: called == [3000])


@pytest.mark.parametrize("chunk", [None, 1, 25])
def test_a_cancel_leaves_alone_what_runs(tmp_path, chunk):
    """However long that takes: much longer than the pool's grace, here."""
    gate = tmp_path / "gate"
    with Workers(2) as workers:
        job = workers.map(work.note_and_wait, [(i, str(tmp_path)) for i in range(100)], star=True, chunk_size=chunk)
        eventually(lambda: len(list(tmp_path.glob("begun*"))) == 2)
        pids = workers.pids()
        assert job.cancel() and not job.done()
        time.sleep(0.2)
        assert not job.cancel()  # Nothing is left to end.
        gate.touch()
        outcomes = job.outcomes()
        assert workers.pids() == pids
    begun = {int(path.name[5:]) for path in tmp_path.glob("begun*")}
    assert len(begun) == 2
    assert {index for index, ok, value in outcomes if ok} == begun
    assert all(value == index if ok else isinstance(value, CancelledError) for index, ok, value in outcomes)


def test_a_cancel_of_all_ends_what_runs(tmp_path):
    with Workers(2) as workers:
        job = workers.map(work.note_and_wait, [(i, str(tmp_path)) for i in range(100)], star=True)
        eventually(lambda: len(list(tmp_path.glob("begun*"))) == 2)
        job.cancel()
        assert job.cancel(running=True) and all(isinstance(value, CancelledError) for _, _, value in job.outcomes())
        assert not job.cancel(running=True)


def test_what_another_thread_has_fetched_is_not_waited_for():
    """The package's thread has events in hand, and has lost its processor, when this thread begins to wait for them."""
    with Workers(1) as workers:
        assert workers.submit(work.square, (2,)).result() == 4
        core = workers._core
        route = core.route

        def route_late(*arguments):
            if threading.current_thread() is not threading.main_thread():
                time.sleep(0.05)
            route(*arguments)

        core.route = route_late
        for _ in range(20):
            job = workers.map(work.square, range(6), ordered=False)
            time.sleep(0.02)  # Now that thread has them, or most of them.
            assert sorted(value for _, _, value in job) == [0, 1, 4, 9, 16, 25]
