"""What a worker prints arrives in the host's `sys.stdout` of that moment (jupyterlab#9668, joblib-progress#5, pymc#2653)."""

import contextlib
import io

from mapengine import Executor


def work(x):
    print("hello", x, flush=True)
    return x


if __name__ == "__main__":
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        executor = Executor(2)
        assert list(executor.map(work, range(3))) == [0, 1, 2]
        executor.shutdown()
    assert sorted(text.getvalue().splitlines()) == ["hello 0", "hello 1", "hello 2"], text.getvalue()
    print("OK")
