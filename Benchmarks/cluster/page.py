"""The measured part of docs/cluster.md, between two markers."""

import re

from driver.report import figure, markdown_table, ratio
from servers import root, run

PAGE = root / "docs/cluster.md"


def replace(name, command, text):
    """Puts a text between the markers of that name. What stands around it is written by people."""
    begin, end = f"<!-- {name}: begin (written by `{command}`) -->", f"<!-- {name}: end -->"
    page = PAGE.read_text()
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{PAGE} has lost its markers:\n{begin}\n{end}")
    PAGE.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def machine():
    """Processor, system and server, in a line."""
    import os

    with open("/proc/cpuinfo") as cpuinfo:
        model = re.search(r"^model name\s*:\s*(.*)$", cpuinfo.read(), re.M)
    server = re.search(r"v=(\S+)", run("redis-server", "--version")[1])
    return (f"{model.group(1) if model else 'unknown'}, {len(os.sched_getaffinity(0))} cores; Linux {os.uname().release.split('-')[0]}; "
            f"Redis {server.group(1) if server else 'unknown'}")


def goal_text(goal, value):
    """`row: ours beside other: × 12 (goal ≥ 3)`."""
    show = ratio if goal.other else figure
    beside = f" beside {goal.other}: × " if goal.other else ": "
    return f"{goal.row}: {goal.ours}{beside}{show(value)} (goal {'≥' if goal.at_least else '≤'} {show(goal.limit)})"


def write(results, outcomes, dask):
    lines = [[one["text"], one["system"], f"{figure(one['median'])} {one['unit']}", f"{figure(one['least'])} to {figure(one['most'])}"]
             for one in results]
    goals = [[*goal_text(goal, value)[:-1].split(" (goal "), "met" if met else "**missed**"] for goal, value, met in outcomes]
    text = f"Measured on {machine()}; Dask {dask or 'not'}. Median of {results[0]['rounds']} rounds, the least and the most of them.\n\n"
    text += markdown_table(["row", "system", "median", "rounds"], lines)
    text += "\n\n" + markdown_table(["goal", "limit", ""], goals)
    replace("figures", "make bench-cluster", text)
