"""demo_cluster.py ROOT WORK [OPTION...]: what scripts/demo_cluster.sh says."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

options = sys.argv[3:]
del sys.argv[3:]

from farm import Node
from net import Network, NetServer
from servers import Server, root, run, tool, until, work

program = root / ".build-demo/bake"
NODES = ("n1", "n2", "n3")
VICTIM = "n2"


def say(text):
    print(f"demo-cluster: {text}", flush=True)


def machines():
    """A network of its own and a server in it; or none, and a server here."""
    try:
        network = Network("server", "host", *NODES)
    except AssertionError as error:
        say(f"server, program and nodes are all on 127.0.0.1, because there are no network namespaces to be had: {error}")
        return None, Server()
    say("server, program and nodes n1, n2, n3 are machines of their own: network namespaces behind one bridge")
    return network, NetServer(network)


def holders(server):
    """Which nodes have ranges now."""
    pools = [name for name in server.ask("smembers", "t:pools").split() if name]
    lines = [line for pool in pools for line in server.ask("xinfo", "consumers", f"t:{{{pool}}}:work", "g").splitlines()]
    # name, NAME.ID, pending, COUNT, idle, TIME
    return {lines[i + 1].split(".")[0] for i in range(len(lines) - 3) if lines[i] == "name" and int(lines[i + 3]) > 0}


def bake(*more, before=()):
    return subprocess.Popen([*before, program, *options, "--no-single", *map(str, more)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


def end(process, what):
    text, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"demo-cluster: {what} has failed:\n{text}")
    return re.search(r"^bake .*$", text, re.M).group()


def out_file():
    """Takes --out from the options."""
    for i, word in enumerate(options):
        if word == "--out" or word.startswith("--out="):
            named = word.partition("=")[2] or options[i + 1]
            del options[i : i + 1 + (word == "--out")]
            return pathlib.Path(named).absolute()
    (root / "out").mkdir(exist_ok=True)
    return root / "out/bunny-cluster.png"


def main():
    out = out_file()
    if {"--help", "-h"} & set(options):
        os.execv(program, [program, "--help"])
    network, server = machines()
    on = network.on if network else lambda name: ()
    try:
        local = work / "local.png"
        say("here alone: " + end(bake("--out", local), "the bake of this machine"))
        folder = work / "allowed"
        folder.mkdir()
        folder.chmod(0o755)
        shutil.copy(root / ".build-demo/libbake_plugin.so", folder)
        nodes = {name: Node(server.url(), name, 2, before=on(name), folder=folder) for name in NODES}
        process = bake("--out", out, "--cluster", server.url(), "--only-nodes", before=on("host"))
        until(f"{VICTIM} has work", 60, lambda: process.poll() is not None or VICTIM in holders(server))
        if process.poll() is not None:
            text = process.communicate()[0]
            raise SystemExit(f"demo-cluster: the bake was over before {VICTIM} had work: give more --rays\n{text}")
        nodes[VICTIM].kill()
        say(f"{VICTIM} is killed while it has work")
        say("over three nodes: " + end(process, "the bake over the nodes"))
        # What nodes say of themselves is renewed each second.
        time.sleep(1.5)
        listed = run(*on("n1"), tool, "nodes", "--cluster", server.url())[1]
        print("\n".join("    " + line for line in listed.splitlines()))
        if local.read_bytes() != out.read_bytes():
            raise SystemExit(f"demo-cluster: {out} is not the picture of this machine")
        say(f"both pictures are the same, byte for byte: {out}")
    except AssertionError as error:
        raise SystemExit(f"demo-cluster: {error}") from None
    finally:
        Node.stop_all()
        Server.stop_all()
        if network:
            network.close()


main()
