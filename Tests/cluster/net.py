"""Machines: network namespaces behind one bridge, which is in a namespace as well, so that nothing of this machine's network changes."""

import os
import subprocess
import sys

from servers import Server, run, server_program, until, work


def ip(*command):
    code, text = run("ip", *command)
    assert code == 0, f"ip {' '.join(command)}: {text}"


class Network:
    """Machines by name, at 10.77.7.2 and on."""

    def __init__(self, *names):
        self.mark = f"mape{os.getpid()}"
        self.names = names
        self.addresses = {}
        self.spaces = []
        if os.geteuid() != 0:
            raise AssertionError("network namespaces need root")
        self.space("net")
        self.inside("net", "ip", "link", "add", "br0", "type", "bridge")
        self.inside("net", "ip", "link", "set", "br0", "up")
        for i, name in enumerate(names):
            self.space(name)
            self.addresses[name] = f"10.77.7.{i + 2}"
            ip("-n", f"{self.mark}-net", "link", "add", f"v{i}", "type", "veth", "peer", "name", "eth0", "netns", f"{self.mark}-{name}")
            self.inside("net", "ip", "link", "set", f"v{i}", "master", "br0", "up")
            self.inside(name, "ip", "addr", "add", f"{self.addresses[name]}/24", "dev", "eth0")
            self.inside(name, "ip", "link", "set", "eth0", "up")
            self.inside(name, "ip", "link", "set", "lo", "up")

    def space(self, name):
        ip("netns", "add", f"{self.mark}-{name}")
        self.spaces.append(f"{self.mark}-{name}")

    def on(self, name):
        """What goes in front of a command that is to run on a machine."""
        return ["ip", "netns", "exec", f"{self.mark}-{name}"]

    def inside(self, name, *command):
        code, text = run(*self.on(name), *command)
        assert code == 0, f"{command}: {text}"
        return text

    def link(self, name, state):
        """Cuts a machine's link, or mends it: state is down or up."""
        self.inside("net", "ip", "link", "set", f"v{self.names.index(name)}", state)

    def rate(self, name, rate):
        """Limits what a machine sends and receives, as "10mbit"; None: not any more."""
        for space, device in (("net", f"v{self.names.index(name)}"), (name, "eth0")):
            run(*self.on(space), "tc", "qdisc", "del", "dev", device, "root")
            if rate:
                self.inside(space, "tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", rate, "burst", "32kb", "latency", "400ms")

    def close(self):
        for space in self.spaces:
            run("ip", "netns", "del", space)


class NetServer(Server):
    """A server on a machine of its own."""

    def __init__(self, network, *settings, tls=None, users=None):
        self.network = network
        self.tls = tls
        self.address = network.addresses["server"]
        self.port = 6379
        self.folder = work / "netserver"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.command = [*network.on("server"), server_program, "--bind", self.address, "--protected-mode", "no", "--save", "",
                        "--appendonly", "no", "--dir", str(self.folder), "--daemonize", "no", *settings]
        if tls:
            ca, certificate = tls
            self.command += ["--port", "0", "--tls-port", "6379", "--tls-ca-cert-file", ca, "--tls-cert-file", certificate + ".crt",
                             "--tls-key-file", certificate + ".key", "--tls-auth-clients", "yes"]
        else:
            self.command += ["--port", "6379"]
        if users:
            (self.folder / "users.acl").write_text(users)
            self.command += ["--aclfile", str(self.folder / "users.acl")]
        self.start()

    def start(self):
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        Server.running.append(self)
        listens = self.network.on("server") + ["ss", "-ltnH", "sport = :6379"]
        until("the server listens", 20, lambda: self.address in run(*listens)[1])

    def url(self, **options):
        if not self.tls:
            return f"redis://{self.address}/t?plain=1"
        return f"rediss://{self.address}/t?" + "&".join(f"{name.replace('_', '-')}={value}" for name, value in options.items())

    def ask(self, *command):
        return run(*self.network.on("server"), "redis-cli", "-h", self.address, *command)[1].strip()
