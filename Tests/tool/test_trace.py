"""`mapengine map --trace`: the timeline of the calls, as a file."""

import json
import os

from tool import FUNCTIONS, call, good, run_all, says

SQRT = "double sqrt(double)"
CRASH = "int crash_on(int x, int y)"


def trace(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def ranges(told):
    return [event for event in told["traceEvents"] if event.get("cat") == "range"]


def test_a_trace_tells_of_each_call():
    answer = good(call("libm.so.6", SQRT, "-", "--trace", "out.json", "--workers", "2", stdin="\n".join(map(str, range(1000)))))
    assert len(answer.out.split()) == 1000
    told = trace("out.json")
    assert sum(event["args"]["items"] for event in ranges(told)) == 1000
    assert {event["name"] for event in ranges(told)} == {"sqrt"}
    assert {event["args"]["state"] for event in ranges(told)} == {"ok"}
    summary = told["mapengine"]
    assert summary["schema"] == 1 and summary["program"] == "mapengine" and summary["lost"] == 0
    assert [(job["items"], job["ok"]) for job in summary["jobs"]] == [(1000, 1000)]
    # It goes on to the end of the workers, and begins before their setups.
    setups = [event for event in told["traceEvents"] if event.get("cat") == "setup"]
    assert len(setups) == 2 and all(event["args"]["state"] == "ok" for event in setups)


def test_a_call_that_crashes_is_in_it():
    answer = call(FUNCTIONS, CRASH, "-", "3", "--trace", "out.json", "--quiet", stdin="1\n2\n3\n4\n")
    says(answer, 1, "1 of 4")
    (crash,) = trace("out.json")["mapengine"]["crashes"]
    assert crash["item"] == 2 and crash["name"].startswith("SIG") and "crash_on" in crash["symbol"], crash


def test_a_trace_that_cannot_be_written_is_73():
    says(call("libm.so.6", SQRT, "4", "--trace", "no/such/folder/out.json"), 73, "no/such/folder/out.json")
    says(call("libm.so.6", SQRT, "4", "--trace", "out.txt"), 64, "--trace has to be a .json file")
    assert os.listdir() == []


if __name__ == "__main__":
    run_all(globals())
