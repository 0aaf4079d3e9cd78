"""What workers are like: their start, what they print and log, their renewal; pools without a thread of their own."""
import concurrent.futures
import io
import logging
import os
import pathlib
import re
import select
import subprocess
import sys
import threading
import time
import warnings

import core_work as work
import pytest
from test_core_calls import eventually, run

from mapengine import _hostpython
from mapengine._errors import PoolBroken, WorkerDied
from mapengine._workers import Workers


# ---- the start ----

def test_initializer_and_finalizer_run_once_per_worker(tmp_path):
    path, end = str(tmp_path / "i"), str(tmp_path / "f")
    with Workers(2, initializer=work.initialize, initargs=(path, "value"), finalizer=work.finalize, env={"FINALIZED": end}) as workers:
        assert workers.map(work.get_state, range(200), chunk_size=1).results() == [["value"]] * 200
    assert os.path.getsize(path) == 2 and os.path.getsize(end) == 2


def test_a_failing_initializer_is_named():
    with Workers(2, initializer=work.failing_initializer) as workers:
        with pytest.raises(PoolBroken, match="initializer failed: RuntimeError: no licence") as caught:
            workers.submit(work.square, (2,)).result()
        assert "failing_initializer" in str(caught.value.__cause__)
        assert not any(ok for _, ok, _ in workers.map(work.square, range(5)))


def test_another_python_is_refused(tmp_path):
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\nexec %s -c 'import sys; sys.version_info = (2, 7)\ncode = sys.argv[-2]; sys.argv[:] = [\"\", sys.argv[-1]]\n"
                     "exec(code)' \"$@\"\n" % sys.executable)
    other.chmod(0o755)
    with Workers(1, python=str(other)) as workers:
        with pytest.raises(PoolBroken, match="functions cannot travel between them"):
            workers.submit(work.square, (2,)).result()
    with Workers(1, python="/nonexistent/python") as workers:
        with pytest.raises(PoolBroken):
            workers.submit(work.square, (2,)).result()


def test_the_hosts_program_is_not_started(monkeypatch):
    own = sys.executable
    monkeypatch.setattr(sys, "executable", "/usr/bin/hostapp")
    with Workers(1) as workers:
        # The interpreter that belongs to this one's libraries.
        assert workers.submit(os.path.realpath, ("/proc/self/exe",)).result() == os.path.realpath(own)
    monkeypatch.setattr(_hostpython, "candidates", lambda: iter([("sys.prefix", pathlib.Path("/nonexistent"))]))
    _hostpython._find.cache_clear()
    with pytest.raises(ValueError, match="python="):
        Workers(1).submit(work.square, (2,))


def test_arguments_are_checked():
    for wrong in ({"workers": 0}, {"start": "spoon"}, {"mode": "other"}, {"attempts": 0}):
        with pytest.raises(ValueError):
            Workers(**wrong)


def test_threads_of_numeric_libraries(monkeypatch):
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    with Workers(1, threads=3, env={"COLOUR": "blue"}) as workers:
        assert workers.submit(work.environment, ("OMP_NUM_THREADS",)).result() == "3"
        assert workers.submit(work.environment, ("COLOUR",)).result() == "blue"
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with Workers(2) as workers:
        assert workers.submit(work.environment, ("OMP_NUM_THREADS",)).result() == "7"
        assert int(workers.submit(work.environment, ("MKL_NUM_THREADS",)).result()) >= 1


def test_variables_are_removed_and_names_are_told(monkeypatch):
    monkeypatch.setenv("UNWANTED", "1")
    with Workers(1, env={"UNWANTED": None}, name="bakery") as workers:
        assert workers.submit(work.environment, ("UNWANTED",)).result() is None
        died = workers.map(work.crash_at, [(3, 3, "exit")], star=True).outcomes()[0][2]
        assert "in element 0 of bakery" in str(died) and "bakery" in repr(workers)
        assert "mapengine-bakery" in {thread.name for thread in threading.enumerate()}
    with Workers(1, python="/no/such") as workers:
        with pytest.raises(PoolBroken, match="python= can name"):
            workers.submit(work.square, (2,))


def test_random_numbers_differ():
    with Workers(2, modules=["random"]) as workers:
        seen = {}
        for _ in range(100):
            for pid, number in workers.map(lambda _: (__import__("os").getpid(), __import__("random").random()), range(2), chunk_size=1).results():
                seen.setdefault(pid, number)
            if len(seen) == 2:
                break
        assert len(set(seen.values())) == len(seen)


def test_workers_are_replaced():
    with Workers(1, max_tasks_per_child=2) as workers:
        assert len({workers.submit(work.pid).result() for _ in range(10)}) == 5
    with Workers(1, memory_growth=50 << 20) as workers:
        def leak(x):
            import builtins
            import os
            import time

            builtins.leaked = getattr(builtins, "leaked", []) + [bytearray(b"x" * (20 << 20))]
            time.sleep(0.11)
            return os.getpid()

        assert len({workers.submit(leak, (x,)).result() for x in range(8)}) > 1


def test_resize_and_figures():
    with Workers(1) as workers:
        assert workers.pids() == [] and workers.stats()["workers_ready"] == 0
        workers.submit(work.square, (2,)).result()
        assert len(workers.pids()) == 1
        workers.resize(3)
        eventually(lambda: workers.stats()["workers_ready"] == 3 and len(workers.pids()) == 3)
        workers.resize(1)
        eventually(lambda: workers.stats()["workers_ready"] == 1)


def test_a_pool_in_a_worker():
    def outer(n):
        from mapengine._workers import Workers

        with Workers(2) as inner:
            return inner.map(lambda x: x + 1, range(n)).results()

    with Workers(2) as workers:
        assert workers.submit(outer, (3,)).result() == [1, 2, 3]


def test_priority():
    order = []
    with Workers(1) as workers:
        first = workers.submit(time.sleep, (0.3,))
        eventually(first.running)
        calls = [workers.submit(work.square, (i,), priority=i) for i in range(5)]
        for i, call in enumerate(calls):
            call.add_done_callback(lambda call, i=i: order.append(i))
        concurrent.futures.wait(calls)
        eventually(lambda: len(order) == 5)
    assert order == [4, 3, 2, 1, 0]


# ---- prints and logs ----

def test_prints_arrive_where_the_hosts_go(capsys, monkeypatch):
    with Workers(2) as workers:
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        workers.map(work.talk, range(3)).results()
        eventually(lambda: out.getvalue().count("part") == 3 and err.getvalue().count("error") == 3)
    assert all(f"line {i}\n" in out.getvalue() and f"part {i}" in out.getvalue() for i in range(3))
    monkeypatch.setattr(sys, "stdout", None)
    with Workers(1) as workers:
        workers.submit(work.talk, (1,)).result()


def test_what_was_printed_is_there_after_close(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    workers = Workers(2)
    workers.map(work.talk, range(50))
    workers.close()
    assert out.getvalue().count("line") == 50


def test_logs_arrive_in_the_hosts_loggers(caplog):
    with caplog.at_level(logging.INFO):
        with Workers(1) as workers:
            workers.submit(work.log, (7,)).result()
            eventually(lambda: len(caplog.records) >= 2)
    first, second = [record for record in caplog.records if record.name == "test.worker"]
    assert first.levelno == logging.WARNING and first.getMessage() == f"number 7 {'long ' * 500}" and first.funcName == "log"
    assert "KeyError: 7" in second.exc_text and first.process != os.getpid()
    assert not [record for record in caplog.records if record.name == "test.quiet"]


# ---- without a thread of the package ----

def test_an_attached_pool():
    with Workers(2, mode="attached") as workers:
        seen = []
        call = workers.submit(work.square, (3,))
        call.add_done_callback(lambda call: seen.append((call.result(), threading.current_thread())))
        assert call.result() == 9 and not seen  # Comes back without a callback having run.
        assert select.select([workers.fileno()], [], [], 10)[0]
        workers.dispatch()
        assert seen == [(9, threading.main_thread())]
        assert workers.idle() and not workers.wait(0.01) and not select.select([workers.fileno()], [], [], 0)[0]
        calls = [workers.submit(work.square, (i,)) for i in range(100)]
        for one in calls:
            one.add_done_callback(lambda call: seen.append(call.result()))
        while len(seen) < 101:
            assert workers.wait(30)
            workers.dispatch(budget=0.005)
        assert threading.active_count() == 1 or not [t for t in threading.enumerate() if t.name == "mapengine"]


def test_an_attached_pools_maps():
    with Workers(2, mode="attached") as workers:
        seen = []
        other = workers.submit(work.square, (3,))
        other.add_done_callback(lambda call: seen.append(call.result()))
        assert workers.map(work.square, range(1000)).results() == [x * x for x in range(1000)]
        assert [value for _, _, value in workers.map(work.square, range(1000), chunk_size=3)] == [x * x for x in range(1000)]
        assert not seen
        while not seen:
            assert workers.wait(30)
            workers.dispatch()
        job = workers.map(work.square, range(100))
        job.add_done_callback(lambda job: seen.append(job.results()))
        while len(seen) < 2:
            assert workers.wait(30)
            workers.dispatch()
        assert workers.wait(0) is False


@pytest.mark.parametrize("wait", [lambda workers, path: workers.submit(work.talk_and_wait, (path,)).result(60),
                                  lambda workers, path: workers.map(work.talk_and_wait, [path]).results()[0],
                                  lambda workers, path: next(workers.map(work.talk_and_wait, [path]))[2]], ids=["call", "results", "next"])
def test_an_attached_pool_shows_prints_while_the_main_thread_waits(wait, tmp_path, monkeypatch):
    path = tmp_path / "seen"

    class Out(io.StringIO):
        def write(self, text):
            if "I wait" in text:
                path.touch()
            return len(text)

    monkeypatch.setattr(sys, "stdout", Out())
    with Workers(1, mode="attached") as workers:
        assert wait(workers, str(path)) == "seen"


@pytest.mark.parametrize("dies, words", [("echo no licence >&2; exit 3", "exited with code 3.*no licence"), ("kill -9 $$", "ended by signal 9"),
                                         ("sleep 0.3; exit 4", "exited with code 4")], ids=["exits", "killed", "later"])
def test_a_zygote_that_dies_in_its_start_fails_calls(tmp_path, dies, words):
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{dies}\n")
    path.chmod(0o755)
    with Workers(2, python=str(path)) as workers:
        for _ in range(3):  # It may be known as soon as the call is made, or later.
            with pytest.raises(PoolBroken, match=re.compile(words, re.DOTALL)):
                workers.submit(work.square, (2,)).result(60)
        with pytest.raises(PoolBroken, match=re.compile(words, re.DOTALL)):
            workers.map(work.square, range(5)).results()


@pytest.mark.parametrize("dies, words", [("os._exit(7)", "exited with code 7"), ("os.kill(os.getpid(), 11)", "ended by signal 11")])
def test_a_module_that_ends_the_zygote_fails_calls(tmp_path, monkeypatch, dies, words):
    (tmp_path / "deadly.py").write_text(f"import os\n{dies}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with Workers(2, modules=["deadly"]) as workers:
        with pytest.raises(PoolBroken, match=words):
            workers.submit(work.square, (2,)).result(60)


def test_dispatch_stops_at_its_budget():
    with Workers(2, mode="attached") as workers:
        calls = [workers.submit(work.square, (i,)) for i in range(50)]
        for one in calls:
            one.add_done_callback(lambda call: time.sleep(0.01))
        eventually(lambda: workers.stats()["items"] >= 50)
        workers.dispatch(budget=0.001)
        assert 0 < sum(one.done() for one in calls) < 50 and workers.wait(0)
        while not workers.idle():
            workers.wait(1)
            workers.dispatch(budget=0.001)
        assert all(one.done() for one in calls)


def test_an_attached_pool_that_is_dropped_ends():
    workers = Workers(1, mode="attached")
    call = workers.submit(work.square, (3,))
    workers.submit(work.slowly, (0.1,))
    pids = []
    eventually(lambda: pids.extend(workers.pids()) or pids)
    del workers
    assert call.result() == 9
    eventually(lambda: not [t for t in threading.enumerate() if t.name.startswith("mapengine")])


# ---- containment ----

def test_sandbox(tmp_path):
    path = str(tmp_path / "file")
    with Workers(1, sandbox=True) as workers:
        assert workers.submit(work.square, (3,)).result() == 9
        assert workers.map(work.same, [1, 2.5, None, "x", {"a": [1]}, (1, 2), {1}, 2**100]).results() == [1, 2.5, None, "x", {"a": [1]}, (1, 2), {1}, 2**100]
        with pytest.raises(PermissionError):
            workers.submit(open, (path, "w")).result()
        with pytest.raises(ValueError):
            workers.submit(work.fail_at, (3,)).result()
        assert not os.path.exists(path)


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/mapengine-evil",)


def test_a_sandboxed_result_cannot_call(tmp_path):
    path = str(tmp_path / "called")

    def evil():
        class Evil:
            def __reduce__(self):
                import os

                return os.mkdir, (path,)

        return Evil()

    with Workers(1, sandbox=True) as workers:
        error = workers.submit(evil).exception()
        assert "sandbox" in str(error) and not os.path.exists(path)


def test_no_warning_from_a_host_with_threads():
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Workers(2) as workers:
                assert workers.map(work.square, range(10)).results()[3] == 9
    finally:
        stop.set()


def test_a_forked_child_makes_its_own():
    code, text = run("""
import os, warnings
import core_work
from mapengine._workers import Workers
warnings.simplefilter('ignore')
w = Workers(1)
assert w.submit(core_work.square, (2,)).result() == 4
pid = os.fork()
if pid == 0:
    try:
        w.submit(core_work.square, (2,)); print('accepted')
    except Exception as error:
        print('refused')
    with Workers(1) as own: print(own.submit(core_work.square, (3,)).result(), flush=True)
    raise SystemExit
os.waitpid(pid, 0)
print(w.submit(core_work.square, (4,)).result())
""")
    assert code == 0 and text == "refused\n9\n16\n", text


def test_under_strict_settings():
    done = subprocess.run([sys.executable, "-X", "dev", "-W", "error", "-c", "import core_work\nfrom mapengine._workers import Workers\n"
                           "with Workers(2) as w: print(w.map(core_work.square, range(4)).results(), w.submit(lambda: 5).result())"],
                          cwd=os.path.dirname(__file__), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)})
    assert done.returncode == 0 and done.stdout == "[0, 1, 4, 9] 5\n", done.stdout


def test_worker_died_travels():
    import pickle

    died = WorkerDied("gone", 3, 9, None, "place", "py", "c", 12, 2)
    again = pickle.loads(pickle.dumps(died))
    assert (again.element, again.signal, again.pid, again.attempts, str(again)) == (3, 9, 12, 2, str(died))


# ---- copies of this process ----

def test_workers_that_are_copies():
    code, text = run("""
import sys, threading, types
import core_work
from mapengine._errors import WorkerDied
from mapengine._workers import Workers
module = types.ModuleType('host_only'); module.value = 41; sys.modules['host_only'] = module
stop = threading.Event()
def spin():
    while not stop.is_set(): sum(range(100))
threads = [threading.Thread(target=spin) for _ in range(3)]
for thread in threads: thread.start()
def use(x):
    import host_only, threading
    print('hello', x)
    return host_only.value + x, threading.active_count(), threading.current_thread() is threading.main_thread()
print('not written yet', end=' ')
with Workers(2, start='fork') as w:
    assert w.submit(use, (1,)).result() == (42, 1, True)
    assert w.map(use, range(100)).results() == [(41 + x, 1, True) for x in range(100)]
    died = w.map(core_work.crash_at, [(x, 5, 'kill') for x in range(20)], star=True).outcomes()
    assert [index for index, ok, _ in died if not ok] == [5] and isinstance(died[5][2], WorkerDied)
    assert w.submit(use, (2,)).result() == (43, 1, True)
stop.set()
with Workers(1, start='fork', initializer=core_work.failing_initializer) as w:
    assert 'no licence' in str(w.submit(abs, (1,)).exception())
print('end')
""")
    assert code == 0 and text.count("not written yet") == 1 and text.count("hello") == 102 and text.endswith("end\n"), text
