"""Parts of the core alone: what is decided without a worker."""
import ctypes
import json
import logging
import pickle
import struct
import sys
import threading
import types

import core_work as work
import pytest

from mapengine import _codec, _functions, _interpreter, _logs, _safe, _watch
from mapengine._futures import Future


def at(data):
    """Bytes in memory, as a worker leaves them: (address, size), and what keeps them."""
    memory = ctypes.create_string_buffer(data, len(data))
    return ctypes.addressof(memory), len(data), memory


@pytest.mark.parametrize("data", [
    b"", b"1", b"1234567", b"123456789012Z", b"12345678Z", b"x" * 20 + b"f", b"x" * 20 + b"p", b"\xff" * 30 + b"s", b"x" * 30 + b"o", b"x" * 63 + b"o",
    struct.pack("<QQQQ31xB", 2**63, 1, 0, 8, 111), struct.pack("<QQQQ31xB", 0, 2**61, 0, 0, 111), struct.pack("<QQQQ31xB", 0, 0, 2**63, 2**63, 111),
    struct.pack("<Q56x", 2**40) + struct.pack("<QQQQ31xB", 0, 1, 8, 8, 111),
])
def test_what_no_worker_writes_is_an_error(data):
    address, size, memory = at(data)
    with pytest.raises(Exception):
        _codec.decode(address, size, None)


def test_every_cut_of_a_result_is_an_error_or_a_value():
    whole = bytes(64) + struct.pack("<Q", 40) + pickle.dumps([1, "x"])
    for size in range(len(whole)):
        for tag in b"NTFfisbSBmpoe":
            address, length, memory = at(whole[:size] + bytes([tag]))
            try:
                _codec.decode(address, length, None)
            except Exception:
                pass


def test_safe_loads():
    for value in (1, "x", [1, {2: (3,)}], {1, 2}, frozenset((1,)), 1j, b"x", slice(1, 2), bytearray(b"x"), ValueError("x", 3)):
        got = _safe.safe_loads(pickle.dumps(value, 5))
        assert type(got) is type(value) and repr(got) == repr(value)
    import os

    class Evil:
        def __init__(self, *call):
            self.call = call

        def __reduce__(self):
            return self.call[0], self.call[1:]

    for evil in (Evil(os.system, "true"), Evil(eval, "1"), Evil(getattr, int, "__name__"), Evil(__import__, "os"), Evil(type, "X", (), {}),
                 Evil(work.square, 3), Evil(exec, "1"),
                 Evil(list, [1]), Evil(range, 5), Evil(bytearray, 5), Evil(bytes, 5)):
        with pytest.raises(pickle.UnpicklingError):
            _safe.safe_loads(pickle.dumps(evil, 5))


def test_safe_loads_of_arrays():
    numpy = pytest.importorskip("numpy")
    for value in (numpy.arange(5), numpy.ones((2, 3), "f4"), numpy.float64(1.5), numpy.array(["a", "b"])):
        got = _safe.safe_loads(pickle.dumps(value, 5))
        assert numpy.array_equal(got, value)
    buffers = []
    data = pickle.dumps(numpy.arange(5), 5, buffer_callback=buffers.append)
    assert numpy.array_equal(_safe.safe_loads(data, buffers=buffers), numpy.arange(5))


def test_how_functions_travel():
    assert _functions.by_reference(work.square) and _functions.by_reference(json.JSONDecoder.decode)
    assert not _functions.by_reference(lambda: 0)
    made = types.ModuleType("made_here")
    exec("def f(x): return x + y\ny = 5", made.__dict__)
    sys.modules["made_here"] = made
    try:
        assert not _functions.by_reference(made.f)
        spec = _functions.make_spec(made.f)
        del sys.modules["made_here"]
        assert _functions.load(spec.data)(1) == 6
    finally:
        sys.modules.pop("made_here", None)


def names(code, **values):
    values["__name__"] = "__main__"
    exec(code, values)
    return values


def test_what_can_be_watched():
    g = names("def helper(): return a\ndef f(x, d=2): return helper() + a + x + d + undefined\n", a=1)
    seen = _watch.snapshot(g["f"], _functions.by_reference)
    assert seen is not None and seen.holds()
    g["a"] = 2
    assert not seen.holds()
    g["a"] = 1
    assert seen.holds()
    g["undefined"] = 1
    assert not seen.holds()
    del g["undefined"]
    g["helper"].__code__ = (lambda: 3).__code__
    assert not seen.holds()
    g = names("def f(): return table", table=[1])
    assert _watch.snapshot(g["f"], _functions.by_reference) is None
    g = names("class C: pass\ndef f(): return C")
    assert _watch.snapshot(g["f"], _functions.by_reference) is None

    def outer():
        n = 1

        def inner():
            return n

        def change():
            nonlocal n
            n += 1

        return inner, change

    inner, change = outer()
    seen = _watch.snapshot(inner, _functions.by_reference)
    assert seen.holds()
    change()
    assert not seen.holds()
    assert _watch.snapshot(len, _functions.by_reference) is None


def test_records_that_a_worker_makes_up(caplog):
    receiver = _logs.Receiver()
    for text in (b"\1", b"\1x", b"\1" + b"9" * 30, b"\0011e", b"\0011e{", b"\0011e[]", b"\0011e{\"name\": 1}", b"\1-1e{}", b"\0012m" + b"x" * 900):
        receiver.take(0, text)
    for i in range(1000):
        receiver.take(0, b"\1%dm" % i + b"x" * 900)
    for i in range(3000):
        receiver.take(1, b"\1%dm" % 5 + b"x" * 900)
    with caplog.at_level(logging.INFO):
        record = {"name": "made.up", "levelno": 20, "msg": "hello %s", "pathname": "p", "lineno": 3, "func": "f", "created": 1.0, "process": 7,
                  "processName": "n", "threadName": "t"}
        receiver = _logs.Receiver()
        data = json.dumps(record).encode()
        receiver.take(2, b"\0017m" + data[:40])
        receiver.take(3, b"\0017m" + data[:30])
        receiver.take(2, b"\0017e" + data[40:])
    assert [one.getMessage() for one in caplog.records if one.name == "made.up"] == ["hello %s"]


def test_the_environment_of_workers(monkeypatch):
    for name in _interpreter.THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "5")
    set_there, unset = _interpreter.environment({"A": "b=c", "HOME": None}, None, 1000)
    got = dict(text.split("=", 1) for text in set_there)
    assert got["OMP_NUM_THREADS"] == "1" and "MKL_NUM_THREADS" not in got and got["A"] == "b=c" and "HOME" not in got and unset == ["HOME"]
    got = dict(text.split("=", 1) for text in _interpreter.environment(None, 4, 2)[0])
    assert got["MKL_NUM_THREADS"] == "4"


def test_a_future_does_not_end_while_its_condition_is_held():
    """as_completed looks at the state and installs itself meanwhile; it would be told of a future that it has seen."""
    future = Future()
    with future._condition:
        thread = threading.Thread(target=future._finish, args=(1, None))
        thread.start()
        thread.join(0.2)
        assert not future.done()
    thread.join()
    assert future.done() and future.result() == 1
