"""A model of a farm in discrete events: hosts with a helper each, servers, nodes, on costs that were measured (costs.py).

    host ──► helper ──► server ──► node, worker ──► server ──► helper ──► host

Helper and server are one thread each: what comes while they work waits, first come first served. A server's network card is one more such thread
for what comes in, and one for what goes out. A part takes a worker for its time. What a node costs besides is its own affair, and left out.

As the engine does it, a part has 10 ms of work, or 20 round trips to the server as the last look has found them, up to a second, or 1 MiB of input; a
lane has two parts in flight. Nodes renew their keys each second, helpers look for nodes; a look costs the server by the node.

Left out: parts that run twice because they are late, several sizes of work at once, failures, TLS.
"""

import heapq
import random
from collections import deque
from dataclasses import dataclass

TRIPS, SHORTEST, LONGEST, MOST_BYTES, DEPTH = 20, 0.010, 1.0, 1 << 20, 2


@dataclass
class Costs:
    """Seconds of processor time."""

    server_part: float  # The server, a part both ways.
    server_byte: float
    helper_part: float
    helper_byte: float
    waiting_node: float  # The server, at each part, for each node that waits for work.
    look_node: float  # The server, for each node at a look.
    beat: float  # The server, a node's heartbeat.
    beat_pool: float  # The same, for each pool.


@dataclass
class Farm:
    nodes: int = 1000
    workers: int = 64
    hosts: int = 1
    lanes: int = 64
    servers: int = 1
    item_time: float = 0.010
    item_bytes: int = 1024  # In, and as many out.
    way: float = 0.0001  # Seconds over the network, one way.
    card: float = 10e9 / 8  # Bytes a second.
    look_every: float = 0.25
    # Whether the time between looks grows with the nodes, as the helper does it: four milliseconds for each, up to five seconds.
    looks_adapt: bool = True
    # How many of a server's nodes wait for the parts of one pool; 0: all of them, as they do.
    serving: int = 0

    @property
    def look_interval(self):
        return min(5.0, max(self.look_every, self.nodes / self.servers * 0.004)) if self.looks_adapt else self.look_every


class Thread:
    """Something that does one thing after another."""

    def __init__(self):
        self.free_at = self.busy = 0.0

    def take(self, now, seconds):
        """When it is done with something that comes now."""
        self.free_at = max(now, self.free_at) + seconds
        self.busy += seconds
        return self.free_at

    def busy_until(self, now):
        """Seconds that it has worked; what waits is still to be done."""
        return self.busy - max(0.0, self.free_at - now)


class Server:
    def __init__(self, costs, farm):
        self.cpu, self.inward, self.outward = Thread(), Thread(), Thread()
        self.costs, self.farm = costs, farm
        self.room = farm.nodes // farm.servers * farm.workers * DEPTH
        self.waiting = deque()  # Parts that no node has room for.

    def pass_on(self, now, size, waiting=0):
        """A part, or its answer, comes in and goes out. `waiting`: nodes that wait for a part."""
        costs = self.costs
        now = self.inward.take(now, size / self.farm.card)
        now = self.cpu.take(now, costs.server_part / 2 + costs.server_byte * size + costs.waiting_node * waiting)
        return self.outward.take(now, size / self.farm.card) + self.farm.way


class Host:
    def __init__(self, number, server):
        self.number, self.server, self.helper, self.round_trip = number, server, Thread(), 0.0002


class Part:
    def __init__(self, host, items, began):
        self.host, self.items, self.began = host, items, began


def part_items(farm, round_trip):
    """How many items the engine gives a lane at a time."""
    by_time = max(1, int(max(SHORTEST, min(LONGEST, TRIPS * round_trip)) / farm.item_time))
    return max(1, min(by_time, MOST_BYTES // max(1, farm.item_bytes)))


class Simulation:
    def __init__(self, farm, costs, seed=1):
        self.farm, self.costs = farm, costs
        self.random = random.Random(seed)
        self.events, self.order, self.now = [], 0, 0.0
        self.servers = [Server(costs, farm) for _ in range(farm.servers)]
        # Pools choose a server by chance; here in turn, which is what chance does to many.
        self.hosts = [Host(i, self.servers[i % farm.servers]) for i in range(farm.hosts)]
        self.sent = self.items = self.parts = 0
        self.worked = 0.0
        self.free_workers = {server: farm.nodes // farm.servers * farm.workers for server in self.servers}
        self.at_nodes = {server: deque() for server in self.servers}

    def at(self, time, what, *arguments):
        self.order += 1
        heapq.heappush(self.events, (time, self.order, what, arguments))

    def send(self, host):
        size = part_items(self.farm, host.round_trip)
        part = Part(host, size, self.now)
        self.sent += size
        costs, bytes_in = self.costs, size * self.farm.item_bytes
        done = host.helper.take(self.now, costs.helper_part / 2 + costs.helper_byte * bytes_in)
        self.at(done + self.farm.way, self.at_server, part)

    def at_server(self, part):
        """It is in the stream; a node gets it that has room."""
        server = part.host.server
        if server.room > 0:
            # Parts fall on nodes by chance: a node waits as long as it has any room.
            waiting = min(self.farm.serving or self.farm.nodes // self.farm.servers, server.room)
            server.room -= 1
            self.at(server.pass_on(self.now, part.items * self.farm.item_bytes, waiting), self.at_node, part)
        else:
            server.waiting.append(part)

    def at_node(self, part):
        server = part.host.server
        if self.free_workers[server] > 0:
            self.run(part)
        else:
            self.at_nodes[server].append(part)

    def run(self, part):
        self.free_workers[part.host.server] -= 1
        seconds = part.items * self.farm.item_time
        self.worked += seconds
        self.at(self.now + seconds, self.ran, part)

    def ran(self, part):
        server = part.host.server
        self.free_workers[server] += 1
        if self.at_nodes[server]:
            self.run(self.at_nodes[server].popleft())
        self.at(server.pass_on(self.now + self.farm.way, part.items * self.farm.item_bytes), self.answered, part)
        server.room += 1
        if server.waiting:
            self.at_server(server.waiting.popleft())

    def answered(self, part):
        costs = self.costs
        done = part.host.helper.take(self.now, costs.helper_part / 2 + costs.helper_byte * part.items * self.farm.item_bytes)
        self.at(done, self.ended, part)

    def ended(self, part):
        self.items += part.items
        self.parts += 1
        self.send(part.host)

    def look(self, host):
        """A helper looks who is there; the server's answer tells the round trip."""
        farm = self.farm
        done = host.server.cpu.take(self.now + farm.way, farm.nodes / farm.servers * self.costs.look_node)
        host.round_trip = done + farm.way - self.now
        self.at(max(done + farm.way, self.now + farm.look_interval), self.look, host)

    def beat(self, server):
        """All nodes of a server say that they live, and look at its pools; spread over the second."""
        farm = self.farm
        each = self.costs.beat + self.costs.beat_pool * farm.hosts / farm.servers
        server.cpu.take(self.now, each * farm.nodes / farm.servers / 100)
        self.at(self.now + 0.01, self.beat, server)

    def go(self, warm, seconds):
        """Runs; answers the figures of the time behind the warming up."""
        for host in self.hosts:
            # They come one after another: if all began at once, a server would take long to get over it.
            begin = self.random.uniform(0, warm / 2)
            for _ in range(self.farm.lanes * DEPTH):
                self.at(begin + self.random.uniform(0, 0.01), self.send, host)
            self.at(begin + self.random.uniform(0, self.farm.look_interval), self.look, host)
        for server in self.servers:
            self.at(self.random.uniform(0, 0.01), self.beat, server)
        self.until(warm)
        self.items = self.parts = 0
        self.worked = 0.0
        before = self.worked_by()
        self.until(warm + seconds)
        after = self.worked_by()
        return {
            "items": self.items / seconds,
            "parts": self.parts / seconds,
            # Work of which the results have come, in workers that it keeps busy.
            "busy": self.items * self.farm.item_time / seconds,
            "server": (after[0] - before[0]) / seconds / len(self.servers),
            "helper": (after[1] - before[1]) / seconds / len(self.hosts),
            "round_trip": sum(host.round_trip for host in self.hosts) / len(self.hosts),
            "part": self.items / max(1, self.parts) * self.farm.item_time,
        }

    def worked_by(self):
        """Seconds that servers and helpers have worked."""
        return tuple(sum(one.busy_until(self.now) for one in group)
                     for group in ([server.cpu for server in self.servers], [host.helper for host in self.hosts]))

    def until(self, end):
        while self.events and self.events[0][0] <= end:
            self.now, _, what, arguments = heapq.heappop(self.events)
            what(*arguments)
        self.now = end
