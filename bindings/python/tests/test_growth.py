"""What stays after many calls: nothing. Measured from one moment to a later one, so that what is made once does not count."""
import os
import subprocess
import sys

import pytest

MIB = 1 << 10

# Calls in flight are few; their number goes up between the two looks, and nothing else may.
SCRIPT = """
import collections, gc, os, sys
import core_work
from mapengine import Executor
from mapengine._workers import Workers

def size(process):
    gc.collect()
    with open(f'/proc/{process}/statm') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')

first, last, how = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
with Executor(2) as executor:
    told = []
    flying = collections.deque()
    for number in range(last):
        call = executor.submit(core_work.square, number) if number % 10 else executor.submit(lambda x=number: str(x) * 100)
        if how == 'callbacks':
            call.add_done_callback(lambda call: call.result())
        flying.append(call)
        del call
        if len(flying) > 200:
            done = flying.popleft()
            if how == 'killed' and number % 100 == 0:
                done.kill()
            else:
                done.result()
            del done
        if number == first:
            worker = executor.pids()[0]
            before = size('self'), len(os.listdir('/proc/self/fd')), size(worker)
    if how == 'killed':
        worker = None
    after = size('self'), len(os.listdir('/proc/self/fd')), size(worker) if worker else 0
    flying.clear()
print(*[(b - a) >> 10 for a, b in zip(before, after)], after[1] - before[1])
"""


def grown(first, last, how):
    """KiB by which host and worker have grown from call `first` to call `last`, and descriptors."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(first), str(last), how], cwd=os.path.dirname(__file__), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)})
    assert done.returncode == 0, done.stdout
    host, _, worker, descriptors = map(int, done.stdout.split())
    return host, worker, descriptors


@pytest.mark.parametrize("how", ["plain", "callbacks", "killed"])
def test_calls_leave_nothing_behind(how):
    host, worker, descriptors = grown(10_000, 60_000, how)
    assert host < 8 * MIB and worker < 8 * MIB and descriptors <= 0, (host, worker, descriptors)  # 160 bytes a call


@pytest.mark.once
@pytest.mark.timeout(900)
@pytest.mark.skipif(os.environ.get("FAULTS") != "all", reason="takes half a minute to two: make test-all runs it")
def test_a_million_calls_leave_nothing_behind():
    host, worker, descriptors = grown(100_000, 1_000_000, "plain")
    assert host < 8 * MIB and worker < 8 * MIB and descriptors <= 0, (host, worker, descriptors)  # 9 bytes a call; 1 and 0.2 MiB were measured.
