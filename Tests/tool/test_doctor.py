"""`mapengine doctor` where a filter denies system calls, as in a container."""

import ctypes
import errno
import platform
import re

from tool import good, run, run_all

# Number on x86-64, on aarch64, whether pools run without it.
CALLS = {
    "pidfd_open": (434, 434, False),
    "memfd_create": (319, 279, False),
    "signalfd4": (289, 74, False),
    "setpgid": (109, 154, False),
    "waitid": (247, 95, False),
    "membarrier": (324, 283, True),
    "prlimit64": (302, 261, True),
    "setpriority": (141, 140, True),
}
RETURN_ERRNO, RETURN_KILL, RETURN_ALLOW = 0x00050000, 0x80000000, 0x7FFF0000


class Step(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("yes", ctypes.c_ubyte), ("no", ctypes.c_ubyte), ("k", ctypes.c_uint)]


class Program(ctypes.Structure):
    _fields_ = [("size", ctypes.c_ushort), ("steps", ctypes.POINTER(Step))]


def number(name):
    return CALLS[name][platform.machine() == "aarch64"]


def denying(name, answer):
    """What a process does to itself before it becomes the program."""
    libc = ctypes.CDLL(None, use_errno=True)
    steps = (Step * 4)(Step(0x20, 0, 0, 0), Step(0x15, 0, 1, number(name)), Step(6, 0, 0, answer), Step(6, 0, 0, RETURN_ALLOW))
    program = Program(4, steps)

    def install():
        if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, ctypes.byref(program), 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "no filter")

    return install


def test_nothing_is_denied_here():
    assert re.search(r"^ok +system calls +all \d+ are allowed$", good(run("doctor")).out, re.M)


def test_a_denied_call_is_named():
    for name, (_, _, is_optional) in CALLS.items():
        for why in errno.EPERM, errno.ENOSYS:
            answer = run("doctor", preexec_fn=denying(name, RETURN_ERRNO | why))
            level = "warn" if is_optional else "fail"
            assert re.search(rf"^{level} +system calls +denied.*\b{name}\b", answer.out, re.M), f"{name}\n{answer}"
            assert answer.code == (0 if is_optional else 1), f"{name}\n{answer}"
            if not is_optional:  # The pool says it too.
                assert re.search(rf"^fail +pool by EXEC .*\b{name}\b", answer.out, re.M), f"{name}\n{answer}"
                assert re.search(rf"^fail +pool by FORK .*\b{name}\b", answer.out, re.M), f"{name}\n{answer}"


def test_a_filter_that_ends_the_process_is_told_as_well():
    answer = run("doctor", "--quiet", preexec_fn=denying("signalfd4", RETURN_KILL))
    assert re.search(r"^fail +system calls +denied: signalfd4 \(it ends the process\)", answer.out, re.M), answer
    assert re.search(r"^fail +pool by EXEC .*signal 31.*seccomp", answer.out, re.M), answer
    assert answer.code == 1, answer


run_all(globals())
