#!/usr/bin/env python3
"""Draws the pictures that show no measurement: docs/images/map.svg, what a map is, on README's first screen.

    scripts/pictures.py            writes them
    scripts/pictures.py --check    whether they are what this draws; a difference is a failure

A picture is drawn on a card of its own, so that it can be read on a light page and on a dark one.
"""
import sys
from pathlib import Path

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"

INK, FAINT, LINE, CARD, EDGE = "#1f2a33", "#5a6b78", "#7b8b98", "#ffffff", "#d0d7de"
INPUT, PROCESS, GOOD, BAD = "#3d6fb4", "#eef3f8", "#2f8555", "#c2185b"


def box(x, y, width, height, fill, edge, *, radius=8, dashed=False, wide=1.2):
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}" fill="{fill}" stroke="{edge}" stroke-width="{wide}"{dashes}/>'


def text(x, y, words, *, size=14, fill=INK, anchor="start", bold=False, code=False):
    looks = (' font-weight="bold"' if bold else "") + (' font-family="DejaVu Sans Mono, Menlo, Consolas, monospace"' if code else "")
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{fill}" text-anchor="{anchor}"{looks}>{words}</text>'


def arrow(path):
    return f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.8" marker-end="url(#tip)"/>'


def grid(x, y, fills, columns=6, size=18, step=24):
    return [box(x + step * (i % columns), y + step * (i // columns), size, size, fill, "none", radius=3) for i, fill in enumerate(fills)]


def the_map():
    """Items of a program, workers that run a function over them, one of which dies, and what the program has then."""
    count, culprit = 24, 15
    parts = [box(1, 1, 958, 318, CARD, EDGE, radius=12)]
    # The program with its items.
    parts += [box(24, 24, 240, 272, PROCESS, INPUT), text(144, 52, "your application", size=16, bold=True, anchor="middle")]
    parts += [text(144, 76, "inputs", fill=FAINT, anchor="middle"), *grid(75, 92, [INPUT] * count)]
    parts += [text(144, 224, "one call:", fill=FAINT, size=13, anchor="middle"), text(144, 246, "mape_map, pool.map", size=13, anchor="middle", code=True)]
    parts += [text(144, 276, "its windows stay alive", fill=FAINT, size=13, anchor="middle")]
    # The workers.
    parts += [text(480, 40, "worker processes", size=16, bold=True, anchor="middle")]
    for index, (y, dies) in enumerate(((56, False), (122, True), (230, False))):
        parts += [box(370, y, 220, 50, "#fdeef3" if dies else PROCESS, BAD if dies else LINE, wide=1.8 if dies else 1.2)]
        parts += [text(386, y + 31, "f(input)", code=True)]
        parts += [box(482, y + 16, 18, 18, BAD if dies else INPUT, "none", radius=3)]
        parts += [text(512, y + 31, "SIGSEGV", fill=BAD, bold=True, size=13)] if dies else [text(512, y + 31, "→", fill=FAINT), box(536, y + 16, 18, 18, GOOD, "none", radius=3)]
    parts += [box(370, 180, 220, 34, CARD, LINE, dashed=True), text(480, 202, "a new worker takes its place", fill=FAINT, size=13, anchor="middle")]
    parts += [text(480, 302, "your function, in C, C++ or Python, as it is", fill=FAINT, size=13, anchor="middle")]
    # What comes of it.
    fills = [BAD if i == culprit else GOOD for i in range(count)]
    parts += [box(696, 24, 240, 272, PROCESS, GOOD), text(816, 52, "your application", size=16, bold=True, anchor="middle")]
    parts += [text(816, 76, "results, in order", fill=FAINT, anchor="middle"), *grid(747, 92, fills)]
    parts += [text(816, 224, f"{count - 1} results, and one item that", fill=FAINT, size=13, anchor="middle")]
    parts += [text(816, 244, "says what went wrong, and where:", fill=FAINT, size=13, anchor="middle")]
    parts += [text(816, 268, f"item {culprit}: SIGSEGV in f+0x43", size=12.5, fill=BAD, anchor="middle", code=True)]
    for y in (81, 147, 255):
        parts += [arrow(f"M264 160C312 160 318 {y} 364 {y}"), arrow(f"M590 {y}C640 {y} 646 160 690 160")]
    title = "A map: an application's inputs go to worker processes; one dies and is replaced; all results but one come back, and that one says why"
    return "\n".join([
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 320" width="960" height="320" role="img" font-family="DejaVu Sans, Helvetica, Arial, sans-serif">',
        f"<title>{title}</title>",
        f'<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 10 5 0 10z" fill="{LINE}"/></marker></defs>',
        *parts, "</svg>", ""])


PICTURES = {"map.svg": the_map}


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 64
    other = []
    for name, draw in PICTURES.items():
        file, made = IMAGES / name, draw()
        if not sys.argv[1:]:
            file.write_text(made, encoding="utf-8")
        elif not file.exists() or file.read_text("utf-8") != made:
            other.append(name)
    for name in other:
        print(f"pictures: docs/images/{name} is not what scripts/pictures.py draws; run it, and look at the picture", file=sys.stderr)
    return len(other) > 0


if __name__ == "__main__":
    sys.exit(main())
