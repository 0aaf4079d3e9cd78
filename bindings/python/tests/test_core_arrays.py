"""Large buffers: beside the pickle, in place, without a copy; and what becomes of them."""
import array
import gc
import pickle

import core_work as work
import pytest
from test_core_calls import eventually

from mapengine._workers import Workers

numpy = pytest.importorskip("numpy")


@pytest.fixture(scope="module")
def workers():
    with Workers(2, modules=["numpy"]) as made:
        yield made


@pytest.mark.parametrize("count", [0, 1, 1000, 100_000, 2_000_000])
@pytest.mark.parametrize("kind", ["u1", "f8", "c16"])
def test_arrays_go_and_come(workers, count, kind):
    values = (numpy.arange(count) % 100).astype(kind)
    got = workers.submit(work.same, (values,)).result()
    assert got.dtype == values.dtype and numpy.array_equal(got, values)
    values = values.reshape(-1, 1) if count % 2 else values.reshape(2, -1).T
    got = workers.map(work.same, [values, values]).results()
    assert all(numpy.array_equal(one, values) and one.shape == values.shape for one in got)


def test_arguments_are_read_only_and_results_are_not(workers):
    values = numpy.ones(1_000_000)
    assert workers.submit(work.write_to, (values,)).result() == "read-only"
    assert workers.map(work.write_to, [values]).results() == ["read-only"]
    got = workers.submit(work.add, (values, 0)).result()
    got[0] = 5
    assert got[0] == 5 and values[0] == 1


def test_a_view_that_a_function_keeps_stays_what_it_was():
    with Workers(1, modules=["numpy"]) as workers:
        assert workers.submit(work.keep_view, (numpy.full(500_000, 1),)).result() == 1
        assert workers.map(work.keep_view, [numpy.full(500_000, n) for n in (2, 3)]).results() == [2, 3]
        for n in range(30):
            workers.submit(work.same, (numpy.full(500_000, 99),)).result()
            workers.map(work.same, [numpy.full(500_000, 98)]).results()
        assert workers.submit(work.kept).result() == [1, 2, 3]


def test_memory_of_arguments_is_given_back(workers):
    for _ in range(20):
        workers.submit(work.write_to, (numpy.ones(1_000_000),)).result()
        workers.map(work.write_to, [numpy.ones(1_000_000)] * 3).results()
    eventually(lambda: gc.collect() or workers.stats()["input_bytes"] < 2 << 20)


def test_results_outlive_the_pool():
    workers = Workers(1, modules=["numpy"])
    one = workers.submit(work.add, (numpy.arange(1_000_000),)).result()
    many = workers.map(work.same, [numpy.arange(1_000_000) + k for k in range(3)]).results()
    workers.close()
    del workers
    gc.collect()
    part = one[10:20]
    del one
    gc.collect()
    assert part.tolist() == list(range(10, 20)) and [int(array[5]) for array in many] == [5, 6, 7]
    part[0] = 1


def test_results_give_their_memory_back(workers):
    results = workers.map(work.same, [numpy.ones(1_000_000)] * 4).results()
    assert workers.stats()["output_bytes"] > 8_000_000
    del results
    eventually(lambda: gc.collect() or workers.stats()["output_bytes"] < 1 << 20)


def test_several_buffers_within_one_value(workers):
    value = {"a": numpy.arange(50_000), "b": [numpy.ones((300, 300)), "text"], "c": numpy.arange(3), "d": numpy.asfortranarray(numpy.ones((200, 300)))}
    got = workers.submit(work.same, (value,)).result()
    assert numpy.array_equal(got["a"], value["a"]) and numpy.array_equal(got["b"][0], value["b"][0]) and got["b"][1] == "text"
    assert numpy.array_equal(got["c"], value["c"]) and numpy.array_equal(got["d"], value["d"]) and got["d"].flags.f_contiguous


def test_buffers_of_other_kinds(workers):
    for value in (bytearray(b"x" * 200_000), array.array("d", range(50_000)), b"y" * 200_000):
        assert workers.submit(work.same, (value,)).result() == value
        assert workers.map(work.same, [value, value]).results() == [value, value]
    big = pickle.PickleBuffer(bytearray(b"z" * 100_000))
    assert workers.submit(lambda view: bytes(view[:3]), (big,)).result() == b"zzz"


def test_scalars_and_lists_with_arrays_keep_their_types(workers):
    got = workers.submit(work.same, ([numpy.float64(1.5), numpy.arange(3), numpy.int32(7)],)).result()
    assert type(got[0]) is numpy.float64 and isinstance(got[1], numpy.ndarray) and type(got[2]) is numpy.int32
    assert type(workers.submit(work.same, (numpy.float64(2.5),)).result()) is numpy.float64
    objects = numpy.array([1, "x", None], dtype=object)
    assert workers.submit(work.same, (objects,)).result().tolist() == [1, "x", None]


def test_elements_of_an_array(workers):
    assert workers.map(work.square, numpy.arange(1000)).results() == [x * x for x in range(1000)]
    rows = workers.map(lambda row: float(row.sum()), numpy.arange(12.0).reshape(4, 3)).results()
    assert rows == [3.0, 12.0, 21.0, 30.0]


def test_memory_that_workers_see_in_place(workers):
    buffer = workers.buffer(8_000_000)
    values = numpy.frombuffer(buffer.view(), dtype="f8")
    del buffer
    values[:] = 2.0
    before = workers.stats()["input_bytes"]
    calls = [workers.submit(lambda part: (float(part.sum()), part.flags.writeable), (values[k * 250_000:(k + 1) * 250_000],))
             for k in range(4)]
    assert [call.result() for call in calls] == [(500_000.0, False)] * 4
    assert workers.stats()["input_bytes"] <= before + (1 << 20)
    assert workers.map(lambda part: float(part.sum()), [values, values[:1000]]).results() == [2_000_000.0, 2000.0]
    values[:] = 3.0
    assert workers.submit(lambda part: float(part.sum()), (values,)).result() == 3_000_000.0
    del values, calls
    eventually(lambda: gc.collect() or workers.stats()["input_bytes"] < 1 << 20)
