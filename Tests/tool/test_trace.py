"""`mapengine map --trace`: the timeline of the calls, as a file."""

import json
import os
import signal
import subprocess
import time

from tool import FUNCTIONS, PROGRAM, call, good, run_all, says

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


def interrupted(items, *arguments):
    """A run whose first call hangs, interrupted when the others have ended. Returns what it said."""
    # Of the others' end the program says nothing here; so it is seen in the pool's own figures.
    command = [PROGRAM, "map", "-l", FUNCTIONS, "double hang_on_negative(double)", "-", "-o", "out.npy", "--workers", "2", *arguments]
    program = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    program.stdin.write("\n".join(["-1"] + ["1"] * items) + "\n")
    program.stdin.close()
    ended = 0
    end = time.monotonic() + 60
    while ended < items:
        assert time.monotonic() < end and program.poll() is None, ended
        shown = subprocess.run([PROGRAM, "top", "--json", "--pid", str(program.pid)], capture_output=True, text=True)
        pools = json.loads(shown.stdout)["pools"] if shown.returncode == 0 else []
        ended = pools[0]["items"] if pools else 0
    program.send_signal(signal.SIGINT)
    said = program.stderr.read()
    assert "interrupted" in said and program.wait(60) == 130, said
    return said


def test_who_interrupts_a_run_that_takes_long_has_its_trace():
    interrupted(500, "--trace", "out.json")
    told = trace("out.json")
    assert [(job["items"], job["ok"]) for job in told["mapengine"]["jobs"]] == [(501, 500)], told["mapengine"]["jobs"]
    assert any(event["args"]["state"] != "ok" for event in ranges(told)) and os.listdir() == ["out.json"]


def test_an_interruption_is_one_also_when_the_trace_cannot_be_written():
    assert "no/such/folder/out.json" in interrupted(5, "--trace", "no/such/folder/out.json")
    assert os.listdir() == []


def test_a_trace_that_cannot_be_written_is_73():
    says(call("libm.so.6", SQRT, "4", "--trace", "no/such/folder/out.json"), 73, "no/such/folder/out.json")
    says(call("libm.so.6", SQRT, "4", "--trace", "out.txt"), 64, "--trace has to be a .json file")
    assert os.listdir() == []


if __name__ == "__main__":
    run_all(globals())
