"""Rows that are looked at from outside: what a pool at rest does, what callgrind counts, how long a library takes to load."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .paths import BENCHMARKS, NATIVE, NEW, SMOKE_VARIABLE, WITHOUT_PYTHON
from .systems import Failed, run

RANGES = 3000
PYTHON_PEERS = () if WITHOUT_PYTHON else ("multiprocessing.Pool", "concurrent.futures", "loky", "mpire", "pebble")


def context_switches(pids):
    """Of all threads of these processes, so far."""
    total = 0
    for pid in pids:
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                total += sum(map(int, re.findall(r"ctxt_switches:\s*(\d+)", (task / "status").read_text())))
        except (FileNotFoundError, ProcessLookupError):
            # A peer's helper that has ended.
            continue
    return total


def private_mebibytes(pid):
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(map(int, re.findall(r"Private_(?:Clean|Dirty):\s*(\d+) kB", text))) / 1024


class IdleHost:
    """A host that has done a little work and now rests, until its standard input is closed."""

    def __init__(self, command, environment=None):
        self.process = subprocess.Popen(
            [str(word) for word in command], env=os.environ | (environment or {}),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"{command[0]} ended before it was at rest")
        if line.startswith("{"):
            answer = json.loads(line)
            self.workers, others = answer["workers"], answer["others"]
        else:
            zygote, *self.workers = map(int, line.split())
            others = [zygote]
        self.all = [self.process.pid, *self.workers, *others]

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def idle(seconds, build=NEW, peers=PYTHON_PEERS):
    """All pools rest at the same time, because rest does not disturb, and ten seconds each would add up."""
    hosts = {"mapengine": IdleHost([build.native / "idle-host", 2], {"LD_LIBRARY_PATH": str(build.dist / "lib")})}
    environment = {"PYTHONPATH": str(BENCHMARKS), "BENCH_PYTHON_WORK": str(NATIVE / "libpythonwork.so")}
    try:
        for system in peers:
            hosts[system] = IdleHost([sys.executable, "-m", "python_peers", "idle", system], environment)
        time.sleep(0.5)
        before = {name: context_switches(host.all) for name, host in hosts.items()}
        time.sleep(seconds)
        values = {}
        for name, host in hosts.items():
            values[name] = context_switches(host.all) - before[name]
            values[f"{name}: private MiB per worker"] = sum(map(private_mebibytes, host.workers)) / len(host.workers)
        return values
    finally:
        for host in hosts.values():
            host.stop()


def many_workers(_seconds, build=NEW):
    values = {}
    for workers in (2, 16, 64):
        with tempfile.NamedTemporaryFile(suffix=".callgrind") as file:
            output = run(
                ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={file.name}",
                 build.native / "many-workers", workers, 100 if SMOKE_VARIABLE in os.environ else RANGES],
                environment={
                    "LD_LIBRARY_PATH": str(build.plain / "lib"),
                    "LD_PRELOAD": str(build.native / "libvalgrind-pidfd.so"),
                },
            )
            counted = re.search(r"^totals: (\d+)", Path(file.name).read_text(), re.MULTILINE)
        if not counted or int(counted.group(1)) == 0:
            raise Failed("callgrind counted nothing")
        values[str(workers)] = int(counted.group(1)) / int(output.split()[-1])
    return values


class Load:
    """dlopen in a fresh process, several times, the median: of the library given, or of the build's."""

    def __init__(self, library=None):
        self.library = library

    def __call__(self, _seconds, build=NEW):
        library = self.library or build.library
        times = sorted(int(run([build.native / "load-library", library])) for _ in range(15))
        return {"": times[len(times) // 2] / 1e6}


LOAD = {
    "mapengine": Load(),
    "oneTBB": Load("libtbb.so.12"),
    "ZeroMQ ipc": Load("libzmq.so.5"),
}
