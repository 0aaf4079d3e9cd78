"""C functions over Python's numbers, arrays, buffers and texts, without NumPy."""
import array
import ctypes
import ctypes.util
import gc
import os
import pickle
import signal
import subprocess
import sys
import threading

import mapengine
import pytest
from mapengine import MapEngineError, MapErrors, WorkerDied

POW = "double pow(double x, double y)"


@pytest.fixture(scope="module")
def power():
    return mapengine.cfunction(POW, library="libm.so.6")


def test_numbers_give_a_number(power):
    assert power(2, 10) == 1024.0 and type(power(2, 10)) is float


def test_sequences_give_an_array(power):
    given = power([1, 2, 3], 2)
    assert type(given) is array.array and given.typecode == "d" and given.tolist() == [1, 4, 9]
    assert power(range(4), (2, 2, 2, 3)).tolist() == [0, 1, 4, 27]
    assert power((x for x in (1, 2)), 3).tolist() == [1, 8]


def test_buffers_of_the_right_type_are_read_and_others_are_converted(power):
    doubles = array.array("d", [1.5, 2.5])
    assert power(doubles, 1).tolist() == [1.5, 2.5]
    assert power(memoryview(doubles)[::-1], 1).tolist() == [2.5, 1.5]
    assert power(array.array("h", [3, 4]), array.array("f", [2, 0.5])).tolist() == [9, 2]
    assert power(memoryview(bytes(doubles)).cast("d"), 1).tolist() == [1.5, 2.5]
    assert power((ctypes.c_double * 2)(5, 6), 1).tolist() == [5, 6]


def test_shapes_are_broadcast(power):
    table = memoryview(bytearray(array.array("d", range(6)))).cast("d", (2, 3))
    given = power(table, [[1], [2]])
    assert type(given) is memoryview and given.shape == (2, 3) and given.tolist() == [[0, 1, 2], [9, 16, 25]]
    assert power([[2], [3]], [1, 2, 3]).tolist() == [[2, 4, 8], [3, 9, 27]]
    with pytest.raises(ValueError, match="do not go together"):
        power([1, 2], [1, 2, 3])


def test_no_rows_are_no_calls(power):
    assert power([], 2).tolist() == []
    assert power([[]], 2).tolist() == [[]] or list(power([[]], 2)) == []


def test_out_is_filled_and_returned(power):
    out = array.array("d", [0, 0, 0])
    assert power([1, 2, 3], 2, out=out) is out and out.tolist() == [1, 4, 9]
    for bad, error in ((array.array("f", [0] * 3), TypeError), (array.array("d", [0] * 2), ValueError), (bytes(24), TypeError),
                       ([0, 0, 0], TypeError)):
        with pytest.raises(error, match="out of"):
            power([1, 2, 3], 2, out=bad)


def test_what_a_type_cannot_hold_is_refused(functions):
    odd = mapengine.cfunction("_Bool is_odd(int8_t value)", functions)
    given = odd([1, 2, -3])
    assert given.tolist() == [True, False, True] and odd(4) is False
    with pytest.raises(OverflowError, match="'value'"):
        odd([1, 128])
    with pytest.raises(TypeError, match="'value'"):
        odd(1.5)
    with pytest.raises(TypeError, match="'value'.*str"):
        odd("1")


def test_a_buffer_of_another_byte_order_is_refused(power):
    class Foreign(ctypes.BigEndianStructure):
        _fields_ = [("x", ctypes.c_double)]

    foreign = (ctypes.c_double.__ctype_be__ * 2)(1, 2)
    with pytest.raises(TypeError, match="cannot be passed as float64"):
        power(foreign, 1)
    with pytest.raises(TypeError):
        power(Foreign(1), 1)


def test_a_wrong_number_of_inputs(power):
    with pytest.raises(TypeError, match="pow takes 2 inputs, not 1"):
        power(2)


def test_map_is_a_list_of_pythons_values(power, functions):
    assert power.map([1, 2, 3], [2, 3]) == [1.0, 8.0]
    assert power.map(iter([2]), range(9)) == [1.0]
    crash = mapengine.cfunction("int crash_at_3(int value)", functions)
    assert crash.map(range(3)) == [0, 10, 20]
    both = mapengine.cfunction("int fails_with(int code)", functions, errno=True)
    assert both.map([4, 5]) == [(-1, 4), (-1, 5)]


def test_maps_with_failures_have_none_in_their_places(functions):
    crash = mapengine.cfunction("int crash_at_3(int value)", functions)
    with pytest.raises(MapErrors, match="1 of 5 calls of crash_at_3 failed") as caught:
        crash.map(range(5))
    assert caught.value.results == [0, 10, 20, None, 40] and list(caught.value.failures) == [3]


def test_map_over_rows(power, functions):
    assert power.map_rows([(1, 2), (3, 2)]) == [1, 9] and power.map_rows([]) == []
    assert mapengine.cfunction("int crash_at_3(int value)", functions).map_rows(x for x in (1, 2)) == [10, 20]
    nothing = mapengine.cfunction("void free(int x)", "libc.so.6", symbol="srand")
    assert nothing.map_rows([1, 2]) == [None, None] and nothing([1, 2]) is None


def test_mapengines_map_takes_them(power):
    assert mapengine.map(power, [(1, 2), (3, 2)]) == [1, 9]
    assert mapengine.map(mapengine.cfunction("double sqrt(double x)", "libm.so.6"), range(3)) == [0, 1, 2**0.5]
    # In Python's workers, where each makes workers of its own.
    with mapengine.Pool(1) as pool:
        assert pool.map(mapengine.cfunction("double sqrt(double x)", "libm.so.6"), [4, 9]) == [2, 3]


def test_many_failures_are_all_told():
    """More of them than have an exception of their own."""
    beyond = mapengine.cfunction("double sum(const double *values [count], size_t count)", "libc.so.6", symbol="abs")
    count = 3000
    with pytest.raises(MapErrors) as caught:
        beyond([1.0], [2] * (count - 1) + [0])
    assert len(caught.value.failures) == count - 1 and count - 1 not in caught.value.failures


def test_errno_is_an_output(functions):
    both = mapengine.cfunction("int fails_with(int code)", functions, errno=True)
    returned, errno = both([11, 22])
    assert returned.tolist() == [-1, -1] and errno.tolist() == [11, 22]
    assert both(7) == (-1, 7)


def test_arrays_whose_length_is_a_parameter(functions):
    total = mapengine.cfunction("double sum(const double *values [count], size_t count)", functions)
    assert total([1, 2, 3], 3) == 6 and total([1, 2, 3], 2) == 3
    assert total([1.5, 2]) == 3.5
    assert total([[1, 2], [3, 4]]).tolist() == [3, 7]
    assert total([]) == 0 and total([], 0) == 0 and total(b"") == 0 and total([[], []]).tolist() == [0, 0]
    # Rows of their own lengths, and memory that does not lie side by side.
    assert total([[1], [1, 2, 3], []]).tolist() == [1, 6, 0]
    assert total([memoryview(array.array("d", range(6)))[::2], [1]]).tolist() == [6, 1]
    doubled = mapengine.cfunction("void doubled(const int32_t *values [count], int32_t *out [count], size_t count)", functions)
    assert doubled([1, 2, 3]).tolist() == [2, 4, 6]
    assert doubled([[1, 2], [3, 4]]).tolist() == [[2, 4], [6, 8]]
    with pytest.raises(ValueError, match="call 1 is to read 3 elements of 2"):
        total([[1, 2], [3, 4]], [2, 3])
    with pytest.raises(MapErrors, match="1 of 2"):
        total([1, 2, 3], [3, 4])


def test_arrays_of_a_fixed_length(functions):
    dot = mapengine.cfunction("void dot3(const double a[3], const double b[3], double *out [1])", functions)
    assert dot([1, 2, 3], [1, 1, 1]).tolist() == [6]
    assert dot([[1, 2, 3], [4, 5, 6]], [1, 1, 1]).tolist() == [[6], [15]]
    with pytest.raises(ValueError, match="'a' needs 3 elements"):
        dot([1, 2], [1, 1, 1])
    negate = mapengine.cfunction("void negate(inout int values[4])", functions)
    given = [1, 2, 3, 4]
    assert negate(given).tolist() == [-1, -2, -3, -4] and given == [1, 2, 3, 4]


def test_texts(functions):
    length = mapengine.cfunction("int length_of(const char *text)", functions)
    assert length("über") == 5 and length(None) == -1 and length(["a", b"bcd", None, ""]).tolist() == [1, 3, -1, 0]
    with pytest.raises(ValueError, match="NUL"):
        length("a\0b")
    message = mapengine.cfunction("const char *[64] strerror(int code)", "libc.so.6")
    assert message(2) == os.strerror(2) and message([1, 2]) == [os.strerror(1), os.strerror(2)]
    form = mapengine.cfunction("int snprintf(char *out [16], size_t n, const char *format, ..., double x, int i)", "libc.so.6")
    assert form(16, "%.1f/%d", [1.5, 2.5], [3, 4])[1] == [b"1.5/3", b"2.5/4"]


def test_structures(functions):
    swapped = mapengine.cfunction("struct pair {int32_t a; double b;}; struct pair swapped(struct pair given)", functions)
    one = swapped((1, 2.5))
    assert (one.a, one.b) == (2, 1.0)
    assert [tuple(row) for row in swapped([(1, 2.0), (3, 4.0)])] == [(2, 1.0), (4, 3.0)]

    class Pair(ctypes.Structure):
        _fields_ = [("a", ctypes.c_int32), ("b", ctypes.c_double)]

    assert tuple(swapped(Pair(7, 8))) == (8, 7.0)
    assert [tuple(row) for row in swapped((Pair * 2)(Pair(7, 8), Pair(5, 6)))] == [(8, 7.0), (6, 5.0)]


def test_complex_and_long_double():
    root = mapengine.cfunction("double _Complex csqrt(double _Complex z)", "libm.so.6")
    assert root(-4) == 2j and root([-1, 4]) == [1j, 2]
    far = mapengine.cfunction("long double fabsl(long double x)", "libm.so.6")
    assert far(-1.5) == 1.5 and far([-1, 2]) == [1, 2]


def test_calls_run_in_other_processes(functions):
    assert mapengine.cfunction("long process_id(int ignored)", functions)(0) != os.getpid()


def test_a_crash_costs_its_own_call(functions):
    crash = mapengine.cfunction("int crash_at_3(int value)", functions)
    with pytest.raises(MapErrors) as caught:
        crash(range(6))
    assert caught.value.results.tolist() == [0, 10, 20, 0, 40, 50]
    (index, failure), = caught.value.failures.items()
    assert index == failure.element == 3 and isinstance(failure, WorkerDied) and failure.signal == signal.SIGABRT and failure.pid
    assert "crash_at_3" in failure.place and "crash_at_3" in failure.c_stack
    with pytest.raises(WorkerDied, match="SIGABRT.*crash_at_3"):
        crash(3)
    assert crash(4) == 40


def test_a_call_beyond_its_time_is_ended_alone(functions):
    slow = mapengine.cfunction("int sleep_at_7(int value)", functions)
    with pytest.raises(MapErrors) as caught:
        slow(range(9), timeout=5)
    assert list(caught.value.failures) == [7] and isinstance(caught.value.failures[7], TimeoutError)
    assert caught.value.results.tolist() == [0, 1, 2, 3, 4, 5, 6, 0, 8]


def test_errors_of_the_declaration():
    with pytest.raises(ValueError, match="column 12: the type \"dubble\""):
        mapengine.cfunction("double pow(dubble x)", library="libm.so.6")
    with pytest.raises(MapEngineError, match="no_such_function"):
        mapengine.cfunction("double no_such_function(double x)", library="libm.so.6")([1, 2])
    with pytest.raises(TypeError, match="library must be"):
        mapengine.cfunction(POW, library=3)
    with pytest.raises(ValueError):
        mapengine.cfunction(POW, "libm.so.6")(1, 2, timeout=0)


def test_libraries_and_functions_of_ctypes_and_other_names():
    loaded = ctypes.CDLL("libm.so.6")
    assert mapengine.cfunction(POW, loaded)(2, 3) == 8
    assert mapengine.cfunction(POW, loaded.pow)(2, 3) == 8
    assert mapengine.cfunction("double f(double x)", "libm.so.6", symbol="sqrt")(9) == 3
    with pytest.raises(ValueError, match="no library"):
        mapengine.cfunction(POW, ctypes.CDLL(None))


def test_it_can_be_pickled(power):
    assert pickle.loads(pickle.dumps(power))(2, 3) == 8
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(mapengine.cfunction(POW, ctypes.CDLL("libm.so.6").pow))


def test_threads_call_at_once(power):
    results = [None] * 8

    def call(place):
        results[place] = power(range(1000), place).tolist()

    threads = [threading.Thread(target=call, args=(place,)) for place in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert results == [[float(x) ** place for x in range(1000)] for place in range(8)]


def test_a_pool_of_its_own(functions):
    with mapengine.NativePool(1) as pool:
        pid = mapengine.cfunction("long process_id(int ignored)", functions, pool=pool)
        assert len(set(pid(range(100)))) == 1
    assert pool.closed
    with pytest.raises(MapEngineError, match="closed"):
        pid(0)
    with pytest.raises(ValueError):
        mapengine.NativePool(0)


def test_memory_that_workers_see_in_place(power):
    code = """
import gc, mapengine
pool = mapengine.NativePool(2)
power = mapengine.cfunction("double pow(double x, double y)", "libm.so.6", pool=pool)
values = pool.empty(1000)
assert type(values) is memoryview and values.format == "d" and values.shape == (1000,)
for i in range(1000):
    values[i] = i
assert power(values, 2).tolist() == [i * i for i in range(1000)]
assert power(values[::-100], 1).tolist() == [999.0 - 100 * i for i in range(10)]
table = pool.empty((3, 2), "i")
table[2, 1] = 7
assert power(table, 1).tolist()[2][1] == 7 and pool.empty(0).tolist() == []
part = values[5:7]
pool.close()
del pool, power, values
gc.collect()
part[0] += 1
print(part.tolist())
"""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (done.returncode, done.stdout) == (0, b"[6.0, 6.0]\n"), done.stdout.decode()
    with mapengine.NativePool(1) as pool, pytest.raises(ValueError):
        pool.empty((2, -1))


def test_a_pool_that_is_closed_ends_its_calls(functions):
    pool = mapengine.NativePool(1)
    slow = mapengine.cfunction("int sleep_at_7(int value)", functions, pool=pool)
    assert slow(1) == 1
    threading.Timer(0.3, pool.close).start()
    with pytest.raises(MapEngineError):
        slow(7)


def test_the_shared_pool_starts_again(power):
    mapengine.cfunctions.close_default_pool()
    assert power(3, 2) == 9


def test_a_proxy_is_a_pointer_for_c(functions):
    compare = "int crash_at_3(int value)"
    function = mapengine.cfunction(compare, functions)
    with function.proxy() as proxy:
        assert proxy(4) == 40
        native = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(proxy.address)
        assert native(5) == 50 and native(3) == 0
        with pytest.raises(WorkerDied, match="SIGABRT"):
            proxy(3)
        assert proxy(1) == 10
    with pytest.raises(MapEngineError, match="released"):
        proxy(4)


def test_a_proxy_as_a_callback_of_c(functions):
    """qsort calls it: on this thread, with pointers to numbers, which travel to the worker."""
    heard = []
    difference = mapengine.cfunction("int memcmp(const void *a [4], const void *b [4], int n)", "libc.so.6", symbol="memcmp")
    libc = ctypes.CDLL("libc.so.6")
    values = (ctypes.c_uint8 * 12)(*[0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2])
    with difference.proxy(on_error=heard.append) as proxy:
        # qsort_r's third argument of the callback is the number of bytes.
        libc.qsort_r(values, ctypes.c_size_t(3), ctypes.c_size_t(4), ctypes.c_void_p(proxy.address), ctypes.c_void_p(4))
    assert list(values)[3::4] == [1, 2, 3] and heard == []


def test_a_proxy_says_why_a_call_failed(functions):
    heard = []
    with mapengine.cfunction("int sleep_at_7(int value)", functions).proxy(timeout=5, on_error=heard.append) as proxy:
        with pytest.raises(TimeoutError):
            proxy(7)
        assert len(heard) == 1 and isinstance(heard[0], TimeoutError) and proxy(8) == 8


def test_ctrl_c_ends_a_call(functions):
    code = f"""
import os, signal, threading, mapengine
slow = mapengine.cfunction("int sleep_at_7(int value)", {functions!r})
slow(1)
threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    slow(7)
except KeyboardInterrupt:
    print("interrupted", slow(5))
"""
    printed = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, timeout=60).stdout
    assert printed.split() == [b"interrupted", b"5"]


def test_a_forked_child_has_workers_of_its_own(power):
    assert power(2, 2) == 4
    child = os.fork()
    if child == 0:
        os._exit(0 if power(2, 3) == 8 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert power(2, 4) == 16


def test_functions_and_arguments_are_let_go():
    import weakref
    function = mapengine.cfunction(POW, "libm.so.6")
    values = (ctypes.c_double * 3)(1, 2, 3)
    result = function(values, 2)
    kept = [weakref.ref(function), weakref.ref(values)]
    del function, values
    gc.collect()
    assert [one() for one in kept] == [None, None] and list(result) == [1, 4, 9]


def test_the_array_interface_without_numpy():
    code = """
import ctypes, sys, mapengine
class Table:
    def __init__(self, shape, strides):
        self.memory = (ctypes.c_double * 12)(*range(12))
        self.__array_interface__ = {"version": 3, "typestr": "<f8", "shape": shape, "strides": strides,
                                    "data": (ctypes.addressof(self.memory), False)}
power = mapengine.cfunction("double pow(double x, double y)", "libm.so.6")
assert power(Table((3, 2), (8, 48)), 1).tolist() == [[0, 6], [1, 7], [2, 8]]
assert power(Table((2, 3), (48, 16)), [[1], [2]]).tolist() == [[0, 2, 4], [36, 64, 100]]
out = Table((3,), (32,))
assert power([2, 3, 4], 2, out=out) is out and list(out.memory[::4]) == [4, 9, 16] and out.memory[1] == 1
try:
    power([[1, 2], [3, 4]], 1, out=Table((2, 2), (48, 8)))
    raise SystemExit("accepted")
except ValueError as error:
    assert "equal distances" in str(error)
print("numpy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.stdout == b"False\n", done.stdout.decode()


def test_without_numpy_nothing_imports_it():
    code = "import sys, mapengine; print(mapengine.cfunction('double sqrt(double x)', 'libm.so.6')([4, 9]), 'numpy' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True).stdout
    assert printed == b"array('d', [2.0, 3.0]) False\n"
