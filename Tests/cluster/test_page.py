"""docs/many-machines.md: its commands run as they stand, on this machine in place of farm.studio; what starts nodes elsewhere is well formed."""

import os
import re
import shlex
import shutil
import signal
import subprocess

from farm import Node, build, children, complete, library, mapped
from servers import Server, cleanups, free_port, main, root, run, test, tool, until, work

build()
cleanups.insert(0, Node.stop_all)
page = (root / "docs/many-machines.md").read_text()
folder = work / "page"
port = free_port()


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", page, re.M | re.S)


def here(text):
    return text.replace("farm.studio", "localhost").replace("6380", str(port))


def url(role):
    return f"rediss://localhost:{port}/prod?ca={folder}/ca.crt&cert={folder}/{role}.crt&key={folder}/{role}.key&user={role}&password-file={folder}/{role}.password"


@test
def its_commands_run():
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "modules").mkdir(parents=True)
    (folder / "modules").chmod(0o755)
    shutil.copy(library, folder / "modules")
    script = "set -euo pipefail\n" + here("\n".join(blocks("sh")))
    # The node has to be there before it is listed.
    script = script.replace("mapengine nodes", "for i in $(seq 100); do mapengine nodes --cluster \"$again\" >list 2>&1 && break; sleep 0.1; done; mapengine nodes")
    script = script.replace("node=$!\n", "node=$!\necho $node >node.pid\n")
    path = [os.path.dirname(tool), os.path.dirname(os.environ["CLUSTER_PYTHON"]), os.environ["PATH"]]
    environment = dict(os.environ, PATH=":".join(path), again=url("node"))
    try:
        with open(folder / "log", "w") as log:
            code = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=100).returncode
        text = (folder / "log").read_text()
        assert code == 0, text[-1500:]
        assert text.count("0 failed") == 2 and re.search(r"^n1 +2 +4 ", text, re.M) and "[0, 1, 4, 9, 16]" in text, text[-1500:]
        figures, host = mapped(url("host"), "slow_square", 500)
        complete(figures, 500)
        os.kill(int((folder / "node.pid").read_text()), signal.SIGTERM)
        until("the node ends", 15, lambda: "ends" in (folder / "log").read_text().splitlines()[-1])
    finally:
        for name in "node.pid", "redis.pid":
            if (folder / name).exists():
                try:
                    os.kill(int((folder / name).read_text()), signal.SIGKILL)
                except ProcessLookupError:
                    pass


def starts(command):
    """A command that starts a node, run here until it is idle."""
    modules = work / "modules"
    words = shlex.split(command)
    words = words[words.index("node") :]
    words[words.index("--modules") + 1] = str(modules)
    if "--python" in words:
        words[words.index("--python") + 1] = os.environ["CLUSTER_PYTHON"]
    if "--until-idle" in words:
        words[words.index("--until-idle") + 1] = "1"
    else:
        words += ["--until-idle", "1"]
    server = Server()
    code, text = run("env", f"MAPENGINE_CLUSTER={server.url()}", tool, *words, timeout=30)
    assert code == 0 and "idle for 1 s" in text, text


@test
def the_unit_is_one_and_its_command_starts_a_node():
    (unit,) = blocks("ini")
    starts(re.search(r"^ExecStart=(.*)$", unit, re.M).group(1))
    sections = re.findall(r"^\[(\w+)\]$", unit, re.M)
    assert sections == ["Unit", "Service", "Install"], sections
    for line in unit.splitlines():
        assert not line or line.startswith("[") or re.match(r"^[A-Z]\w+=\S", line), line


@test
def the_manifests_command_starts_a_node():
    (manifest,) = blocks("yaml")
    starts(" ".join(re.search(r"command: \[(.*)\]", manifest).group(1).split(", ")))
    assert all((len(line) - len(line.lstrip())) % 2 == 0 for line in manifest.splitlines())
    grace = int(re.search(r"terminationGracePeriodSeconds: (\d+)", manifest).group(1))
    assert grace > 10


@test
def the_other_launchers_commands_start_nodes():
    lines = [line[2:] for block in blocks("console") for line in block.splitlines()]
    assert len(lines) == 3 and "--python" in lines[0] and lines[1].startswith("srun "), lines
    for line in lines:
        starts(line)


@test
def the_url_of_the_program_is_one():
    (code,) = blocks("c")
    text = "".join(re.findall(r'"([^"]*)"', code))
    code, said = run(tool, "doctor", "--cluster", text)
    assert code == 69 and "/etc/mapengine" in said, said


main()
