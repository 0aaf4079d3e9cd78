"""An argument that cannot be pickled: an error that names it, and the pool goes on (multiprocess#19, cpython test_error_at_task_pickle)."""

import threading

from mapengine import Executor


def work(settings):
    return 1


if __name__ == "__main__":
    with Executor(2) as executor:
        error = executor.submit(work, {"settings": threading.Lock()}).exception(timeout=60)
        assert error is not None and "lock" in str(error) + str(error.__cause__), repr(error)
        assert executor.submit(abs, -3).result(timeout=60) == 3
    print("OK")
