"""Plain functions of __main__: they travel without cloudpickle, and are the same as with it."""
from test_globals import run


def test_plain_functions_need_no_cloudpickle() -> None:
    run("""
import math, sys
from mapengine import Executor
k, pair = 3, [1, 2]
def fact(n):
    return 1 if n < 2 else n * fact(n - 1)
def even(n):
    return n == 0 or odd(n - 1)
def odd(n):
    return n != 0 and even(n - 1)
def helper(x: int, y=4, *, z=5) -> "int":
    "What it does."
    return x + y + z + k
def f(x):
    return helper(x), math.floor(2.5), fact(5), even(10), pair
def outer(c):
    def inner(x):
        return x * c + k
    return inner
def squares(n):
    yield from (i * i * k for i in range(n))
def loaded(_=None):
    return [name for name in sys.modules if "cloudpickle" in name]
with Executor(1) as executor:
    assert list(executor.map(f, [1, 2])) == [(13, 2, 120, True, [1, 2]), (14, 2, 120, True, [1, 2])]
    assert executor.submit(outer(7), 6).result() == 45
    assert executor.submit(lambda x: [(lambda y: x + y + k)(y) for y in (1, 2)], 10).result() == [14, 15]
    assert executor.submit(lambda: list(squares(3))).result() == [0, 3, 12]
    assert executor.submit(helper, 1, z=0).result() == 8
    name, qualname, doc, defaults, keywords, notes, module = executor.submit(
        lambda: (helper.__name__, helper.__qualname__, helper.__doc__, helper.__defaults__, helper.__kwdefaults__, helper.__annotations__, helper.__module__)).result()
    assert (name, qualname, doc, defaults, keywords, module) == ("helper", "helper", "What it does.", (4,), {"z": 5}, "__main__")
    assert notes == {"x": int, "return": "int"}
    k = 4
    assert executor.submit(helper, 1).result() == 14 and executor.submit(outer(7), 6).result() == 46
    try:
        executor.submit(fact, "x").result()
    except TypeError as error:
        assert "in fact" in str(error.__cause__) and "line 6" in str(error.__cause__)
    assert executor.submit(loaded).result() == [] and loaded() == []
""")


def test_others_go_by_cloudpickle() -> None:
    run("""
import concurrent.futures, sys, threading, types
import xml.etree.ElementTree
from mapengine import Executor
class Thing:
    value = 5
    def get(self):
        return self.value
def by_class():
    return Thing().get()
thing = Thing()
thing.value = 6
def by_instance():
    return thing.get()
def with_attribute(x):
    return with_attribute.factor * x
with_attribute.factor = 3
def of_package():
    return xml.etree.ElementTree.fromstring("<a/>").tag
def deep(held=[Thing, lambda x: x + 1]):
    return held[0].value, held[1](1)
def name():
    return "__main__" if __name__ == "__main__" else None
def recursive(n):
    def inner(n):
        return n if n < 2 else inner(n - 1) + inner(n - 2)
    return inner
made = types.ModuleType("made_here")
made.value = 9
def of_made():
    return made.value
unset = threading.Lock()
def with_lock():
    return unset
with Executor(1) as executor:
    for function, expected in (by_class, 5), (by_instance, 6), (of_package, "a"), (deep, (5, 2)), (name, "__main__"), (of_made, 9):
        assert executor.submit(function).result() == expected, function
    assert executor.submit(with_attribute, 2).result() == 6
    assert executor.submit(recursive(5), 10).result() == 55
    assert "lock" in str(executor.submit(with_lock).exception())
""")


def test_what_functions_share_stays_shared() -> None:
    run("""
from mapengine import Executor
inner = [1]
one, other = inner, inner
def add():
    one.append(2)
    return other
def look():
    return other
def cells():
    held = []
    return (lambda: held.append(1) or held), held
add_to, held = cells()
with Executor(1) as executor:
    assert executor.submit(add).result() == [1, 2]
    assert executor.submit(look).result() == [1, 2]
    assert executor.submit(add_to).result() == [1] and held == []
""")
