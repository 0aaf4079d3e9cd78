"""The host is killed by SIGKILL, its workers are busy: they are gone soon after (cpython#111873, bbot#3203, torchtalk#29)."""

import os
import signal
import subprocess
import sys
import tempfile
import time

from mapengine import Executor


def work(path):
    with open(path + ".part", "w") as file:
        file.write(str(os.getpid()))
    os.rename(path + ".part", path)
    time.sleep(600)


def lives(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        paths = sys.argv[1:]
        executor = Executor(2)
        for path in paths:
            executor.submit(work, path)
        assert wait_for(lambda: all(map(os.path.exists, paths)))
        os.kill(os.getpid(), signal.SIGKILL)
    folder = tempfile.mkdtemp()
    paths = [os.path.join(folder, name) for name in "ab"]
    host = subprocess.run([sys.executable, __file__, *paths])
    assert host.returncode == -signal.SIGKILL, host
    pids = []
    for path in paths:
        with open(path) as file:
            pids.append(int(file.read()))
    gone = wait_for(lambda: not any(map(lives, pids)))
    for pid in filter(lives, pids):
        os.kill(pid, signal.SIGKILL)
    assert gone, pids
    print("OK")
