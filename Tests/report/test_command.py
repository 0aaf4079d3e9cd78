"""`mapengine report`: what it writes, and what it says to files that are no traces."""

import json
import os
import random
import re
import shutil
from html.parser import HTMLParser

from support import PROGRAM, ROOT, good, run, run_all, says, traces, write


class Scripts(HTMLParser):
    """The scripts of a page: type and text of each; and what else it has that could load something."""

    def __init__(self, text):
        super().__init__()
        self.found, self.outside, self.inside = [], [], False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "script":
            self.found.append([given.get("type"), ""])
            self.inside = True
        self.outside += [f"{tag} {name}={value}" for name, value in attributes if name in ("src", "href", "srcset", "action", "data") or name.startswith("on")]

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "script"

    def handle_data(self, text):
        if self.inside:
            self.found[-1][1] += text


def made(trace):
    answer = good(run("report", write("in.json", trace)))
    assert answer.err == "", answer
    return answer.raw.decode()


def test_the_page_holds_the_trace_and_needs_nothing_else():
    text = traces.three_things().text()
    page = made(text)
    scripts = Scripts(page)
    assert [kind for kind, _ in scripts.found] == ["application/json", None], scripts.found
    assert json.loads(scripts.found[0][1]) == json.loads(text)
    assert scripts.outside == [], scripts.outside
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org/2000/svg)", page), "it names another resource"
    assert "default-src 'none'" in page


def test_names_cannot_end_the_trace_early():
    page = made(traces.hostile().text())
    harmless = made(traces.three_things().text())
    for mark in ("<script", "</script", "<!--", "<img"):
        assert page.count(mark) == harmless.count(mark), mark
    assert json.loads(Scripts(page).found[0][1]) == json.loads(traces.hostile().text())


def test_files_and_pipes():
    text = traces.three_things().text()
    write("in.json", text)
    piped = good(run("report", "-", stdin=text)).raw
    good(run("report", "in.json", "-o", "out.html"))
    good(run("report", "in.json", "--output", "in.json"))
    for name in ("out.html", "in.json"):
        with open(name, "rb") as file:
            assert file.read() == piped, name


def test_any_layout_of_the_same_trace_is_taken():
    document = json.loads(traces.three_things().text())
    for text in (json.dumps(document), json.dumps(document, indent=2), "\r\n\t " + json.dumps(document, separators=(",", ":")) + " \n"):
        assert json.loads(Scripts(made(text)).found[0][1]) == document
    # In another order, with keys that nobody knows, and numbers of all forms.
    other = '{"x":[{},[],null,true,false,-0,0.5,1e9,-1.5E-3,"\\u00e4\\/\\n"],"mapengine":{"later":{"schema":7},"schema":1.0},"traceEvents":[]}'
    assert json.loads(Scripts(made(other)).found[0][1]) == json.loads(other)


def refused(content, *texts):
    write("bad.json", content)
    write("before.html", "as it was")
    says(run("report", "bad.json", "-o", "before.html"), 2, *texts)
    with open("before.html") as file:
        assert file.read() == "as it was"


def test_what_is_no_trace_is_said_to_be_none():
    refused("", "bad.json is empty")
    refused(" \n", "bad.json is empty")
    refused("hello\n", "bad.json is no trace of MapEngine: it does not begin with '{'")
    refused("[1, 2]", "no trace of MapEngine: it does not begin with '{'")
    refused(b"\x89PNG\r\n\x1a\n\0\0", "no trace of MapEngine")
    refused("{}", 'it has no "traceEvents"')
    refused('{"traceEvents":7,"mapengine":{"schema":1}}', 'it has no "traceEvents"')
    refused('{"traceEvents":[]}', 'it has no summary "mapengine"', "ui.perfetto.dev")
    refused('{"traceEvents":[],"mapengine":1}', "it has no summary")
    # What only looks like a summary.
    refused('{"traceEvents":[{"mapengine":{"schema":1}}],"a":"\\"mapengine\\":{\\"schema\\":1}"}', "it has no summary")


def test_another_schema_is_refused_by_its_number():
    refused(traces.three_things().text(schema=2), "bad.json has schema 2, and this mapengine reads schema 1")
    refused('{"traceEvents":[],"mapengine":{}}', "bad.json has no schema")
    refused('{"traceEvents":[],"mapengine":{"schema":"1"}}', "bad.json has no schema")
    refused('{"traceEvents":[],"mapengine":{"schema":1e300}}', "bad.json has schema 1e+300")


def test_a_file_that_is_cut_off_is_said_to_be_so_wherever_it_was_cut():
    text = traces.three_things().text().rstrip()
    chance = random.Random(3)
    for at in [1, 2, len(text) - 1, *(chance.randrange(1, len(text)) for _ in range(60))]:
        refused(text[:at], f"bad.json is cut off in line {text[:at].count(chr(10)) + 1}")


def test_what_is_wrong_in_a_file_is_told_with_its_line():
    text = traces.three_things().text()
    lines = text.split("\n")
    lines[5] = lines[5].replace('"ph"', "ph", 1)
    refused("\n".join(lines), "bad.json, line 6: '\"' is missing")
    refused(text + "{}", "something stands behind the trace's end")
    refused(text.replace("bake", "ba\x01ke", 1), "a text has a control character")
    refused(text.replace("bake", "ba\\xke", 1), "an escape in a text is wrong")
    refused(text.replace("bake", "ba\\u12x4", 1), "an escape in a text is wrong")
    refused('{"a":' + "[" * 100_000, "bad.json, line 1: it is nested too deeply")
    refused('{"a":01}', "'}' is missing")
    refused('{"a":tru}', "this is no JSON")


def test_it_takes_what_another_reader_of_json_takes_and_no_more():
    good_text = json.dumps({"traceEvents": [{"a": [1.5, -2, "x\\y\n", None, True], "b": {}}], "mapengine": {"schema": 1}}).encode()
    chance = random.Random(11)
    agreed = {True: 0, False: 0}

    def constant(name):
        raise ValueError(name)

    for _ in range(250):
        text = bytearray(good_text)
        for _ in range(chance.choice((1, 1, 2))):
            text[chance.randrange(len(text))] = chance.choice(b'{}[]",:0123456789.eE+-\\ntfu \n\x00\x7fx')
        try:
            document = json.loads(text.decode(errors="replace"), parse_constant=constant)
            is_trace = isinstance(document, dict) and isinstance(document.get("traceEvents"), list) and isinstance(document.get("mapengine"), dict) \
                and isinstance(document["mapengine"].get("schema"), (int, float)) and document["mapengine"]["schema"] == 1
        except ValueError:
            is_trace = False
        answer = run("report", write("odd.json", bytes(text)))
        assert (answer.code == 0) == is_trace and answer.code in (0, 2), f"{bytes(text)}\n{answer}"
        agreed[is_trace] += 1
    assert min(agreed.values()) > 10, agreed


def test_a_trace_that_no_browser_would_show_is_refused_by_its_size():
    with open("large.json", "wb") as file:
        file.truncate(300 << 20)
    says(run("report", "large.json"), 2, "large.json has 314 MB, and a report holds 268 MB at most", "ui.perfetto.dev")


def test_files_that_cannot_be_read_or_written():
    says(run("report", "none.json"), 2, "cannot open none.json: No such file")
    says(run("report", "."), 2, "cannot read .: Is a directory")
    write("in.json", traces.three_things().text())
    says(run("report", "in.json", "-o", "none/out.html"), 73, "cannot write none/out.html")
    says(run("report", "in.json", "-o", "/dev/full"), 73, "cannot write /dev/full")
    says(run("report"), 64, "Missing expected argument")


def test_the_page_comes_with_the_installation():
    shutil.copytree(os.path.join(ROOT, "dist"), "else where", symlinks=True)
    write("in.json", traces.three_things().text())
    answer = good(run("report", "in.json", program="else where/bin/mapengine"))
    assert answer.raw == good(run("report", "in.json")).raw
    os.remove("else where/share/mapengine/report.html")
    says(run("report", "in.json", program="else where/bin/mapengine"), 69, "share/mapengine/report.html is not there")
    assert os.path.exists(PROGRAM)


if __name__ == "__main__":
    run_all(globals())
