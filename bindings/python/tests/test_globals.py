"""Globals of functions that travel by value: in a worker they are one set per module, as in the host."""

from __future__ import annotations

import subprocess
import sys



def run(program: str) -> None:
    """Runs a program as a script of its own, so that its functions are those of __main__."""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert result.returncode == 0, result.stdout + result.stderr


def test_what_an_initializer_stores_in_a_global_is_there_for_the_calls() -> None:
    run("""
from mapengine import Executor, Pool
state, table = None, {}
def start(value):
    global state
    state = value
    table["key"] = value
def read(x):
    return state, table["key"]
for made in Executor(1, None, start, (5,)), Executor(1, initializer=lambda: start(5)):
    with made as executor:
        assert executor.submit(read, 0).result() == (5, 5)
        assert list(executor.map(read, range(3))) == [(5, 5)] * 3
with Pool(2, start, (7,)) as pool:
    assert pool.map(read, range(20)) == [(7, 7)] * 20
assert state is None and table == {}
""")


def test_what_calls_store_in_globals_stays() -> None:
    run("""
from mapengine import Executor
count, seen = 0, []
def more(x):
    global count
    count += 1
    seen.append(x)
    return count
def look():
    return count, seen
with Executor(1) as executor:
    assert [executor.submit(more, x).result() for x in "abc"] == [1, 2, 3]
    assert executor.submit(look).result() == (3, ["a", "b", "c"])
    assert executor.submit(more, "d").result() == 4
assert (count, seen) == (0, [])
""")


def test_a_global_that_the_host_changes_is_sent_anew() -> None:
    run("""
from mapengine import Executor
factor, offset, settings = 3, 0, {"a": 1}
def f(x):
    return factor * x + offset
def g(x):
    return factor + x
def h():
    return settings
def store():
    global offset
    offset = 100
with Executor(1) as executor:
    for factor, expected in (3, 6), (5, 10), (3, 6), (7, 14):
        assert executor.submit(f, 2).result() == expected, (factor, expected)
        assert executor.submit(g, 2).result() == factor + 2
        assert executor.submit(f, 2).result() == expected, (factor, expected)
    assert executor.submit(h).result() == {"a": 1}
    settings["b"] = 2
    assert executor.submit(h).result() == {"a": 1, "b": 2}
    # What the worker has stored stays when another global changes ...
    executor.submit(store).result()
    factor = 1
    assert executor.submit(f, 2).result() == 102
    # ... and gives way when the host changes this one.
    offset = 1
    assert executor.submit(f, 2).result() == 3
""")


def test_calls_under_way_see_what_was_there_when_they_were_made() -> None:
    run("""
from mapengine import Executor
k = 1
def f(x):
    return k
with Executor(1) as executor:
    futures = []
    for k in 1, 2, 1, 3, 2:
        futures.append(executor.submit(f, 0))
    assert [future.result() for future in futures] == [1, 2, 1, 3, 2]
""")


def test_a_function_that_is_defined_again_is_the_new_one_for_others_too() -> None:
    run("""
from mapengine import Executor
def inner():
    return 1
def outer():
    return inner()
with Executor(1) as executor:
    assert executor.submit(outer).result() == 1
    def inner():
        return 2
    assert executor.submit(outer).result() == 2
    def inner():
        return 3
    assert executor.submit(outer).result() == 3
""")


def test_what_is_bound_for_one_function_is_not_seen_by_others() -> None:
    run("""
import mapengine
value = 1
def f(x):
    return value
mapengine.configure(1)
assert mapengine.map(f, [0]) == [1]
assert mapengine.map(f, [0], runtime_globals={"value": 2}) == [2]
assert mapengine.map(f, [0], runtime_globals={"value": 3}) == [3]
assert mapengine.map(f, [0], runtime_globals={"value": 2}) == [2]
assert mapengine.map(f, [0]) == [1]
""")


def test_instances_of_a_class_of_main() -> None:
    run("""
from mapengine import Executor
made = 0
class Thing:
    def __init__(self, x):
        global made
        made += 1
        self.x, self.number = x, made
    def double(self):
        return Thing(2 * self.x)
def number():
    return made
with Executor(1) as executor:
    thing = executor.submit(Thing, 4).result()
    assert type(thing) is Thing and (thing.x, thing.number) == (4, 1)
    assert executor.submit(thing.double).result().x == 8
    assert [type(other) for other in executor.map(Thing, range(3))] == [Thing] * 3
    assert executor.submit(number).result() == 5
""")


def test_names_of_the_workers_own_program_are_not_found() -> None:
    run("""
from mapengine import Executor
def f():
    try:
        return c
    except NameError:
        return "none"
with Executor(1) as executor:
    assert executor.submit(f).result() == "none"
""")
