"""Programs that say `ready` and `done`, and the processor time of processes in between."""

import os
import re
import subprocess

from farm import children


class Failed(Exception):
    """A program did not answer, or wrongly."""


def cpu_seconds(pids):
    """Of these processes and all that they have started and that still runs: nanoseconds of each thread, as the scheduler counts them."""
    total = 0
    for pid in {one for pid in pids for one in (pid, *children(pid))}:
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/schedstat") as stat:
                    total += int(stat.read().split()[0])
        except OSError:
            pass
    return total / 1e9


class Answer:
    """What a program has measured, in seconds; `cpu`: of all processes, in the measured part."""

    def __init__(self, text, cpu, rounds):
        values = dict(re.findall(r"^(value|first|start) ([0-9.]+)$", text, re.M))
        if "value" not in values:
            raise Failed(f"no value: {text[-300:]}")
        self.seconds, self.first, self.start = (float(values[name]) for name in ("value", "first", "start"))
        self.cpu = cpu / rounds


def measured(command, others, rounds, limit=180):
    """Runs a program. `others`: processes whose time counts beside its own."""
    process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        times = []
        for word in ("ready", "done"):
            line = process.stdout.readline().strip()
            if line != word:
                _, errors = process.communicate(timeout=30)
                raise Failed(f"'{line}' in place of {word}: {errors[-600:]}")
            times.append(cpu_seconds([process.pid, *others]))
            process.stdin.write("\n")
            process.stdin.flush()
        text, errors = process.communicate(timeout=limit)
        if process.returncode:
            raise Failed(f"exit code {process.returncode}: {errors[-600:]}")
        return Answer(text, times[1] - times[0], rounds)
    except (subprocess.TimeoutExpired, BrokenPipeError) as error:
        raise Failed(str(error)) from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
