"""What the tests of the command line share: a runner, and ways to call the program."""

import os
import subprocess
import sys
import tempfile
import traceback

ROOT, FUNCTIONS, WORK = sys.argv[1:4]
PROGRAM = os.path.join(ROOT, "dist/bin/mapengine")
# A program that hangs is a failure, not a test that hangs; no test depends on how long one takes.
PATIENCE = 120


class Answer:
    def __init__(self, done):
        self.code, self.raw, self.raw_err = done.returncode, done.stdout, done.stderr
        self.out, self.err = done.stdout.decode(errors="backslashreplace"), done.stderr.decode(errors="backslashreplace")

    def __repr__(self):
        return f"exit {self.code}\n--- out\n{self.out[-1500:]}--- err\n{self.err[-1500:]}"


def run(*words, stdin=b"", program=PROGRAM, **more):
    if isinstance(stdin, str):
        stdin = stdin.encode()
    words = [program, *(word if isinstance(word, bytes) else str(word) for word in words)]
    return Answer(subprocess.run(words, input=stdin, capture_output=True, timeout=PATIENCE, **more))


def call(library, prototype, *words, **more):
    """`mapengine map`."""
    return run("map", "--library", library, prototype, *words, **more)


def write(name, content):
    """Makes a file of a text or of bytes, as they are."""
    with open(name, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return name


def good(answer):
    assert answer.code == 0, answer
    return answer


def says(answer, code, *texts):
    assert answer.code == code, f"exit code {answer.code}, expected {code}\n{answer}"
    for text in texts:
        assert text in answer.err, f"'{text}' is not in what it says\n{answer}"
    return answer


def run_all(tests):
    """Runs functions named test_*, each in an empty folder, and prints a line for each."""
    passed = failed = 0
    for name, test in list(tests.items()):
        if not name.startswith("test_") or not callable(test):
            continue
        title = f"{name[5:].replace('_', ' ')}"
        with tempfile.TemporaryDirectory(dir=WORK) as folder:
            os.chdir(folder)
            try:
                test()
                passed += 1
                print(f"ok {title}", flush=True)
            except Exception as error:
                failed += 1
                place = traceback.extract_tb(error.__traceback__)
                line = next((f.lineno for f in place if f.name == name), 0)
                text = f"{type(error).__name__} in line {line}: {error}".replace("\n", "\n    ")
                print(f"FAILED {title}: {text}", flush=True)
            finally:
                os.chdir(WORK)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)
