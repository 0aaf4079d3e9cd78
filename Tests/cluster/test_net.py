"""Links that are cut or slow: server, host and nodes each on a machine of its own."""

import time

from farm import Host, Node, build, complete, modules
from net import Network, NetServer
from servers import Certificates, cleanups, main, run, test, tool, until, work

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
def certificates_of_both_ends_are_looked_at():
    network = Network("server", "host", "n1")
    networks.append(network)
    ours, foreign = Certificates("net-ours"), Certificates("net-foreign")
    alternative = f"IP:{network.addresses['server']}"
    passwords = {}
    for role in "host", "node":
        passwords[role] = work / f"net-{role}"
        passwords[role].write_text(role + "pw\n")
    code, acl = run(tool, "acl", "--prefix", "t", "--host-password", passwords["host"], "--node-password", passwords["node"])
    assert code == 0, acl
    good = {role: ours.sign(role) for role in passwords}
    strange, old = foreign.sign("strange"), ours.sign("old", expired=True)

    def url(server, role, ca=ours.ca, client=None):
        client = client or good[role]
        return server.url(ca=ca, cert=client + ".crt", key=client + ".key", user=role, password_file=passwords[role])

    def refused(server, words, **how):
        """Helper and node each say why, and the map is done here."""
        host = Host(url(server, "host", **how), "slow_square", 300, before=network.on("host"), workers=1, texts=1)
        command = [*network.on("n1"), tool, "node", "--cluster", url(server, "node", **how), "--modules", modules, "--until-idle", "20"]
        code, said = run(*command)
        complete(host.wait(), 300)
        assert code == 69 and words in said, f"node: exit {code}: {said}"
        assert words in host.errors, f"host: {host.errors}"

    server = NetServer(network, tls=(ours.ca, ours.sign("server", alternative)), users=acl)
    node = Node(url(server, "node"), "n1", before=network.on("n1"))
    complete(Host(url(server, "host"), "slow_square", 500, before=network.on("host")).wait(), 500)
    node.kill()
    refused(server, "does not know the authority that has signed our certificate", client=strange)
    refused(server, "our certificate (cert=) has expired", client=old)
    refused(server, "the server's certificate is refused", ca=foreign.ca)
    server.kill()
    server = NetServer(network, tls=(ours.ca, ours.sign("late", alternative, expired=True)), users=acl)
    refused(server, "the server's certificate is refused")
    server.kill()
    server = NetServer(network, tls=(foreign.ca, foreign.sign("server", alternative)), users=acl)
    refused(server, "the server's certificate is refused")


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
