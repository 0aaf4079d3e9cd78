"""Draws what `mapengine top` shows of three hosts as docs/images/top.svg: Tests/top/run.sh --picture."""
import html
import os
import re

from hosts import ROOT, c_host, pool_when, python_host, qt_host
from terminal import Terminal

WIDE, HIGH, EDGE = 8.4, 18, 14  # A sign's place, and the picture's edge.
COLOURS = {"31": "#f28b82", "32": "#81c995"}


def spans(line, codes):
    """(text, codes) of a line with the sequences of colours in it; `codes` are those from before it, and then those after it."""
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        if not piece.startswith("\x1b"):
            if piece:
                yield piece, set(codes)
            continue
        for code in piece[2:-1].split(";"):
            if code in ("", "0"):
                codes.clear()
            elif code == "39":
                codes.difference_update(COLOURS)
            else:
                codes.add(code)


def draw(lines, columns):
    """The lines as SVG, as terminals show them on a dark ground."""
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {columns * WIDE + 2 * EDGE:.0f} {len(lines) * HIGH + 2 * EDGE}" '
           f'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14">',
           '<rect width="100%" height="100%" rx="8" fill="#1f2329"/>']
    codes = set()
    for row, line in enumerate(lines):
        column = 0
        for text, codes_here in spans(line, codes):
            x, y = EDGE + column * WIDE, EDGE + row * HIGH
            colour = next((COLOURS[code] for code in codes_here if code in COLOURS), "#9aa0a6" if "2" in codes_here else "#e8eaed")
            if "7" in codes_here:
                out.append(f'<rect x="{x:.1f}" y="{y}" width="{len(text) * WIDE:.1f}" height="{HIGH}" fill="#e8eaed"/>')
                colour = "#1f2329"
            weight = ' font-weight="bold"' if "1" in codes_here else ""
            out.append(f'<text x="{x:.1f}" y="{y + 14}" fill="{colour}"{weight} xml:space="preserve" textLength="{len(text) * WIDE:.1f}">'
                       f"{html.escape(text)}</text>")
            column += len(text)
    return "\n".join(out) + "\n</svg>\n"


def main():
    columns = 104
    with c_host(4) as in_c, python_host() as in_python, qt_host() as in_qt, Terminal("--interval", "0.5", columns=columns, rows=24) as terminal:
        in_c.ask("map crash 6")
        in_c.ask("wait")
        in_c.ask("map busy 3000000")
        for host in (in_python, in_qt):
            pool_when(host.pid, lambda pool: pool["busy"] == 2, "two items run")
        # Until the lines of the last samples have some length.
        terminal.shows(rf"\({in_c.pid}\)[^─]*[▁▂▃▄▅▆▇█]{{12}}")
        terminal.keys("Down", "Down")
        terminal.shows("^> +1 ")
        # What else runs on the machine is not to be in it.
        lines = [line for line in terminal.text("-e").rstrip("\n").split("\n") if "is not shown" not in line]
    with open(os.path.join(ROOT, "docs/images/top.svg"), "w") as file:
        file.write(draw(lines, columns))


main()
