"""Users, rights, certificates and modules that are not allowed: helper and node each say what is wrong, and what can be run is run."""

import re
import shutil

from farm import Host, Node, build, complete, library, mapped, modules
from servers import Certificates, Server, cleanups, main, run, test, tool, until, work

cleanups.insert(0, Node.stop_all)
build()


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
    words = "cannot run on other machines"
    logged = [line for line in (host.out + host.errors).splitlines() if words in line and not line.startswith("item ")]
    assert len(logged) == 1 and logged[0].count(words) == 1 and logged[0].count("square") == 1, logged
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
    server = Server(users="user default off\nuser node on >pw ~t:* resetchannels &t:* -@all +ping\n")
    for url, word in ((server.url(), "wants a user and a password"), (server.url(login="node:wrong@"), "no user"),
                      ("redis://other.machine/t", "in the open")):
        code, text = run(tool, "node", "--cluster", url, "--modules", modules, timeout=30)
        assert code in (64, 69) and word in text, f"exit {code}: {text}"


main()
