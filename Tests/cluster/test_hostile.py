"""A server that lies to a helper and to a node at work: it costs items, and time, never the host. HOSTILE_SEEDS=FIRST:COUNT runs others."""

import os
import re

from farm import Host, Node, build, complete
from hostile import Liar, Proxy, parse, write
from servers import Server, cleanups, main, test, until

cleanups.insert(0, Node.stop_all)
build()
first, count = map(int, os.environ.get("HOSTILE_SEEDS", "1:3").split(":"))


@test
def what_it_changes_is_read_as_it_is_written():
    replies = [
        (b"*", [(b"$", b"a\r\nb"), (b":", b"-3"), (b"*", []), (b"$", None), (b"*", None)]), (b"+", b"OK"), (b"-", b"ERR x"), (b"$", b""),
    ]
    data = b"".join(map(write, replies))
    at, read = 0, []
    while at < len(data):
        reply, at = parse(data, at)
        read.append(reply)
    assert read == replies, read
    liar = Liar(1, 1)
    assert sum(liar(replies[0]) != write(replies[0]) for _ in range(100)) > 50


def sane(host, figures, wanted):
    """Each item has ended, and neither host nor helper has fallen over."""
    ends = sum(figures[kind] for kind in ("ok", "failed", "crashed", "timed", "cancelled"))
    assert host.process.returncode == 0 and figures["lost"] == 0 and ends == wanted, f"exit {host.process.returncode}: {figures}\n{host.out[-600:]}\n{host.errors[-1500:]}"
    fallen = re.search(r".*helper for other machines \(pid.*|.*Fatal error.*", host.errors)
    assert not fallen, fallen.group()


def lied_to(where, seed):
    """A map while one of the two ends is lied to; then one with an honest server, which goes as ever."""
    server = Server()
    rate = (3, 10, 30)[seed % 3]
    proxy = Proxy(server.port, seed, 0)
    node = Node(proxy.url() if where == "node" else server.url(), f"{where}{seed}", 2)
    url = proxy.url() if where == "host" else server.url()
    try:
        proxy.rate = rate
        host = Host(url, "poison" if seed % 2 else "slow_square", 700, workers=1, rounds=2, limit=60)
        figures = host.wait(200)
        sane(host, figures, 1400)
        proxy.become_honest()
        assert node.process.poll() is None and "Fatal error" not in node.text(), f"the node has ended: {node.text()[-800:]}"
        host = Host(url, "square", 300, limit=90)
        complete(host.wait(120), 300)
    except AssertionError as error:
        raise AssertionError(f"seed {seed}, {where}: {error}") from None
    finally:
        node.kill()
        server.kill()
        proxy.close()
    return proxy.lies


@test
def helpers_are_lied_to():
    lies = [lied_to("host", seed) for seed in range(first, first + count)]
    assert sum(lies) > 0, lies
    print(f"    {sum(lies)} lies to {len(lies)} helpers")


@test
def nodes_are_lied_to():
    lies = [lied_to("node", seed) for seed in range(first, first + count)]
    assert sum(lies) > 0, lies
    print(f"    {sum(lies)} lies to {len(lies)} nodes")


main()
