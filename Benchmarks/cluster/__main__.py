"""python -m cluster ROOT WORK [ROW...] [--rounds N] [--smoke]: what scripts/bench_cluster.sh says. Each round runs every system of a row once, in turn, so
that whatever the machine does meanwhile meets all of them alike.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace

parser = argparse.ArgumentParser(prog="bench_cluster", description="Measures many machines beside a local pool and Dask.")
parser.add_argument("root")
parser.add_argument("work")
parser.add_argument("rows", nargs="*", metavar="ROW")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--smoke", action="store_true", help="one round with little work: does all of it run? Keeps no figure.")
arguments = parser.parse_args()
sys.argv[3:] = []

from cluster import page
from cluster.processes import Failed, measured
from cluster.rows import GOALS, ROWS, TAKEN, Bare, Dask
from driver.report import figure
from farm import Node
from net import Network, NetServer
from servers import Server, root, until, work

BUILD = root / ".build-bench-cluster"
try:
    import distributed
except ImportError:
    distributed = None


def say(text):
    print(f"bench-cluster: {text}", flush=True)


class Farm:
    """Machines of one kind: a server, a host, and nodes."""

    def __init__(self, kind):
        self.kind = kind
        names = ("n1",) if kind == "slow" else ("n1", "n2", "n3")
        self.network = Network("server", "host", *names)
        self.server = NetServer(self.network)
        folder = work / "allowed"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        (folder / "libfunctions.so").write_bytes((BUILD / "libfunctions.so").read_bytes())
        workers = 4 if kind == "four" else 1
        self.nodes = [Node(self.server.url(), name, workers, before=self.network.on(name), folder=folder) for name in names]
        if kind == "slow":
            self.network.rate("n1", "10mbit")
        self.dask = []
        if kind == "one" and distributed:
            self.start_dask(names)

    def start_dask(self, names):
        at = f"tcp://{self.network.addresses['server']}:8786"
        scheduler = ["-m", "distributed.cli.dask_scheduler", "--host", self.network.addresses["server"], "--port", "8786", "--no-dashboard"]
        worker = ["-m", "distributed.cli.dask_worker", at, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        for name, command in [("server", scheduler)] + [(name, [*worker, "--host", self.network.addresses[name]]) for name in names]:
            log = open(work / f"dask-{name}.log", "w")
            self.dask.append(subprocess.Popen(
                [*self.network.on(name), sys.executable, *command], cwd=work, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        self.dask_address = at

    def run(self, system):
        on = self.network.on("host")
        if isinstance(system, Dask):
            command = [sys.executable, root / "Benchmarks/cluster/dask_host.py", self.dask_address, 3, system.row, system.count, system.size,
                       system.rounds]
            return measured([*on, *command], [one.pid for one in self.dask], system.rounds)
        if isinstance(system, Bare):
            return self.bare(system, on)
        url = self.server.url() if system.cluster else ""
        command = [BUILD / "host", url, BUILD / "libfunctions.so", system.function, system.workers, len(self.nodes) if url else 0, system.count,
                   system.size, system.rounds]
        others = [self.server.process.pid] + [node.process.pid for node in self.nodes]
        return measured([*on, *command], others if url else [], system.rounds)

    def bare(self, system, on):
        floor = [BUILD / "floor", self.network.addresses["server"]]
        work = [system.count, system.size] if system.kind == "bytes" else [system.count]
        other = None
        if system.kind == "calls":
            other = subprocess.Popen([*self.network.on("n1"), *map(str, floor), "answer"], stdout=subprocess.PIPE, text=True)
            other.stdout.readline()
        try:
            return measured([*on, *floor, system.kind, *work, system.rounds], [self.server.process.pid], system.rounds)
        finally:
            if other:
                other.kill()
                other.communicate()

    def close(self):
        for one in self.dask:
            one.kill()
            one.wait()
        Node.stop_all()
        Server.stop_all()
        self.network.close()


def small(system):
    """The same with little work."""
    return replace(system, count=max(1, system.count // 20), rounds=min(3, system.rounds))


def measure(rows, rounds):
    values, broken = defaultdict(list), {}
    for kind in dict.fromkeys(row.farm for row in rows):
        farm = Farm(kind)
        try:
            for number in range(rounds):
                for row in (row for row in rows if row.farm == kind):
                    for name, system in row.systems.items():
                        if isinstance(system, Dask) and not distributed:
                            continue
                        system = small(system) if arguments.smoke else system
                        try:
                            answer = farm.run(system)
                        except Failed as failure:
                            broken[f"{row.name}, {name}"] = str(failure)
                            say(f"{row.name}: {name}: {failure}")
                            continue
                        values[row.name, name].append(row.figure(answer, system.count))
                        for other in ROWS:
                            source, names = TAKEN.get(other.name, ("", ()))
                            if source == row.name and name in names:
                                values[other.name, name].append(other.figure(answer, system.count))
                say(f"farm {kind}: round {number + 1} of {rounds}")
        finally:
            farm.close()
    return values, broken


def main():
    rows = [row for row in ROWS if row.systems and (not arguments.rows or row.name in arguments.rows)]
    if not distributed:
        say("NOT RUN: Dask, which could not be fetched")
    values, broken = measure(rows, 1 if arguments.smoke else arguments.rounds)
    results = [
        {"row": row.name, "text": row.text, "system": system, "unit": row.unit, "median": statistics.median(found), "least": min(found),
         "most": max(found), "rounds": len(found)}
        for row in ROWS for (name, system), found in values.items() if name == row.name
    ]
    for one in results:
        print(f"{one['row']:<12} {one['system']:<30} {figure(one['median']):>10} {one['unit']:<10} "
              f"{figure(one['least'])} to {figure(one['most'])}, {one['rounds']} rounds")
    medians = {(one["row"], one["system"]): one["median"] for one in results}
    outcomes = [(goal, goal.measured(medians)) for goal in GOALS]
    outcomes = [(goal, value, value >= goal.limit if goal.at_least else value <= goal.limit) for goal, value in outcomes if value is not None]
    for goal, value, met in outcomes:
        print(page.goal_text(goal, value) + (": met" if met else ": MISSED"))
    print(f"bench-cluster: {sum(met for _, _, met in outcomes)} of {len(outcomes)} goals met")
    if arguments.smoke:
        ran = {name for name, _ in values}
        say(f"smoke: {len(ran)} of {len(ROWS)} rows ran")
        return 1 if broken or len(ran) < len(ROWS) else 0
    out = root / "Benchmarks/out"
    out.mkdir(exist_ok=True)
    (out / "cluster.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    if not arguments.rows:
        page.write(results, outcomes, distributed.__version__ if distributed else "")
        say("wrote docs/cluster.md")
    return 1 if broken else 0


try:
    sys.exit(main())
except AssertionError as error:
    raise SystemExit(f"bench-cluster: {error}") from None
