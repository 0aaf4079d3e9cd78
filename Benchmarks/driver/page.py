"""The measured part of docs/performance.md, between two markers. What stands around it is written by people."""

from . import machine, report
from .paths import PAGE
from .plots import PLOTS

BEGIN = "<!-- measured: begin (written by `make bench`) -->"
END = "<!-- measured: end -->"


def measured(results, broken, rows, drawn):
    parts = [report.markdown_table(["measured on", ""], [list(pair) for pair in machine.description()])]
    parts.append("### Goals\n\n" + report.goals_table(results))
    for row, file in drawn.items():
        parts.append(f"![{PLOTS[row][1]}](images/{file})")
    if broken:
        parts.append("Not measured: " + "; ".join(f"{name} ({why})" for name, why in broken.items()) + ".")
    parts.append("### All figures\n\nThe median of the rounds, and the best and the worst of them.\n\n"
                 + report.figures_table(results, rows))
    return "\n\n".join(parts)


def write(results, broken, rows, drawn):
    text = PAGE.read_text() if PAGE.exists() else f"# Performance\n\n## Measured\n\n{BEGIN}\n{END}\n"
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"bench: {PAGE.name} has lost its markers:\n{BEGIN}\n{END}")
    PAGE.write_text(f"{before}{BEGIN}\n\n{measured(results, broken, rows, drawn)}\n\n{END}{after}")
