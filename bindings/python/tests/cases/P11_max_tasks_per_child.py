"""max_tasks_per_child: every call ends, and workers change (cpython#115634, #119592, #152967)."""

import os

from mapengine import Executor


def pid(_):
    return os.getpid()


if __name__ == "__main__":
    with Executor(1, max_tasks_per_child=2) as executor:
        futures = [executor.submit(pid, x) for x in range(10)]
        pids = [future.result(timeout=60) for future in futures]
    assert len(set(pids)) == 5, pids
    print("OK")
