"""Maps over nodes on this machine: results as those of a local pool, and what else works as here."""

import os
import re
import time

from farm import Host, Node, build, complete, farm, library, mapped, program
from servers import Server, cleanups, main, run, test, tool, until, work

cleanups.insert(0, Node.stop_all)
build()


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
    served = until("nodes say what they did", 10, lambda: sum(int(line.split()[7]) for line in run(
        tool, "nodes", "--cluster", server.url())[1].splitlines()[1:]))
    assert 0 < served < 3000, f"the nodes did {served}"
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
    assert time.monotonic() - begun < 60, "it would have taken 600"


@test
def a_cancelled_map_leaves_the_rest_undone_and_nodes_idle():
    server, nodes = farm()
    figures, host = mapped(server.url(), "very_slow_square", 1000, cancel=600)
    assert figures["cancelled"] > 900 and figures["lost"] == 0, figures
    complete(mapped(server.url(), "square", 100)[0], 100)


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
def two_hosts_share_the_nodes():
    server, nodes = farm(2)
    hosts = [Host(server.url(), "slow_square", 3000) for _ in range(2)]
    for host in hosts:
        complete(host.wait(), 3000)


main()
