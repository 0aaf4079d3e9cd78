"""Calls and their futures: errors, ends, cancelling, threads, memory."""
import concurrent.futures
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref

import core_work as work
import pytest

from mapengine._errors import ItemTimeout, PoolBroken, RemoteError, RemoteTraceback, WorkerDied
from mapengine._workers import Workers


def eventually(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.005)


# ---- errors ----

def test_an_exception_comes_with_the_remote_traceback(workers):
    with pytest.raises(ValueError, match="3 is a multiple") as caught:
        workers.submit(work.fail_at, (3,)).result()
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    assert "in fail_at" in caught.value.__cause__.tb and "core_work.py" in str(caught.value.__cause__)


def test_exceptions_that_do_not_come_out_of_a_pickle(workers):
    with pytest.raises(work.TwoArguments, match="1 and 2") as caught:
        workers.submit(work.raise_two, (1, 2)).result()
    assert caught.value.b == 2 and "raise_two" in str(caught.value.__cause__)
    with pytest.raises(work.Stubborn, match="a reason"):
        workers.submit(work.raise_stubborn).result()
    with pytest.raises(RemoteError, match="held") as caught:
        workers.submit(work.raise_with_lock).result()
    assert caught.value.type_name == "builtins.ValueError"


def test_exits_are_exceptions(workers):
    with pytest.raises(SystemExit):
        workers.submit(work.raise_exit).result()


@pytest.mark.parametrize("how, number, code", [("kill", signal.SIGKILL, None), ("segv", signal.SIGSEGV, None), ("abort", signal.SIGABRT, None),
                                               ("exit", 0, 3), ("exit0", 0, 0)])
def test_a_death_costs_one_call_and_is_told(workers, how, number, code):
    calls = [workers.submit(work.crash_at, (i, 5, how)) for i in range(20)]
    errors = {i: call.exception() for i, call in enumerate(calls) if call.exception() is not None}
    assert list(errors) == [5] and [call.result() for i, call in enumerate(calls) if i != 5] == [i for i in range(20) if i != 5]
    died = errors[5]
    assert isinstance(died, WorkerDied) and isinstance(died, concurrent.futures.process.BrokenProcessPool)
    assert died.signal == number and died.exit_code == code and died.element == 0
    if how in ("segv", "abort"):
        assert "in crash_at" in died.python_stack and died.c_stack and "_zygote" not in died.python_stack
        assert "crash_at" in str(died)


def test_attempts(tmp_path, workers):
    path = str(tmp_path / "tries")

    def twice(path):
        import os

        with open(path, "a") as file:
            file.write("x")
        if os.path.getsize(path) < 2:
            os._exit(1)
        return os.path.getsize(path)

    assert workers.submit(twice, (path,), attempts=3).result() == 2


def test_a_timeout_ends_that_call_alone(workers):
    slow = workers.submit(time.sleep, (60,), timeout=0.2)
    others = [workers.submit(work.square, (i,)) for i in range(20)]
    with pytest.raises(ItemTimeout) as caught:
        slow.result()
    assert isinstance(caught.value, TimeoutError) and isinstance(caught.value, concurrent.futures.TimeoutError)
    assert [call.result() for call in others] == [i * i for i in range(20)]


def test_the_timeout_of_result_is_a_wait(workers):
    call = workers.submit(work.slowly, (3,))
    with pytest.raises(concurrent.futures.TimeoutError):
        call.result(timeout=0.02)
    assert call.result() > 0


# ---- cancel and kill ----

def test_cancel_of_what_a_worker_has_and_has_not_begun(tmp_path):
    """Short calls wait in the worker behind the one that runs."""
    with Workers(1) as workers:
        for x in range(200):  # From now on the pool knows that they are short.
            workers.submit(work.square, (x,)).result()
        first = workers.submit(work.note_and_wait, (0, str(tmp_path)))
        behind = [workers.submit(work.square, (x,)) for x in range(40)]
        eventually(lambda: list(tmp_path.glob("begun*")))
        pid = workers.pids()
        called = []
        behind[3].add_done_callback(called.append)
        assert all(call.cancel() for call in behind[:20])
        assert called == [behind[3]] and all(call.cancelled() for call in behind[:20])
        assert not first.cancel() and not first.done()
        (tmp_path / "gate").touch()
        assert [call.result(60) for call in behind[20:]] == [x * x for x in range(20, 40)]
        assert first.result(60) == 0 and not first.cancel()
        assert workers.pids() == pid
        eventually(workers.idle)


def test_cancel_of_what_waits_and_kill_of_what_runs(workers, tmp_path):
    running = [workers.submit(work.note_and_wait, (i, str(tmp_path))) for i in range(2)]
    eventually(lambda: len(list(tmp_path.glob("begun*"))) == 2)
    assert all(call.running() for call in running)
    waiting = workers.submit(work.square, (2,))
    assert waiting.cancel() and waiting.cancelled() and waiting.done()
    assert not running[0].cancel()
    seen = []
    running[0].add_done_callback(lambda call: seen.append(call.cancelled()))
    assert all(call.kill() for call in running)
    for call in running:
        with pytest.raises(concurrent.futures.CancelledError):
            call.result()
        assert not call.kill()
    eventually(lambda: seen == [True])
    assert workers.submit(work.square, (3,)).result() == 9


def test_progress(workers):
    def half():
        import time

        from mapengine._worker import report

        report(0.5)
        time.sleep(60)

    call = workers.submit(half)
    eventually(lambda: (call.progress() or 0) >= 0.5)
    call.kill()
    assert call.progress() == 1.0


# ---- futures as concurrent.futures has them ----

def test_wait_and_as_completed(workers):
    calls = [workers.submit(work.square, (i,)) for i in range(50)]
    assert sorted(call.result() for call in concurrent.futures.as_completed(calls)) == sorted(i * i for i in range(50))
    done, rest = concurrent.futures.wait([workers.submit(work.fail_at, (3,)), workers.submit(work.square, (2,))])
    assert len(done) == 2 and not rest
    done, rest = concurrent.futures.wait([workers.submit(time.sleep, (1,)), workers.submit(work.square, (2,))],
                                         return_when=concurrent.futures.FIRST_COMPLETED)
    assert len(done) == 1


def test_callbacks_run_once_on_another_thread(workers):
    where = []
    for i in range(20):
        workers.submit(work.square, (i,)).add_done_callback(lambda call: where.append((call.result(), threading.current_thread().name)))
    eventually(lambda: len(where) == 20)
    assert {value for value, _ in where} == {i * i for i in range(20)} and {name for _, name in where} == {"mapengine"}
    call = workers.submit(work.square, (1,))
    call.result()
    here = []
    call.add_done_callback(lambda call: here.append(threading.current_thread()))
    assert here == [threading.main_thread()]


def test_a_callback_may_submit_wait_and_fail(workers, caplog):
    got = []

    def callback(call):
        got.append(workers.submit(work.square, (call.result(),)).result())
        raise RuntimeError("in a callback")

    workers.submit(work.square, (2,)).add_done_callback(callback)
    eventually(lambda: got == [16])
    assert workers.submit(work.square, (3,)).result() == 9


def test_many_threads(workers):
    wrong = []

    def use(base):
        for i in range(100):
            if workers.submit(work.square, (base + i,)).result(timeout=60) != (base + i) ** 2:
                wrong.append(i)
        if workers.map(work.square, range(1000)).results() != [x * x for x in range(1000)]:
            wrong.append("map")
        if [value for _, _, value in workers.map(work.square, range(300), chunk_size=7)] != [x * x for x in range(300)]:
            wrong.append("iterated")

    threads = [threading.Thread(target=use, args=(1000 * i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong and not any(thread.is_alive() for thread in threads)


# ---- memory ----

def test_nothing_is_kept_after_delivery(workers):
    class Thing:
        pass

    thing = Thing()
    dies = weakref.ref(thing)
    call = workers.submit(work.same, (thing,))
    call.result()
    del thing
    eventually(lambda: gc.collect() or dies() is None)
    result = weakref.ref(call.result())
    del call
    eventually(lambda: gc.collect() or result() is None)


def test_the_last_reference_ends_the_workers():
    workers = Workers(2)
    call = workers.submit(work.slowly, (0.3,))
    pids = []
    eventually(lambda: pids.extend(workers.pids()) or len(pids) >= 2)
    del workers
    assert call.result() > 0  # What is outstanding is finished.
    del call
    gc.collect()

    def gone(pid):
        try:
            with open(f"/proc/{pid}/stat") as file:
                return file.read().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            return True

    eventually(lambda: all(map(gone, pids)))
    eventually(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("mapengine-close")])


# ---- the end ----

def test_close():
    workers = Workers(2)
    calls = [workers.submit(work.slowly, (0.05,)) for _ in range(6)]
    workers.close()
    assert all(call.done() and call.result() for call in calls) and workers.closed
    for refused in (lambda: workers.submit(work.square, (2,)), lambda: workers.map(work.square, [2])):
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            refused()
    workers.close()
    workers.terminate()
    unused = Workers(2)
    unused.close()
    with pytest.raises(RuntimeError):
        unused.submit(work.square, (2,))


def test_close_without_waiting_and_with_cancel():
    workers = Workers(1)
    first = workers.submit(work.slowly, (0.3,))
    eventually(first.running)
    rest = [workers.submit(work.slowly, (0.01,)) for _ in range(50)]
    workers.close(wait=False, cancel=True)
    assert first.result() > 0
    assert any(call.cancelled() for call in rest) and all(call.cancelled() or call.result() for call in rest)
    workers.close()


def test_terminate():
    workers = Workers(2)
    calls = [workers.submit(time.sleep, (60,)) for _ in range(4)]
    eventually(lambda: calls[0].running())
    begun = time.monotonic()
    workers.terminate()
    for call in calls:
        assert isinstance(call.exception(), (PoolBroken, concurrent.futures.CancelledError))
    assert time.monotonic() - begun < 30


def test_terminate_while_another_thread_waits_in_close():
    workers = Workers(1)
    call = workers.submit(time.sleep, (60,))
    closing = threading.Thread(target=workers.close)
    closing.start()
    eventually(lambda: workers.closed and call.running())
    workers.terminate()
    closing.join(30)
    assert not closing.is_alive() and call.exception() is not None


def run(code, **environment):
    """A script in an interpreter of its own; what it printed."""
    done = subprocess.run([sys.executable, "-c", code], cwd=os.path.dirname(__file__), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=60, env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **environment})
    return done.returncode, done.stdout


def test_the_end_of_the_interpreter_finishes_what_is_outstanding():
    code, text = run("import core_work, time\nfrom mapengine._workers import Workers\nw = Workers(2)\n"
                     "for i in range(4): w.submit(core_work.slowly, (0.2,)).add_done_callback(lambda f: print('done', flush=True))\n")
    assert code == 0 and text == "done\n" * 4


def test_an_interpreter_that_ends_refuses_new_calls():
    code, text = run("import atexit, core_work\nfrom mapengine._workers import Workers\nw = Workers(1)\n"
                     "w.submit(core_work.square, (2,)).result()\n"
                     "def late():\n try: w.submit(core_work.square, (2,))\n except RuntimeError as error: print(error)\n"
                     "import threading\nthreading._register_atexit(late) if False else atexit.register(late)\n")
    assert code == 0 and "cannot schedule new futures after" in text


def test_the_process_is_as_it_was():
    code, text = run("""
import os, signal, threading, warnings
warnings.simplefilter('error')
import core_work
from mapengine._workers import Workers
def look():
    handlers = [signal.getsignal(n) for n in range(1, 32)]
    return handlers, sorted(os.listdir('/proc/self/fd')), threading.active_count(), dict(os.environ)
Workers(1).close()
def use():
    with Workers(2) as w:
        assert w.submit(core_work.square, (3,)).result() == 9
        assert w.map(core_work.square, range(10)).results()[9] == 81
        w.fileno()
use()
before = look()
use()
after = look()
assert before == after, (before, after)
try: os.waitpid(-1, os.WNOHANG); print('a child is left')
except ChildProcessError: print('clean')
""")
    assert code == 0 and text == "clean\n", text


def test_interrupted_by_ctrl_c():
    code, text = run("""
import os, signal, threading, time
import core_work
from mapengine._workers import Workers
w = Workers(2)
w.submit(core_work.square, (2,)).result()
begun = time.monotonic()
def interrupted(wait):
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    try: wait(); print('not interrupted')
    except KeyboardInterrupt: print('interrupted')
interrupted(lambda: w.submit(time.sleep, (60,)).result())
interrupted(lambda: w.map(time.sleep, [60]).results())
interrupted(lambda: list(w.map(time.sleep, [60])))
interrupted(w.close)
w.terminate()
assert time.monotonic() - begun < 20
""")
    assert code == 0 and text == "interrupted\n" * 4, text
