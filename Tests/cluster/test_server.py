"""The connection to a server: what is refused, and whether the reason says what to do."""

import hashlib
import time

from servers import Certificates, FakeServer, Server, free_port, main, run, server_program, test, tool, until, work


def doctor(url, *more):
    return run(tool, "doctor", *more, "--cluster", url, timeout=40)


def refused(url, *words, code=1, more=()):
    got, text = doctor(url, *more)
    assert got == code, f"exit code {got}: {text}"
    for word in words:
        assert word in text, f"'{word}' is not in: {text}"


certificates = []


def authority(which):
    while len(certificates) <= which:
        certificates.append(Certificates(f"authority{len(certificates)}"))
    return certificates[which]


@test
def a_plain_server_on_this_machine_will_do():
    code, text = doctor(Server().url())
    assert code == 0 and "0 failed" in text and "all 18 of a host" in text, text


@test
def a_node_may_be_checked_too():
    code, text = doctor(Server().url(), "--role", "node")
    assert code == 0 and "of a node" in text, text


@test
def the_url_may_come_from_the_environment():
    code, text = run("env", f"MAPENGINE_CLUSTER={Server().url()}", tool, "doctor")
    assert code == 0, text
    code, text = run("env", "-u", "MAPENGINE_CLUSTER", tool, "doctor")
    assert code == 64 and "rediss://" in text, text


@test
def a_wrong_url_says_what_is_wrong():
    refused("redis://other.machine/x", "in the open", "rediss://", "plain=1", code=64)
    refused("rediss://h/x?ca=/nowhere/ca.crt", "/nowhere/ca.crt", code=69)
    refused("redis://127.0.0.1/x?user=a&password-file=/nowhere/pw", "/nowhere/pw", "No such file", code=69)


@test
def a_server_that_is_not_there():
    server = Server()
    url = server.url()
    server.kill()
    refused(url, "cannot be reached", "refused")
    refused("rediss://no-such-machine.invalid/x", "no-such-machine.invalid", "no address")


@test
def tls_with_both_certificates():
    ours = authority(0)
    server = Server(tls=(ours.ca, ours.sign("server")))
    client = ours.sign("client")
    code, text = doctor(server.url("rediss", ca=ours.ca, cert=client + ".crt", key=client + ".key"))
    assert code == 0 and ", TLS" in text, text


@test
def foreign_and_expired_certificates():
    ours, foreign = authority(0), authority(1)
    server = Server(tls=(ours.ca, ours.sign("server")))
    good, strange, old = ours.sign("client"), foreign.sign("client"), ours.sign("old", expired=True)

    def url(ca, client):
        return server.url("rediss", ca=ca, cert=client + ".crt", key=client + ".key")

    refused(url(foreign.ca, good), "the server's certificate is refused")
    refused(url(ours.ca, strange), "does not know the authority that has signed our certificate")
    refused(url(ours.ca, old), "our certificate (cert=) has expired")
    refused(server.url("rediss", ca=ours.ca), "the server wants a certificate of ours", "cert=")
    refused(server.url("rediss", ca=ours.ca, cert=good + ".crt", key=strange + ".key"), "key=", code=69)
    refused(server.url("rediss", ca=ours.ca, cert=good + ".key", key=good + ".key"), "cert=", "PEM", code=69)


@test
def a_server_with_a_wrong_certificate():
    ours = authority(0)
    good = ours.sign("client")
    options = dict(ca=ours.ca, cert=good + ".crt", key=good + ".key")
    refused(Server(tls=(ours.ca, ours.sign("old", expired=True))).url("rediss", **options), "the server's certificate is refused",
            "expired")
    refused(Server(tls=(ours.ca, ours.sign("other", "DNS:farm.studio"))).url("rediss", **options), "the server's certificate is refused",
            "mismatch")


@test
def tls_and_plain_do_not_meet():
    ours = authority(0)
    refused(Server().url("rediss", ca=ours.ca), "TLS")
    refused(Server(tls=(ours.ca, ours.sign("server"))).url(), "127.0.0.1")


def users(*lines):
    return "user default off\n" + "".join(f"{line}\n" for line in lines)


def password(text="pw"):
    path = work / f"password-{text}"
    path.write_text(text + "\n")
    return path


@test
def users_and_passwords():
    server = Server(users=users("user host on >pw ~t:* resetchannels &t:* -@all +ping"))
    refused(server.url(), "wants a user and a password", "password-file=")
    refused(server.url(user="host", password_file=password("wrong")), 'no user "host" with this password')
    refused(server.url(user="nobody", password_file=password()), 'no user "nobody" with this password')
    refused(server.url(login="host:wrong@"), 'no user "host" with this password')


def acl(prefix="t"):
    code, text = run(tool, "acl", "--prefix", prefix, "--host-password", password("hostpw"), "--node-password", password("nodepw"))
    assert code == 0, text
    return text


@test
def the_acl_file_has_all_rights_and_no_passwords():
    text = acl()
    assert hashlib.sha256(b"hostpw").hexdigest() in text and "hostpw" not in text, text
    server = Server(users=text)
    for role in "host", "node":
        code, said = doctor(server.url(user=role, password_file=password(role + "pw")), "--role", role)
        assert code == 0 and "0 failed" in said, said
    refused(server.url(user="node", password_file=password("nodepw")), "+xgroup", more=("--role", "host"))


@test
def each_right_that_is_missing_is_named():
    for role in "host", "node":
        line = next(line for line in acl().splitlines() if line.startswith(f"user {role} "))
        words = line.split()
        rights = [word for word in words if word.startswith("+")]
        assert len(rights) >= 17, rights
        server = Server(users=acl())
        server.folder.joinpath("password").write_text(role + "pw")
        url = server.url(user=role, password_file=server.folder / "password")
        for right in rights:
            without = " ".join(word for word in words if word != right)
            server.folder.joinpath("users.acl").write_text(users(without, "user admin on >a ~* +@all"))
            code, text = run("redis-cli", "-p", server.port, "--user", "admin", "--pass", "a", "--no-auth-warning", "acl", "load")
            if "OK" not in text:
                server.kill()
                server.start()
            got, said = doctor(url, "--role", role)
            # Redis 6.2 does not say which subcommand it was.
            wanted = right if server_program == "redis-server" else right.partition("|")[0]
            assert got == 1 and wanted in said, f"without {right}: {said}"


@test
def keys_and_channel_that_are_not_allowed():
    line = next(line for line in acl().splitlines() if line.startswith("user host "))
    refused(Server(users=users(line.replace("~t:*", "~other:*"))).url(user="host", password_file=password("hostpw")), "~t:*")
    refused(Server(users=users(line.replace("&t:*", "&other:*"))).url(user="host", password_file=password("hostpw")), "&t:*")


@test
def a_server_that_may_forget():
    refused(Server("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru").url(), "noeviction", "allkeys-lru")


@test
def one_that_is_loading_or_full_is_not_refused_for_good():
    server = Server("--maxmemory", "1mb", "--maxmemory-policy", "noeviction")
    code, text = doctor(server.url())
    assert code == 1 and "memory is full" in text, text


def hello(version, role="master"):
    fields = ["server", "redis", "version", version, "proto", ":2", "id", ":5", "mode", "standalone", "role", role, "modules", "*0"]
    return ("*%d\r\n" % len(fields) + "".join(
        f"{one}\r\n" if one[0] in ":*" else f"${len(one)}\r\n{one}\r\n" for one in fields)).encode()


@test
def an_old_server():
    def answer(connection):
        connection.recv(4096)
        connection.sendall(hello("6.0.16"))
        while connection.recv(65536):
            connection.sendall(b"+OK\r\n")

    server = FakeServer(answer)
    refused(server.url(), "6.0.16", "6.2 or later")
    server.close()


@test
def something_that_is_no_redis():
    for text in b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\0\0\0\0\0\0\0\0\r\n", b"*99999999999\r\n", b"$-5\r\nxx\r\n":
        def answer(connection, text=text):
            connection.sendall(text)
            time.sleep(1)

        server = FakeServer(answer)
        refused(server.url(), "127.0.0.1")
        server.close()


@test
def a_server_that_closes_or_says_nothing():
    server = FakeServer(lambda connection: connection.recv(65536))
    refused(server.url(), "closed the connection")
    server.close()
    server = FakeServer(lambda connection: time.sleep(20))
    refused(server.url(), "does not answer")
    refused(server.url(scheme="rediss"), "does not answer to TLS")
    server.close()


@test
def the_first_server_that_can_be_used_is():
    server = Server()
    code, text = run(tool, "nodes", "--cluster", f"redis://127.0.0.1:{free_port()},127.0.0.1:{server.port}/t")
    assert code == 1 and "no node" in text, text


@test
def nothing_is_left_on_the_server():
    server = Server()
    doctor(server.url())
    doctor(server.url(), "--role", "node")
    until("no key is left", 6, lambda: server.ask("keys", "*") == "")


main()
