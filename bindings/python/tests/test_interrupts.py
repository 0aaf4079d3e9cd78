"""Ctrl-C: what it finds in hand is not lost.

A signal handler may raise on the main thread at the beginning of each function, behind each call, and where a loop begins again: there the
interpreter looks for signals. So these tests raise at the first of these places in the package's files, at the second, and so on, until what is tested
is over before.
"""
import dis
import gc
import sys

import core_work as work
import pytest
from test_core_calls import eventually, run

from mapengine._taken import Taken
from mapengine._workers import Workers


class Stopped(KeyboardInterrupt):
    """Told from a real Ctrl-C, which ends the tests."""


class At:
    """Raises at the step with this number, from 1. `is_over`: there was no such step."""

    def __init__(self, number):
        self.left, self.where = number, None
        self.passed = {}  # The instruction that each frame was at before.

    @property
    def is_over(self):
        return self.left > 0

    def __enter__(self):
        self.before = sys.gettrace()
        sys._getframe().f_trace_opcodes = True  # Before settrace, from 3.12 on.
        sys.settrace(self._trace)
        return self

    def __exit__(self, kind, value, traceback):
        sys.settrace(self.before)
        return isinstance(value, Stopped)

    def _trace(self, frame, event, argument):
        if not frame.f_globals.get("__name__", "").startswith("mapengine.") or frame.f_code.co_name == "__del__":
            return None  # An exception in a finalizer goes nowhere.
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            before = self.passed.get(frame)
            self.passed[frame] = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            if before is not None and not before.startswith(("CALL", "JUMP_BACK", "JUMP_ABS")):
                return self._trace
            self.left -= 1
            if self.left == 0:
                self.passed.clear()
                self.where = f"{frame.f_code.co_name}:{frame.f_lineno}"
                sys.settrace(None)
                raise Stopped
        return self._trace


def each_step(most=5000):
    """The interrupters of all steps; ends when one was not reached."""
    gc.collect()  # No finalizer is to be interrupted: nobody would hear of it.
    interrupted = 0
    for number in range(1, most):
        at = At(number)
        yield at
        interrupted += not at.is_over
        if at.is_over and number > 10:  # The first times some interpreters tell of no step.
            assert interrupted or sys.version_info >= (3, 13)  # Which does not tell of all steps.
            return
    raise AssertionError("there are too many steps")


def nothing_is_held(workers):
    """The package's thread may hold something for a moment."""
    eventually(lambda: not workers._core.helpers and not workers._core._claims)


@pytest.mark.parametrize("mode", ["threaded", "attached"])
def test_a_wait_for_a_call_may_end_anywhere(mode):
    with Workers(1, mode=mode) as workers:
        assert workers.submit(work.square, (2,)).result() == 4
        for at in each_step():
            other, call = workers.submit(work.square, (4,)), workers.submit(work.square, (3,))
            with at:
                call.result(60)
            assert call.result(60) == 9, at.where
            assert other.result(60) == 16, at.where
            nothing_is_held(workers)
        if mode == "attached":
            workers.dispatch()
        eventually(workers.idle)


@pytest.mark.parametrize("mode", ["threaded", "attached"])
def test_callbacks_run_once_all_the_same(mode):
    with Workers(1, mode=mode) as workers:
        for at in each_step():
            called = []
            call = workers.submit(work.square, (3,))
            call.add_done_callback(called.append)
            with at:
                call.result(60)
            assert call.result(60) == 9, at.where
            if mode == "attached":
                workers.dispatch()
            eventually(lambda: called)
            assert called == [call], at.where


def test_dispatch_may_end_anywhere():
    with Workers(1, mode="attached") as workers:
        for at in each_step():
            called = []
            calls = [workers.submit(work.square, (i,)) for i in range(3)]
            for call in calls:
                call.add_done_callback(called.append)  # Without the package: who interrupts a callback has ended it.
            with at:
                while len(called) < 3:
                    workers.wait(60)
                    workers.dispatch()
            while len(called) < 3:
                assert workers.wait(60), at.where
                workers.dispatch()
            assert sorted(call.result() for call in called) == [0, 1, 4], at.where
            workers.dispatch()  # A future may be left whose callbacks have run.
            assert workers.idle() and not workers._core._claims, at.where


@pytest.mark.parametrize("ordered", [True, False])
def test_a_map_that_is_left_costs_others_nothing(ordered):
    with Workers(1) as workers:
        for at in each_step():
            others = [workers.submit(work.square, (i,)) for i in range(3)]
            job = workers.map(work.square, range(3), ordered=ordered)
            with at:
                assert sorted(value for _, _, value in job) == [0, 1, 4]
            job.cancel()
            assert [other.result(60) for other in others] == [0, 1, 4], at.where
            nothing_is_held(workers)
            del job


def taken_from(job, got):
    """Takes outcomes as the faces do, many at a time, and adds their values to got."""
    into = Taken(job)
    try:
        while into.refill(60):
            got += into.values
            into.values.clear()
    finally:
        got += into.values


def all_results(job, got):
    got[:] = job.results()


def waited_for(job, got):
    assert job.wait(60)
    one_by_one(job, got)


def one_by_one(job, got):
    for _, ok, value in job:
        assert ok
        got.append(value)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("read", [one_by_one, taken_from, all_results, waited_for])
@pytest.mark.parametrize("buffersize", [None, 2])
def test_a_map_loses_nothing(ordered, read, buffersize):
    """Neither what was read of a lazy input and not submitted, nor what has come and was not handed over."""
    if buffersize and read is waited_for:
        pytest.skip("goes on as outcomes are taken")
    with Workers(1) as workers:
        assert workers.submit(work.square, (2,)).result() == 4
        for at in each_step():
            got = []
            job = workers.map(work.square, range(3), ordered=ordered, buffersize=buffersize)
            with at:
                read(job, got)
            if not at.is_over:
                read(job, got)
            assert (got if ordered else sorted(got)) == [0, 1, 4], at.where
            nothing_is_held(workers)
            del job
            eventually(lambda: not workers._core.blocks)


def test_a_ctrl_c_in_a_lazy_input_is_raised_at_once():
    """Not behind the outcomes of what was read before, as another exception of the input; and these are not lost."""
    def source():
        yield from range(20)
        raise Stopped

    with Workers(1) as workers:
        got = []
        job = workers.map(work.square, source(), buffersize=4)
        with pytest.raises(Stopped):
            one_by_one(job, got)
        assert len(got) < 20
        one_by_one(job, got)
        assert got == [x * x for x in range(20)]


@pytest.mark.parametrize("ordered", [True, False])
def test_a_maps_callback_runs_once_all_the_same(ordered):
    with Workers(1, mode="attached") as workers:
        assert workers.submit(work.square, (2,)).result() == 4
        for at in each_step():
            called = []
            job = workers.map(work.square, range(3), ordered=ordered)
            job.add_done_callback(called.append)
            with at:
                while not called:
                    workers.wait(60)
                    workers.dispatch()
            while not called:
                assert workers.wait(60), at.where
                workers.dispatch()
            assert called == [job], at.where
            assert sorted(value for _, _, value in job) == [0, 1, 4], at.where
            workers.dispatch()
            del job, called


@pytest.mark.parametrize("how", ["cancel", "kill"])
def test_an_end_may_end_anywhere(how):
    with Workers(1) as workers:
        for at in each_step():
            workers.submit(work.square, (2,)).result()
            busy = workers.submit(work.slowly, (0.02,))
            call = workers.submit(work.square, (3,))
            with at:
                getattr(call, how)()
            try:
                assert call.result(60) == 9
            except BaseException as error:
                assert call.cancelled(), (error, at.where)
            busy.result(60)
        eventually(workers.idle)


def test_the_end_does_not_wait_for_what_was_given_up():
    code, text = run("""
import os, signal, threading, time
import core_work
from mapengine import Executor
executor = Executor(2)
calls = [executor.submit(time.sleep, 1000) for _ in range(20)]
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    calls[0].result()
except KeyboardInterrupt:
    print('caught')
late = executor.submit(core_work.square, 3)
late.add_done_callback(lambda call: print('late', call.cancelled() or call.result()))
calls[1].kill(), calls[0].kill()
print('end', flush=True)
""")
    assert code == 0 and text.startswith("caught\nend\n"), text


def test_what_is_given_up_later_is_finished():
    code, text = run("""
import os, signal, threading, time
import core_work
from mapengine import Executor
executor = Executor(2)
call = executor.submit(time.sleep, 1000)
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    call.result()
except KeyboardInterrupt:
    print('caught')
late = executor.submit(core_work.slowly, 0.3)
late.add_done_callback(lambda call: print('late', call.result() > 0))
""")
    assert code == 0 and text == "caught\nlate True\n", text
