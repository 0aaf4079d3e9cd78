"""Runs one row with one pool, once, and writes {"value": ...} or {"values": {parameter: value}}:

    python -m python_peers ROW SYSTEM [--seconds S]

Several rows, with a comma between their names, run one after another; each writes a line, which also has its name, and {"failed": text} if it
failed. A smoke run is shorter that way.

With the row `idle` it starts the pool, maps a little, writes the process ids of its descendants, and does nothing until its
standard input ends.
"""

import argparse
import json
import os
import sys

from . import items, package_rows, recovery, rows
from .pools import POOLS


def descendants(pid):
    """Children and theirs. A pool's helpers and threads may end while they are looked at."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                for child in map(int, file.read().split()):
                    found += [child, *descendants(child)]
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def idle(make):
    pool = make()
    pool.map(items.square, list(range(100_000)))
    workers = recovery.workers_of(pool)
    others = [pid for pid in descendants(os.getpid()) if pid not in workers]
    print(json.dumps({"workers": sorted(workers), "others": others}), flush=True)
    sys.stdin.read()
    pool.stop()


class Kept:
    """One pool of a peer for all rows of a smoke run: most of their time would be pools that start."""

    def __init__(self, make):
        self.make, self.pool = make, make()
        self.stop, self.pool.stop = self.pool.stop, lambda: None

    def __call__(self):
        return self.pool

    def __getattr__(self, name):
        return getattr(self.make, name)


def run(name, make, seconds):
    where = recovery if name == "recover" else package_rows if name.startswith("py_") else rows
    value = getattr(where, name)(make, seconds)
    return {"values": value} if isinstance(value, dict) else {"value": value}


def main():
    parser = argparse.ArgumentParser(prog="python_peers")
    parser.add_argument("row")
    parser.add_argument("system", choices=POOLS)
    parser.add_argument("--seconds", type=float, default=0.3)
    arguments = parser.parse_args()
    make = POOLS[arguments.system]
    names = arguments.row.split(",")
    if names == ["idle"]:
        idle(make)
        return
    kept = Kept(make) if len(names) > 1 and not make.name.startswith("mapengine") else make
    for name in names:
        try:
            answer = run(name, make if name == "py_life" else kept, arguments.seconds)
        except Exception as error:
            if len(names) == 1:
                raise
            answer = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps({"row": name} | answer), flush=True)
    if kept is not make:
        kept.stop()


if __name__ == "__main__":
    main()
