"""The calls of *map for Maya*: `map` and `apply`; the examples of its page, brought to Python 3, and what it could not do."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import face_work as work
import pytest

import mapengine
from mapengine import ItemTimeout, MapErrors, Pool, WorkerDied

LIMIT = 60


# ---- The four examples of its page. ----


def single_arg_func(x):  # type: ignore[no-untyped-def]
    t.sleep(0.001)  # noqa: F821
    return x * x


def double_arg_func(x, y):  # type: ignore[no-untyped-def]
    t.sleep(0.001)  # noqa: F821
    return x * y


def double_list_arg_func(l1, l2):  # type: ignore[no-untyped-def]
    if isinstance(l1, list) and isinstance(l2, list):
        t.sleep(0.001)  # noqa: F821
        return l1, l2


def simple_return_func(x):  # type: ignore[no-untyped-def]
    t.sleep(0.001)  # noqa: F821
    return ReturnObject(x.value)


class CustomIter:
    def __init__(self, maximum: int = 10) -> None:
        self.maximum = maximum

    def __iter__(self) -> Any:
        for i in range(self.maximum):
            yield ReturnObject(i)


class ReturnObject:
    def __init__(self, value: int) -> None:
        self.value = value


def test_a_function_with_one_argument_over_an_array() -> None:
    numpy = pytest.importorskip("numpy")
    result = mapengine.map(single_arg_func, numpy.array([1, 2, 3, 4, 5]), modules=["time as t", "numpy"])
    assert result == [1, 4, 9, 16, 25]


def test_a_function_with_two_arguments_and_a_callback() -> None:
    done = []

    def on_exit(result: list[int]) -> None:
        done.append(("Subprocess done:", result))

    handle = mapengine.map(double_arg_func, [[1, 2], [3, 4], [5, 6]], callback=on_exit, modules=["time as t"])
    handle.join()
    assert done == [("Subprocess done:", [2, 12, 30])]


def test_a_function_with_two_lists_as_arguments() -> None:
    arguments = [[[1, 2], [2, 3]], [[4, 5], [6, 7]]]
    assert mapengine.map(double_list_arg_func, arguments, modules=["time as t"]) == [([1, 2], [2, 3]), ([4, 5], [6, 7])]


def test_objects_of_ones_own_by_an_iterator_of_ones_own() -> None:
    result = mapengine.map(simple_return_func, CustomIter(10), modules=["time as t"], runtime_globals=[ReturnObject])
    assert [type(one) for one in result] == [ReturnObject] * 10 and [one.value for one in result] == list(range(10))


def test_the_examples_as_a_script_without_a_guard() -> None:
    program = """
import mapengine
def single(x):
    t.sleep(0.001)
    return x * x + offset
class Thing:
    def __init__(self, value):
        self.value = value
def things():
    for i in range(3):
        yield Thing(i)
def double(thing):
    return Thing(2 * thing.value)
print(mapengine.map(single, [1, 2], modules=["time as t"], runtime_globals={"offset": 10}))
print([thing.value for thing in mapengine.map(double, things(), runtime_globals=[Thing])])
print(mapengine.apply(lambda a, b=1: a + b, (2,), {"b": 3}))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=LIMIT)
    assert (result.stdout, result.stderr) == ("[11, 14]\n[0, 2, 4]\n5\n", "")


# ---- What gives one argument, and what several. ----


def arguments(*args: Any) -> Any:
    return args


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        (1, (1,)),
        ("text", ("text",)),
        (b"bytes", (b"bytes",)),
        (bytearray(b"ab"), (bytearray(b"ab"),)),
        ({"a": 1}, ({"a": 1},)),
        (None, (None,)),
        ([1, 2], (1, 2)),
        ((3,), (3,)),
        ([[1, 2]], ([1, 2],)),
        ([], ()),
        ({7}, (7,)),
        (range(2), (0, 1)),
    ],
)
def test_splatting(element: Any, expected: tuple[Any, ...]) -> None:
    # Alone, and among others of another kind.
    assert mapengine.map(arguments, [element, element]) == [expected] * 2
    assert mapengine.map(arguments, [element, 5, [6, 7]]) == [expected, (5,), (6, 7)]


def test_splatting_of_arrays() -> None:
    numpy = pytest.importorskip("numpy")
    assert mapengine.map(arguments, numpy.arange(3)) == [(0,), (1,), (2,)]
    assert mapengine.map(arguments, numpy.arange(4).reshape(2, 2)) == [(0, 1), (2, 3)]
    assert mapengine.map(arguments, [numpy.array(5), numpy.float64(2)]) == [(5,), (2.0,)]
    assert mapengine.map(arguments, [numpy.arange(2), [1]]) == [(0, 1), (1,)]


# ---- Results and errors. ----


def test_none_is_a_result() -> None:
    assert mapengine.map(lambda x: None, range(3)) == [None] * 3
    assert mapengine.apply(lambda: None) is None
    got = []
    mapengine.apply(lambda: None, callback=got.append).join()
    assert got == [None]


def test_what_a_worker_prints_hides_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def talkative(x: int) -> int:
        print("working on", x, end="")
        return x

    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    assert mapengine.map(talkative, [1, 2]) == [1, 2]
    deadline = time.monotonic() + LIMIT
    while stream.getvalue().count("working on") < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert sorted(stream.getvalue().replace("working", "\nworking").split("\n")) == ["", "working on 1", "working on 2"]


def test_one_element_that_fails_does_not_lose_the_others() -> None:
    with pytest.raises(MapErrors) as caught:
        mapengine.map(work.fail_odd, range(4))
    errors = caught.value
    assert errors.results == [0, None, 2, None]
    assert list(errors.failures) == [1, 3] and all(isinstance(one, ValueError) for one in errors.exceptions)
    values = mapengine.map(work.fail_odd, range(4), return_exceptions=True)
    assert values[0] == 0 and values[2] == 2 and [type(values[at]) for at in (1, 3)] == [ValueError] * 2
    with pytest.raises(ValueError, match="3 is odd"):
        mapengine.apply(work.fail_odd, [3])


def test_a_death_and_a_time_limit_cost_one_element() -> None:
    values = mapengine.map(work.die_at_three, range(8), return_exceptions=True)
    assert isinstance(values[3], WorkerDied) and values[:3] + values[4:] == [0, 1, 2, 4, 5, 6, 7]
    values = mapengine.map(work.sleep, [0, 600, 0], timeout=5, return_exceptions=True)
    assert isinstance(values[1], ItemTimeout) and (values[0], values[2]) == (0, 0)


# ---- With a callback. ----


def test_a_handle(tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    got: list[Any] = []
    handle = mapengine.map(work.wait_for, [str(stop), str(tmp_path)], callback=got.append)
    assert handle.is_alive() and not got
    handle.join(timeout=0.01)
    assert handle.is_alive()
    with pytest.raises(TimeoutError if sys.version_info >= (3, 11) else Exception):
        handle.result(timeout=0.01)
    deadline = time.monotonic() + LIMIT
    while handle.progress() != (1, 2) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert handle.progress() == (1, 2)
    stop.touch()
    assert handle.result(LIMIT) == [str(stop), str(tmp_path)] == handle.result()
    handle.join(LIMIT)
    assert not handle.is_alive() and got == [handle.result()] and handle.progress() == (2, 2)


def test_errors_go_to_errback() -> None:
    for call, kind in ((lambda **to: mapengine.map(work.fail_odd, range(2), **to), MapErrors),
                       (lambda **to: mapengine.apply(work.fail_odd, [1], **to), ValueError)):
        got: list[Any] = []
        handle = call(callback=got.append, errback=got.append)
        handle.join(LIMIT)
        assert len(got) == 1 and type(got[0]) is kind
        with pytest.raises(kind):
            handle.result()


def test_an_error_that_nobody_hears_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "mapengine"):
        mapengine.apply(work.fail_odd, [1], callback=print).join(LIMIT)
    assert "1 is odd" in caplog.text


def test_cancel(tmp_path: Path) -> None:
    for call in (lambda **to: mapengine.map(work.sleep, [600] * 100, **to), lambda **to: mapengine.apply(work.sleep, [600], **to)):
        got: list[Any] = []
        handle = call(callback=got.append, errback=got.append)
        assert handle.cancel()
        handle.join(LIMIT)
        assert not handle.is_alive() and len(got) == 1 and isinstance(got[0], Exception)
        assert not handle.cancel()


def test_a_handle_need_not_be_kept() -> None:
    done = threading.Event()
    mapengine.map(work.square, range(10), callback=lambda _: done.set())
    assert done.wait(LIMIT)


def test_in_a_pool_of_ones_own() -> None:
    with Pool(1) as pool:
        assert mapengine.map(work.pid, range(5), pool=pool) == [mapengine.apply(work.pid, pool=pool)] * 5


def test_where_nobody_dispatches_join_does() -> None:
    """In an attached pool callbacks run on the main thread alone, and a result comes back without one."""
    threads = []
    with Pool(1, mode="attached") as pool:
        handle = mapengine.map(work.square, [3], callback=lambda _: threads.append(threading.current_thread()), pool=pool)
        assert handle.result(LIMIT) == [9] and not threads and handle.is_alive()
        handle.join(LIMIT)
        assert threads == [threading.main_thread()] and not handle.is_alive()


def test_configure() -> None:
    mapengine.configure(1)
    try:
        first = set(mapengine.map(work.pid, range(20)))
        assert len(first) == 1
        mapengine.configure(1, env={"WORKERS_ARE": "mine"})
        assert mapengine.apply(lambda: __import__("os").environ["WORKERS_ARE"]) == "mine"
    finally:
        mapengine.configure()


def test_a_forked_child_has_a_pool_of_its_own() -> None:
    program = """
import os, mapengine
assert mapengine.map(abs, [-1]) == [1]
child = os.fork()
if not child:
    try:
        os._exit(0 if mapengine.map(abs, [-2]) == [2] else 1)
    except BaseException as error:
        print(type(error).__name__, error, flush=True)
        os._exit(2)
_, status = os.waitpid(child, 0)
assert mapengine.map(abs, [-3]) == [3]
raise SystemExit(os.waitstatus_to_exitcode(status))
"""
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=LIMIT)
    assert result.returncode == 0, result.stdout + result.stderr
