"""Measures hosts by one yardstick, each in its own program.

    measure.py [--table ROUNDS] WORK NAME[+reload]=COMMAND...

COMMAND starts the host; in it {mode} and {work} are replaced, and MEASURE_MODE and MEASURE_WORK are in its environment. WORK is the library made
of work.c. The host runs 400 items of 5 ms in two workers while a timer of its own loop ticks, and prints a line for each job:

    host LuaJIT 2.1, poll(2)
    map ok=400 right=400 main=400 failed=0 crashed=0 cancelled=0 gap=8.1
    cancel …            the host cancels at its 200th result; the last ten items end by that alone
    crash … item=100 signal=11

With +reload it is also unloaded in the middle of a job, and loaded again. Then it ends in the middle of a job ("quit in the middle"), and no process of it may be left. It also runs for a second
without MapEngine beside two busy processes: `beside gap=…`. Gaps are printed, never judged: the machine has other work. With --table maps and
busy processes take turns, ROUNDS times, and medians are printed as docs/hosts.md has them.

All are in one session: where Linux shares processors out between sessions first (sched_autogroup_enabled, sched(7)), a host is
alone in its own only without workers.
"""
import os
import re
import shlex
import statistics
import subprocess
import sys
import time

PATIENCE = 120
COUNT, HALF, ENDLESS = 400, 200, 10


def processes(mark):
    """The processes that have the mark in their environment: the host's, and all that it has started."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if mark.encode() in file.read().split(b"\0"):
                    found.append(int(pid))
        except OSError:
            pass
    return found


def left_behind(mark):
    """What is still there when the host has ended. What it was connected with ends by itself, once it has noticed."""
    end = time.monotonic() + PATIENCE
    while (left := processes(mark)) and time.monotonic() < end:
        time.sleep(0.01)
    return left


class Failed(Exception):
    pass


class Host:
    def __init__(self, name, command, work):
        self.name, self.command, self.work = name, command, work
        self.version = "?"
        self.gaps = {"beside": [], "map": [], "cancel": [], "crash": []}

    def run(self, mode):
        """Runs the host once. Returns its lines, {first word: the rest}."""
        mark = f"MEASURE_ID={os.getpid()}-{self.name}-{mode}"
        environment = {**os.environ, "MEASURE_MODE": mode, "MEASURE_WORK": self.work}
        name, _, value = mark.partition("=")
        environment[name] = value
        command = shlex.split(self.command.replace("{mode}", mode).replace("{work}", self.work))
        try:
            done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  timeout=PATIENCE)
            status, text, errors = done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        except subprocess.TimeoutExpired as late:
            raise Failed(f"{mode}: still running after {PATIENCE} s; it printed\n{(late.stdout or b'').decode()}{(late.stderr or b'').decode()}")
        finally:
            left = processes(mark) if sys.exc_info()[0] else left_behind(mark)
            for pid in left:
                try:
                    os.kill(pid, 9)
                except OSError:
                    pass
        # Some programs print more.
        lines = dict(re.findall(r"^(host|beside|map|cancel|crash|quit|unloaded) (.*?)\s*$", text, re.MULTILINE))
        if status != 0:
            raise Failed(f"{mode}: ended with {status}; it printed\n{text}{errors}"[-3000:])
        if left:
            raise Failed(f"{mode}: left {len(left)} processes behind")
        if "host" not in lines:
            raise Failed(f"{mode}: does not say its version; it printed\n{text}{errors}"[-3000:])
        self.version = lines["host"]
        return lines, text + errors

    def beside(self):
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
        try:
            lines, text = self.run("beside")
        finally:
            for one in busy:
                one.kill()
                one.wait()
        self.gaps["beside"].append(figures(lines, "beside", text)["gap"])

    def jobs(self):
        lines, text = self.run("run")
        found = {phase: figures(lines, phase, text) for phase in ("map", "cancel", "crash")}
        for phase, one in found.items():
            self.gaps[phase].append(one["gap"])
            one["seen"] = one["ok"] + one["failed"] + one["crashed"] + one["cancelled"]
        expect("map", found["map"], ok=COUNT, right=COUNT, main=COUNT)
        cancel = found["cancel"]
        expect("cancel", cancel, failed=0, crashed=0, seen=COUNT, main=COUNT, right=cancel["ok"])
        if not HALF <= cancel["ok"] <= COUNT - ENDLESS:
            raise Failed(f"cancel: {cancel}")
        expect("crash", found["crash"], ok=COUNT - 1, right=COUNT - 1, main=COUNT, crashed=1, item=100, signal=11)

    def medians(self):
        """The longest gap of each phase, and that of the map beside that of busy processes."""
        found = {phase: statistics.median(gaps) for phase, gaps in self.gaps.items()}
        return found, found["map"] / found["beside"] if found["beside"] else 0

    def reloads(self):
        """Unloaded in the middle of a job, its processes are gone when that returns; loaded again it works."""
        lines, text = self.run("reload")
        if "unloaded" not in lines:
            raise Failed(f"reload: its processes were not gone; it printed\n{text}")
        expect("map", figures(lines, "map", text), ok=COUNT, right=COUNT, main=COUNT)

    def quits(self):
        lines, text = self.run("quit")
        if "quit" not in lines or "map" in lines:
            raise Failed(f"quit: did not end in the middle; it printed\n{text}")


def figures(lines, phase, text):
    if phase not in lines:
        raise Failed(f"has no line '{phase} …'; it printed\n{text[-3000:]}")
    return {name: float(value) if "." in value else int(value) for name, value in re.findall(r"(\w+)=([0-9.]+)", lines[phase])}


def expect(phase, found, **wanted):
    for name, value in wanted.items():
        if found.get(name) != value:
            raise Failed(f"{phase}: {name} is {found.get(name)}, not {value}: {found}")


def main():
    arguments = sys.argv[1:]
    rounds = 0
    if arguments[:1] == ["--table"]:
        rounds = int(arguments[1])
        arguments = arguments[2:]
    work, *named = arguments
    passed = failed = 0
    rows = []
    for one in named:
        name, _, command = one.partition("=")
        name, reloads, _ = name.partition("+reload")
        host = Host(name, command, work)
        steps = [("a map, a cancel and a crash", host.jobs), ("ends in the middle of a job and leaves no process", host.quits),
                 ("beside two busy processes", host.beside)]
        if reloads:
            steps.append(("is unloaded in the middle of a job, and loaded again", host.reloads))
        steps += [("a map, a cancel and a crash", host.jobs), ("beside two busy processes", host.beside)] * (rounds - 1)
        for what, step in steps:
            try:
                step()
            except Failed as why:
                failed += 1
                print(f"FAILED {name}: {what}: {why}".replace("\n", "\n    "), flush=True)
                break
            passed += 1
            print(f"ok {name}: {what}", flush=True)
        else:
            gaps, ratio = host.medians()
            print(f"{name}: {host.version}: longest gap {', '.join(f'{phase} {gap:.1f}' for phase, gap in gaps.items())} ms, "
                  f"map / beside {ratio:.2f}", flush=True)
            rows.append((name, host))
    if rounds:
        print("\n| host | program, and how its loop hears of events | beside two busy processes | map | cancel | crash | map / beside |\n|---|---|---|---|---|---|---|")
        for name, host in rows:
            gaps, ratio = host.medians()
            print(f"| {name} | {host.version} | {' | '.join(f'{gap:.1f}' for gap in gaps.values())} | {ratio:.2f} |")
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
