"""Outputs: whole or as they were, with the mode, owner and links they had; signals; what cannot be written is an error."""

import os
import resource
import signal
import stat
import subprocess
import time

import numpy as np
from tool import FUNCTIONS, PATIENCE, PROGRAM, ROOT, call, good, run, run_all, says, write

LIBM = "libm.so.6"
SQRT = "double sqrt(double)"
FREXP = "double frexp(double x, int *e[1])"
CRASH = "int crash_on(int x, int y)"
IS_ROOT = os.geteuid() == 0
NOBODY = 65534


def as_nobody(folder="."):
    """For subprocess: a user without rights, where the tests run as root."""
    if not IS_ROOT:
        return {}
    os.chmod(folder, 0o777)
    parent = os.path.abspath(folder)
    while parent != "/":
        os.chmod(parent, os.stat(parent).st_mode | 0o055)
        parent = os.path.dirname(parent)
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []}


def saved(path="out.csv"):
    with open(path) as file:
        return file.read()


def test_an_existing_output_keeps_its_mode_and_owner():
    for mode in (0o600, 0o640, 0o666, 0o755, 0o4711):
        write("out.csv", "before")
        os.chmod("out.csv", mode)
        if IS_ROOT:
            os.chown("out.csv", NOBODY, NOBODY - 1)
            os.chmod("out.csv", mode)
        good(call(LIBM, SQRT, "9", "-o", "out.csv"))
        state = os.stat("out.csv")
        assert saved() == "return\n3.0\n" and stat.S_IMODE(state.st_mode) == mode, oct(state.st_mode)
        assert not IS_ROOT or (state.st_uid, state.st_gid) == (NOBODY, NOBODY - 1), state
    os.umask(0o027)
    try:
        good(call(LIBM, SQRT, "9", "-o", "new.csv"))
    finally:
        os.umask(0o022)
    assert stat.S_IMODE(os.stat("new.csv").st_mode) == 0o640 and sorted(os.listdir(".")) == ["new.csv", "out.csv"]


def test_an_existing_output_keeps_its_names_and_attributes():
    write("out.csv", "before, and longer than what comes")
    os.link("out.csv", "other.csv")
    good(call(LIBM, SQRT, "9", "-o", "out.csv"))
    assert saved() == saved("other.csv") == "return\n3.0\n" and os.stat("out.csv").st_nlink == 2
    write("alone.npy", "before")
    try:
        os.setxattr("alone.npy", "user.origin", b"here")
        has = True
    except OSError:  # Some file systems have none.
        has = False
    good(call(LIBM, SQRT, "9", "-o", "alone.npy"))
    assert not has or os.getxattr("alone.npy", "user.origin") == b"here"
    assert np.load("alone.npy").tolist() == [3.0] and sorted(os.listdir(".")) == ["alone.npy", "other.csv", "out.csv"]


def test_an_input_with_several_names_can_be_its_own_output():
    np.save("x.npy", np.arange(100_000.0))
    os.link("x.npy", "y.npy")
    good(call(LIBM, SQRT, "x.npy", "-o", "y.npy"))
    assert np.array_equal(np.load("x.npy"), np.sqrt(np.arange(100_000.0)))


def test_another_users_file_in_a_folder_of_another_user_is_written_in_place():
    os.mkdir("closed")
    write("closed/out.csv", "before, and longer than what comes")
    os.chmod("closed/out.csv", 0o666)
    user = as_nobody()
    os.chmod("closed", 0o555)
    try:
        good(call(LIBM, SQRT, "9", "-o", "closed/out.csv", **user))
        assert saved("closed/out.csv") == "return\n3.0\n" and os.listdir("closed") == ["out.csv"]
        says(call(LIBM, SQRT, "9", "-o", "closed/new.csv", **user), 73, "closed/new.csv", "ermission denied")
    finally:
        os.chmod("closed", 0o755)
    # One that may be replaced, but is another's: it stays the other's.
    if IS_ROOT:
        write("theirs.csv", "before")
        os.chmod("theirs.csv", 0o666)
        good(call(LIBM, SQRT, "9", "-o", "theirs.csv", **user))
        assert os.stat("theirs.csv").st_uid == 0 and saved("theirs.csv") == "return\n3.0\n"


def test_a_file_that_may_not_be_written_is_not_replaced():
    write("out.csv", "before")
    if IS_ROOT:
        os.chown("out.csv", NOBODY, NOBODY)
    os.chmod("out.csv", 0o444)
    says(call(LIBM, SQRT, "9", "-o", "out.csv", **as_nobody()), 73, "out.csv", "ermission denied")
    assert saved() == "before"


def test_links_are_followed_also_those_that_lead_nowhere_yet():
    os.mkdir("d")
    for target, link in (("real.csv", "link.csv"), ("d/deep.csv", "into.csv"), ("../up.csv", "d/out.csv"), (os.path.abspath("abs.csv"), "d/abs.csv"), ("link2.csv", "link1.csv")):
        os.symlink(target, link)
        for _ in range(2):  # The first run makes the file, the second replaces it.
            good(call(LIBM, SQRT, "9", "-o", link))
            assert os.path.islink(link) and saved(os.path.join(os.path.dirname(link), target)) == "return\n3.0\n", link
    os.symlink("loop.csv", "loop.csv")
    says(call(LIBM, SQRT, "9", "-o", "loop.csv"), 73, "loop.csv")
    os.symlink("d", "folder.csv")
    says(call(LIBM, SQRT, "9", "-o", "folder.csv"), 73, "folder.csv", "irectory")
    assert not [name for name in os.listdir(".") + os.listdir("d") if "part" in name]


def test_a_link_to_standard_output_goes_on_where_that_is():
    os.symlink("/dev/stdout", "link.csv")
    os.symlink("/proc/self/fd/2", "error.csv")
    for redirection in ("> all.txt", ">> all.txt", "| cat > all.txt"):
        write("all.txt", "")
        command = f"{{ echo before; {PROGRAM} map -l {LIBM} '{SQRT}' 9 -o link.csv; echo after; }} {redirection}"
        subprocess.run(["bash", "-c", command], check=True, timeout=PATIENCE)
        assert saved("all.txt") == "before\nreturn\n3.0\nafter\n", (redirection, saved("all.txt"))
    subprocess.run(["bash", "-c", f"{PROGRAM} map -l {LIBM} '{SQRT}' 9 -o error.csv 2> all.txt"], check=True, timeout=PATIENCE)
    assert saved("all.txt") == "return\n3.0\n"


def test_long_names():
    for length in (250, 255):
        name = "n" * (length - 4) + ".csv"
        for _ in range(2):
            good(call(LIBM, SQRT, "9", "-o", name))
            assert saved(name) == "return\n3.0\n" and os.listdir(".") == [name]
        os.remove(name)
    says(call(LIBM, SQRT, "9", "-o", "n" * 252 + ".csv"), 73, "name too long")


def test_two_outputs_to_one_file_are_refused():
    os.mkdir("d")
    os.symlink("a.csv", "link.csv")
    os.symlink(".", "here")
    for first, second in (("a.csv", "a.csv"), ("a.csv", "./a.csv"), ("a.csv", "d/../a.csv"), ("a.csv", "link.csv"), ("a.csv", "here/a.csv"), ("-", "-")):
        for _ in range(2):  # Once while it is not there, once while it is.
            says(call(LIBM, FREXP, "9", "-o", first, "-o", second), 64, "same")
            if first == "-":
                break
            write("a.csv", "before")
        assert not os.path.exists("a.csv") or saved("a.csv") == "before"
        if os.path.exists("a.csv"):
            os.remove("a.csv")
    write("a.npy", "x")
    os.link("a.npy", "b.npy")
    says(call(LIBM, FREXP, "9", "-o", "a.npy", "-o", "b.npy"), 64, "same")
    os.symlink("/dev/stdout", "out1.csv")
    os.symlink("/dev/stdout", "out2.csv")
    says(call(LIBM, FREXP, "9", "-o", "out1.csv", "-o", "out2.csv"), 64, "same")
    says(call(LIBM, FREXP, "9", "-o", "out1.csv", "-o", "-"), 64, "same")
    says(call(LIBM, SQRT, "9", "-o", "a.csv", "--failures", "link.csv"), 64, "same")
    with open("a.csv", "wb") as file:
        done = subprocess.run([PROGRAM, "map", "-l", LIBM, FREXP, "9", "-o", "a.csv", "-o", "-"], stdout=file, stderr=subprocess.PIPE, timeout=PATIENCE)
    assert done.returncode == 64 and b"same" in done.stderr, done
    # What is thrown away can be thrown away twice.
    os.symlink("/dev/null", "null.csv")
    good(call(LIBM, FREXP, "9", "-o", "null.csv", "-o", "null.csv"))
    assert good(call(LIBM, SQRT, "9", "-o", "out1.csv")).out == "return\n3.0\n"


def test_an_error_in_one_output_leaves_the_others_as_they_were():
    write("first.csv", "before")
    says(call(LIBM, FREXP, "9", "-o", "first.csv", "-o", "nowhere/second.csv"), 73, "nowhere/second.csv")
    assert saved("first.csv") == "before" and os.listdir(".") == ["first.csv"]
    # Before any call is made, so that nobody waits for nothing.
    started = call("libc.so.6", "unsigned sleep(unsigned)", "1000", "-o", "nowhere/out.npy")
    says(started, 73, "nowhere/out.npy")


def test_a_full_disk_leaves_what_was_there():
    """A file may have 12 MiB: numbers as they are in memory have a quarter of it, as text they have more."""
    words = (FUNCTIONS, "int8_t same_int8(int8_t)", "-100", "--count", "3000000")

    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (12 << 20, 12 << 20))

    good(call(*words, "-o", "out.npy", preexec_fn=small_files))
    os.remove("out.npy")
    for is_there, links in ((True, False), (True, True), (False, False)):
        if is_there:
            write("out.csv", "before")
        if links:
            os.link("out.csv", "other")
        says(call(*words, "-o", "out.csv", preexec_fn=small_files), 73, "out.csv", "File too large")
        assert not is_there or saved() == "before"
        assert sorted(os.listdir(".")) == ["other"] * links + ["out.csv"] * is_there, os.listdir(".")
        for left in ("out.csv", "other"):
            if os.path.exists(left):
                os.remove(left)


def test_a_signal_at_any_moment_leaves_the_old_or_the_new():
    np.save("x.npy", np.arange(400_000.0))
    good(call(LIBM, SQRT, "x.npy", "-o", "whole.csv"))
    codes = set()
    for seed in range(14):
        write("out.csv", "before")
        program = subprocess.Popen([PROGRAM, "map", "-l", LIBM, SQRT, "x.npy", "-o", "out.csv"], stderr=subprocess.DEVNULL)
        # Mostly while it writes: the file beside it is there.
        deadline = time.monotonic() + PATIENCE
        while seed % 7 and program.poll() is None and len(os.listdir(".")) < 4 and time.monotonic() < deadline:
            pass
        time.sleep(0.005 * (seed % 7))
        program.send_signal([signal.SIGINT, signal.SIGTERM][seed % 2])
        code = program.wait(timeout=PATIENCE)
        codes.add(code)
        # Before it has looked at signals at all, they end it as any program.
        assert code in (0, 130, 143, -2, -15), code
        assert saved() == ("before" if code else saved("whole.csv")), code
        assert sorted(os.listdir(".")) == ["out.csv", "whole.csv", "x.npy"], os.listdir(".")
    assert codes & {130, 143}, codes


def test_what_cannot_be_written_to_is_73_everywhere():
    os.symlink("/dev/full", "full.csv")
    os.symlink("/dev/full", "full.npy")
    says(call(LIBM, SQRT, "4", "-o", "full.csv"), 73, "full.csv", "No space")
    says(call(LIBM, SQRT, "4", "-o", "full.npy"), 73, "full.npy", "No space")
    says(call(LIBM, SQRT, "4", "-o", "none", "--failures", "full.csv"), 73, "full.csv")
    for words in (["map", "-l", LIBM, SQRT, "4"], ["types", SQRT], ["--version"], ["--help"], ["map", "--help"], ["doctor"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([PROGRAM, *words], stdout=full, stderr=subprocess.PIPE, timeout=PATIENCE)
        assert done.returncode == 73 and b"standard output" in done.stderr, (words, done)
        done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", PROGRAM, *words], stderr=subprocess.PIPE, timeout=PATIENCE)
        assert done.returncode == 73, (words, done)


def test_closed_descriptors_are_nobodys():
    def closed(redirection, *words):
        return subprocess.run(["sh", "-c", f'exec "$@" {redirection}', "sh", PROGRAM, "map", "-l", LIBM, SQRT, *words], capture_output=True, timeout=PATIENCE)

    done = closed("<&-", "-")
    assert done.returncode == 2 and b"standard input" in done.stderr, done
    assert closed("<&-", "9").stdout == b"3.0\n" and closed("2>&-", "9").stdout == b"3.0\n"
    done = closed(">&- <&- 2>&-", "9", "-o", "out.csv")
    assert done.returncode == 0 and saved() == "return\n3.0\n", done
    done = closed("<&- >&-", "9")
    assert done.returncode == 73, done


def test_a_pipe_that_nobody_reads():
    command = f"{PROGRAM} map -l {LIBM} '{SQRT}' 4 --count 300000 | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=PATIENCE, restore_signals=True)
    assert done.stdout == b"2.0\n141\n", done
    done = subprocess.run(["bash", "-c", f"trap '' PIPE; {command}"], capture_output=True, timeout=PATIENCE, restore_signals=True)
    assert done.stdout == b"2.0\n73\n" and b"Broken pipe" in done.stderr, done


def test_outputs_into_fifos():
    os.mkfifo("out.csv")
    reader = subprocess.Popen(["cat", "out.csv"], stdout=subprocess.PIPE)
    good(call(LIBM, SQRT, "9", "-o", "out.csv"))
    assert reader.communicate(timeout=PATIENCE)[0] == b"return\n3.0\n" and stat.S_ISFIFO(os.stat("out.csv").st_mode)


# ---- What stands for failed calls. ----


def test_fail_values_count_for_texts():
    words = (FUNCTIONS, "void crash_text(char *out[16], int x)", "-")
    for value in ("none", "", "=x", "a,\"b", b"caf\xe9", "0123456789abcdef"):
        for out in ("out.csv", "out.npy"):
            says(call(*words, "--fail-value", value if value != "=x" else "==x", "-o", out, stdin="1\n2\n3\n"), 1)
        wanted = value if isinstance(value, bytes) else value.encode()
        assert np.load("out.npy").tolist() == [b"t1", wanted, b"t3"], value
        good(call(FUNCTIONS, "const char *[64] same_text(const char *text)", "out.csv:out", "-o", "again.npy"))
        assert np.load("again.npy").tolist() == [b"t1", wanted, b"t3"], value
    assert says(call(*words, "--fail-value", "none", stdin="1\n2\n3\n"), 1).out == "t1\nnone\nt3\n"
    says(call(*words, "--fail-value", "0123456789abcdefg", stdin="1\n2\n3\n"), 64, "17", "16")
    says(call(FUNCTIONS, "const char *[4] same_text(const char *text)", "a", "--fail-value", "long"), 64, "4")


def test_fail_values_are_in_failed_rows_alone():
    stdin = "1\n3\n2\n"
    good(call(FUNCTIONS, "void count_up(int *out [n], int n)", "-", "-o", "out.npy", "--fail-value", "9", stdin=stdin))
    assert np.load("out.npy").tolist() == [[1, 0, 0], [1, 2, 3], [1, 2, 0]]


# ---- Signals. ----


def ignored(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(next(line for line in file if line.startswith("SigIgn")).split()[1], 16)


def caught(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(next(line for line in file if line.startswith("SigCgt")).split()[1], 16)


def hanging(*words, ignoring=(), out="out.npy"):
    def ignore():
        for number in ignoring:
            signal.signal(number, signal.SIG_IGN)

    program = subprocess.Popen(
        [PROGRAM, "map", "-l", FUNCTIONS, "double hang_on_negative(double)", *words, "-o", out, "--workers", "1"],
        stderr=subprocess.PIPE, preexec_fn=ignore, restore_signals=True,
    )  # fmt: skip
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and program.poll() is None:
        bits = caught(program.pid) | ignored(program.pid)
        if all(bits >> (number - 1) & 1 for number in (signal.SIGINT, signal.SIGTERM)):
            return program
        time.sleep(0.02)
    raise AssertionError(f"it catches no signals: {program.communicate()}")


def test_ignored_signals_stay_ignored():
    every = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE)
    program = hanging("-1", "--deadline", "3", ignoring=every)
    for number in every:
        assert ignored(program.pid) >> (number - 1) & 1, number
        assert not caught(program.pid) >> (number - 1) & 1, number
        program.send_signal(number)
    err = program.communicate(timeout=PATIENCE)[1]
    assert program.returncode == 75, (program.returncode, err)
    # One that is not ignored still ends it.
    program = hanging("-1", ignoring=(signal.SIGINT, signal.SIGHUP))
    program.send_signal(signal.SIGINT)
    program.send_signal(signal.SIGTERM)
    program.communicate(timeout=PATIENCE)
    assert program.returncode == 143 and os.listdir(".") == ["out.npy"], (program.returncode, os.listdir("."))


def test_a_closed_terminal_ends_it_cleanly_with_129():
    program = hanging("-1")
    program.send_signal(signal.SIGHUP)
    err = program.communicate(timeout=PATIENCE)[1]
    assert program.returncode == 129 and b"interrupted" in err and os.listdir(".") == [], (program.returncode, err)


def test_a_signal_while_it_waits_for_a_pipe():
    os.mkfifo("in.csv")
    os.mkfifo("out.csv")
    for words in (["in.csv"], ["4", "-o", "out.csv"], ["-"]):
        program = subprocess.Popen([PROGRAM, "map", "-l", LIBM, SQRT, *words], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        # Once it sleeps in the call that opens or reads the pipe, and has done so for a while.
        deadline = time.monotonic() + PATIENCE
        seen = 0
        while seen < 5 and time.monotonic() < deadline:
            with open(f"/proc/{program.pid}/syscall") as file:
                number = file.read().split()[0]
            # open, openat and read on x86-64; openat and read on aarch64.
            waits = caught(program.pid) >> (signal.SIGINT - 1) & 1 and number in ("0", "2", "257", "56", "63")
            seen = seen + 1 if waits else 0
            time.sleep(0.02)
        assert seen == 5, words
        program.send_signal(signal.SIGINT)
        program.wait(timeout=PATIENCE)
        assert program.returncode == 130, (words, program.returncode, program.stderr.read())
        program.stdin.close()
        program.stderr.close()


# ---- Documentation. ----


def test_the_examples_of_help_and_the_manual_run():
    np.save("a.npy", np.arange(1.0, 4.0))
    write("table.csv", "name,height\na,1\nb,2\nc,3\n")
    write("x.csv", "1\n2\n3\n")
    write("f.c", "int f(int x) { return 2 * x; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "libours.so", "f.c"], check=True, timeout=PATIENCE)
    path = os.path.join(ROOT, "dist/bin") + ":" + os.environ["PATH"]
    examples = [line.strip() for line in good(run("map", "--help", env={**os.environ, "COLUMNS": "400"})).out.splitlines() if line.startswith("  mapengine map")]
    with open(os.path.join(ROOT, "dist/share/man/man1/mapengine.1")) as file:
        examples += [line[4:].strip() for line in file if line.startswith(".Dl ")]
    assert len(examples) >= 4, examples
    for command in examples:
        done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=PATIENCE, env={**os.environ, "PATH": path})
        assert done.returncode == 0, (command, done)
    assert np.load("out.npy").tolist() == [1.0, 4.0, 27.0] and saved("bad.csv") == "row,state,cause,code,attempts,message\n"


if __name__ == "__main__":
    run_all(globals())
