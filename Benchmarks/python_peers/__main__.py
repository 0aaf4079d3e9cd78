"""Runs one row with one pool, once, and writes {"value": ...} or {"values": {parameter: value}}:

    python -m python_peers ROW SYSTEM [--seconds S]

With the row `idle` it starts the pool, maps a little, writes the process ids of its descendants, and does nothing until its
standard input ends.
"""

import argparse
import json
import os
import sys

from . import items, recovery, rows
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


def main():
    parser = argparse.ArgumentParser(prog="python_peers")
    parser.add_argument("row")
    parser.add_argument("system", choices=POOLS)
    parser.add_argument("--seconds", type=float, default=0.3)
    arguments = parser.parse_args()
    make = POOLS[arguments.system]
    if arguments.row == "idle":
        idle(make)
        return
    row = recovery.recover if arguments.row == "recover" else getattr(rows, arguments.row)
    value = row(make, arguments.seconds)
    print(json.dumps({"values": value} if isinstance(value, dict) else {"value": value}))


if __name__ == "__main__":
    main()
