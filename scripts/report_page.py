#!/usr/bin/env python3
"""Puts the page of `mapengine report` together: Tools/mapengine/report/ into one HTML file, in which the trace is still missing.

    report_page.py OUT

Whoever makes a report (the command line, the Python package) puts a media type in place of @TYPE@, and the trace in place of
@TRACE@, with each `<` in it written as \\u003c. The page's security policy names script and style by their hashes: nothing else runs.
"""
import base64
import hashlib
import pathlib
import sys

PARTS = pathlib.Path(__file__).resolve().parent.parent / "Tools/mapengine/report"
# Each uses only what stands above it, but for calls.
SCRIPTS = ("read", "words", "facts", "advice", "dom", "bins", "timeline", "histogram", "sections", "main")


def policy_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def page() -> str:
    forgotten = {file.stem for file in PARTS.glob("*.js")} - set(SCRIPTS)
    assert not forgotten, f"scripts that are in no page: {forgotten}"
    style = (PARTS / "style.css").read_text()
    script = '"use strict";\n' + "".join((PARTS / f"{name}.js").read_text() for name in SCRIPTS)
    for text, end in ((style, "</style"), (script, "</script"), (script, "<!--")):
        assert end not in text, f"{end} would end the page's own part early"
    made = (PARTS / "page.html").read_text()
    assert all(made.count(mark) == 1 for mark in ("@TYPE@", "@TRACE@")) and "@T" not in style + script
    for mark, text in (("@STYLE_HASH@", policy_hash(style)), ("@SCRIPT_HASH@", policy_hash(script)), ("@STYLE@", style), ("@SCRIPT@", script)):
        made = made.replace(mark, text, 1)
    return made


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: report_page.py OUT")
    pathlib.Path(sys.argv[1]).write_text(page(), encoding="utf-8")
