"""What the command line does when things go wrong, and what is around it: exit codes, failed calls, doctor, completions, the manual."""

import json
import os
import pty
import re
import resource
import shutil
import signal
import subprocess
import time

import numpy as np
from tool import FUNCTIONS, PATIENCE, PROGRAM, ROOT, call, good, run, run_all, says

LIBM = "libm.so.6"
SQRT = "double sqrt(double)"
CRASH = "int crash_on(int x, int y)"


def save(name, array):
    np.save(name, array)
    return name


# ---- Exit codes and messages. ----


def test_wrong_usage_is_64():
    says(run("map"), 64, "--library")
    says(run("map", "-l", LIBM), 64, "prototype")
    says(call(LIBM, SQRT, "1", "--wrokers", "2"), 64, "--wrokers")
    says(call(LIBM, SQRT, "1", "--workers", "many"), 64, "many")
    says(call(LIBM, SQRT, "1", "--workers", "2000"), 64, "1024")
    says(call(LIBM, SQRT, "1", "--timeout", "0"), 64, "--timeout")
    says(call(LIBM, SQRT, "1", "--timeout", "nan"), 64, "--timeout")
    says(call(LIBM, SQRT, "1", "--attempts", "0"), 64, "--attempts")
    says(call(LIBM, SQRT, "1", "-o", "x.txt"), 64, "x.txt")
    says(call(LIBM, SQRT, "1", "--fail-value", "seven"), 64, "seven", "float64")
    says(call(LIBM, SQRT), 64, "1 inputs", "double", "0 were given")
    says(call(LIBM, SQRT, "1", "2"), 64, "2 were given")
    says(call(LIBM, "double pow(double, double)", "-", "-"), 64, "once")
    says(call(LIBM, SQRT, "-", "1"), 64)
    says(call(LIBM, "double frexp(double x, int *e[1])", "1", "-o", "x.npy"), 64, "2 outputs", "return, e")
    says(call(LIBM, SQRT, save("x.npy", np.ones(3)), "--count", "4"), 64, "3 rows")


def test_a_wrong_prototype_or_type_is_65():
    says(call(LIBM, "double sqrt(dubble)", "1"), 65, "column 13", "dubble")
    says(call(LIBM, "double sqrt(void *p)", "1"), 65)
    says(run("types", "double sqrt("), 65, "column")
    says(call(LIBM, SQRT, save("x.npy", np.ones(3, np.float32))), 65, "x.npy", "float32", "double")
    says(call(LIBM, SQRT, save("x.npy", np.ones((3, 2)))), 65, "rows of 2")
    says(call(FUNCTIONS, "double norm(const double *v[3])", save("x.npy", np.ones((3, 2)))), 65, "rows of 2", "3 elements")
    says(call(FUNCTIONS, "double norm(const double *v[3])", "1,2"), 65)
    says(call(LIBM, SQRT, save("x.npy", np.array(["a"]))), 65, "texts")
    says(call(FUNCTIONS, "int length(const char *text)", save("x.npy", np.ones(2))), 65, "float64")
    says(call(LIBM, SQRT, save("x.npy", np.ones(2, complex)), "--cast"), 65, "complex128")
    says(call(FUNCTIONS, "struct p {double x, y;}; double reach(struct p a)", "1"), 65, "structure")


def test_bad_data_is_2():
    says(call(LIBM, SQRT, "none.npy"), 2, "none.npy", "No such file")
    says(call(LIBM, SQRT, "none.csv:x"), 2, "none.csv", "No such file")
    says(call(LIBM, SQRT, "four"), 2, "'four'", "float64")
    says(call("libc.so.6", "int abs(int)", "1.5"), 2, "1.5", "int32")
    says(call(FUNCTIONS, "int8_t same_int8(int8_t x)", "128"), 2, "128", "int8")
    says(call(LIBM, SQRT, "-", stdin="1\n2 3\n"), 2, "line 2", "2 words")
    says(call(LIBM, SQRT, "-", stdin="1\n\nx\n"), 2, "line 3", "'x'")
    says(call(LIBM, "double pow(double, double)", save("a.npy", np.ones(3)), save("b.npy", np.ones(4))), 2, "3 rows", "4")
    with open("t.csv", "w") as file:
        file.write('x,y\n1,2\n3\n"4\n')
    says(call(LIBM, SQRT, "t.csv:z"), 2, "'z'", "x, y")
    says(call(LIBM, SQRT, "t.csv:3"), 2, "'3'")
    says(call(LIBM, SQRT, "t.csv"), 2, "2 columns")
    says(call(LIBM, SQRT, "t.csv:y"), 2, "line 3", "1 fields")
    with open("t.csv", "w") as file:
        file.write('x,y\n1,2\n3,4\n5,"6\n')
    says(call(LIBM, SQRT, "t.csv:x"), 2, "line 4, column 2", "quoted")


def test_npy_files_that_are_not_read_say_why():
    says(call(LIBM, SQRT, save("x.npy", np.ones(3, ">f8"))), 2, "big-endian")
    says(call(LIBM, SQRT, save("x.npy", np.ones(3, np.float16))), 2, "float16")
    says(call(LIBM, SQRT, save("x.npy", np.zeros(3, [("a", "f8")]))), 2, "structured")
    says(call(LIBM, SQRT, save("x.npy", np.asfortranarray(np.ones((3, 2))))), 2, "Fortran")
    says(call(LIBM, SQRT, save("x.npy", np.ones((2, 2, 2)))), 2, "3 dimensions")
    says(call(LIBM, SQRT, save("x.npy", np.array(5.0))), 2, "0 dimensions")
    says(call(LIBM, SQRT, save("x.npy", np.array([None]))), 2)
    with open("x.npy", "w") as file:
        file.write("1 2 3 and so on")
    says(call(LIBM, SQRT, "x.npy"), 2, "no .npy file")


def test_broken_npy_files_are_refused_or_read_and_never_crash():
    save("x.npy", np.arange(20.0))
    with open("x.npy", "rb") as file:
        whole = file.read()
    random = np.random.default_rng(11)
    for length in [0, 5, 6, 9, 10, 11, 60, 127, 128, len(whole) - 1]:
        with open("cut.npy", "wb") as file:
            file.write(whole[:length])
        says(call(LIBM, SQRT, "cut.npy"), 2, "cut.npy")
    for _ in range(120):
        broken = bytearray(whole)
        for place in random.integers(0, 90, random.integers(1, 5)):
            broken[place] = random.integers(0, 256)
        with open("broken.npy", "wb") as file:
            file.write(broken)
        answer = call(LIBM, SQRT, "broken.npy", "-o", "none")
        assert answer.code in (0, 2, 65), f"{bytes(broken[:90])}\n{answer}"
    for dtype, shape in {"<f8": "4611686018427387904, 9", "<U4611686018427387905": "1,", "|S0": "4611686018427387904,", "<f8 ": "1,",
                         "<f-8": "1,", "<f99999999999999999999": "1,", "": "1,", "<": "1,", "<é": "1,"}.items():  # fmt: skip
        header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({shape}), }}\n".encode()
        with open("odd.npy", "wb") as file:
            file.write(b"\x93NUMPY\x01\x00" + bytes([len(header), 0]) + header + bytes(4))
        says(call(LIBM, SQRT, "odd.npy"), 2, "odd.npy")
    says(call(FUNCTIONS, "long sum(const long *v [n], size_t n)", save("x.npy", np.ones((3, 0), int)), "3"), 65, "no elements")


def test_broken_text_files_are_refused_or_read_and_never_crash():
    random = np.random.default_rng(12)
    alphabet = [b",", b'"', b"\n", b"\r", b"1", b".5", b" ", b"x", b"\xff", b"\0", b"-", b"#", b"\xef\xbb\xbf"]
    for _ in range(80):
        text = b"".join(alphabet[i] for i in random.integers(0, len(alphabet), random.integers(0, 30)))
        with open("t.csv", "wb") as file:
            file.write(text)
        for answer in (call(LIBM, SQRT, "t.csv:1"), call(LIBM, SQRT, "-", stdin=text), call(FUNCTIONS, "int length(const char *s)", "t.csv")):
            assert answer.code in (0, 2), f"{text}\n{answer}"


def test_what_is_not_found_is_69():
    says(call("libnone.so", SQRT, "1"), 69, "libnone.so", "No such file")
    says(call(LIBM, "double squareroot(double)", "1"), 69, "squareroot", "undefined symbol")
    assert good(call(LIBM, "double squareroot(double)", "4", "--symbol", "sqrt")).out == "2.0\n"


def test_what_cannot_be_written_is_73():
    says(call(LIBM, SQRT, "1", "-o", "nowhere/out.npy"), 73, "nowhere/out.npy")
    says(call(LIBM, SQRT, "1", "-o", "nowhere/out.csv"), 73, "nowhere/out.csv")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([PROGRAM, "map", "-l", LIBM, SQRT, "4"], stdout=full, stderr=subprocess.PIPE, timeout=PATIENCE)
    assert done.returncode == 73, done


def test_a_pool_that_cannot_start_is_70():
    tree = shutil.copytree(os.path.join(ROOT, "dist"), "tree", symlinks=True)
    os.remove("tree/libexec/mapengine-zygote")
    says(call(LIBM, SQRT, "4", program="tree/bin/mapengine"), 70, "zygote")
    answer = run("doctor", program=os.path.join(tree, "bin/mapengine"))
    assert answer.code == 1 and re.search(r"^fail +pool by EXEC", answer.out, re.M), answer


# ---- Calls that go wrong. ----


def test_a_crash_costs_its_row():
    save("x.npy", np.arange(100, dtype=np.int32))
    answer = call(FUNCTIONS, CRASH, "x.npy", "42", "-o", "out.npy", "--failures", "bad.csv", "--report")
    says(answer, 1, "row 42: crashed", "SIGABRT", "1 of 100 calls", "1 crashed", "99 ok")
    wanted = np.arange(100) * 2
    wanted[42] = 0
    assert np.array_equal(np.load("out.npy"), wanted)
    with open("bad.csv") as file:
        lines = file.read().splitlines()
    assert lines[0] == "row,state,cause,code,attempts,message" and lines[1].startswith("42,crashed,4,6,1,"), lines


def test_what_stands_for_a_failed_call():
    words = (FUNCTIONS, CRASH, "-", "2")
    assert says(call(*words, stdin="1\n2\n3\n"), 1).out == "2\nnan\n6\n"
    assert says(call(*words, "--fail-value", "-1", stdin="1\n2\n3\n"), 1).out == "2\n-1\n6\n"
    says(call(*words, "-o", "out.csv", stdin="1\n2\n3\n"), 1)
    with open("out.csv") as file:
        assert file.read() == 'return\n2\n""\n6\n'
    save("x.npy", np.array([1.0, -1.0]))
    says(call(FUNCTIONS, "double hang_on_negative(double)", "x.npy", "--timeout", "0.2", "-o", "out.npy"), 1, "timed out")
    assert np.array_equal(np.load("out.npy"), [1, np.nan], equal_nan=True)


def test_attempts():
    once = "int crash_once(const char *path)"
    says(call(FUNCTIONS, once, os.path.abspath("marker1")), 1, "crashed")
    assert good(call(FUNCTIONS, once, os.path.abspath("marker2"), "--attempts", "2")).out == "7\n"
    says(call(FUNCTIONS, CRASH, "1", "1", "--attempts", "3", "--failures", "bad.csv"), 1)
    with open("bad.csv") as file:
        assert ",3," in file.read()


def test_exits_and_many_failures():
    answer = says(call(FUNCTIONS, "int leave(int)", "-", stdin="0\n3\n"), 1, "row 1: crashed", "3")
    assert answer.out == "0\nnan\n"
    answer = says(call(FUNCTIONS, CRASH, "-", "1", stdin="1\n" * 8), 1, "8 of 8", "and 3 more")
    answer = says(call(FUNCTIONS, CRASH, "-", "1", "--quiet", stdin="1\n" * 8), 1, "8 of 8")
    assert "row" not in answer.err


def test_a_deadline_is_75():
    says(call("libc.so.6", "unsigned sleep(unsigned)", "100", "--deadline", "0.3"), 75, "deadline")


def interrupt(number, code):
    # Its answer goes to a file of its own, so that a worker left behind would not keep a pipe open.
    program = subprocess.Popen(
        [PROGRAM, "map", "-l", FUNCTIONS, "double hang_on_negative(double)", "-1", "-o", "out.npy", "--workers", "1"],
        stderr=subprocess.PIPE,
    )
    # It catches signals before anything else; workers are there when the zygote has a child.
    deadline = time.monotonic() + PATIENCE
    while not workers_of(program.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    workers = workers_of(program.pid)
    assert workers, "no worker has begun"
    program.send_signal(number)
    err = program.communicate(timeout=PATIENCE)[1].decode()
    assert program.returncode == code, (program.returncode, err)
    assert "interrupted" in err and os.listdir(".") == [], (err, os.listdir("."))
    while any(os.path.exists(f"/proc/{pid}") for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(os.path.exists(f"/proc/{pid}") for pid in workers), "a worker is left"


def children(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task") if os.path.exists(f"/proc/{pid}/task") else []:
        try:
            with open(f"/proc/{pid}/task/{task}/children") as file:
                found += [int(word) for word in file.read().split()]
        except OSError:
            pass
    return found


def workers_of(pid):
    return [worker for zygote in children(pid) for worker in children(zygote)]


def test_control_C_ends_it_cleanly_with_130():
    interrupt(signal.SIGINT, 130)


def test_SIGTERM_ends_it_cleanly_with_143():
    interrupt(signal.SIGTERM, 143)


def test_what_functions_print_is_no_result():
    for _ in range(30):  # What a call prints last is not lost when all is done before it was read.
        answer = good(call(FUNCTIONS, "int shout(int)", "5"))
        assert answer.out == "5\n" and "shouted 5" in answer.err, answer
    stdin = "".join(f"{i}\n" for i in range(60_000))
    answer = good(call(FUNCTIONS, "int shout(int)", "-", "-o", "none", stdin=stdin))
    lost = sum(int(n) for n in re.findall(r"^mapengine: (\d+) bytes .* lost", answer.err, re.M))
    printed = sum(len(line) + 1 for line in answer.err.splitlines() if not line.startswith("mapengine:"))
    assert printed + lost == sum(len(f"shouted {i}\n") for i in range(60_000)), (printed, lost)


def test_a_file_that_is_there_stays_when_the_run_fails():
    with open("out.npy", "w") as file:
        file.write("before")
    says(call(LIBM, "double none(double)", "1", "-o", "out.npy"), 69)
    with open("out.npy") as file:
        assert file.read() == "before"
    good(call(LIBM, SQRT, "9", "-o", "out.npy"))
    assert np.load("out.npy").tolist() == [3.0] and os.listdir(".") == ["out.npy"]


def test_a_link_that_is_written_to_stays():
    with open("real.npy", "w") as file:
        file.write("before")
    os.symlink("real.npy", "link.npy")
    good(call(LIBM, SQRT, "9", "-o", "link.npy"))
    assert os.path.islink("link.npy") and np.load("real.npy").tolist() == [3.0]


def test_an_input_can_be_its_own_output():
    good(call(LIBM, SQRT, save("x.npy", np.array([4.0, 9.0])), "-o", "x.npy"))
    assert np.load("x.npy").tolist() == [2.0, 3.0]


# ---- What is around it. ----


def test_workers_chunk_and_report():
    save("x.npy", np.arange(1000.0))
    answer = good(call(LIBM, SQRT, "x.npy", "-o", "none", "--workers", "3", "--chunk", "10", "--report"))
    rows = re.findall(r"^ +(\d+) +(\d+) +(\d+) +[\d.]+% +(\d+)$", answer.err, re.M)
    assert [row[0] for row in rows] == ["0", "1", "2"] and sum(int(row[2]) for row in rows) == 1000, answer
    assert "1000 ok" in answer.err and "calls/s" in answer.err


def on_terminal(*words):
    """What a run writes to a terminal that is its standard error."""
    master, slave = pty.openpty()
    program = subprocess.Popen([PROGRAM, *words], stdout=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    seen = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:
            break
        if not part:
            break
        seen += part
    os.close(master)
    assert program.wait(PATIENCE) == 0, seen
    return seen.decode()


def test_a_progress_bar_on_a_terminal_only():
    sleeps = ("map", "-l", "libc.so.6", "int usleep(unsigned)", "300000", "--count", "4", "--workers", "2")
    seen = on_terminal(*sleeps)
    assert "%" in seen and "/4" in seen and seen.endswith("\r\x1b[K"), repr(seen)
    assert on_terminal(*sleeps, "--quiet") == ""
    assert good(run(*sleeps)).err == ""


def test_types_tells_inputs_and_outputs():
    out = good(run("types", "int sum(const double *v [n], size_t n, double *mean [1])", "--errno")).out.splitlines()
    assert out == [
        "input 1: v: const double * [n]: float64", "input 2: n: size_t: uint64", "output 1: return: int: int32",
        "output 2: mean: double * [1]: float64", "output 3: errno: int: int32",
    ], out  # fmt: skip


def test_doctor():
    answer = run("doctor")
    lines = answer.out.splitlines()
    checks = [line for line in lines if re.match(r"(ok|warn|fail) +\S", line)]
    assert answer.code == 0 and not any(line.startswith("fail") for line in checks), answer
    names = "kernel memfd pidfd futex membarrier huge /proc ptrace seccomp Landlock descriptors processes address file locked cores"
    for name in names.split() + ["cgroup CPU quota", "cgroup memory", "library", "pool by EXEC", "pool by FORK"]:
        assert any(re.match(rf"(ok|warn) +{re.escape(name)}", line) for line in checks), f"{name}\n{answer}"
    assert lines[-1] == f"{len(checks)} checks: 0 failed, {sum(c.startswith('warn') for c in checks)} warnings", answer


def test_doctor_on_a_machine_that_has_too_little():
    def few_descriptors():
        resource.setrlimit(resource.RLIMIT_NOFILE, (6, 6))

    answer = run("doctor", preexec_fn=few_descriptors)
    assert answer.code == 1, answer
    assert re.search(r"^warn +descriptors +at most 6\n +.*ulimit -n", answer.out, re.M), answer
    assert re.search(r"^fail +pool by EXEC", answer.out, re.M), answer
    quiet = run("doctor", "--quiet", preexec_fn=few_descriptors)
    assert "\nok " not in "\n" + quiet.out and "descriptors" in quiet.out, quiet


def options(command, path=()):
    """Every option of every subcommand, from the program's own description of itself."""
    for argument in command.get("arguments", []):
        for name in argument.get("names") or []:
            if argument.get("shouldDisplay", True):
                yield path, ("--" if name["kind"] == "long" else "-") + name["name"]
    for sub in command.get("subcommands", []):
        yield from options(sub, (*path, sub["commandName"]))


def test_the_manual_page_and_the_guide_name_every_option():
    described = json.loads(good(run("--experimental-dump-help")).out)["command"]
    found = {name for _, name in options(described) if name.startswith("--")}
    assert {"--library", "--workers", "--timeout", "--report"} <= found, found
    with open(os.path.join(ROOT, "dist/share/man/man1/mapengine.1")) as file:
        page = file.read()
    with open(os.path.join(ROOT, "docs/command-line.md")) as file:
        guide = file.read()
    for name in found - {"--help", "--version"}:
        assert re.search(rf"(Fl|,) {name[1:]}\b", page), f"{name} is not in the manual page"
        assert name in guide, f"{name} is not in docs/command-line.md"


def test_the_guides_examples_give_what_stands_there():
    with open(os.path.join(ROOT, "docs/command-line.md")) as file:
        block = "".join(re.findall(r"```console\n(.*?)```", file.read(), re.S))
    save("a.npy", np.arange(1.0, 4.0))
    with open("table.csv", "w") as file:
        file.write("name,height\na,1\nb,2\nc,3\n")
    path = os.path.join(ROOT, "dist/bin") + ":" + os.environ["PATH"]
    examples = re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", block, re.M)
    assert len(examples) == 8, block
    for command, output in examples:
        done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=PATIENCE, env={**os.environ, "PATH": path})
        # What an example refuses is told on standard error, with the exit code of bad data.
        refused = output.startswith("mapengine: ")
        assert done.returncode == (2 if refused else 0), (command, done)
        assert (done.stderr if refused else done.stdout).decode() == output, (command, done)
    assert np.load("out.npy").tolist() == [1.0, 4.0, 27.0]


def test_the_manual_page_has_no_warnings():
    page = os.path.join(ROOT, "dist/share/man/man1/mapengine.1")
    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], capture_output=True, timeout=PATIENCE)
    assert done.returncode == 0 and done.stdout == b"", done
    text = subprocess.run(["mandoc", "-Tutf8", page], capture_output=True, timeout=PATIENCE).stdout
    assert b"EXIT STATUS" in re.sub(b".\b", b"", text)


def test_completions():
    share = os.path.join(ROOT, "dist/share")
    script = os.path.join(share, "bash-completion/completions/mapengine")
    # What bash offers behind `mapengine ` and `mapengine map --w`.
    ask = """source "$1"; name=$(complete -p mapengine | sed -nE 's/.*-F ([^ ]+) .*/\\1/p')
    offer() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMPREPLY=()
              "$name" mapengine "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}" 2>/dev/null; echo "${COMPREPLY[*]}"; }
    offer mapengine ""; offer mapengine map --w"""
    done = subprocess.run(["bash", "-c", ask, "bash", script], capture_output=True, timeout=PATIENCE)
    first, second = done.stdout.decode().splitlines()[:2]
    assert {"map", "types", "doctor"} <= set(first.split()), done
    assert second.split() == ["--workers"], done
    for path in ("zsh/site-functions/_mapengine", "fish/vendor_completions.d/mapengine.fish"):
        with open(os.path.join(share, path)) as file:
            text = file.read()
        assert "doctor" in text and "workers" in text, path


def test_the_installed_tree_works_anywhere_and_without_an_environment():
    shutil.copytree(os.path.join(ROOT, "dist"), "else where", symlinks=True)
    answer = call(LIBM, SQRT, "16", program="else where/bin/mapengine", env={}, cwd=os.getcwd())
    assert good(answer).out == "4.0\n"
    linked = subprocess.run(["ldd", "else where/bin/mapengine"], capture_output=True, timeout=PATIENCE).stdout.decode()
    assert "swift" not in linked and "stdc++" not in linked and "Foundation" not in linked, linked
    assert "else where" in linked and "not found" not in linked, linked


if __name__ == "__main__":
    run_all(globals())
