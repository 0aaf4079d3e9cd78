"""Workers and zygotes are killed while a map runs: each element has exactly one outcome, and only those are lost that were killed.

What runs writes it down: one byte per element in a file that workers and test share, counted up as the element begins. The killer follows the
number of outcomes, not a clock, so each run kills as often, however fast the machine is.
"""
import os
import signal
import threading

import core_work as work
import pytest
from test_core_calls import eventually

from mapengine import Pool
from mapengine._errors import WorkerDied
from mapengine._workers import Workers


@pytest.fixture
def begun(tmp_path):
    """A function that makes the file for so many elements, and one that says how often each was begun."""
    path = tmp_path / "begun"

    def make(count):
        path.write_bytes(bytes(count))
        return str(path)

    make.counts = lambda: path.read_bytes()
    return make


def kill_zygote(workers):
    """Kills the zygote, and waits until there is another one: a zygote that dies again and again at once ends the pool."""
    before = workers.stats()["zygotes_started"]
    os.kill(workers.stats()["zygote_pid"], signal.SIGKILL)
    eventually(lambda: workers.stats()["zygotes_started"] > before and workers.pids())


def kill_worker(workers, turn):
    """Kills one that is there; it may be idle or between two elements."""
    pids = workers.pids()
    if pids:
        try:
            os.kill(pids[turn % len(pids)], signal.SIGKILL)
        except ProcessLookupError:
            pass


def run_and_kill(begun, count, workers_killed, zygotes_killed, **options):
    """Runs a map of `count` elements, in which every 997th kills its worker; kills workers and zygotes from outside as it goes on."""
    path = begun(count)
    steps = sorted([((i + 1) * count // (workers_killed + 1), False) for i in range(workers_killed)]
                   + [((i + 1) * count // (zygotes_killed + 2), True) for i in range(zygotes_killed)], reverse=True)
    outcomes = {}
    with Workers(2) as workers:
        for index, ok, value in workers.map(work.note_and_die, [(i, path) for i in range(count)], star=True, **options):
            assert index not in outcomes
            outcomes[index] = ok, value
            while steps and len(outcomes) >= steps[-1][0]:
                _, is_zygote = steps.pop()
                if is_zygote:
                    kill_zygote(workers)
                else:
                    kill_worker(workers, len(steps))
        assert not steps and len(outcomes) == count
        assert workers.submit(work.square, (3,)).result() == 9  # It lives.
        stats = workers.stats()
    assert stats["zygotes_started"] == 1 + zygotes_killed
    counts = begun.counts()
    own = set(range(0, count, 997))
    lost = {index for index, (ok, _) in outcomes.items() if not ok}
    assert own <= lost
    assert len(lost - own) <= workers_killed  # Each kill ends one element at most.
    for index, (ok, value) in outcomes.items():
        if ok:
            assert value == index * 3 + 1 and counts[index] >= 1
        else:
            assert isinstance(value, WorkerDied) and value.signal == signal.SIGKILL and value.element == index, (index, value)
    # A killed one may not have come to its first line. Only what ran while a zygote died ran again: two workers, one element each.
    again = sum(counts[index] - 1 for index in range(count) if counts[index])
    assert again <= 2 * zygotes_killed, again


@pytest.mark.parametrize("options", [{}, {"ordered": False}, {"chunk_size": 7}, {"buffersize": 500}], ids=lambda options: "-".join(options) or "plain")
def test_each_element_has_one_outcome(begun, options):
    run_and_kill(begun, 5_000, 10, 3, **options)


@pytest.mark.once
def test_of_a_hundred_thousand_elements_only_the_killed_are_lost(begun):
    run_and_kill(begun, 100_000, 50, 10)


def test_results_that_are_asked_for_as_a_whole(begun):
    """No outcome is seen meanwhile; elements kill their workers themselves."""
    path = begun(3_000)
    with Workers(2) as workers:
        outcomes = workers.map(work.note_and_die, [(i, path) for i in range(3_000)], star=True, bulk=True).outcomes()
    assert [index for index, ok, _ in outcomes if not ok] == list(range(0, 3_000, 997))
    assert all(isinstance(value, WorkerDied) if index % 997 == 0 else value == index * 3 + 1 for index, _, value in outcomes)
    assert begun.counts() == b"\1" * 3_000


def test_calls_that_are_outstanding_while_workers_and_zygotes_die(begun):
    path = begun(1_000)
    with Workers(2) as workers:
        calls = [workers.submit(work.note_and_die, (i, path)) for i in range(1_000)]
        ended = []
        for call in calls:
            call.add_done_callback(lambda call: ended.append(call))
        for turn in range(1, 8):
            eventually(lambda: len(ended) >= turn * 100)
            kill_zygote(workers) if turn % 3 == 0 else kill_worker(workers, turn)
        failed = [i for i, call in enumerate(calls) if call.exception(60) is not None]
        assert {0, 997} <= set(failed) and len(failed) <= 2 + 5
        assert all(isinstance(calls[i].exception(), WorkerDied) for i in failed)
        assert all(call.result() == i * 3 + 1 for i, call in enumerate(calls) if i not in failed)
        eventually(lambda: len(ended) == 1_000)
        assert len(set(map(id, ended))) == 1_000


def test_a_pool_under_fire(begun):
    """The faces stand on the same: imap_unordered of a Pool, with a killer beside it."""
    path = begun(2_000)
    taken, stop = [], threading.Event()

    with Pool(2) as pool:
        def fire():
            for turn in range(1, 6):
                eventually(lambda: len(taken) >= turn * 300 or stop.is_set())
                kill_worker(pool, turn)

        killer = threading.Thread(target=fire)
        killer.start()
        try:
            values = pool.imap_unordered(work.note_and_die_of, [(i, path) for i in range(1, 1_997)], chunksize=10)
            lost = 0
            while True:
                try:
                    taken.append(next(values))
                except StopIteration:
                    break
                except WorkerDied:
                    lost += 1
        finally:
            stop.set()
            killer.join()
    assert len(taken) + lost == 1_996 and 2 <= lost <= 2 + 5
    assert len(set(taken)) == len(taken) and all(value % 3 == 1 for value in taken)
