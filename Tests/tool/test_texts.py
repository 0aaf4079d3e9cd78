"""Texts in: each arrives as it was, or is refused with file, line and column; and what the program writes it reads back as the same."""

import csv
import io
import os
import subprocess

import numpy as np
from tool import FUNCTIONS, call, good, run, run_all, says, write

LIBM = "libm.so.6"
SQRT = "double sqrt(double)"
SAME = "double same_float64(double)"
LENGTH = "int length(const char *text)"
TEXT = "const char *[64] same_text(const char *text)"
random = np.random.default_rng(17)


def same(ctype, dtype, word):
    return call(FUNCTIONS, f"{ctype} same_{dtype}({ctype})", "=" + word)


# ---- Rows that have not as many fields as the first. ----


def test_decimal_commas_without_quotes_are_refused():
    write("t.csv", "x,y\n1,5,2,7\n")
    for column in ("x", "y", "1", "2"):
        says(call(LIBM, SQRT, f"t.csv:{column}"), 2, "t.csv, line 2", "4 fields", "2")


def test_rows_with_more_or_fewer_fields_are_refused():
    for rows, line in (("1,2\n3\n", 3), ("1,2\n3,4,5\n", 3), ("1,2,\n", 2), ("1\n", 2), ('1,"2",""\n', 2), ("1,2\n\n3,4,\n", 4)):
        write("t.csv", "x,y\n" + rows)
        for column in ("x", "1"):
            says(call(LIBM, SQRT, f"t.csv:{column}"), 2, f"t.csv, line {line}", "fields")
    # R's write.table and an index without a name in pandas give lines of names that are a field short.
    write("t.csv", "x\na,1\nb,2\n")
    says(call(LIBM, SQRT, "t.csv:x"), 2, "line 2", "2 fields")
    # A last line without an end, and separators behind each row, are in order.
    write("t.csv", "x,y,\n1,4,\n2,9,")
    assert good(call(LIBM, SQRT, "t.csv:y")).out == "2.0\n3.0\n"


def test_other_separators_are_named():
    write("t.csv", "x;y\n1,5;2,7\n")
    says(call(LIBM, SQRT, "t.csv:x"), 2, "t.csv", "';'")
    write("t.csv", "1;2\n")
    says(call(LIBM, SQRT, "t.csv"), 2, "t.csv", "';'")
    write("t.csv", "x\ty\n1\t2\n")
    says(call(LIBM, SQRT, "t.csv:y"), 2, "t.csv", "tab")
    write("t.csv", "x,y\n1,2\n".encode("utf-16"))
    says(call(LIBM, SQRT, "t.csv:y"), 2, "t.csv", "UTF-16", "UTF-8")
    says(call(LIBM, SQRT, "-", stdin="1\n".encode("utf-16")), 2, "UTF-16")


def test_an_empty_line_in_a_file_of_one_column_is_no_row_less():
    for text, line in (("x\n1\n\n3\n", 3), ("x\n\n1\n", 2), ("x\r\n1\r\n\r\n3\r\n", 3), ("x\n1\r\r\n2\n", 3)):
        write("t.csv", text)
        says(call(LIBM, SQRT, "t.csv:x"), 2, f"line {line}", "empty")
        says(call(FUNCTIONS, LENGTH, "t.csv:x"), 2, f"line {line}", '""')
    write("t.csv", "x\n1\n4\n\n\n")
    assert good(call(LIBM, SQRT, "t.csv:x")).out == "1.0\n2.0\n"
    write("t.csv", 'x\nab\n""\nc\n')
    assert good(call(FUNCTIONS, LENGTH, "t.csv:x")).out == "2\n0\n1\n"
    write("t.csv", "x,y\n\n1,4\n\n\n2,9\n")
    assert good(call(LIBM, SQRT, "t.csv:y")).out == "2.0\n3.0\n"


def test_an_empty_field_is_no_number():
    write("t.csv", "x,y\n1,\n,2\n")
    says(call(LIBM, SQRT, "t.csv:y"), 2, "t.csv, line 2, column 2", "empty")
    says(call(LIBM, SQRT, "t.csv:x"), 2, "t.csv, line 3, column 1", "empty")


# ---- Which line holds names. ----


def test_header_and_no_header_end_the_guessing():
    write("t.csv", "2019,2020\n4,9\n")
    assert good(call(LIBM, SQRT, "t.csv:2")).out.split()[1:] == ["3.0"]
    assert good(call(LIBM, SQRT, "t.csv:2020", "--header")).out == "3.0\n"
    assert good(call(LIBM, SQRT, "t.csv:2", "--header")).out == "3.0\n"
    write("t.csv", "Zoë\nBob\n".encode())
    assert good(call(FUNCTIONS, LENGTH, "t.csv")).out == "3\n"
    assert good(call(FUNCTIONS, LENGTH, "t.csv", "--header")).out == "3\n"
    assert good(call(FUNCTIONS, LENGTH, "t.csv", "--no-header")).out == "4\n3\n"
    says(call(FUNCTIONS, LENGTH, "t.csv:Zoë", "--no-header"), 2, "Zoë", "--no-header")
    says(call(LIBM, SQRT, "t.csv", "--no-header"), 2, "line 1, column 1", "Zo")
    says(call(LIBM, SQRT, "t.csv", "--header", "--no-header"), 64)
    write("t.csv", "nan\n4\n")
    assert good(call(LIBM, SQRT, "t.csv")).out == "nan\n2.0\n"
    assert good(call(LIBM, SQRT, "t.csv:nan", "--header")).out == "2.0\n"


def test_a_first_line_that_could_be_either_is_refused():
    for text, column in (("alice,4\nbob,9\n", "2"), (",4\n1,9\n", "2"), ("N/A,4\n1,9\n", "2"), ("1_000,4\n1,9\n", "2"),
                         ('"4,5",1\n1,9\n', "2"), ('""\n4\n', "1"), ("1e400\n4\n", "1"), ("NA\n4\n", "1"), ("true\n1\n", "1")):  # fmt: skip
        write("t.csv", text)
        says(call(LIBM, SQRT, f"t.csv:{column}"), 2, "t.csv, line 1", "--header", "--no-header")
    write("t.csv", "alice,4\nbob,9\n")
    assert good(call(LIBM, SQRT, "t.csv:2", "--no-header")).out == "2.0\n3.0\n"
    assert good(call(LIBM, SQRT, "t.csv:2", "--header")).out == "3.0\n"
    # A name that stands there settles it; pandas gives its index no name.
    write("t.csv", "name,2019\na,9\n")
    assert good(call(FUNCTIONS, LENGTH, "t.csv:name")).out == "1\n"
    write("t.csv", ",height\n0,9\n")
    assert good(call(LIBM, SQRT, "t.csv:2")).out == good(call(LIBM, SQRT, "t.csv:height")).out == "3.0\n"


def test_names_are_compared_by_bytes_and_have_to_be_one():
    composed, apart = "\u00e9", "e\u0301"
    write("t.csv", f"{apart},{composed}\n4,9\n".encode())
    assert good(call(LIBM, SQRT, f"t.csv:{composed}")).out == "3.0\n"
    assert good(call(LIBM, SQRT, f"t.csv:{apart}")).out == "2.0\n"
    write("t.csv", b"h\xf6he,b\n4,9\n")
    assert good(call(LIBM, SQRT, b"t.csv:h\xf6he")).out == "2.0\n"
    write("t.csv", "x,y,x\n4,9,16\n")
    says(call(LIBM, SQRT, "t.csv:x"), 2, "'x'", "1", "3")
    assert good(call(LIBM, SQRT, "t.csv:3")).out == "4.0\n"


def test_a_file_without_a_line_has_no_names():
    for text in ("", "\n\n", "\ufeff"):
        write("t.csv", text.encode())
        says(call(LIBM, SQRT, "t.csv:x"), 2, "t.csv")
        says(call(LIBM, SQRT, "t.csv", "--header"), 2, "t.csv")


def test_a_hundred_thousand_columns():
    write("t.csv", ",".join(f"c{i}" for i in range(100_000)) + "\n" + ",".join(map(str, range(100_000))) + "\n")
    assert good(call(LIBM, SQRT, "t.csv:c99856")).out == "316.0\n"
    assert len(says(call(LIBM, SQRT, "t.csv:none"), 2, "'none'", "c0, c1").err) < 2000


# ---- Numbers. ----


def test_a_NUL_does_not_cut_a_number():
    for text in (b"x,y\n1\x002,3\n", b"x,y\n12\x00,3\n", b"x,y\n\x00,3\n"):
        write("t.csv", text)
        says(call(LIBM, SQRT, "t.csv:x"), 2, "t.csv, line 2, column 1", "\\x00")
        says(call(FUNCTIONS, LENGTH, "t.csv:x"), 2, "t.csv, line 2, column 1", "NUL")
    says(call(LIBM, SQRT, "-", stdin=b"1\n2\x003\n"), 2, "standard input, line 2, column 1")
    says(call("libc.so.6", "int abs(int)", "-", stdin=b"2\x003\n"), 2, "line 1")


def test_numbers_are_spelled_as_in_C_and_nothing_follows():
    for word, value in {"1": 1, "+1": 1, "-1.5": -1.5, ".5": 0.5, "5.": 5, "1e3": 1000, "1E+3": 1000, "1e-3": 1e-3, "0x10": 16,
                        "0x1.8p1": 3, "-0X.8P-1": -0.25, "inf": np.inf, "-INF": -np.inf, "Infinity": np.inf, "007": 7,
                        " 2 ": 2, "\t2": 2, "1e308": 1e308, "4.9e-324": 5e-324, "0e999999": 0, "-0": -0.0,
                        "9007199254740993": 9007199254740992.0, "0.1": 0.1, "1" * 400 + "e-399": float("1." + "1" * 399)}.items():  # fmt: skip
        got = float(good(same("double", "float64", word)).out)
        assert got == value and np.signbit(got) == np.signbit(value), (word, got)
    assert np.isnan(float(good(same("double", "float64", "-NaN")).out))
    for word in ("", " ", ".", "-", "+", "e5", "1e", "1e+", "1 2", "1_000", "1,5", "1.5.2", "1d5", "0x", "0xp1", "0x1p", "1f", "1j", "--1", "+-1",
                 "1\u00a0", "\u0661", "\uff11", "nan(1)", "infin", "NA", "N/A", "None", "null", "1e5x", "1\n2", "- 1", "$1", "1%", "½"):  # fmt: skip
        says(same("double", "float64", word), 2, "float64")
    for word in ("1.0", "1e3", "", "1_0", "0x1", "--1", "+-1", "1-", "\u0661"):
        says(same("int32_t", "int32", word), 2, "int32")
    assert good(same("int32_t", "int32", "+007")).out == "7\n"


def test_numbers_are_those_that_Python_reads():
    random = np.random.default_rng(754)
    parts = ["0", "1", "9", "00", ".", "e", "E5", "e-3", "e+2", "+", "-", "0x", "a.8", "p2", "inf", "NAN", "inity", "_", " ", ",", "x"]
    read = refused = 0
    for _ in range(250):
        word = "".join(parts[i] for i in random.integers(0, len(parts), random.integers(1, 6)))
        try:
            wanted = float.fromhex(word) if "0x" in word.lower() else None if "_" in word else float(word)
        except (ValueError, OverflowError):
            wanted = None
        answer = same("double", "float64", word)
        if wanted is None:
            says(answer, 2, "float64")
            refused += 1
        else:
            got = float(good(answer).out)
            assert got == wanted and np.signbit(got) == np.signbit(wanted) or np.isnan(got) and np.isnan(wanted), (word, got, wanted)
            read += 1
    assert read > 30 and refused > 30, (read, refused)


def test_numbers_that_cannot_be_held_are_refused():
    for ctype, dtype, word in (("double", "float64", "1e400"), ("double", "float64", "-1e309"), ("double", "float64", "1e-400"),
                               ("double", "float64", "0x1p1024"), ("double", "float64", "1" * 400), ("float", "float32", "1e39"),
                               ("float", "float32", "-1e-50"), ("float", "float32", "3.5e38"), ("long double", "longdouble", "1e5000"),
                               ("long double", "longdouble", "1e-5000")):  # fmt: skip
        says(same(ctype, dtype, word), 2, word, dtype, "too")
    for bits in (8, 16, 32, 64):
        for ctype, dtype, low, high in ((f"int{bits}_t", f"int{bits}", -(2 ** (bits - 1)), 2 ** (bits - 1) - 1), (f"uint{bits}_t", f"uint{bits}", 0, 2**bits - 1)):
            for word in (low, high, f"{low}".replace("-", "-000"), f"000{high}"):
                assert int(good(same(ctype, dtype, str(word))).out) == int(word)
            for word in (low - 1, high + 1, 10 * high, 2**64 + 1, -(2**64) - 1, 10**40):
                says(same(ctype, dtype, str(word)), 2, str(word), dtype, "range")
    for word in ("2", "-1", "yes", "1.0", ""):
        says(same("_Bool", "bool", word), 2, "bool")
    for word in ("1", "true", "True", "TRUE"):
        assert good(same("_Bool", "bool", word)).out == "1\n"
    says(call(LIBM, SQRT, "4", "--fail-value", "1e400"), 64, "1e400")


def test_complex_numbers_go_through_text_as_they_are():
    for dtype, ctype in (("complex64", "float _Complex"), ("complex128", "double _Complex")):
        prototype = f"{ctype} same_{dtype}({ctype})"
        real = np.array([0.0, -0.0, 1 / 3, np.inf, -np.inf, np.nan, 1e-45, -2.5e30])
        array = np.empty(64, dtype)
        array.real, array.imag = np.repeat(real, 8), np.tile(real, 8)
        np.save("in.npy", array)
        good(call(FUNCTIONS, prototype, "in.npy", "-o", "out.csv"))
        good(call(FUNCTIONS, prototype, "out.csv:return", "-o", "out.npy"))
        got = np.load("out.npy")
        assert np.array_equal(got.real, array.real, equal_nan=True) and np.array_equal(got.imag, array.imag, equal_nan=True)
        assert np.array_equal(np.signbit(got.real[~np.isnan(got.real)]), np.signbit(array.real[~np.isnan(array.real)]))
        good(call(FUNCTIONS, prototype, "-", "-o", "out.npy", stdin="\n".join(str(v) for v in array.tolist())))
        assert np.array_equal(np.load("out.npy").imag, array.imag, equal_nan=True)
        for word in ("1+", "1+2", "1j2", "(1+2j", "1 + 2j", "j", "1+j2", "1e400+1j", "1+1e400j"):
            says(call(FUNCTIONS, prototype, "=" + word), 2, dtype)
        for word, wanted in (("2j", "0.0+2.0j"), ("-1", "-1.0+0.0j"), ("-1-2j", "-1.0-2.0j"), ("(1.5e1+0x1p1j)", "15.0+2.0j")):
            assert good(call(FUNCTIONS, prototype, word)).out == wanted + "\n"


def test_no_locale_changes_numbers():
    for locale in ("de_DE.UTF-8", "fr_FR", "C", "tr_TR.UTF-8"):
        environment = {**os.environ, "LC_ALL": locale, "LANG": locale}
        assert good(call(LIBM, SQRT, "2.25", env=environment)).out == "1.5\n"
        says(call(LIBM, SQRT, "2,25", env=environment), 2)


# ---- Texts. ----


def test_texts_are_bytes():
    every = bytes(range(1, 256))
    quoted = b'"' + every.replace(b'"', b'""') + b'"'
    write("t.csv", b"x,y\n" + quoted + b",1\n" + b"caf\xe9,2\n")
    assert good(call(FUNCTIONS, LENGTH, "t.csv:x")).out == "255\n4\n"
    assert good(call(FUNCTIONS, LENGTH, b"caf\xe9")).out == "4\n"
    assert good(call(FUNCTIONS, LENGTH, b"=\xcc\x81")).out == "2\n"
    assert good(call(FUNCTIONS, LENGTH, "=")).out == "0\n"
    assert good(call(FUNCTIONS, LENGTH, "-", stdin=b"caf\xe9\n\xff\xfe\n")).out == "4\n2\n"
    answer = good(call(FUNCTIONS, TEXT, "-", stdin=b"caf\xe9\n\xff\xfe\n"))
    assert answer.raw == b"caf\xe9\n\xff\xfe\n", answer.raw
    for name in (b"caf\xe9.csv", b"\xcc\x81.csv", b"\xff\xfe.csv"):
        write(name, b"x\nab\n")
        assert good(call(FUNCTIONS, LENGTH, name + b":x")).out == "2\n"
        good(call(FUNCTIONS, LENGTH, name + b":x", "-o", b"out" + name))
        assert open(b"out" + name).read() == "return\n2\n"
        assert name + b", line 2" in says(call(LIBM, SQRT, name + b":x"), 2).raw_err


def test_words_are_split_by_bytes():
    # A combining mark behind a blank belongs to the next word; a line ends at its end, whatever follows.
    assert good(call("libc.so.6", "int strcmp(const char *a, const char *b)", "-", stdin="a \u0301a\n")).out != "0\n"
    assert good(call(FUNCTIONS, LENGTH, "-", stdin="\u0301a\r\n\u0301\n\t\u0301 \r\n")).out == "3\n2\n2\n"
    assert good(call(LIBM, SQRT, "-", stdin="4\r9\r16\r")).out == "2.0\n3.0\n4.0\n"
    write("t.csv", "a,\u0301b\n1,2\n")
    assert good(call(LIBM, "double fabs(double)", "t.csv:\u0301b")).out == "2.0\n"
    write("t.csv", "a,b\n\u0301,\u0301\r\n1,2\n")
    assert good(call(FUNCTIONS, LENGTH, "t.csv:b")).out == "2\n1\n"


def test_a_byte_order_mark_is_passed_over():
    assert good(call(LIBM, SQRT, "-", stdin=b"\xef\xbb\xbf4\n9\n")).out == "2.0\n3.0\n"
    assert good(call(LIBM, SQRT, "-", stdin=b"\xef\xbb\xbf# x\n9\n")).out == "3.0\n"
    assert good(call(FUNCTIONS, LENGTH, "-", stdin=b"\xef\xbb\xbfab\n")).out == "2\n"
    write("t.csv", b'\xef\xbb\xbf"4"\n9\n')
    assert good(call(LIBM, SQRT, "t.csv")).out == "2.0\n3.0\n"


def test_a_text_is_not_taken_for_a_comment():
    says(call(FUNCTIONS, LENGTH, "-", stdin="ab\n#cd\n"), 2, "standard input, line 2", "#")
    assert good(call(LIBM, SQRT, "-", stdin="# roots\n4\n")).out == "2.0\n"


def test_quotes_as_RFC_4180_has_them():
    for text, lengths in ((b'x,y\n"a,b",1\n', [3]), (b'x,y\n"a""b",1\n', [3]), (b'x,y\n"a\r\nb\n",1\n', [5]), (b'x,y\na"b,1\n', [3]),
                          (b'x,y\n  a ,1\n', [4]), (b'"x",y\n"",1\n,2\n', [0, 0]), (b'x,y\r"a",1\rb,2', [1, 1])):  # fmt: skip
        write("t.csv", text)
        assert good(call(FUNCTIONS, LENGTH, "t.csv:x")).out.split() == [str(n) for n in lengths], text
    for text, line in ((b'x,y\n"a,1\n', 2), (b'x,y\n"a"b,1\n', 2), (b'x,y\n"a" ,1\n', 2), (b'x,y\n1,2\n "a,b",1\n', 3), (b'x,y\n"a\n\n"x,1\n', 4)):
        write("t.csv", text)
        says(call(FUNCTIONS, LENGTH, "t.csv:x"), 2, f"t.csv, line {line}", "quote")


def test_random_texts_go_through_csv_and_npy_as_they_are():
    """Written by Python's csv, through the program into .csv and .npy, read by Python; and back through the program."""
    for seed in range(12):
        random = np.random.default_rng(seed)
        alphabet = np.frombuffer(b'",\n\r a\xe9\xff\xcc\x81#1' + bytes(range(1, 256)) if seed % 2 else b'",\n\r a', np.uint8)
        texts = [random.choice(alphabet, random.integers(0, 40)).tobytes() for _ in range(200)]
        file = io.StringIO()
        # With other line ends than its own, Python leaves a CR without quotes.
        ends, quoting = ("\r\n", csv.QUOTE_MINIMAL) if seed % 3 else ("\n", csv.QUOTE_ALL)
        writer = csv.writer(file, lineterminator=ends, quoting=quoting)
        writer.writerow(["text"])
        # A field that begins with a blank and a quote is quoted by it anyway, since it has a quote.
        writer.writerows([text.decode("latin-1")] for text in texts)
        write("in.csv", file.getvalue().encode("latin-1"))
        good(call(FUNCTIONS, TEXT, "in.csv:text", "-o", "out.npy"))
        assert np.load("out.npy").tolist() == [text.rstrip(b"\0") for text in texts]
        good(call(FUNCTIONS, TEXT, "out.npy", "-o", "out.csv"))
        with open("out.csv", encoding="latin-1", newline="") as file:
            assert list(csv.reader(file)) == [["return"]] + [[text.decode("latin-1")] for text in texts]
        good(call(FUNCTIONS, TEXT, "out.csv:return", "-o", "again.csv"))
        assert open("again.csv", "rb").read() == open("out.csv", "rb").read()


def test_what_is_read_is_what_Python_reads():
    """Random bytes as CSV: when a column is read, it has the rows and values that Python's csv finds; else the file is refused."""
    random = np.random.default_rng(4180)
    alphabet = [b",", b",", b'"', b'"', b"\n", b"\r\n", b"\r", b"a", b"1", b" ", b"\xe9", b'""', b'"a",', b"b,c\n", b"b,c\n"]
    read = refused = 0
    for case in range(300):
        text = b"".join(alphabet[i] for i in random.integers(0, len(alphabet), random.integers(1, 16)))
        if case % 2:  # Rows of two fields mostly, so that many are read.
            text = b"\n".join(b"x," + (b'"' + part.replace(b'"', b'""') + b'"' if case % 4 == 1 else part) for part in text.split(b"a"))
        write("t.csv", text)
        answer = call(FUNCTIONS, TEXT, "t.csv:1" if b"," in text else "t.csv", "--no-header", "-o", "out.npy")
        if answer.code == 2:
            refused += 1
            continue
        good(answer)
        rows = [row for row in csv.reader(io.StringIO(text.decode("latin-1"), newline=""), strict=True) if row]
        wanted = [row[0].encode("latin-1") for row in rows]
        assert len({len(row) for row in rows}) <= 1, f"{text}: rows that differ were read"
        assert np.load("out.npy").tolist() == [value.rstrip(b"\0") for value in wanted], f"{text}: {np.load('out.npy')}, not {wanted}"
        read += 1
    assert read > 60 and refused > 60, (read, refused)


def test_random_numbers_go_through_text_as_they_are():
    for seed, (dtype, ctype) in enumerate((("float64", "double"), ("float32", "float"), ("int64", "int64_t"), ("uint64", "uint64_t"), ("int8", "int8_t"))):
        raw = np.random.default_rng(seed).bytes(8 * 3000)
        array = np.frombuffer(raw, dtype)
        np.save("in.npy", array)
        prototype = f"{ctype} same_{dtype}({ctype})"
        good(call(FUNCTIONS, prototype, "in.npy", "-o", "out.csv"))
        good(call(FUNCTIONS, prototype, "out.csv", "-o", "out.npy"))
        got = np.load("out.npy")
        if array.dtype.kind == "f":  # A text says of a number that is none only this.
            assert np.array_equal(np.isnan(got), np.isnan(array))
            got, array = got[~np.isnan(got)], array[~np.isnan(array)]
        assert got.tobytes() == array.tobytes(), dtype
        # Python's own shortest form, and its form with 17 digits.
        for form in (repr, lambda v: f"{v:.17g}"):
            words = "\n".join(form(v) if array.dtype.kind == "f" else str(v) for v in array.tolist())
            good(call(FUNCTIONS, prototype, "-", "-o", "out.npy", stdin=words))
            assert np.load("out.npy").tobytes() == array.tobytes(), dtype


def test_a_failed_call_is_a_row_of_its_own_in_csv():
    says(call(FUNCTIONS, "int crash_on(int x, int y)", "-", "2", "-o", "out.csv", stdin="1\n2\n3\n"), 1)
    assert open("out.csv").read() == 'return\n2\n""\n6\n'
    says(call("libc.so.6", "int abs(int)", "out.csv:return"), 2, "out.csv, line 3, column 1", "empty")


def test_one_file_for_several_inputs_is_read_once():
    os.mkfifo("t.csv")
    feeder = subprocess.Popen(["sh", "-c", "printf 'x,y\\n2,3\\n3,2\\n' > t.csv"])
    assert good(call(LIBM, "double pow(double, double)", "t.csv:x", "t.csv:y")).out == "8.0\n9.0\n"
    feeder.wait()
    os.symlink("t.csv", "other.csv")
    feeder = subprocess.Popen(["sh", "-c", "printf 'x,y\\n2,3\\n3,2\\n' > t.csv"])
    assert good(call(LIBM, "double pow(double, double)", "t.csv:x", "other.csv:y")).out == "8.0\n9.0\n"
    feeder.wait()
    os.symlink("/dev/stdin", "in.csv")
    assert good(call(LIBM, "double pow(double, double)", "in.csv:x", "in.csv:y", stdin="x,y\n2,3\n")).out == "8.0\n"


def test_long_lines_and_texts():
    for length in (16_384, 1_000_000, 40_000_000):
        write("t.csv", b"x,y\n" + b"a" * length + b",1\n")
        assert good(call(FUNCTIONS, LENGTH, "t.csv:x")).out == f"{length}\n"
        assert good(call(LIBM, SQRT, "t.csv:y")).out == "1.0\n"
        assert good(call(FUNCTIONS, LENGTH, "-", stdin=b"a" * length)).out == f"{length}\n"
        write("t.csv", b"x\n" + b"1" * length + b"\n")
        assert len(says(call(LIBM, SQRT, "t.csv:x"), 2, "line 2, column 1", "too large").err) < 500


def test_cast_refuses_what_cannot_be_held():
    def cast(value, dtype, target, ctype, *words):
        np.save("x.npy", np.array([0, value], dtype))
        return call(FUNCTIONS, f"{ctype} same_{target}({ctype})", "x.npy", "--cast", *words)

    for value, dtype, target, ctype in (
        (1e300, "f8", "float32", "float"), (-1e300, "f8", "float32", "float"), (1e-300, "f8", "float32", "float"),
        (np.longdouble("1e400"), "g", "float64", "double"), (np.longdouble("1e-400"), "g", "float64", "double"),
        (2**53 + 1, "i8", "float64", "double"), (2**24 + 1, "i4", "float32", "float"), (2**64 - 1, "u8", "float64", "double"),
        (-1, "i1", "uint64", "uint64_t"), (-1.0, "f8", "uint8", "uint8_t"), (256, "i2", "uint8", "uint8_t"), (2**63, "u8", "int64", "int64_t"),
        (2.0**63, "f8", "int64", "int64_t"), (2.0**64, "f8", "uint64", "uint64_t"), (np.inf, "f8", "int32", "int32_t"), (np.nan, "f4", "int32", "int32_t"),
        (128.0, "f4", "int8", "int8_t"), (-129.0, "f4", "int8", "int8_t"),
    ):  # fmt: skip
        says(cast(value, dtype, target, ctype), 2, "x.npy, row 1", "does not fit")
    for value, dtype, target, ctype in (
        (0.1, "f8", "float32", "float"), (np.inf, "f8", "float32", "float"), (np.nan, "f8", "float32", "float"), (2**53, "i8", "float64", "double"),
        (2**63, "u8", "float64", "double"), (-0.9, "f8", "uint8", "uint8_t"), (255.9, "f8", "uint8", "uint8_t"), (-(2.0**63), "f8", "int64", "int64_t"),
        (1e-40, "f8", "float32", "float"), (True, "?", "float64", "double"), (0.5, "f8", "bool", "_Bool"), (-7, "i1", "int64", "int64_t"), (2**64 - 1, "u8", "longdouble", "long double"),
    ):  # fmt: skip
        good(cast(value, dtype, target, ctype, "-o", "out.npy"))
        with np.errstate(all="ignore"):
            wanted = np.array([0, value], dtype).astype(target)
        assert np.array_equal(np.load("out.npy"), wanted, equal_nan=target != "bool"), (value, dtype, target, np.load("out.npy"))


if __name__ == "__main__":
    run_all(globals())
