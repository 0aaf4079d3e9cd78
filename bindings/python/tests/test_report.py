"""Traces as pages: what a notebook shows, and what goes into a file."""
import base64
import gzip
import html
import json
import re
import sys

import pytest

from mapengine import _report

HARM = "<img src=x onerror=alert(1)>\"'&</script><!--"
TRACE = json.dumps({"traceEvents": [], "mapengine": {"schema": 1, "program": HARM, "span_ns": 1}}).encode()


def held(page):
    """The type and the text of the trace in a page."""
    return re.search(r'<script type="([^"]*)" id="trace">\n(.*?)\n</script>', page, re.S).groups()


def test_a_page_holds_the_trace_as_it_is():
    page = _report.page(TRACE)
    kind, text = held(page)
    assert kind == "application/json" and json.loads(text) == json.loads(TRACE)
    assert "<img" not in page and page.count("</script>") == 2


def test_a_frame_is_closed_to_the_notebook_and_holds_the_trace_compressed():
    frame = _report.frame(TRACE)
    found = re.fullmatch(r'<iframe title="MapEngine report" sandbox="allow-scripts" style="[^"<>]*" srcdoc="([^"<>]*)"></iframe>', frame)
    assert found, frame[:300]
    kind, text = held(html.unescape(found[1]))
    assert kind == "application/gzip" and gzip.decompress(base64.b64decode(text)) == TRACE
    assert "onerror" not in frame
    # The same trace gives the same output, so that a notebook that is run again has no change.
    assert _report.frame(TRACE) == frame


def test_a_frame_without_zlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "gzip", None)
    kind, text = held(html.unescape(_report.frame(TRACE)))
    assert kind == "application/json" and json.loads(text) == json.loads(TRACE)


def test_a_trace_that_is_too_large_for_a_notebook(monkeypatch):
    monkeypatch.setattr(_report, "LARGEST_IN_NOTEBOOK", 10)
    told = _report.frame(TRACE)
    assert "too large for a notebook" in told and "mapengine report out.json -o report.html" in told and "<iframe" not in told


def test_bytes_that_are_no_text_do_no_harm():
    assert "\ufffd" in _report.page(b'{"traceEvents":["\xff"]}')


@pytest.mark.once
def test_the_command_finds_the_page(tmp_path):
    import subprocess

    (tmp_path / "out.json").write_bytes(TRACE)
    subprocess.run([sys.executable, "-m", "mapengine", "report", "out.json", "-o", "report.html"], cwd=tmp_path, check=True)
    assert (tmp_path / "report.html").read_text() == _report.page(TRACE)
