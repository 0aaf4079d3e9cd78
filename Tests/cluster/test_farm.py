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
def values_larger_than_the_server_takes_go_in_pieces():
    # What a server takes is 512 MiB; this one takes 1 MiB.
    server = Server("--proto-max-bulk-len", "1048576")
    url = server.url(value_limit=1000000)
    node = Node(url, "pieces", 1)
    complete(mapped(url, "turned", 6, size=5 << 20)[0], 6)
    complete(mapped(url, "turned", 6, size=1048577, workers=1)[0], 6)
    assert node.text().count("connected to") == 1, node.text()
    node.end()
    url = server.url(value_limit=65536)
    Node(url, "small", 2)
    code, text = run(program, "same", url, library, timeout=120)
    assert code == 0 and text.count("same ") == 15, text
    until("no piece is left", 20, lambda: "work" not in server.ask("--scan") and ":out" not in server.ask("--scan"))


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
    server = Server(users="user default off\nuser host on >pw ~t:* resetchannels &t:* -@all +ping\n")
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
def workers_of_nodes_are_killed():
    server, nodes = farm(2)
    host = Host(server.url(), "slow_square", 6000, attempts=3)
    killed = 0
    for _ in range(3):
        time.sleep(0.2)
        for node in nodes:
            below = [pid for pid in children(node.process.pid) if pid not in children_of_first(node)]
            try:
                os.kill(below[-1], signal.SIGKILL)
                killed += 1
            except (IndexError, ProcessLookupError):
                pass
    complete(host.wait(), 6000)
    assert killed >= 1


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

    time.sleep(2)
    before = wakeups()
    time.sleep(4)
    awake = wakeups() - before
    time.sleep(6)
    before = wakeups()
    time.sleep(1.5)
    assert wakeups() - before == 0, "it wakes up at rest"
    host.process.wait(60)
    out = host.first + host.process.stdout.read()
    assert " ok 200 " in out, out
    assert awake <= 40, f"{awake} wakeups in 4 s"


main()
