"""What the tests of `mapengine top` share: hosts, and ways to look at them."""
import json
import os
import subprocess
import sys
import time

ROOT, WORK, QT = sys.argv[1:4]
PROGRAM = os.path.join(ROOT, "dist/bin/mapengine")
PATIENCE = 120  # Seconds after which a condition that has not come is a failure.


class Host:
    """A process that is driven by lines."""

    def __init__(self, *words, **more):
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more)
        self.pid = self.process.pid
        assert self.process.stdout.readline() == "ready\n", words

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def c_host(workers=2):
    return Host(os.path.join(WORK, "host"), str(workers))


def python_host(python="/usr/bin/python3", *words):
    path = f"{ROOT}/.build-wheel/tree"
    return Host(python, f"{ROOT}/Tests/top/host.py", *words,
                env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "QT_QPA_PLATFORM": "offscreen"})


def qt_host():
    return python_host(QT, "qt")


def top(*words):
    """`mapengine top` with these words, which has to end well."""
    done = subprocess.run([PROGRAM, "top", *words], capture_output=True, timeout=PATIENCE, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0 and not done.stderr, (done.returncode, done.stderr)
    return done.stdout


def look(*words):
    """What it says as JSON."""
    return json.loads(top("--json", *words))


def pool_of(pid):
    """The one pool of a process."""
    found = [pool for pool in look("--pid", str(pid))["pools"] if pool["pid"] == pid]
    assert len(found) == 1, found
    return found[0]


def until(condition, what):
    """Waits for a condition; what it returned."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"it does not come about: {what}")


def pool_when(pid, condition, what):
    """The pool of a process, once it is so."""
    def found():
        pool = pool_of(pid)
        return pool if condition(pool) else None

    return until(found, what)


def run_all(tests):
    """Runs functions named test_*, and prints a line for each."""
    import traceback

    passed = failed = 0
    for name, test in list(tests.items()):
        if not name.startswith("test_") or not callable(test):
            continue
        title = name[5:].replace("_", " ")
        try:
            test()
            passed += 1
            print(f"ok {title}", flush=True)
        except Exception as error:
            failed += 1
            line = next((f.lineno for f in traceback.extract_tb(error.__traceback__) if f.name == name), 0)
            text = f"{type(error).__name__} in line {line}: {error}".replace("\n", "\n    ")
            print(f"FAILED {title}: {text}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)
