"""Links that are cut or slow: server, host and nodes each on a machine of its own."""

import time

from farm import Host, Node, build, complete
from net import Network, NetServer
from servers import cleanups, main, run, test, tool, until

cleanups.insert(0, Node.stop_all)
build()
networks = []


def close():
    while networks:
        networks.pop().close()


cleanups.append(close)


def farm(workers=4, *settings):
    network = Network("server", "host", "n1", "n2", "n3")
    networks.append(network)
    server = NetServer(network, *settings)
    nodes = [Node(server.url(), name, workers, before=network.on(name)) for name in ("n1", "n2", "n3")]
    return network, server, nodes


def start(network, server, function, count, **options):
    return Host(server.url(), function, count, before=network.on("host"), **options)


def there(server, node):
    """Whether the server thinks that a node lives."""
    return any(key.startswith(f"t:node:{node}.") for key in server.ask("keys", "t:node:*").split())


@test
def plain_text_to_another_machine_is_refused():
    network = Network("server", "host")
    networks.append(network)
    server = NetServer(network)
    code, text = run(*network.on("host"), tool, "doctor", "--cluster", server.url().replace("?plain=1", ""))
    assert code == 64 and "in the open" in text, text
    code, text = run(*network.on("host"), tool, "doctor", "--cluster", server.url())
    assert code == 0, text


@test
def three_machines_share_a_map():
    network, server, nodes = farm()
    complete(start(network, server, "slow_square", 12000).wait(), 12000)
    complete(start(network, server, "turned", 60, size=1 << 20).wait(), 60)


@test
def the_link_of_a_node_is_cut():
    network, server, nodes = farm()
    host = start(network, server, "slow_square", 30000, limit=90)
    time.sleep(0.5)
    network.link("n1", "down")
    until("the host misses it", 4.5, lambda: not there(server, "n1"))
    time.sleep(1)
    network.link("n1", "up")
    complete(host.wait(), 30000)
    until("it is there again", 30, lambda: there(server, "n1"))


@test
def the_hosts_own_link_is_cut():
    network, server, nodes = farm()
    host = start(network, server, "slow_square", 9000, workers=2)
    time.sleep(0.3)
    network.link("host", "down")
    time.sleep(4)
    network.link("host", "up")
    complete(host.wait(), 9000)


@test
def a_slow_link_does_not_hold_the_map_up():
    network, server, nodes = farm(workers=1)
    network.rate("n1", "1mbit")
    complete(start(network, server, "slow_square", 6000).wait(), 6000)
    host = start(network, server, "turned", 100, size=1 << 20, workers=2)
    complete(host.wait(), 100)


@test
def nothing_listens_on_nodes():
    network, server, nodes = farm()
    for name in "n1", "n2":
        text = network.inside(name, "ss", "-ltnuH")
        assert text.strip() == "", text


main()
