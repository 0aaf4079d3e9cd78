"""Nodes and hosts for the tests of many machines."""

import os
import re
import shutil
import signal
import subprocess

from servers import Server, root, run, tool, until, work

modules = work / "modules"
library = modules / "libfunctions.so"
program = str(work / "host")


def build():
    """Compiles the host and the module, once."""
    modules.mkdir(exist_ok=True)
    modules.chmod(0o755)
    flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{root}/dist/include"]
    here = root / "Tests/cluster"
    for command in (
        ["cc", *flags, "-fPIC", "-shared", here / "functions.c", "-o", library],
        ["cc", *flags, here / "host.c", here / "host_same.c", "-o", program, f"-L{root}/dist/lib", "-lmapengine", f"-Wl,-rpath,{root}/dist/lib"],
    ):
        code, text = run(*command)
        assert code == 0, text


class Node:
    running = []

    def __init__(self, url, name="n1", workers=2, *more, before=(), folder=modules):
        self.name = name
        self.log = work / f"{name}.log"
        self.command = [*before, tool, "node", "--cluster", url, "--modules", str(folder), "--name", name, "--workers", str(workers), *more]
        self.before = before
        self.start()

    def start(self, wait=True):
        self.seen = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        Node.running.append(self)
        if wait:
            until(f"node {self.name} is connected: {self.text()[-300:]}", 20, lambda: "connected to" in self.text() or self.process.poll() is not None)

    def text(self):
        with open(self.log, errors="replace") as log:
            log.seek(self.seen)
            return log.read()

    def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        if how != signal.SIGSTOP:
            self.process.wait(30)
        if self in Node.running:
            Node.running.remove(self)

    def end(self):
        """Asks it to end. Returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        Node.running.remove(self)
        return code

    @staticmethod
    def stop_all():
        for node in list(Node.running):
            node.process.send_signal(signal.SIGCONT)
            node.kill()


def children(pid):
    """All processes below one, the zygotes and workers of a node for example."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    parent = int(stat.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            if parent == pid:
                found += [int(entry), *children(int(entry))]
    return found


def alive(pids):
    def one(pid):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
        except OSError:
            return False

    return [pid for pid in pids if one(pid)]


class Host:
    """`host map`, in the background."""

    def __init__(self, url, function, count, before=(), **options):
        self.process = subprocess.Popen(
            [*before, program, "map", url, str(library), function, str(count), *(f"{name}={value}" for name, value in options.items())],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.first = self.process.stdout.readline()

    def wait(self, limit=100):
        out, self.errors = self.process.communicate(timeout=limit)
        self.out = self.first + out
        return self.figures()

    def figures(self):
        found = re.search(r"^rounds .*$", self.out, re.M)
        assert found, f"exit {self.process.returncode}: {self.out[-1500:]} {self.errors[-1500:]}"
        words = found.group().split()
        return {words[i]: float(words[i + 1]) for i in range(0, len(words), 2)}

    def helper(self):
        """The process id of its mapengine-remote; 0 when the host has ended."""

        def find():
            if self.process.poll() is not None:
                return -1
            for pid in children(self.process.pid):
                try:
                    with open(f"/proc/{pid}/comm") as name:
                        if name.read().startswith("mapengine-remot"):
                            return pid
                except OSError:
                    pass
            return None

        return max(0, until("there is a helper", 30, find))

    def kill(self):
        self.process.kill()
        self.process.wait()


def mapped(url, function, count, **options):
    """A map from begin to end: its figures and its output."""
    host = Host(url, function, count, **options)
    figures = host.wait()
    return figures, host


def complete(figures, count, rounds=1, **others):
    """Nothing lost, nothing wrong, and as many of each kind as said; the rest went well."""
    wanted = dict(failed=0, crashed=0, timed=0, cancelled=0, wrong=0, lost=0)
    wanted.update(others)
    wanted["ok"] = count * rounds - sum(wanted[kind] for kind in ("failed", "crashed", "timed", "cancelled"))
    wrong = {name: figures[name] for name in wanted if figures[name] != wanted[name]}
    assert not wrong, f"{wrong} instead of {wanted}: {figures}"


def farm(count=1, workers=2, server=None):
    """A server on this machine, and nodes."""
    server = server or Server()
    return server, [Node(server.url(), f"n{i + 1}", workers) for i in range(count)]
