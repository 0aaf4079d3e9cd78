"""What the tests of the report share: the runner of the command line's tests, the folder of traces, and pages in a browser."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../tool"))

import traces  # noqa: E402, F401
from tool import PROGRAM, ROOT, WORK, good, run, run_all, says, write  # noqa: E402, F401


def report(trace, name="report.html"):
    """A report of a trace (a `Trace`, or the text of one) by the command line; its file."""
    text = trace if isinstance(trace, (str, bytes)) else trace.text()
    good(run("report", write("trace.json", text), "-o", name))
    return os.path.abspath(name)


def page_with(text, name="page.html"):
    """A page with any text in the trace's place, as other programs may make it."""
    with open(os.path.join(ROOT, "dist/share/mapengine/report.html")) as file:
        made = file.read().replace("@TYPE@", "application/json", 1).replace("@TRACE@", text.replace("<", "\\u003c"), 1)
    write(name, made)
    return os.path.abspath(name)
