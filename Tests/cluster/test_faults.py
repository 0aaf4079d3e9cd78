"""Nodes, workers, servers, helpers and hosts that die or stop while a map runs: every item ends once. What is left then."""

import os
import re
import signal
import time

from farm import Host, Node, alive, build, children, complete, farm
from servers import Server, cleanups, main, run, test, tool, until, work

cleanups.insert(0, Node.stop_all)
build()


@test
def a_node_is_killed():
    server, nodes = farm(3)
    host = Host(server.url(), "slow_square", 6000)
    time.sleep(0.5)
    below = until("the node serves it", 20, lambda: (lambda found: found if len(found) >= 3 else None)(children(nodes[0].process.pid)))
    nodes[0].kill()
    complete(host.wait(), 6000)
    until("its processes are gone", 20, lambda: not alive(below))


@test
def a_node_is_killed_and_started_again_at_once():
    server, nodes = farm(2)
    host = Host(server.url(), "slow_square", 6000)
    for _ in range(3):
        time.sleep(0.3)
        nodes[0].kill()
        nodes[0].start()
    complete(host.wait(), 6000)


@test
def six_workers_of_nodes_are_killed():
    server, nodes = farm(2)
    stop = work / "stop"
    stop.unlink(missing_ok=True)
    os.environ["MAPE_TEST_STOP"] = str(stop)
    host = Host(server.url(), "slow_square", 2000, attempts=3, rounds=1000)
    for node in nodes * 3:
        # The youngest of its workers: one that was killed before has one in its place.
        victim = until("the node has a worker", 20, lambda: max(workers_of(node), default=None))
        os.kill(victim, signal.SIGKILL)
        until("it is dead", 20, lambda: not alive([victim]))
    stop.touch()
    del os.environ["MAPE_TEST_STOP"]
    figures = host.wait()
    complete(figures, 2000, rounds=figures["rounds"])


def workers_of(node):
    """Processes below its zygotes."""
    zygotes = children_of_first(node)
    return alive([pid for pid in children(node.process.pid) if pid not in zygotes])


def children_of_first(node):
    """Its zygotes."""
    return [pid for pid in children(node.process.pid) if parent(pid) == node.process.pid]


def parent(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return int(stat.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


@test
def a_node_is_stopped_and_goes_on():
    server, nodes = farm(2)
    host = Host(server.url(), "slow_square", 8000)
    time.sleep(0.4)
    nodes[0].process.send_signal(signal.SIGSTOP)
    time.sleep(4.5)
    nodes[0].process.send_signal(signal.SIGCONT)
    complete(host.wait(), 8000)


@test
def the_server_is_killed_three_times():
    server, nodes = farm(2)
    host = Host(server.url(), "slow_square", 8000)
    for _ in range(3):
        time.sleep(0.4)
        server.kill()
        time.sleep(0.3)
        server.start()
    complete(host.wait(), 8000)


@test
def a_server_that_keeps_a_log_is_killed():
    server = Server("--appendonly", "yes", "--appendfsync", "always")
    farm(2, server=server)
    host = Host(server.url(), "slow_square", 4000)
    for _ in range(2):
        time.sleep(0.4)
        server.kill()
        server.start()
    complete(host.wait(), 4000)


@test
def the_server_is_emptied():
    server, nodes = farm(2)
    host = Host(server.url(), "slow_square", 6000)
    for _ in range(3):
        time.sleep(0.5)
        server.ask("flushall")
    complete(host.wait(), 6000)


@test
def a_blob_is_lost():
    server, nodes = farm(1)
    stop = work / "stop"
    stop.unlink(missing_ok=True)
    os.environ["MAPE_TEST_STOP"] = str(stop)
    host = Host(server.url(), "slow_square", 300, rounds=1000)
    del os.environ["MAPE_TEST_STOP"]
    until("the function is told", 20, lambda: server.ask("keys", "t:*:fn:*"))
    for key in server.ask("keys", "t:*:fn:*").split():
        server.ask("del", key)
    # One that does not know it yet, alone.
    Node(server.url(), "late", 2)
    nodes[0].kill()
    served = lambda: re.search(r" served=([0-9]+)", server.ask("mget", *(server.ask("keys", "t:node:late.*").split() or ["none"])))
    until("it does the work", 30, lambda: (lambda found: found and int(found.group(1)) > 0)(served()))
    stop.touch()
    figures = host.wait()
    complete(figures, 300, rounds=figures["rounds"])


@test
def the_server_is_stopped():
    server, nodes = farm(2)
    host = Host(server.url(), "slow_square", 6000, workers=2)
    time.sleep(0.4)
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(4)
    server.process.send_signal(signal.SIGCONT)
    complete(host.wait(), 6000)


@test
def all_nodes_go_and_come_back():
    server, nodes = farm(2)
    host = Host(server.url(), "slow_square", 5000, workers=1)
    time.sleep(0.4)
    for node in nodes:
        node.kill()
    time.sleep(2.3)
    for node in nodes:
        node.start()
    complete(host.wait(), 5000)


@test
def the_helper_is_killed():
    server, nodes = farm(2)
    host = Host(server.url(), "slow_square", 6000)
    for _ in range(3):
        time.sleep(0.4)
        helper = host.helper()
        if helper:
            os.kill(helper, signal.SIGKILL)
        time.sleep(0.1)
    complete(host.wait(), 6000)


@test
def the_host_is_killed():
    server, nodes = farm(1)
    host = Host(server.url(), "slow_square", 100000)
    until("the node serves it", 20, lambda: len(children(nodes[0].process.pid)) >= 3)
    host.kill()
    until("the node has forgotten it", 7, lambda: not children(nodes[0].process.pid))
    nodes[0].end()
    until("no key of it is left", 15, lambda: not [key for key in server.ask("keys", "*").split() if "{" in key])
    assert server.ask("smembers", "t:pools") == "", server.ask("smembers", "t:pools")


@test
def a_host_is_killed_that_cannot_say_so():
    notes = work / "notes"
    notes.mkdir(exist_ok=True)
    os.environ["MAPE_TEST_NOTES"] = str(notes)
    server = Server()
    node = Node(server.url(), "n1", 2, "--sandbox", "none")
    host = Host(server.url(), "slow_square", 100000, noted=1)
    setups = until("two workers have set up", 20, lambda: (lambda found: found if len(found) >= 2 else None)(list(notes.glob("setup.*"))))
    # The helper goes first, and the host cannot start another.
    helper = host.helper()
    host.process.send_signal(signal.SIGSTOP)
    os.kill(helper, signal.SIGKILL)
    host.kill()
    began = time.monotonic()
    until("the node has forgotten it", 30, lambda: not children(node.process.pid))
    forgotten = time.monotonic() - began
    missing = [path.name for path in setups if not (notes / path.name.replace("setup", "cleanup")).exists()]
    assert not missing, f"no cleanup of {missing}"
    until("no key of it is left", 30, lambda: not [key for key in server.ask("keys", "*").split() if "{" in key])
    print(f"    forgotten after {forgotten:.1f} s, its last key gone after {time.monotonic() - began:.1f} s")
    assert server.ask("smembers", "t:pools") == "", server.ask("smembers", "t:pools")


@test
def helper_and_node_do_not_grow():
    server, nodes = farm(1)
    host = Host(server.url(), "turned", 200, size=16384, rounds=60, idle=20)
    helper = host.helper()

    def size(pid):
        """Descriptors, and resident MiB."""
        with open(f"/proc/{pid}/status") as status:
            return len(os.listdir(f"/proc/{pid}/fd")), int(re.search(r"^VmRSS:\s*(\d+)", status.read(), re.M).group(1)) >> 10

    while "round 10" not in host.first:
        host.first = host.process.stdout.readline()
    before = size(helper), size(nodes[0].process.pid)
    while "round 58" not in host.first:
        host.first = host.process.stdout.readline()
    after = size(helper), size(nodes[0].process.pid)
    assert [one[0] for one in after] == [one[0] for one in before], f"descriptors: {before}, {after}"
    assert all(b[1] <= a[1] + 16 for a, b in zip(before, after)), f"MiB: {before}, {after}"
    complete(host.wait(), 200, rounds=60)


@test
def several_servers_share_pools_and_nodes():
    servers = [Server() for _ in range(3)]
    url = "redis://" + ",".join(f"127.0.0.1:{one.port}" for one in servers) + "/t"
    nodes = [Node(url, f"n{i + 1}", 2) for i in range(3)]
    until("all are listed", 20, lambda: run(tool, "nodes", "--cluster", url)[1].count("\nn") == 3)
    hosts = [Host(url, "slow_square", 1500) for _ in range(4)]
    for host in hosts:
        complete(host.wait(), 1500)
    # One with a node goes for good: pools and node go on at another.
    victim = next(one for one in servers if one.ask("smembers", "t:nodes"))
    hosts = [Host(url, "slow_square", 3000) for _ in range(3)]
    time.sleep(0.4)
    victim.kill()
    for host in hosts:
        complete(host.wait(), 3000)


@test
def a_pool_that_rests_costs_nothing_and_comes_back():
    server, nodes = farm(1)
    host = Host(server.url(), "square", 100, rounds=2, idle=14000)
    helper = host.helper()

    def wakeups():
        with open(f"/proc/{helper}/status") as status:
            return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status.read(), re.M).group(1))

    # Ten seconds after the map it rests. Until then it tells each second that the host lives, and looks for nodes.
    time.sleep(2)
    before, began = wakeups(), time.monotonic()
    time.sleep(4)
    awake = (wakeups() - before) / (time.monotonic() - began)
    time.sleep(6)
    before = wakeups()
    time.sleep(1.5)
    assert wakeups() - before == 0, "it wakes up at rest"
    host.process.wait(60)
    out = host.first + host.process.stdout.read()
    assert " ok 200 " in out, out
    print(f"    {awake:.1f} wakeups a second with nothing to do, 0 at rest")
    assert awake <= 3, f"{awake:.1f} wakeups a second"


main()
