"""What Python shows in a notebook: a frame with the report, beside the notebook's own page."""

import os
import sys
import types

from browser import Browser
from support import ROOT, run_all, traces, write

# The package's module alone, with the page of dist/: no pool is needed.
package = types.ModuleType("mapengine")
package.__path__ = [os.path.join(ROOT, "bindings/python/src/mapengine")]
sys.modules["mapengine"] = package
from mapengine import _library, _report  # noqa: E402

_library.folder = lambda: os.path.join(ROOT, "dist/lib")
NOTEBOOK = """<!DOCTYPE html><html data-theme="notebook"><title>notebook</title><style>p, h2 { color: rgb(1, 2, 3); } .tile { display: none; }</style>
<p id="own">A cell.</p>%s</html>"""
browser = Browser()


def test_the_report_is_seen_and_neither_touches_the_other():
    file = write("notebook.html", NOTEBOOK % _report.frame(traces.three_things().text().encode()))
    for dark in (False, True):
        with browser.page(1280, 1000, dark) as page:
            inside = page.open_with_frame(file)
            inside.wait("document.documentElement.dataset.report")
            text = " ".join(inside.text().split())
            assert "Item 71 took 1.2 s" in text and "SIGSEGV in crash_here" in text and "34 % of the time went into copying" in text, text
            assert inside.evaluate("getComputedStyle(document.querySelector('h2')).color") != "rgb(1, 2, 3)"
            assert inside.evaluate("getComputedStyle(document.querySelector('.tile')).display") == "block"
            assert page.evaluate("document.title") == "notebook" and page.evaluate("document.documentElement.dataset.theme") == "notebook"
            # What runs in the frame reaches nothing of the notebook.
            assert inside.evaluate("(() => { try { return parent.document.title; } catch (error) { return error.name; } })()") == "SecurityError"
            inside.evaluate("document.getElementById('theme').click()")
            assert page.complaints() == [] and inside.complaints() == [], (page.complaints(), inside.complaints())


def test_names_that_are_html_stay_in_the_frame():
    file = write("notebook.html", NOTEBOOK % _report.frame(traces.hostile().text().encode()))
    with browser.page() as page:
        inside = page.open_with_frame(file)
        assert inside.wait("document.documentElement.dataset.report") == "ready"
        assert page.evaluate("document.title") == "notebook" and page.evaluate("document.images.length") == 0
        assert inside.evaluate("document.images.length") == 0 and inside.complaints() == []


def test_a_large_trace_is_a_tenth_of_its_size():
    trace = traces.many(20_000).text().encode()
    assert len(_report.frame(trace)) < len(trace) / 5


if __name__ == "__main__":
    try:
        run_all(globals())
    finally:
        browser.__exit__()
