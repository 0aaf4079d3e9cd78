"""What a part, a byte, a node and a pool cost the server and the helper: measured on this machine, on a server in this namespace.

A real farm gives the cost of parts: a host, its helper and a node whose workers sleep, so that many parts are under way and processor time is what the
way costs. What a thousand nodes cost is measured by so many connections that do what nodes do.
"""

import os
import pathlib
import resource
import socket
import subprocess
import time

from cluster.farm_model import Costs
from cluster.processes import cpu_seconds, measured
from farm import Node, children
from servers import Server, root, until, work

BUILD = root / ".build-bench-cluster"
SIZE = 1 << 16
SLEEPERS = 120


class Raw:
    """A connection that speaks the protocol by hand. Replies are counted, not read."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @staticmethod
    def encode(*words):
        parts = [str(word).encode() if not isinstance(word, bytes) else word for word in words]
        return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)

    def send(self, *commands):
        self.socket.sendall(b"".join(self.encode(*command) for command in commands))

    def ask(self, *commands):
        """Sends commands and a PING with a mark behind them; waits for the mark. Answers how many bytes came."""
        mark = b"mark%d" % time.monotonic_ns()
        self.send(*commands, ("PING", mark))
        data = b""
        total = 0
        while not data.endswith(b"\r\n" + mark + b"\r\n"):
            more = self.socket.recv(1 << 18)
            if not more:
                raise OSError("closed")
            total += len(more)
            data = data[-64:] + more
        return total


def server_time(server, body, times):
    """Seconds of the server's processor per call of the body."""
    before = cpu_seconds([server.process.pid])
    for _ in range(times):
        body()
    return (cpu_seconds([server.process.pid]) - before) / times


def parts(seconds):
    """Server and helper, by part and by byte."""
    server = Server()
    folder = work / "allowed"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    (folder / "libfunctions.so").write_bytes((BUILD / "libfunctions.so").read_bytes())
    node = Node(server.url(), "costs", SLEEPERS, folder=folder)
    found = {}
    try:
        for size in (8, SIZE):
            # A part per item: each sleeps 10 ms.
            count = max(64, int(seconds * 8000))
            process = subprocess.Popen(
                [BUILD / "host", server.url(), BUILD / "libfunctions.so", "rest_long", "0", "1", str(count), str(size), "1"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            times = []
            for word in ("ready", "done"):
                line = process.stdout.readline().strip()
                assert line == word, f"'{line}' in place of {word}"
                helper = [pid for pid in children(process.pid) if "remot" in pathlib.Path(f"/proc/{pid}/comm").read_text()]
                times.append((cpu_seconds([server.process.pid]), cpu_seconds(helper), time.monotonic(), served(server)))
                process.stdin.write("\n")
                process.stdin.flush()
            process.wait()
            made = times[1][3] - times[0][3]
            found[size] = [(times[1][i] - times[0][i]) / made for i in (0, 1)]
            found[size, "rate"] = count / (times[1][2] - times[0][2])
    finally:
        node.kill()
        server.kill()
    # Bytes pass in and out: twice the size.
    by_byte = [max(0.0, (found[SIZE][i] - found[8][i]) / (2 * SIZE)) for i in (0, 1)]
    return found[8], by_byte, found[8, "rate"]


def served(server):
    """How many parts there were: the server counts the commands."""
    for line in server.ask("info", "commandstats").splitlines():
        if line.startswith("cmdstat_exec:"):
            return int(line.split("calls=")[1].split(",")[0])
    return 0


def waiting(server, count, times):
    """Seconds at each part for a node that waits."""
    def one(count):
        nodes = [Raw(server.port) for _ in range(count)]
        host = Raw(server.port)
        host.ask(("DEL", "w"), ("XGROUP", "CREATE", "w", "g", "0", "MKSTREAM"))
        read = [("XREADGROUP", "GROUP", "g", f"n{i}", "COUNT", "1", "BLOCK", "60000", "STREAMS", "w", ">") for i in range(count)]
        for node, command in zip(nodes, read):
            node.send(command)
        until("all wait", 20, lambda: f"blocked_clients:{count}" in server.ask("info", "clients"))
        turn = iter(range(1 << 30))

        def part():
            # The node that has waited longest gets it, and waits again.
            i = next(turn) % count
            host.ask(("XADD", "w", "*", "h", "x"))
            nodes[i].socket.recv(4096)
            nodes[i].send(read[i])

        part()
        seconds = server_time(server, part, times)
        for one in [host, *nodes]:
            one.socket.close()
        until("they are gone", 20, lambda: "blocked_clients:0" in server.ask("info", "clients"))
        return seconds

    few = max(2, count // 50)
    return max(0.0, (one(count) - one(few)) / (count - few))


def looks(server, count, times):
    """Seconds for a node at a look of a helper; a heartbeat of a node; the same for each pool."""
    nodes = [Raw(server.port) for _ in range(count)]
    host = Raw(server.port)
    record = "name=n client=1 lanes=128 workers=64 busy=3 served=120 version=1 round=150000 modules=3"
    host.ask(*[("SADD", "nodes", f"n.{i}") for i in range(count)], *[("SET", f"node:n.{i}", record) for i in range(count)])
    ids = [line.split()[0][3:] for line in server.ask("client", "list").splitlines() if line]
    ids = ids[:count]
    look = [("SMEMBERS", "nodes"), *[("GET", f"node:n.{i}") for i in range(count)], ("CLIENT", "LIST", "ID", *ids)]
    by_node = server_time(server, lambda: host.ask(*look), times) / count

    def beat(pools):
        return [("SET", "node:n.1", record, "PX", "3000"), ("SADD", "nodes", "n.1"), ("SMEMBERS", "pools"),
                *[("GET", f"{{p{i}}}:alive") for i in range(pools)]]

    host.ask(*[("SADD", "pools", f"p{i}") for i in range(64)], *[("SET", f"{{p{i}}}:alive", "1") for i in range(64)])
    one = [server_time(server, lambda: nodes[0].ask(*beat(pools)), times * 20) for pools in (1, 64)]
    for node in [host, *nodes]:
        node.socket.close()
    by_pool = max(0.0, (one[1] - one[0]) / 63)
    return by_node, max(0.0, one[0] - by_pool), by_pool


def measure(is_smoke):
    """Costs, and how many parts a second the real farm has done."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = 100 if is_smoke else min(900, hard - 200)
    by_part, by_byte, rate = parts(0.2 if is_smoke else 4)
    server = Server("--maxclients", "2000")
    try:
        waits = waiting(server, count, 50 if is_smoke else 1000)
        look, beat, beat_pool = looks(server, count, 5 if is_smoke else 50)
    finally:
        server.kill()
    return Costs(by_part[0], by_byte[0], by_part[1], by_byte[1], waits, look, beat, beat_pool), rate
