"""A worker that is killed costs the element it was on; the others end well (cpython#66587, pathos#230, taskgraph#116)."""

import os
import signal
import time
from concurrent.futures.process import BrokenProcessPool

from mapengine import Executor, WorkerDied


def work(x):
    if x == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02)
    return x


if __name__ == "__main__":
    executor = Executor(2)
    futures = [executor.submit(work, x) for x in range(40)]
    errors = {x: future.exception(timeout=60) for x, future in enumerate(futures)}
    bad = {x: error for x, error in errors.items() if error is not None}
    assert list(bad) == [5], bad
    assert isinstance(bad[5], WorkerDied) and isinstance(bad[5], BrokenProcessPool), bad
    assert "SIGKILL" in str(bad[5]) or "signal 9" in str(bad[5]), bad
    assert all(futures[x].result() == x for x in range(40) if x != 5)
    executor.shutdown()
    print("OK")
