"""`.npy` files: what NumPy reads is read as NumPy does, or refused with the reason; nothing is read as something else."""

import os
import struct
import warnings

import numpy as np
from numpy.lib import format as npy_format
from tool import FUNCTIONS, call, good, run_all, says, write

LIBM = "libm.so.6"
SAME = "double same_float64(double)"
LENGTH = "int length(const char *text)"
DATA = np.array([4.0, 9.0, 16.0])


def made(header, data=DATA.tobytes(), version=(1, 0), name="x.npy"):
    """A file with a header as it is given."""
    header = header.encode("latin-1") if isinstance(header, str) else header
    size = struct.pack("<H" if version[0] == 1 else "<I", len(header))
    return write(name, b"\x93NUMPY" + bytes(version) + size + header + data)


def of_type(descr, data, count):
    return made(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({count},), }}\n", data)


def test_headers_as_Python_may_write_them():
    for header in (
        "{'descr': 'f8', 'fortran_order': False, 'shape': (3,), }\n", '{"descr": "<f8", "fortran_order": False, "shape": (3,)}',
        "{'shape': (3,), 'fortran_order': False, 'descr': '<f8'}", "{u'descr': u'<f8', u'fortran_order': False, u'shape': (3,)}",
        "{'descr':'<f8','fortran_order':False,'shape':(3,)}", "{ 'descr' : '<f8' , 'fortran_order' : False , 'shape' : ( 3 , ) , }   \n",
        "{\n\t'descr': '<f8',\n\t'fortran_order': False,\n\t'shape': (\n3,\n),\n}\n", "  {'descr': '<f8', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '<f8', 'fortran_order': True, 'shape': (3,)}", "{'descr': r'<f8', 'fortran_order': False, 'shape': (0x3,)}",
        "{'descr': '<' 'f8', 'fortran_order': False, 'shape': (3,)}", "{'descr': '\\x3cf8', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3L,)}", "{'descr': '<f8', # a comment, 'shape'\n 'fortran_order': False, 'shape': (3,)}",
    ):  # fmt: skip
        made(header)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert np.array_equal(np.load("x.npy"), DATA), header
        good(call(FUNCTIONS, SAME, "x.npy", "-o", "out.npy"))
        assert np.array_equal(np.load("out.npy"), DATA), header


def is_read_by_NumPy(name):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            np.load(name)
        return True
    except Exception:  # It has many: ValueError, SyntaxError, TokenError, MemoryError and others.
        return False


def test_headers_that_NumPy_refuses_are_refused():
    for header in (
        "{'descr': '<f8', 'fortran_order': False}", "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), 'more': 1}",
        "{'descr': '<f8', 'fortran_order': 0, 'shape': (3,)}", "{'descr': '<f8', 'fortran_order': False, 'shape': 3}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3)}", "{'descr': '<f8', 'fortran_order': False, 'shape': (-3,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3.0,)}", "{'descr': '<f8', 'fortran_order': False, 'shape': (3,,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)} {", "{'descr': '<f8' 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '<f8', 'fortran_order': Falsey, 'shape': (3,)}", "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)", "{", "", "[]",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}\0", "{'a': {'descr': '<f8', 'fortran_order': False, 'shape': (3,)}}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}", "{'descr': 8, 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4}",
    ):  # fmt: skip
        made(header)
        assert not is_read_by_NumPy("x.npy"), header
        says(call(FUNCTIONS, SAME, "x.npy"), 2, "x.npy", "header")
    for version in ((0, 0), (1, 1), (4, 0), (2, 9)):
        made("{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}", version=version)
        says(call(FUNCTIONS, SAME, "x.npy"), 2, "x.npy", "version")


ORDERS = ["", "<", "=", "|", ">"]
WORDS = [
    "?", "b", "B", "h", "H", "i", "I", "l", "L", "q", "Q", "n", "N", "p", "P", "f", "d", "g", "F", "D", "G", "e", "c", "S", "U", "O", "V", "M8[ns]", "m8",
    *(kind + str(size) for kind in "bBiuIfcdSUVa" for size in (1, 2, 3, 4, 8, 16, 32)), "f08",
]  # fmt: skip
NAMES = [
    "bool", "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "byte", "ubyte", "short", "ushort", "intc", "uintc",
    "int", "int_", "uint", "long", "ulong", "longlong", "ulonglong", "intp", "uintp", "half", "float16", "float", "float32", "single", "float64", "double",
    "longdouble", "float128", "complex", "complex64", "csingle", "complex128", "cdouble", "clongdouble", "complex256", "str", "bytes", "str_", "bytes_",
    "object", "void", "datetime64[ns]", "Float64", "f8 ", " f8", "f8,", "f8,f8", "2f8", "(2,)f8", "string", "float_", "<float64", "real", "", "8", "f", "-f8",
]  # fmt: skip


def test_names_of_types_mean_what_they_mean_to_NumPy():
    """Each name is read as NumPy's dtype of it, or refused; never as another type."""
    ctypes = {
        "bool": ("_Bool", "bool"), "longdouble": ("long double", "longdouble"), "complex64": ("float _Complex", "complex64"), "complex128": ("double _Complex", "complex128"),
        "float32": ("float", "float32"), "float64": ("double", "float64"), **{f"{u}int{b}": (f"{u}int{b}_t", f"{u}int{b}") for u in ("", "u") for b in (8, 16, 32, 64)},
    }  # fmt: skip
    read = refused = 0
    # 'a' for 'S' is no longer in all NumPys.
    for word in [order + word for order in ORDERS for word in WORDS if word[0] != "a" or not order] + NAMES:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dtype = np.dtype(word)
        except (TypeError, ValueError, SyntaxError):
            dtype = None
        known = dtype is not None and dtype.names is None and dtype.kind in "biufc" and dtype.isnative and dtype.name in (*ctypes, "float128") and dtype.itemsize > 0
        of_type(word, bytes(3 * 128), 3)
        if known:
            ctype, name = ctypes["longdouble" if dtype.name == "float128" else dtype.name]
            good(call(FUNCTIONS, f"{ctype} same_{name}({ctype})", "x.npy", "-o", "out.npy"))
            assert np.load("out.npy").shape == (3,), word
            read += 1
        elif dtype is not None and dtype.kind in "SU" and dtype.isnative:
            assert good(call(FUNCTIONS, LENGTH, "x.npy")).out == "0\n0\n0\n", word
        elif dtype is not None and dtype.kind == "c" and dtype.isnative:
            says(call(FUNCTIONS, SAME, "x.npy"), 65, "clongdouble")
        else:
            says(call(FUNCTIONS, SAME, "x.npy"), 2, "x.npy")
            refused += 1
    assert read > 100 and refused > 50, (read, refused)


def test_random_arrays_go_through_as_they_are():
    kinds = {"bool": "_Bool", "int8": "int8_t", "uint16": "uint16_t", "int32": "int32_t", "uint64": "uint64_t", "float32": "float", "float64": "double", "complex128": "double _Complex"}
    for seed in range(16):
        random = np.random.default_rng(seed)
        dtype = list(kinds)[seed % len(kinds)]
        count = int(random.integers(0, 400))
        raw = random.integers(0, 2, count, dtype=bool).tobytes() if dtype == "bool" else random.bytes(count * np.dtype(dtype).itemsize)
        array = np.frombuffer(raw, dtype)
        with open("in.npy", "wb") as file:
            npy_format.write_array(file, array, [(1, 0), (2, 0), (3, 0)][seed % 3])
        good(call(FUNCTIONS, f"{kinds[dtype]} same_{dtype}({kinds[dtype]})", "in.npy", "-o", "out.npy"))
        got = np.load("out.npy")
        assert got.dtype == array.dtype and got.shape == array.shape
        if array.dtype.kind not in "fc":
            assert got.tobytes() == raw
        else:  # A signalling NaN may have been made quiet on its way through a register.
            assert np.array_equal(got, array, equal_nan=True)


def test_what_cannot_be_held_is_refused_with_the_reason():
    for array, *texts in (
        (np.ones(3, ">f8"), "big-endian", "newbyteorder"), (np.ones(3, np.float16), "float16", "astype"), (np.zeros(3, [("a", "f8")]), "structured"),
        (np.asfortranarray(np.ones((3, 2))), "Fortran", "ascontiguousarray"), (np.array(5.0), "0 dimensions"), (np.ones((1, 1, 1)), "3 dimensions"),
        (np.array(["2020-01-01"], "M8[D]"), "int64"), (np.array([None, 1]), "objects"), (np.zeros(2, "V8"), "V8"),
    ):  # fmt: skip
        np.save("x.npy", array)
        says(call(FUNCTIONS, SAME, "x.npy"), 2, "x.npy", *texts)
    # One that is the same in both orders is read.
    np.save("x.npy", np.asfortranarray(np.ones((3, 2)))[:, :1])
    made("{'descr': '<f8', 'fortran_order': True, 'shape': (3, 1)}")
    assert good(call(FUNCTIONS, "long sum(const long *v [n], size_t n)", "x.npy", "1", "--cast")).out == "4\n9\n16\n"
    of_type("|b1", b"\0\1\2", 3)
    says(call(FUNCTIONS, "_Bool same_bool(_Bool)", "x.npy"), 2, "x.npy, row 2", "bool")
    says(call(FUNCTIONS, "int same_int32(int)", "x.npy", "--cast"), 2, "x.npy, row 2")


def test_texts_in_arrays_arrive_as_they_were():
    for dtype in ("S", "U"):
        np.save("x.npy", np.array(["ab", "", "Zo\u00eb", "a b\n"] if dtype == "U" else [b"ab", b"", b"Zo\xeb", b"a b\n"]))
        assert good(call(FUNCTIONS, LENGTH, "x.npy")).out == ("2\n0\n4\n4\n" if dtype == "U" else "2\n0\n3\n4\n")
        np.save("x.npy", np.array(["ok", "a\0b"] if dtype == "U" else [b"ok", b"a\0b"]))
        says(call(FUNCTIONS, LENGTH, "x.npy"), 2, "x.npy, row 1", "NUL")
    np.save("x.npy", np.array(["ok", "\udce9"]))
    says(call(FUNCTIONS, LENGTH, "x.npy"), 2, "x.npy, row 1", "U+DCE9")
    of_type("<U1", struct.pack("<II", 97, 0x110000), 2)
    says(call(FUNCTIONS, LENGTH, "x.npy"), 2, "x.npy, row 1", "110000")
    np.save("x.npy", np.zeros(0, "S4"))
    assert good(call(FUNCTIONS, LENGTH, "x.npy")).out == ""


def test_texts_out_end_at_their_end():
    good(call(FUNCTIONS, "void leave_rubbish(char *out[16])", "-o", "out.npy", "--count", "2"))
    assert np.load("out.npy").tolist() == [b"short"] * 2
    good(call(FUNCTIONS, "void leave_rubbish(char *out[16])", "-o", "out.csv", "--count", "2"))
    assert open("out.csv").read() == "out\nshort\nshort\n"
    good(call(FUNCTIONS, "void place_text(char *out[8], const char *text)", "12345678", "-o", "out.npy"))
    assert np.load("out.npy").tolist() == [b"12345678"]
    np.save("x.npy", np.zeros(0, "S1"))
    good(call(FUNCTIONS, "void place_text(char *out[8], const char *text)", "x.npy", "-o", "out.npy"))
    assert np.load("out.npy").dtype == "S8" and np.load("out.npy").shape == (0,)


def test_arrays_of_no_rows_and_one_row_and_no_elements():
    for shape in ((0,), (1,), (0, 3), (1, 3)):
        np.save("x.npy", np.ones(shape))
        if len(shape) == 1:
            good(call(FUNCTIONS, SAME, "x.npy", "-o", "out.npy"))
        else:
            good(call(FUNCTIONS, "void scale(inout double *v[3], double factor)", "x.npy", "2", "-o", "out.npy"))
        assert np.load("out.npy").shape == shape
    made("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 0)}", b"")
    says(call(FUNCTIONS, "long sum(const long *v [n], size_t n)", "x.npy", "1", "--cast"), 65, "no elements")


def test_bytes_behind_the_array_are_told():
    with open("x.npy", "wb") as file:
        np.save(file, DATA)
        np.save(file, DATA)
    answer = good(call(LIBM, "double sqrt(double)", "x.npy"))
    assert answer.out == "2.0\n3.0\n4.0\n" and "x.npy: " in answer.err and "not read" in answer.err, answer


def test_a_pipe_is_read_too():
    np.save("x.npy", DATA)
    os.mkfifo("pipe.npy")
    if os.fork() == 0:
        with open("pipe.npy", "wb") as pipe:
            pipe.write(open("x.npy", "rb").read())
        os._exit(0)
    assert good(call(LIBM, "double sqrt(double)", "pipe.npy")).out == "2.0\n3.0\n4.0\n"
    os.wait()


if __name__ == "__main__":
    run_all(globals())
