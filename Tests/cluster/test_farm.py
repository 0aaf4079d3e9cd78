"""Maps over nodes on this machine: results as those of a local pool, and what happens when something dies."""

import os
import re
import shutil
import signal
import time

from farm import Host, Node, alive, build, children, complete, library, mapped, modules, program
from servers import Certificates, Server, cleanups, main, run, test, tool, until, work

cleanups.insert(0, Node.stop_all)
build()


def farm(count=1, workers=2, server=None):
    server = server or Server()
    return server, [Node(server.url(), f"n{i + 1}", workers) for i in range(count)]


@test
def results_are_those_of_a_local_pool():
    server, _ = farm()
    code, text = run(program, "same", server.url(), library, timeout=120)
    assert code == 0 and text.count("same ") == 15, text


@test
def nodes_are_listed():
    server, _ = farm(2)
    code, text = until("two are listed", 5, lambda: (lambda r: r if r[1].count("\nn") == 2 else None)(run(tool, "nodes", "--cluster", server.url())))
    assert code == 0, text


@test
def local_and_remote_workers_share_a_map():
    server, _ = farm(2)
    figures, host = mapped(server.url(), "slow_square", 3000, workers=1)
    complete(figures, 3000)
    assert figures["seconds"] < 2.6, figures
    assert re.search(r"nodes 2 lanes [1-8] ", host.out), host.out[-300:]


@test
def where_says_where():
    server, nodes = farm(1)
    complete(mapped(server.url(), "square", 500, workers=1, where=2)[0], 500)
    nodes[0].end()
    complete(mapped(server.url(), "square", 500, workers=1, where=1)[0], 500)


@test
def without_nodes_local_workers_do_all():
    complete(mapped(Server().url(), "slow_square", 300, workers=2)[0], 300)


@test
def a_node_that_comes_later_helps():
    server = Server()
    host = Host(server.url(), "slow_square", 500)
    time.sleep(0.5)
    Node(server.url(), "late")
    complete(host.wait(), 500)


@test
def tls_users_and_rights_suffice():
    ours = Certificates("farm")
    texts = {}
    for name in "host", "node":
        texts[name] = work / f"farm-{name}"
        texts[name].write_text(name + "pw\n")
    code, acl = run(tool, "acl", "--prefix", "t", "--host-password", texts["host"], "--node-password", texts["node"])
    assert code == 0, acl
    server = Server(tls=(ours.ca, ours.sign("server")), users=acl)

    def url(name):
        at = ours.sign(name)
        return server.url("rediss", ca=ours.ca, cert=at + ".crt", key=at + ".key", user=name, password_file=texts[name])

    node = Node(url("node"), "tls")
    figures, host = mapped(url("host"), "various", 1)
    figures, host = mapped(url("host"), "slow_square", 1000)
    complete(figures, 1000)
    complete(mapped(url("host"), "turned", 30, size=1 << 20)[0], 30)
    assert "may not" not in node.text() + host.errors, node.text() + host.errors
    figures, host = mapped(url("node"), "slow_square", 3000, workers=1)
    complete(figures, 3000)
    assert "+xgroup" in host.errors or "may not run" in host.errors, host.errors


@test
def a_refused_server_says_why_and_local_workers_go_on():
    server = Server(users="user default off\nuser host on >pw ~t:* &t:* -@all +ping\n")
    for url, word in (
        (server.url(), "wants a user and a password"),
        (server.url(login="host:wrong@"), "no user"),
        ("redis://other.machine/t", "in the open"),
    ):
        figures, host = mapped(url, "slow_square", 2500, workers=1)
        complete(figures, 2500)
        assert word in host.errors, f"'{word}' not in {host.errors}"


@test
def what_workers_print_and_log_comes_to_the_host():
    server, _ = farm()
    figures, host = mapped(server.url(), "talks", 20, capture=60)
    complete(figures, 20)
    for i in range(20):
        assert f"item {i} prints\n" in host.out and f"item {i} complains\n" in host.out, host.out[:900]
    assert "output 1: item " in host.out and "output 2: item " in host.out, host.out[:900]
    assert host.errors.count("an item logs") == 20, host.errors[:900]
    figures, host = mapped(server.url(), "talks", 5, idle=3000)
    complete(figures, 5)
    assert "item 3 prints" in host.out and "item 3 complains" in host.errors, host.out + host.errors


@test
def the_command_line_maps_over_nodes():
    folder = work / "system"
    folder.mkdir(exist_ok=True)
    if not (folder / "libm.so.6").exists():
        (folder / "libm.so.6").symlink_to(os.path.realpath("/lib/x86_64-linux-gnu/libm.so.6"))
    server = Server()
    Node(server.url(), "sums", folder=folder)
    mapengine = os.path.dirname(tool) + "/mapengine"
    code, text = run(mapengine, "map", "--cluster", server.url(), "--library", "libm.so.6", "double cbrt(double)", "27")
    assert code == 0 and text.startswith("3"), text
    code, text = until("the node is listed", 5, lambda: (lambda r: r if r[0] == 0 else None)(run(mapengine, "nodes", "--cluster", server.url())))
    assert "sums" in text, text
    code, text = run(mapengine, "doctor", "--quiet", "--cluster", server.url(), "--role", "node")
    assert code == 0 and text.count("\n") >= 3 and "ok " not in text, text


@test
def poison_is_named_with_node_signal_and_symbol():
    server, _ = farm(2)
    figures, host = mapped(server.url(), "poison", 3000)
    complete(figures, 3000, crashed=3)
    for item in 13, 1013, 2013:
        assert re.search(rf"^item {item} state 3 cause 4 code 11 attempts 1: on machine \"n[12]\": .*SIGSEGV", host.out, re.M), host.out[:900]
        assert re.search(rf"^crash {item} host n[12] signal 11: (.|\n)*?poison\+0x", host.out, re.M), host.out[:900]
    figures, host = mapped(server.url(), "poison", 1000, attempts=3)
    complete(figures, 1000, crashed=1)
    assert "attempts 3: " in host.out, host.out[:900]


@test
def an_item_that_hangs_is_ended_alone():
    server, _ = farm()
    begun = time.monotonic()
    figures, host = mapped(server.url(), "hangs", 300, timeout=500)
    complete(figures, 300, timed=1)
    assert "item 13 state 4 cause 7" in host.out, host.out[:500]
    assert time.monotonic() - begun < 8


@test
def a_cancelled_map_ends_at_once_and_nodes_are_idle():
    server, nodes = farm()
    figures, host = mapped(server.url(), "very_slow_square", 1000, cancel=600)
    assert figures["cancelled"] > 900 and figures["lost"] == 0, figures
    assert figures["seconds"] < 1.6, figures
    complete(mapped(server.url(), "square", 100)[0], 100)


@test
def a_module_that_is_not_allowed():
    server = Server()
    empty = work / "empty"
    empty.mkdir(exist_ok=True)
    node = Node(server.url(), "strict", folder=empty)
    figures, host = mapped(server.url(), "square", 400, workers=1)
    complete(figures, 400)
    figures, host = mapped(server.url(), "square", 50)
    complete(figures, 50, failed=50)
    line = next(line for line in host.out.splitlines() if line.startswith("item 0 "))
    assert "cause 3" in line and "node strict" in line and "libfunctions.so" in line and "not allowed" in line and str(empty) in line, line
    assert re.search(r"SHA-256 [0-9a-f]{64}", line), line
    shutil.copy(library, empty / "libfunctions.so")
    Node(server.url(), "kind", folder=empty)
    complete(mapped(server.url(), "square", 50)[0], 50)


@test
def a_module_that_is_another_file():
    server = Server()
    other = work / "other"
    other.mkdir(exist_ok=True)
    shutil.copy(library, other / "libfunctions.so")
    node = Node(server.url(), "n1", folder=other)
    complete(mapped(server.url(), "square", 50)[0], 50)
    with open(other / "libfunctions.so", "ab") as file:
        file.write(b"\0")
    figures, host = mapped(server.url(), "square", 50)
    complete(figures, 50, failed=50)
    assert "another file than the host's" in host.out, host.out[:500]


@test
def a_folder_that_others_can_write_is_refused():
    folder = work / "open"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    code, text = run(tool, "node", "--cluster", Server().url(), "--modules", folder, timeout=20)
    assert code == 69 and "chmod go-w" in text, text


@test
def a_node_drains():
    server, nodes = farm(2)
    host = Host(server.url(), "slow_square", 4000)
    time.sleep(0.7)
    assert nodes[0].end() == 0
    figures = host.wait()
    complete(figures, 4000)
    assert "drains" in nodes[0].text(), nodes[0].text()


@test
def a_node_ends_when_it_is_idle():
    server = Server()
    node = Node(server.url(), "idle", 2, "--until-idle", "1")
    complete(mapped(server.url(), "square", 100)[0], 100)
    assert node.process.wait(10) == 0
    Node.running.remove(node)
    code, text = run(tool, "nodes", "--cluster", server.url())
    assert code == 1, text


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
def each_right_that_is_missing_at_work_is_named():
    passwords = {}
    for role in "host", "node":
        passwords[role] = work / f"right-{role}"
        passwords[role].write_text(role + "pw\n")
    code, acl = run(tool, "acl", "--prefix", "t", "--host-password", passwords["host"], "--node-password", passwords["node"])
    assert code == 0, acl
    admin = "user admin on >a ~* &* +@all\n"
    server = Server(users=acl + admin)
    urls = {role: server.url(user=role, password_file=passwords[role]) for role in passwords}

    def allow(text):
        (server.folder / "users.acl").write_text(text + admin)
        code, said = run("redis-cli", "-p", server.port, "--user", "admin", "--pass", "a", "--no-auth-warning", "acl", "load")
        assert "OK" in said, said

    def without(role, right):
        lines = [[word for word in line.split() if word != f"+{right}" or not line.startswith(f"user {role} ")] for line in acl.splitlines()]
        return "".join(" ".join(words) + "\n" for words in lines)

    # Those that every map needs; doctor looks at the others.
    node = Node(urls["node"], "rights")
    for right in "xadd", "xgroup", "xread", "set", "get", "del", "expire", "hset", "sadd", "smembers", "publish", "client|list", "ping":
        allow(without("host", right))
        figures, host = mapped(urls["host"], "slow_square", 400, where=2, until=1, quiet=1)
        assert f"needs +{right}" in host.errors, f"without +{right}: {host.errors}"
    node.kill()
    # At its start a node ends with the reason; later it says so, and tries again.
    for right in "xreadgroup", "set", "get", "hgetall", "sadd", "smembers", "subscribe", "multi", "xack", "xdel", "xadd", "exec":
        allow(without("node", right))
        node = Node(urls["node"], f"without-{right}")
        host = Host(urls["host"], "slow_square", 400, workers=1, where=2)
        until(f"the node names +{right}", 20, lambda: f"needs +{right}" in node.text())
        host.kill()
        if node.process.poll() is None:
            node.kill()
        else:
            Node.running.remove(node)
    allow(acl)
    Node(urls["node"], "again")
    complete(mapped(urls["host"], "slow_square", 200)[0], 200)


@test
def a_node_with_a_wrong_user_ends_with_the_reason():
    server = Server(users="user default off\nuser node on >pw ~t:* &t:* -@all +ping\n")
    for url, word in ((server.url(), "wants a user and a password"), (server.url(login="node:wrong@"), "no user"),
                      ("redis://other.machine/t", "in the open")):
        code, text = run(tool, "node", "--cluster", url, "--modules", modules, timeout=30)
        assert code in (64, 69) and word in text, f"exit {code}: {text}"


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
def two_hosts_share_the_nodes():
    server, nodes = farm(2)
    hosts = [Host(server.url(), "slow_square", 3000) for _ in range(2)]
    seconds = []
    for host in hosts:
        figures = host.wait()
        complete(figures, 3000)
        seconds.append(figures["seconds"])
    assert max(seconds) < 3 * min(seconds), seconds


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
