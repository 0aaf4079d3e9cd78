"""How values travel: arguments in, results out, exactly as they were."""
import array
import collections
import datetime
import decimal
import math
import sys

import core_work as work
import pytest

from mapengine._errors import TransferError
from mapengine._workers import Workers

Point = collections.namedtuple("Point", "x y")


class Number(int):
    """A subclass of a builtin: stays one."""


VALUES = [
    None, True, False, 0, 1, -1, 2**31, 2**63 - 1, -2**63, 2**63, -2**63 - 1, 10**100, 0.0, -0.0, 1.5, math.inf, 1e-300, "", "a", "1234567", "12345678",
    "123456789", "äöü €", "\ud800", "x" * 100_000, b"", b"1234567", b"12345678", b"\0" * 8, b"\0" * 9, b"x" * 300_000, bytearray(b"1234567"), 1j, (), (1,), (1, 2.5, "x", None),
    [], [1, [2, [3]]], {}, {"a": 1, 2: [3], (4,): {5: 6}}, set(), {1, 2}, frozenset((1, 2)), range(5), slice(1, 2), ..., int, len,
    datetime.datetime(2024, 2, 29), decimal.Decimal("1.10"), collections.OrderedDict(a=1), Point(1, 2), Number(7), [Number(7)], {"n": Number(7)}, [True, None],
    array.array("d", range(5)), array.array("d", range(50_000)), [bytearray(b"x" * 100_000)], [array.array("i", [1])],
]


@pytest.fixture(scope="module")
def workers():
    with Workers(2) as made:
        yield made


def exactly(one, other):
    return type(one) is type(other) and one == other and repr(one) == repr(other)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:30])
def test_values_come_back_as_they_were(workers, value):
    assert exactly(workers.submit(work.same, (value,)).result(), value)


def test_values_of_a_map_come_back_as_they_were(workers):
    for _ in range(2):
        got = workers.map(work.same, VALUES).results()
        assert all(exactly(one, other) for one, other in zip(got, VALUES)) and len(got) == len(VALUES)
    outcomes = list(workers.map(work.same, VALUES, chunk_size=1))
    assert [index for index, _, _ in outcomes] == list(range(len(VALUES)))
    assert all(ok and exactly(value, VALUES[index]) for index, ok, value in outcomes)


@pytest.mark.parametrize("values", [[1] * 5000, [1.5] * 5000, [None] * 5000, [True, False] * 2500, [1, 2.5] * 2500, ["abcdefgh\0" + "f" * 5] * 5000,
                                    ["\0\0\0\0\0\0\0\0f"] * 5000, [2**70] * 500], ids=lambda values: repr(values[0])[:20])
def test_results_of_one_kind_are_read_in_bulk(workers, values):
    got = workers.map(work.same, values).results()
    assert all(exactly(one, other) for one, other in zip(got, values)) and len(got) == len(values)


def test_without_the_interpreters_functions(workers, monkeypatch):
    """In a host whose program hides them, results are read by Python, one by one."""
    from mapengine import _blocks, _encoder

    monkeypatch.setattr(_blocks, "native", lambda: None)
    monkeypatch.setattr(_encoder, "native", lambda: None)
    for values in (VALUES, [{"a": [1, "x"]}] * 500, ["text"] * 500):
        got = workers.map(work.same, values).results()
        assert all(exactly(one, other) for one, other in zip(got, values)) and len(got) == len(values)
    outcomes = workers.map(work.fail_at, range(10)).outcomes()
    assert [ok for _, ok, _ in outcomes] == [x % 3 != 0 for x in range(10)]


def test_results_of_many_kinds_are_read_at_once(workers):
    values = [1, "a", "long enough text", b"b", b"long enough bytes", None, True, False, 2.5, {"k": (1, [2.5, None])}, 2**70, Number(7), ..., "\ud800"] * 100
    for chunk in (1, None):
        got = workers.map(work.same, values, chunk_size=chunk).results()
        assert all(exactly(one, other) for one, other in zip(got, values)) and len(got) == len(values)
    job = workers.map(work.same, values)
    taken = [job.next()[2] for _ in range(5)]
    assert taken + job.results() == values
    outcomes = workers.map(work.fail_at, [1, 2, 3, 4] * 100).outcomes()
    assert [ok for _, ok, _ in outcomes] == [True, True, False, True] * 100 and [value for _, ok, value in outcomes if ok] == [1, 2, 4] * 100


def test_nan(workers):
    assert math.isnan(workers.submit(work.same, (math.nan,)).result())
    assert all(map(math.isnan, workers.map(work.same, [math.nan] * 100).results()))


def test_shared_references_stay_shared(workers):
    inner = [1]
    got = workers.submit(work.same, ([inner, inner],)).result()
    assert got[0] is got[1]
    loop = []
    loop.append(loop)
    got = workers.submit(work.same, (loop,)).result()
    assert got[0] is got


def test_nested_deeply(workers):
    deep = []
    for _ in range(200):
        deep = [deep]
    assert workers.submit(work.same, (deep,)).result() == deep


def test_an_object_of_main_like_class(workers):
    class Local:
        def __init__(self, value):
            self.value = value

    def double(one):
        one.value *= 2
        return one

    got = workers.submit(double, (Local(4),)).result()
    assert type(got) is Local and got.value == 8


def test_arguments_by_position_and_name(workers):
    assert workers.submit(work.add, (1,), {"b": 2, "c": 3}).result() == 6
    assert workers.submit(work.add, (1,), {}).result() == 1
    assert workers.map(work.add, [(1, 2), (3, 4)], star=True).results() == [3, 7]
    assert workers.map(work.add, [[1, 2], (3, 4)], star=True).results() == [3, 7]
    assert workers.map(work.add, [(1, 2), 5], star=lambda x: isinstance(x, tuple)).results() == [3, 5]


def test_what_cannot_be_sent_is_that_calls_error(workers):
    import threading

    future = workers.submit(work.same, (threading.Lock(),))
    assert "lock" in str(future.exception())
    outcomes = workers.map(work.same, [1, threading.Lock(), 3, 4]).outcomes()
    assert [ok for _, ok, _ in outcomes] == [True, False, True, True]
    assert "lock" in str(outcomes[1][2])
    assert workers.submit(work.same, (7,)).result() == 7


def test_results_that_cannot_be_sent_or_read(workers):
    with pytest.raises(TypeError, match="this result stays here"):
        workers.submit(work.unpicklable).result()
    with pytest.raises(TransferError, match="no number"):
        workers.submit(work.explodes).result()
    with pytest.raises(AttributeError):
        workers.submit(lambda: sys.no_such_thing).result()
    assert workers.submit(work.same, (7,)).result() == 7


def test_iterables(workers):
    assert workers.map(work.square, range(100)).results() == [x * x for x in range(100)]
    assert workers.map(work.square, (x for x in range(100))).results() == [x * x for x in range(100)]
    assert workers.map(work.square, {3: 1, 4: 2}).results() == [9, 16]
    assert workers.map(work.same, "abc").results() == ["a", "b", "c"]
    assert workers.map(work.same, b"abc").results() == [97, 98, 99]
    assert workers.map(work.square, []).results() == []
    assert list(workers.map(work.square, iter([]))) == []


def test_large_texts_and_many_small_ones(workers):
    values = ["x" * n for n in (1, 1000, 100_000, 1, 1_000_000, 5)] * 3
    assert workers.map(work.same, values).results() == values
    values = [{f"k{k}": f"v{i}{k}" for k in range(20)} for i in range(3000)]
    assert workers.map(work.same, values).results() == values


@pytest.mark.parametrize("first", [{"k": 1}, [1], (1,)])
def test_containers_keep_what_they_hold(workers, first):
    values = [first, {"n": Number(7)}, [Number(7)], (True, None), {"d": datetime.date(2024, 1, 2)}, [bytearray(b"x")], {1: {2: {3: [(4, "\ud800", 1e300)]}}},
              [2**100], [array.array("i", [1, 2])], [Point(1, 2)], {"s": {1, 2}}, [1j], collections.OrderedDict(a=1)]
    got = workers.map(work.same, values).results()
    assert all(exactly(one, other) for one, other in zip(got, values)) and len(got) == len(values)
    plain = [first] * 3 + [{"a": [1, 2.5, "x", None, b"y", (True, {})]}] * 200
    got = workers.map(work.same, plain).results()
    assert all(exactly(one, other) for one, other in zip(got, plain)) and len(got) == len(plain)


def test_containers_with_arrays_within(workers):
    numpy = pytest.importorskip("numpy")
    got = workers.map(work.same, [{"a": 1}, {"a": numpy.arange(3)}, [numpy.float64(1.5)]] * 10).results()
    assert isinstance(got[1]["a"], numpy.ndarray) and type(got[2][0]) is numpy.float64
