"""Random faults: maps with poison items over three nodes, while nodes, workers, helpers, the server and links are killed, stopped and cut.

    soak.py ROOT WORK [SECONDS [SEED]]
"""

import os
import random
import signal
import sys
import threading
import time

seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 600
seed = int(sys.argv[4]) if len(sys.argv) > 4 else int(time.time())
del sys.argv[3:]

from farm import Host, Node, alive, build, children
from net import Network, NetServer
from servers import Server, until

COUNT = 10000
random.seed(seed)
print(f"seed {seed}", flush=True)
build()
network = Network("server", "host", "n1", "n2", "n3")
faults = {}
stop = threading.Event()
current = []


def fault(server, nodes):
    node = random.choice(nodes)
    kind = random.choice(("node", "node", "worker", "worker", "helper", "server", "stop", "link", "slow"))
    try:
        if kind == "node":
            node.kill()
            stop.wait(random.choice((0, 0, 0.5, 2)))
            node.start(wait=False)
        elif kind == "worker":
            below = children(node.process.pid)
            if len(below) > 1:
                os.kill(random.choice(below[1:]), signal.SIGKILL)
        elif kind == "helper" and current:
            helper = current[0].helper()
            if helper:
                os.kill(helper, signal.SIGKILL)
        elif kind == "server":
            server.kill()
            stop.wait(random.choice((0.1, 0.5)))
            server.start()
        elif kind == "stop":
            node.process.send_signal(signal.SIGSTOP)
            stop.wait(random.choice((0.3, 4)))
            node.process.send_signal(signal.SIGCONT)
        elif kind == "link":
            network.link(node.name, "down")
            stop.wait(random.choice((0.3, 4)))
            network.link(node.name, "up")
        elif kind == "slow":
            network.rate(node.name, "10mbit")
            stop.wait(1)
            network.rate(node.name, None)
        faults[kind] = faults.get(kind, 0) + 1
    except (ProcessLookupError, AssertionError) as error:
        print(f"    {kind}: {error}", flush=True)


def disturb(server, nodes):
    while not stop.wait(random.uniform(0.3, 1.5)):
        fault(server, nodes)


bad = rounds = 0
try:
    server = NetServer(network)
    nodes = [Node(server.url(), name, 4, before=network.on(name)) for name in ("n1", "n2", "n3")]
    disturber = threading.Thread(target=disturb, args=(server, nodes))
    disturber.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        host = Host(server.url(), "poison", COUNT, before=network.on("host"), attempts=3, limit=120, workers=random.choice((0, 1)))
        current[:] = [host]
        figures = host.wait(150)
        current.clear()
        rounds += 1
        right = (figures["ok"], figures["crashed"], figures["wrong"], figures["lost"]) == (COUNT - 10, 10, 0, 0)
        if not right:
            bad += 1
            print(f"FAILED round {rounds}: {figures}\n{host.out[-2500:]}", flush=True)
        elif rounds % 10 == 1:
            print(f"    round {rounds}: {figures['seconds']:.1f} s, {sum(faults.values())} faults", flush=True)
    stop.set()
    disturber.join()
    for node in nodes:
        node.process.send_signal(signal.SIGCONT)
        network.link(node.name, "up")
    print(f"{rounds} rounds, faults: " + ", ".join(f"{name} {count}" for name, count in sorted(faults.items())), flush=True)
    until("no key of a host is left", 20, lambda: not [key for key in server.ask("keys", "*").split() if "{" in key])
    until("nodes have no processes left", 20, lambda: not [pid for node in nodes for pid in children(node.process.pid)])
finally:
    stop.set()
    Node.stop_all()
    Server.stop_all()
    network.close()
print(f"{rounds - bad} passed, {bad} failed")
sys.exit(bad > 0)
