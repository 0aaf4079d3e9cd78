"""Results of the command line, held against NumPy and against the same libm called from this process."""

import csv
import ctypes

import numpy as np
from numpy.lib import format as npy_format
from tool import FUNCTIONS, call, good, run_all, says

LIBM = "libm.so.6"
random = np.random.default_rng(5)

# Functions that glibc's manual gives an error of at most 1 ulp on x86-64 and aarch64, with a range to try them in.
UNARY = {
    "sin": (-100, 100), "cos": (-100, 100), "tan": (-1.5, 1.5), "asin": (-1, 1), "acos": (-1, 1), "atan": (-50, 50),
    "exp": (-50, 50), "exp2": (-50, 50), "expm1": (-5, 5), "log": (0.001, 1e6), "log1p": (-0.9, 100), "sqrt": (0, 1e9),
    "floor": (-1e6, 1e6), "ceil": (-1e6, 1e6), "trunc": (-1e6, 1e6), "rint": (-1e6, 1e6), "fabs": (-1e6, 1e6),
}  # fmt: skip
BINARY = {"pow": (0.01, 20), "atan2": (-10, 10), "hypot": (-1e3, 1e3), "fmod": (0.1, 100), "copysign": (-9, 9), "fmax": (-9, 9)}
NUMPY_NAMES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "pow": "power", "atan2": "arctan2", "fmax": "fmax"}


def ulps(got, wanted):
    """How far numbers lie apart, in units of the last place of the second."""
    wanted = wanted.astype(got.dtype)
    return np.max(np.abs(got.astype(np.longdouble) - wanted.astype(np.longdouble)) / np.spacing(np.abs(wanted)).astype(np.longdouble))


def from_libm(name, ctype, *columns):
    function = getattr(ctypes.CDLL(LIBM), name)
    function.restype, function.argtypes = ctype, [ctype] * len(columns)
    return np.array([function(*row) for row in zip(*(c.tolist() for c in columns))], columns[0].dtype)


def compare(name, limits, count):
    columns = [random.uniform(*limits, 3000) for _ in range(count)]
    for i, column in enumerate(columns):
        np.save(f"in{i}.npy", column)
    prototype = f"double {name}({', '.join(['double'] * count)})"
    good(call(LIBM, prototype, *[f"in{i}.npy" for i in range(count)], "-o", "out.npy"))
    got = np.load("out.npy")
    assert got.dtype == np.float64 and got.shape == (3000,)
    assert got.tobytes() == from_libm(name, ctypes.c_double, *columns).tobytes(), f"{name} is not libm's, bit for bit"
    # NumPy in long double, rounded: its loops in double may use other code than libm.
    reference = getattr(np, NUMPY_NAMES.get(name, name))(*[c.astype(np.longdouble) for c in columns])
    error = ulps(got, reference)
    assert error <= 1, f"{name} is {error} ulp from NumPy"


for name, limits in UNARY.items():
    globals()[f"test_{name}_is_NumPys"] = lambda name=name, limits=limits: compare(name, limits, 1)
for name, limits in BINARY.items():
    globals()[f"test_{name}_is_NumPys"] = lambda name=name, limits=limits: compare(name, limits, 2)


def test_a_million_powers_are_within_an_ulp_of_NumPys_own():
    a, b = random.uniform(0.1, 10, 1_000_000), random.uniform(-3, 3, 1_000_000)
    np.save("a.npy", a)
    np.save("b.npy", b)
    good(call(LIBM, "double pow(double, double)", "a.npy", "b.npy", "-o", "out.npy"))
    assert ulps(np.load("out.npy"), a**b) <= 1


def test_float_functions_are_libms():
    x = random.uniform(-3, 3, 2000).astype(np.float32)
    np.save("x.npy", x)
    for name in ("sinf", "expf", "tanhf", "erff"):
        good(call(LIBM, f"float {name}(float)", "x.npy", "-o", "out.npy"))
        got = np.load("out.npy")
        assert got.dtype == np.float32 and got.tobytes() == from_libm(name, ctypes.c_float, x).tobytes(), name


TYPES = {
    "bool": "_Bool", "int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "uint16": "uint16_t", "int32": "int32_t",
    "uint32": "uint32_t", "int64": "int64_t", "uint64": "uint64_t", "float32": "float", "float64": "double",
    "longdouble": "long double", "complex64": "float _Complex", "complex128": "double _Complex",
}  # fmt: skip


def values(dtype):
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return np.array([True, False, True])
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return np.array([0, 1, limits.min, limits.max, limits.max // 3], dtype)
    real = np.array([0.0, -0.0, 1 / 3, np.inf, -np.inf, np.nan, 1e-45, -2.5e30], dtype)
    if dtype.kind == "f":
        return real
    both = np.empty(real.size, dtype)
    both.real, both.imag = real.real, real.real[::-1]
    return both


def roundtrip(dtype, ctype):
    array = values(dtype).astype(dtype)
    for version in ((1, 0), (2, 0), (3, 0)):
        with open("in.npy", "wb") as file:
            npy_format.write_array(file, array, version)
        good(call(FUNCTIONS, f"{ctype} same_{dtype}({ctype})", "in.npy", "-o", "out.npy"))
        got = np.load("out.npy")
        assert got.dtype == array.dtype, f"{got.dtype}"
        assert np.array_equal(got, array, equal_nan=dtype != "bool"), f"{got} for {array}"
        if dtype != "longdouble":  # It has bytes that say nothing.
            assert got.tobytes() == array.tobytes()


for dtype, ctype in TYPES.items():
    globals()[f"test_{dtype}_goes_through_npy_as_it_is"] = lambda d=dtype, c=ctype: roundtrip(d, c)


def texts_of_numbers(dtype, ctype):
    array = values(dtype).astype(dtype)
    if array.dtype.kind == "f":
        words = "\n".join(np.format_float_scientific(v) for v in array)
    else:
        words = "\n".join(str(int(v)) for v in array)
    answer = good(call(FUNCTIONS, f"{ctype} same_{dtype}({ctype})", "-", stdin=words + "\n"))
    read = array.dtype.type if array.dtype.kind == "f" else int
    got = np.array([read(word) for word in answer.out.split()], dtype)
    assert np.array_equal(got, array, equal_nan=dtype != "bool"), f"{answer.out} for {words}"
    # And through CSV, in and out.
    with open("in.csv", "w") as file:
        file.write("n\n" + words + "\n")
    good(call(FUNCTIONS, f"{ctype} same_{dtype}({ctype})", "in.csv:n", "-o", "out.csv"))
    with open("out.csv") as file:
        assert file.read() == "return\n" + answer.out


for dtype, ctype in TYPES.items():
    if not dtype.startswith("complex"):
        globals()[f"test_{dtype}_goes_through_text_as_it_is"] = lambda d=dtype, c=ctype: texts_of_numbers(d, c)


def test_csv_with_quotes_crlf_bom_and_empty_lines():
    with open("t.csv", "wb") as file:
        file.write(b'\xef\xbb\xbfname,"the, ""x""",y\r\n"a,b",1.5,2\r\n\r\n"say ""hi""\nthere", 2.5 ,3\r\n')
    answer = good(call(LIBM, "double pow(double, double)", "t.csv:2", "t.csv:y"))
    assert answer.out == "2.25\n15.625\n", answer
    answer = good(call(FUNCTIONS, "int length(const char *text)", "t.csv:name"))
    assert answer.out == "3\n14\n", answer


def test_csv_without_names_and_with_one_column():
    with open("t.csv", "w") as file:
        file.write("1,4\n2,9\n")
    assert good(call(LIBM, "double sqrt(double)", "t.csv:2")).out == "2.0\n3.0\n"
    with open("one.csv", "w") as file:
        file.write("16\n25")
    assert good(call(LIBM, "double sqrt(double)", "one.csv")).out == "4.0\n5.0\n"


def test_csv_columns_make_an_array():
    with open("t.csv", "w") as file:
        file.write("x,y,z\n3,4,0\n2,3,6\n")
    assert good(call(FUNCTIONS, "double norm(const double *v[3])", "t.csv:x,y,z")).out == "5.0\n7.0\n"
    assert good(call(FUNCTIONS, "double norm(const double *v[3])", "2,3,6")).out == "7.0\n"


def test_standard_input_files_and_values_mix():
    np.save("a.npy", np.array([2.0, 3.0]))
    answer = good(call(LIBM, "double fma(double, double, double)", "a.npy", "-", "-1.5", stdin="# x\n10\n\n 20 \n"))
    assert answer.out == "18.5\n58.5\n", answer
    answer = good(call(LIBM, "double fma(double, double, double)", "-", stdin="1 2 3\n4\t5  6\r\n"))
    assert answer.out == "5.0\n26.0\n", answer


def test_rows_of_an_array():
    v = random.uniform(-1, 1, (500, 3))
    np.save("v.npy", v)
    good(call(FUNCTIONS, "double norm(const double *v[3])", "v.npy", "-o", "out.npy"))
    assert ulps(np.load("out.npy"), np.sqrt((v[:, 0] ** 2 + v[:, 1] ** 2) + v[:, 2] ** 2)) <= 1
    good(call(FUNCTIONS, "void scale(inout double *v[3], double factor)", "v.npy", "2", "-o", "out.npy"))
    assert np.array_equal(np.load("out.npy"), 2 * v)


def test_arrays_whose_length_is_a_parameter():
    v = random.integers(-99, 99, (50, 6))
    n = random.integers(1, 7, 50).astype(np.uint64)
    np.save("v.npy", v)
    np.save("n.npy", n)
    good(call(FUNCTIONS, "long sum(const long *v [n], size_t n)", "v.npy", "n.npy", "-o", "out.npy"))
    assert np.load("out.npy").tolist() == [int(row[: int(k)].sum()) for row, k in zip(v, n)]
    good(call(FUNCTIONS, "void count_up(int *out [n], int n)", "-", "-o", "out.npy", stdin="1\n3\n2\n"))
    assert np.load("out.npy").tolist() == [[1, 0, 0], [1, 2, 3], [1, 2, 0]]
    says(call(FUNCTIONS, "long sum(const long *v [n], size_t n)", "v.npy", "7"), 1, "50 of 50")


def test_texts_in_and_out():
    for names in (np.array(["Zoë", "", "a,b"]), np.array(["Zoë".encode(), b"", b"a,b"])):
        np.save("names.npy", names)
        good(call(FUNCTIONS, "void greet(char *out[32], const char *name)", "names.npy", "-o", "out.npy"))
        assert [t.decode() for t in np.load("out.npy").tolist()] == ['Hi, "Zoë"', 'Hi, ""', 'Hi, "a,b"']
        good(call(FUNCTIONS, "void greet(char *out[32], const char *name)", "names.npy", "-o", "out.csv"))
        with open("out.csv", newline="") as file:
            assert list(csv.reader(file)) == [["out"], ['Hi, "Zoë"'], ['Hi, ""'], ['Hi, "a,b"']]
    assert good(call("libc.so.6", "const char *[64] strerror(int)", "2")).out == "No such file or directory\n"


def test_several_outputs():
    x = random.uniform(-100, 100, 100)
    np.save("x.npy", x)
    good(call(LIBM, "double frexp(double x, int *e[1])", "x.npy", "-o", "m.npy", "-o", "e.npy"))
    m, e = np.frexp(x)
    assert np.array_equal(np.load("m.npy"), m) and np.array_equal(np.load("e.npy").ravel(), e)
    good(call(LIBM, "double frexp(double x, int *e[1])", "x.npy", "-o", "both.csv"))
    table = np.genfromtxt("both.csv", delimiter=",", names=True)
    assert np.array_equal(table["return_"], m) and np.array_equal(table["e"], e)
    assert good(call(LIBM, "double sqrt(double)", "-4", "--errno")).out == "nan 33\n"
    assert good(call("libc.so.6", "int abs(int)", "-5", "-o", "none")).out == ""


def test_cast_converts_and_refuses_what_does_not_fit():
    np.save("x.npy", np.array([1.9, -2.9, 3.0]))
    says(call("libc.so.6", "int abs(int)", "x.npy"), 65, "float64", "int32", "--cast", "x.npy")
    assert good(call("libc.so.6", "int abs(int)", "x.npy", "--cast")).out == "1\n2\n3\n"
    np.save("x.npy", np.array([1.0, 3e9]))
    says(call("libc.so.6", "int abs(int)", "x.npy", "--cast"), 2, "row 1", "does not fit")
    np.save("x.npy", np.array([np.nan]))
    says(call("libc.so.6", "int abs(int)", "x.npy", "--cast"), 2, "row 0")
    np.save("x.npy", np.arange(5, dtype=np.uint8))
    assert good(call(LIBM, "double sqrt(double)", "x.npy", "--cast")).out.split()[4] == "2.0"


def test_no_rows():
    np.save("x.npy", np.zeros(0))
    good(call(LIBM, "double sqrt(double)", "x.npy", "-o", "out.npy"))
    assert np.load("out.npy").shape == (0,)
    assert good(call(LIBM, "double sqrt(double)", "-", stdin="")).out == ""


def test_calls_without_columns():
    assert good(call("libc.so.6", "int abs(int)", "=-4", "--count", "3")).out == "4\n4\n4\n"
    assert len(good(call("libc.so.6", "int getpid(void)")).out.split()) == 1


if __name__ == "__main__":
    run_all(globals())
