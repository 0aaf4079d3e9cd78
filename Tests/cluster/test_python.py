"""Python functions over nodes: results as those of a local pool, and what happens when something dies, fails, or does not fit.

CLUSTER_PYTHON is an interpreter with the package mapengine and NumPy; run.sh makes it.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from farm import Node, alive, build, children, modules
from servers import Server, cleanups, main, root, run, test, tool, until, work

cleanups.insert(0, Node.stop_all)
build()
python = os.environ["CLUSTER_PYTHON"]
# The package finds mapengine-remote beside this.
os.environ["PATH"] = f"{root}/dist/bin:" + os.environ["PATH"]
here = pathlib.Path(__file__).parent
tag = run(python, "-c", "from mapengine._node import tell; tell()")[1].strip()
assert re.fullmatch(r"cpython-3\.\d+-mapengine-[0-9.]+", tag), tag


def farm(count=1, workers=2, *more):
    server = Server()
    return server, [Node(server.url(), f"n{i + 1}", workers, "--python", python, *more) for i in range(count)]


def program(*words, **settings):
    """same.py, or a program of host.py: what it has printed."""
    path = [here / "same.py", *words[1:]] if words[0] == "same" else [here / "host.py", *words]
    code, text = run(python, *path, timeout=120, **settings)
    assert code == 0, text[-3000:]
    return text


class Program:
    """The same, in the background."""

    def __init__(self, *words):
        self.process = subprocess.Popen([python, str(here / "host.py"), *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.first = self.process.stdout.readline()

    def end(self):
        out, _ = self.process.communicate("\n", timeout=120)
        assert self.process.returncode == 0, out[-3000:]
        return out


@test
def results_are_those_of_a_local_pool():
    # So that the C library's functions are allowed there.
    if not (modules / "libm.so.6").exists():
        (modules / "libm.so.6").symlink_to(os.path.realpath("/lib/x86_64-linux-gnu/libm.so.6"))
    server, _ = farm()
    text = program("same", server.url())
    trials = (here / "same.py").read_text().count("\ndef trial_")
    assert text.count("\nsame ") + text.startswith("same ") == trials >= 20, text[-3000:]
    assert "nodes 1 here 0" in text, text[-300:]


@test
def so_are_those_that_travel_in_pieces():
    server = Server()
    url = server.url(value_limit=65536)
    Node(url, "n1", 2, "--python", python)
    text = program("same", url, "a")
    assert "FAILED" not in text and "same large_function" in text and "same large_elements" in text, text


@test
def nodes_and_this_machine_share_a_map():
    server, _ = farm(2)
    text = program("once", server.url(), "half", "0")
    assert "values [0.0, 0.5, 1.0, 1.5, 2.0]" in text and "here 1" in text, text
    text = program("long", server.url(), 1500, 1)
    assert "right True nodes 2" in text, text


@test
def a_killed_node_costs_nothing():
    server, nodes = farm(2)
    host = Program("long", server.url(), 1500, 0)
    assert host.first == "begun\n", host.first
    time.sleep(1)
    below = children(nodes[0].process.pid)
    nodes[0].kill()
    assert "right True" in host.end()
    until("the killed node's interpreters have ended", 10, lambda: not alive(below))


@test
def killed_workers_and_helpers_cost_nothing():
    server, nodes = farm(1)
    host = Program("long", server.url(), 1500, 1)
    time.sleep(0.5)
    for pid in children(host.process.pid):
        try:
            if pathlib.Path(f"/proc/{pid}/comm").read_text().startswith("mapengine-remot"):
                os.kill(pid, signal.SIGKILL)
        except FileNotFoundError:
            pass
    assert "right True" in host.end()


@test
def what_is_printed_and_logged_comes_to_the_host():
    server, _ = farm(2, 1)
    text = program("talks", server.url())
    for i in range(20):
        assert f"item {i} prints\n" in text and f"item {i} complains\n" in text, text[-2000:]
        assert f"host.test item {i} logs {'x' * 2000}\n" in text, text[-2000:]


@test
def deaths_limits_and_exceptions_belong_to_their_element_and_name_the_machine():
    server, _ = farm(1)
    lines = program("blames", server.url()).splitlines()
    assert lines[0] == "4 4" and lines[4] == "8 8", lines
    assert re.search(r"^5 WorkerDied n1 'on machine \"n1\": .*SIGSEGV.* called by dies .*host.py:\d+\), in element 0", lines[1]), lines[1]
    assert "_zygote.py" not in lines[1] and "_node.py" not in lines[1] and "in dies" in lines[1], lines[1]
    assert lines[2].startswith("6 ItemTimeout "), lines[2]
    assert lines[3].startswith("7 KeyError  '7' ") and "On machine n1:" in lines[3] and "in dies" in lines[3], lines[3]


@test
def a_call_can_be_ended():
    server, _ = farm(1)
    text = program("cancels", server.url())
    assert float(re.search(r"ended after ([0-9.]+)", text)[1]) < 20 and "goes on 16" in text, text


@test
def how_far_a_call_is_comes_to_the_host():
    server, _ = farm(1)
    assert program("follows", server.url(), work / "go-on") == "a quarter\n0.25 1.0\n"


@test
def without_an_interpreter_a_node_does_not_serve_it():
    server = Server()
    plain = Node(server.url(), "plain")
    text = program("once", server.url(), "half", "0", "wait")
    assert "values [0.0, 0.5, 1.0, 1.5, 2.0]" in text and "nodes 0 here 1" in text, text
    assert f"none of 1 nodes has the tags that the pool needs, {tag}: plain has none" in text and "mapengine node --python" in text, text
    assert "serves pool" not in plain.text(), plain.text()


@test
def another_version_is_refused_and_said():
    server = Server()
    others = list(other_pythons())
    for _, other in others[:1]:
        Node(server.url(), "other", 1, "--python", str(other))
    Node(server.url(), "older", 1, "--tags", "cpython-3.8-mapengine-0.1.0")
    count = 1 + len(others[:1])
    until("all are listed", 20, lambda: run(tool, "nodes", "--cluster", server.url())[1].count("cpython-") == count)
    text = program("once", server.url(), "half", "0", "wait")
    assert "nodes 0 here 1" in text and "older has cpython-3.8-mapengine-0.1.0" in text, text
    for version, _ in others[:1]:
        assert f"other has cpython-{version}-mapengine-" in text, text
    Node(server.url(), "fits", 1, "--python", python)
    text = program("once", server.url(), "half", "1")
    assert "nodes 1 here 0" in text, text


def other_pythons():
    """Interpreters of other versions, each a link by which it finds the package of the one that the tests use."""
    package = pathlib.Path(run(python, "-c", "import mapengine; print(mapengine.__path__[0])")[1].strip()).parent
    for candidate in sorted(pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv")).glob("versions/3.*/bin/python")):
        code, text = run(candidate, "-Ic", "import sys; print('%d.%d' % sys.version_info[:2])")
        version = text.strip()
        if code == 0 and version not in tag and int(version.split(".")[1]) >= 9:
            made = work / f"python{version}"
            made.write_text(f'#!/bin/sh\nexport PYTHONPATH={package}\nexec {candidate} "$@"\n')
            made.chmod(0o755)
            yield version, made


@test
def what_is_no_interpreter_is_refused_at_the_start():
    server = Server()
    for name, word in (("/bin/false", "cannot be used"), ("/nonexistent/python", "cannot be run"), ("/usr/bin/env", "cannot be used")):
        node = Node(server.url(), "broken", 1, "--python", name)
        assert node.process.wait(20) == 69 and word in node.text(), node.text()
        Node.running.remove(node)
    bare = work / "bare"
    bare.write_text(f'#!/bin/sh\nexec {python} -S "$@"\n')
    bare.chmod(0o755)
    node = Node(server.url(), "bare", 1, "--python", str(bare))
    assert node.process.wait(20) == 69 and "No module named 'mapengine'" in node.text(), node.text()
    Node.running.remove(node)


@test
def a_module_that_a_node_does_not_have_is_said_and_others_run_it():
    folder = work / "secret"
    folder.mkdir(exist_ok=True)
    (folder / "secret_module.py").write_text("def secret(x):\n    return x + 100\n")
    server = Server()
    # In a file system of its own, where that folder is empty.
    Node(server.url(), "apart", 1, "--python", python, before=("unshare", "-m", "sh", "-c", f'mount -t tmpfs none {folder} && exec "$@"', "sh"))
    environment = dict(os.environ, SECRET_FOLDER=str(folder))
    text = program("elsewhere", server.url(), env=environment)
    assert "values [100, 101, 102, 103, 104]" in text, text
    assert re.search(r"WARNING .*node apart: .*No module named 'secret_module'\. Install it for .* on machine apart", text), text


@test
def an_initializer_that_fails_is_told():
    server, _ = farm(1)
    for only in "1", "0":
        text = program("bad_start", server.url(), only)
        assert re.search(r"^PoolBroken (node n1: )?initializer failed: LookupError: no licence", text, re.M), text


@test
def workers_do_not_know_who_the_node_is_nor_the_hosts_key():
    server = Server()
    os.environ["MAPENGINE_CLUSTER"] = server.url()
    try:
        Node(server.url(), "n1", 1, "--python", python)
    finally:
        del os.environ["MAPENGINE_CLUSTER"]
    text = program("once", server.url(), "environment", "1")
    assert "values [[], [], [], [], []]" in text, text
    text = program("once", server.url(), "environment", "0", env=dict(os.environ, MAPENGINE_CLUSTER=server.url()))
    assert "values [[], [], [], [], []]" in text, text
    host = Program("shares", server.url())
    key = host.first.strip()
    until("the maps are done", 60, lambda: "lock" in host.process.stdout.readline())
    found = 0
    for name in server.ask("--scan", "--pattern", "*blob*").split():
        blob = subprocess.run(["redis-cli", "-p", str(server.port), "--raw", "get", name], stdout=subprocess.PIPE, check=True).stdout
        found += 1
        assert bytes.fromhex(key) not in blob and key.encode() not in blob, name
    assert len(key) >= 32 and found > 1, (key, found)
    host.end()


@test
def a_sandbox_that_the_host_wants_holds_on_every_node():
    server, _ = farm(1, 2, "--sandbox", "none")
    text = program("same", server.url(), "sandbox")
    assert "same sandbox" in text, text


@test
def nodes_are_listed_with_their_interpreter():
    server, _ = farm(1, 1, "--tags", "gpu")
    text = run(tool, "nodes", "--cluster", server.url())[1]
    assert f"gpu,{tag}" in text, text


if shutil.which("unshare") is None or os.geteuid() != 0:
    raise SystemExit("root and unshare are needed for a node with a file system of its own")
main()
