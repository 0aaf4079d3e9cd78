"""What the page finds out of a trace: each rule of advice once with a trace that calls for it, and once with one that only nearly does;
the words of figures; the columns that pictures are made of. The page's own functions are asked, in the browser."""

import json
import random

from browser import Browser
from support import page_with, report, run_all, traces
from traces import MS, Trace

US = 1000
opened = []


def page():
    """One page for all tests here."""
    if not opened:
        opened.append(Browser())
        opened.append(opened[0].page())
        assert opened[1].open(report(traces.three_things())) == "ready"
    return opened[1]


def ask(function, *values):
    return page().evaluate(f"({function})(...{json.dumps(values)})")


def facts(trace, expression):
    text = trace if isinstance(trace, str) else trace.text()
    return page().evaluate(f"readTrace({json.dumps(text)}).then(factsOf).then((facts) => {expression})")


def rules(trace):
    return facts(trace, "adviceFor(facts).map((one) => one.rule)")


def headline(trace):
    return facts(trace, "headline(facts).join(' ')")


def even(workers=4, items=40, length=20 * MS, chunk=1, name="work", **more):
    """A job whose items take the same time, one after another on each worker, without a gap."""
    trace = Trace(workers)
    job = trace.job(name, **more)
    for number in range(items // chunk):
        trace.range(number % workers, job, number * chunk, chunk, (number // workers) * length, length)
    return trace


def test_a_map_without_trouble_has_no_advice():
    assert rules(even()) == []
    assert headline(even()) == "200 ms, 4 workers 100 % busy. All 40 items ended well."


def test_items_that_did_not_end_well_are_not_said_to_have():
    assert headline(even(workers=2, items=1)).endswith("Its item ended well.")
    trace = even()
    trace.jobs[1]["ok"] -= 30
    trace.jobs[1]["cancelled"] += 30
    assert headline(trace) == "200 ms, 4 workers 100 % busy. 10 of 40 items ended well."


def test_copying():
    def with_copy(length):
        trace = even()
        trace.copy(1, 0, length, 1_000_000)
        return trace

    assert rules(with_copy(80 * MS)) == ["copying"]
    assert rules(with_copy(15 * MS)) == []
    assert headline(with_copy(76 * MS)).endswith("Copying inputs took 38 %.")
    # Copies side by side count once.
    trace = with_copy(80 * MS)
    trace.copy(1, 0, 80 * MS, 1_000_000, line=2000)
    assert headline(trace).endswith("Copying inputs took 40 %.")


def slow_end(began, length):
    """Worker 0 runs item 7 alone at the end."""
    trace = Trace(4)
    job = trace.job("work")
    for worker in range(4):
        for number in range(10):
            if worker > 0 or number * 10 * MS < began:
                trace.range(worker, job, worker * 10 + number + 100, 1, number * 10 * MS, 10 * MS)
    trace.range(0, job, 7, 1, began, length)
    return trace


def test_a_slow_item_at_the_end():
    late = slow_end(90 * MS, 110 * MS)
    assert rules(late) == ["slowEnd"]
    told = facts(late, "adviceFor(facts)[0]")
    assert told["title"] == "Item 7 ran alone for the last 100 ms" and "3 other workers" in told["text"] and "50 %" in told["text"], told
    assert "first" in told["action"], told
    assert "Item 7 took 110 ms, 11 × the median." in headline(late)
    assert "first to begin and the last to end" in facts(slow_end(0, 200 * MS), "adviceFor(facts)[0]")["action"]
    assert "split" in facts(slow_end(90 * MS, 400 * MS), "adviceFor(facts)[0]")["action"]
    assert rules(slow_end(90 * MS, 20 * MS)) == []
    # Another job keeps the others busy meanwhile.
    busy = slow_end(90 * MS, 110 * MS)
    other = busy.job("other")
    for worker in (1, 2, 3):
        busy.range(worker, other, worker, 1, 100 * MS, 100 * MS)
    assert "slowEnd" not in rules(busy)


def test_a_long_range_at_the_end():
    trace = even(items=80, chunk=2)
    trace.range(0, 1, 200, 500, 200 * MS, 100 * MS, slowest=(210, 1 * MS))
    told = facts(trace, "adviceFor(facts).find((one) => one.rule === 'slowEnd')")
    assert told["title"] == "A range of 500 items ran alone for the last 100 ms" and "config.chunk" in told["action"], told


def test_one_worker():
    assert rules(even(workers=1)) == ["oneWorker"]
    assert rules(even(workers=2)) == []
    assert rules(even(workers=1, items=1)) == []


def test_setup():
    def with_setup(length):
        trace = Trace(2)
        job = trace.job("work")
        for worker in (0, 1):
            trace.setup(worker, "load", 0, length)
            trace.range(worker, job, worker, 1, length, 100 * MS)
        return trace

    assert rules(with_setup(60 * MS)) == ["setupDominates"]
    assert rules(with_setup(20 * MS)) == []


def test_crashes():
    trace = even(items=1000, length=1 * MS)
    trace.crash(0, 1, 12, 5 * MS)
    one = facts(trace, "adviceFor(facts)")
    assert [each["rule"] for each in one] == ["crashes"] and one[0]["title"] == "One item crashed in crash_here", one
    assert "Item 12 crashed with SIGSEGV in crash_here." in headline(trace)
    for item in range(13, 40):
        trace.crash(0, 1, item, item * MS)
    many = facts(trace, "adviceFor(facts)[0]")
    assert many["title"] == "28 crashes, all in crash_here" and "3 % of the items" in many["text"], many
    assert "28 crashes: Item 12 crashed with SIGSEGV in crash_here, as 27 more did." in headline(trace)
    trace.crash(0, 1, 50, 50 * MS, symbol="", signal=6, name="SIGABRT")
    assert facts(trace, "crashGroups(facts.crashed).map((group) => group.length)") == [28, 1]


def test_workers_that_the_pool_has_ended_did_not_crash():
    trace = even()
    trace.range(2, 1, 500, 1, 200 * MS, 50 * MS, state="timeout")
    trace.crash(2, 1, 500, 250 * MS + 1000, signal=9, name="SIGKILL", symbol="", text="")
    assert rules(trace) == ["limits", "slowEnd"] and "crash" not in headline(trace), headline(trace)
    # The same signal from elsewhere is a crash.
    trace.crash(2, 1, 501, 280 * MS, signal=9, name="SIGKILL", symbol="", text="")
    assert "Item 501 crashed with SIGKILL." in headline(trace)
    trace = even()
    trace.crash(1, 1, 7, 9 * MS, signal=0, name="exit 3", symbol="", text="")
    assert "Item 7 ended its process (exit 3)." in headline(trace)


def test_short_items_are_measured_together():
    trace = even(items=4000, chunk=100, length=1 * MS)
    trace.range(0, 1, 5000, 100, 10 * MS, 41 * MS, slowest=(5040, 40 * MS), of=8)
    assert "Items 5040–5047 took 40 ms together, 500 × the median." in headline(trace)
    assert facts(trace, "adviceFor(facts)[0].title") == "Items 5040–5047 ran alone for the last 41 ms"
    found = facts(trace, "(({ times, counts }) => times.map((time, i) => [time, counts[i]]).slice(-2))(itemTimes(facts.trace))")
    assert found[0] == [5 * MS, 8] and found[1][1] == 92 and abs(found[1][0] * 92 - 1 * MS) < 1, found


def test_waiting_for_the_host():
    def with_waits(length):
        trace = Trace(2)
        job = trace.job("work")
        for worker in (0, 1):
            for number in range(10):
                trace.wait(worker, job, number * 10 * MS, length)
                trace.range(worker, job, number * 2 + worker, 1, number * 10 * MS + length, 10 * MS - length)
        return trace

    assert rules(with_waits(3 * MS)) == ["waitsForHost"]
    assert "Workers waited for the host 30 % of the time." in headline(with_waits(3 * MS))
    assert rules(with_waits(MS // 2)) == []
    # While it copies, that is the cause.
    trace = with_waits(3 * MS)
    for number in range(8):
        trace.copy(1, number * 10 * MS, 3 * MS, 1_000_000)
    assert rules(trace) == ["copying"]
    assert "Workers waited for that 24 % of the time." in facts(trace, "adviceFor(facts)[0].text")
    trace = with_waits(3 * MS)
    trace.copy(1, 3 * MS, 17 * MS, 1_000_000)
    assert rules(trace) == ["waitsForHost", "copying"]


def test_tiny_items_and_short_ranges():
    assert rules(even(items=80_000, chunk=100, length=60 * US)) == ["tinyItems"]
    assert rules(even(items=80_000, chunk=100, length=160 * US)) == []
    assert rules(even(items=800, length=10 * US)) == ["shortRanges"]
    assert rules(even(items=800, length=30 * US)) == []


def test_remote_round_trips():
    def remote(trip):
        trace = even()
        for one in trace.workers[1:]:
            one["host"] = "n1"
        for number in range(12):
            trace.range(1 + number % 3, 1, 100 + number, 1, 300 * MS + number * MS, 10 * MS, host="n1", round_trip=trip)
        return trace

    assert "farAway" in rules(remote(6 * MS))
    assert "farAway" not in rules(remote(4 * MS))


def test_too_little_work():
    def gaps(length):
        trace = Trace(4)
        job = trace.job("work")
        for number in range(40):
            trace.range(number % 4, job, number, 1, (number // 4) * 20 * MS, length)
        return trace

    assert rules(gaps(8 * MS)) == ["littleWork"]
    assert rules(gaps(18 * MS)) == []
    few = Trace(8)
    job = few.job("work")
    for worker in range(3):
        few.range(worker, job, worker, 1, 0, 100 * MS)
    assert "3 items for 8 workers" in facts(few, "adviceFor(facts)[0].text")


def test_failures_limits_and_events_that_are_missing():
    trace = even()
    trace.range(0, 1, 500, 1, 200 * MS, 1 * MS, state="failed", failed=1)
    trace.range(1, 1, 501, 1, 200 * MS, 1 * MS, state="timeout")
    trace.lost = 3
    assert rules(trace) == ["limits", "failures", "lostEvents"]
    assert "1 item ran into a time limit. 1 item failed." in headline(trace)


def test_items_are_named_with_their_job_when_there_are_several():
    trace = slow_end(90 * MS, 110 * MS)
    second = trace.job("other", began=300 * MS)
    trace.range(1, second, 7, 1, 300 * MS, 10 * MS)
    assert "Item 7 of job 1 took 110 ms" in headline(trace)
    # What the host did between its jobs is no idle time of the pool.
    assert headline(trace).startswith("210 ms with work in 310 ms, 4 workers 6"), headline(trace)


def test_of_a_moment_nothing_is_advised():
    trace = even(items=40, length=100 * US)
    trace.copy(1, 0, 900 * US, 1000)
    assert rules(trace) == ["tooShort"]
    assert headline(trace) == "1 ms, 4 workers 100 % busy. All 40 items ended well."
    trace.crash(0, 1, 3, 500 * US)
    assert rules(trace) == ["crashes", "tooShort"]


def test_a_trace_in_which_nothing_ran():
    assert headline(Trace(2)) == "0 s, 2 workers 0 % busy. No item ran."
    assert headline(Trace(0)) == "0 s, in which no worker ran. No item ran."
    assert rules(Trace(0)) == []


def test_a_summary_of_anything_does_no_harm():
    chance = random.Random(5)
    odd = [None, True, -1, 1e308, "x", [], {}, [[]], {"a": 1}, "9" * 1000]
    for _ in range(60):
        document = traces.three_things().document()
        summary = document["mapengine"]
        for place in [summary, *(chance.choice(summary[key]) for key in ("workers", "functions", "jobs", "slow", "crashes"))]:
            place[chance.choice([key for key in place if key != "schema"])] = chance.choice(odd)
        for event in chance.sample(document["traceEvents"], 5):
            event[chance.choice(list(event))] = chance.choice(odd)
            if isinstance(event.get("args"), dict) and event["args"]:
                event["args"][chance.choice(list(event["args"]))] = chance.choice(odd)
        page().evaluate(f"readTrace({json.dumps(json.dumps(document))}).then((trace) => {{ const facts = showReport(trace); return headline(facts).length; }})")
    assert page().evaluate("document.querySelectorAll('img, iframe, object').length") == 0


def test_words():
    for ns, words in ((0, "0 s"), (3, "3 ns"), (999, "999 ns"), (1000, "1 µs"), (812_345, "812 µs"), (999_600, "1 ms"), (45_000_000, "45 ms"), (2_310_000_000, "2.31 s"),
                      (119_000_000_000, "119 s"), (200_000_000_000, "3 min 20 s"), (7_500_000_000_000, "2 h 5 min"), (10_799_000_000_000, "3 h 0 min")):
        assert ask("duration", ns) == words, (ns, ask("duration", ns))
    for size, words in ((0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (2_400_000_000, "2.4 GB")):
        assert ask("bytes", size) == words, (size, ask("bytes", size))
    for share, words in ((0, "0 %"), (0.0004, "< 0.1 %"), (0.004, "0.4 %"), (0.379, "38 %"), (0.996, "> 99 %"), (1, "100 %")):
        assert ask("percent", share) == words, (share, ask("percent", share))


def test_columns_hold_the_time_that_spans_take():
    chance = random.Random(9)
    for _ in range(40):
        spans, at = [], 0
        for _ in range(chance.choice((1, 3, 400))):
            at += int(chance.expovariate(1 / 50))
            spans.append((at, at + int(chance.expovariate(1 / chance.choice((3, 500))))))
            at = spans[-1][1]
        begin = chance.choice((0, chance.randrange(0, at + 1)))
        end = begin + chance.randrange(1, at + 10)
        width = chance.choice((1, 7, 200))
        answer = ask(
            """(spans, begin, end, width) => {
                const made = new Spans();
                for (const [from, to] of spans) made.add({ ts: from / 1000, dur: (to - from) / 1000, tid: 1, name: "f", args: {} }, RANGE);
                const track = { spans: spans.map((_, i) => i) };
                const found = [];
                for (let k = 0; k <= 20; k++) found.push(spanAt(made, track, begin + (end - begin) * k / 20, 0));
                return [Array.from(columnsOf(made, track, begin, end, width)[BUSY] ?? []), found];
            }""", spans, begin, end, width)
        expected = sum(max(0, min(to, end) - max(begin, from_)) for from_, to in spans)
        assert abs(sum(answer[0]) * (end - begin) / width - expected) < 1e-6 * max(1, expected), (spans, begin, end, width)
        assert all(0 <= share <= 1 + 1e-9 for share in answer[0])
        for k, i in enumerate(answer[1]):
            time = begin + (end - begin) * k / 20
            there = [n for n, (from_, to) in enumerate(spans) if from_ <= time <= to]
            assert (i == -1) == (not there) and (i == -1 or i in there), (spans, time, i, there)


def test_lines_that_are_damaged_are_told():
    text = traces.three_things().text()
    for bad, words in ((text[:500], "damaged or cut off"), (text[: text.rindex('"mapengine"') + 30], "its summary is missing"), ("", "the file was empty"),
                       ("[]", "it has no traceEvents"), ('{"traceEvents":[1]}', "an event in it is no object"), ('{"traceEvents":[]}', "no summary")):
        found = page().evaluate(f"readTrace({json.dumps(bad)}).then(() => 'read', (error) => error.message)")
        assert words in found, (bad[:80], found)
    with opened[0].page() as other:
        assert other.open(page_with(text[:500])) == "failed"
        assert "This trace cannot be shown" in other.text() and "cut off" in other.text(), other.text()
        assert other.evaluate("document.querySelector('[role=alert]') !== null")


if __name__ == "__main__":
    try:
        run_all(globals())
    finally:
        for one in opened[:1]:
            one.__exit__()
