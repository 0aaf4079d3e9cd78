"""Reports of real maps: what the engine traces, the page names."""

import os
import re

import real
from browser import Browser
from support import good, run, run_all

browser = Browser()


def test_a_slow_item_a_crash_and_a_long_copy_of_a_real_map_are_named():
    trace = real.trace(os.getcwd(), workers=2, items=64, milliseconds=2)
    good(run("report", trace, "-o", "report.html"))
    for dark in (False, True):
        with browser.page(dark=dark) as page:
            assert page.open("report.html") == "ready", page.text()
            top = page.evaluate("document.getElementById('headline').innerText")
            assert re.match(r"[\d.]+ m?s, [12] workers? \d+ % busy\. Item \d+ took [\d.]+ m?s, [\d,.]+ × the median\. Item 12 crashed with SIGSEGV in crash_here\. .*Copying inputs took \d+ %\.", top), top
            # A worker that never got an item is not in the trace. Where the machine is busy, another item may have taken even longer: the slowest is on top, and 48 is one of the slow ones.
            slow = page.evaluate("[...document.querySelectorAll('#slow tbody tr')].map((row) => row.cells[0].innerText)")
            assert "item 48" in slow and top.split("Item ")[1].startswith(slow[0].split()[1] + " took"), (slow, top)
            text = " ".join(page.text().split())
            assert "One item crashed in crash_here" in text and "SIGSEGV in crash_here in libscene.so" in text and "work.c:" in text, text
            assert "268 MB" in text and "63 ended well" in text and text.startswith("MapEngine report render ·"), text
            assert page.complaints() == [], page.complaints()


def test_a_trace_of_the_command_line():
    good(run("map", "-l", "libm.so.6", "double sqrt(double)", "-", "--trace", "out.json", stdin="\n".join(map(str, range(5000)))))
    good(run("report", "out.json", "-o", "report.html"))
    with browser.page() as page:
        assert page.open("report.html") == "ready", page.text()
        text = " ".join(page.text().split())
        assert "5,000" in text and "sqrt" in text, text
        assert page.complaints() == [], page.complaints()


if __name__ == "__main__":
    try:
        run_all(globals())
    finally:
        browser.__exit__()
