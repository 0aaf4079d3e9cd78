"""python -m mapengine: `doctor` tells whether pools can run here; all else is the engine's command line."""
from __future__ import annotations

import argparse
import json
import os
import sys

from . import _doctor

USAGE = """usage: python -m mapengine doctor [--json] [--quiet]
       python -m mapengine map|types|... ARGUMENT...      MapEngine's command line: --help lists what there is
"""


def doctor(arguments: list[str]) -> int:
    """Prints a line per check. Returns 0 when pools can run here, 1 when a check failed."""
    parser = argparse.ArgumentParser(prog="python -m mapengine doctor",
                                     description="Tell whether this Python and this machine have what pools need, and what to do if not.")
    parser.add_argument("--json", action="store_true", help="print what programs can read")
    parser.add_argument("-q", "--quiet", action="store_true", help="print only what is not in order")
    given = parser.parse_args(arguments)
    found = []
    for one in _doctor.findings():
        found.append(one)
        if not given.json and (one.level != "ok" or not given.quiet):
            print(one, flush=True)
    report = _doctor.report(found)
    if given.json:
        print(json.dumps(report, indent=2))
    else:
        print(f"{len(found)} checks: {report['failed']} failed, {report['warnings']} warnings")
    return int(report["failed"] > 0)


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["doctor"]:
        return doctor(arguments[1:])
    program = _doctor.native("bin", "mapengine")
    if not arguments or not os.access(program, os.X_OK):
        print(USAGE, end="", file=sys.stderr)
        if arguments:
            print("this package has no command line; MapEngine's own installation has", file=sys.stderr)
        return 64
    sys.stdout.flush()
    os.execv(program, ["mapengine", *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
