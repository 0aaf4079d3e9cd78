"""A trace in Perfetto's trace processor: it loads without an error, and queries over it give the sums that the API gives.

    test_perfetto.py DIST LIBRARY FOLDER      the installed engine, functions.c as a library, a folder for files

The trace processor is that of Perfetto's user interface, run by Node.js (processor.js); the queries are Perfetto's own Python package's.
"""

import ctypes
import json
import os
import subprocess
import sys
import traceback
from ctypes import byref
from pathlib import Path

DIST, LIBRARY, FOLDER = map(os.path.abspath, sys.argv[1:4])
sys.path.insert(0, os.path.join(DIST, "share", "mapengine"))
import mapengine_abi as abi  # noqa: E402
import viztracer  # noqa: E402
from perfetto.common.query_result_iterator import QueryResultIterator  # noqa: E402
from perfetto.trace_processor.platform import PlatformDelegate  # noqa: E402
from perfetto.trace_processor.protos import ProtoFactory  # noqa: E402
from perfetto.trace_processor.rpc import TraceProcessorRpc  # noqa: E402

PATIENCE = 60_000_000_000
KINDS = {abi.MAPE_TRACE_RANGE: "range", abi.MAPE_TRACE_SETUP: "setup", abi.MAPE_TRACE_WAIT: "wait", abi.MAPE_TRACE_COPY: "copy",
         abi.MAPE_TRACE_DEATH: "death", abi.MAPE_TRACE_RECLAIM: "reclaim", abi.MAPE_TRACE_JOB: "job", abi.MAPE_TRACE_CLEANUP: "cleanup"}


# ---- The host, and what the API says. ----


class Traced:
    """A pool that has run some jobs, its trace, and what the API tells of both."""

    def __init__(self, path):
        self.path = path
        self.lib = abi.load(os.path.join(DIST, "lib", "libmapengine.so.2"))
        self.pool = abi.mape_pool()
        self.check(self.lib.mape_pool_create(byref(self.pool), byref(abi.mape_pool_config(workers=3))))
        item, sums = self.function(b"run_item"), self.function(b"run_sum")
        self.check(self.lib.mape_pool_trace_start(self.pool, None))
        self.check(self.lib.mape_pool_start(self.pool, PATIENCE))
        # One slow item, one crash, some that fail; a long copy; the same without a copy.
        items = bytearray()
        for i in range(2000):
            way, milliseconds = (1, 0) if i % 100 == 7 else (2, 0) if i == 555 else (0, 400 if i == 1234 else 0)
            items += way.to_bytes(4, "little") + milliseconds.to_bytes(4, "little")
        size = 12 << 20
        buffer, place = abi.mape_buffer(), ctypes.c_void_p()
        self.check(self.lib.mape_buffer_create(byref(buffer), self.pool, size))
        self.check(self.lib.mape_buffer_data(byref(place), None, buffer))
        keep = [ctypes.create_string_buffer(bytes(items), len(items)), ctypes.create_string_buffer(size)]
        self.jobs = [self.map(item, ctypes.addressof(keep[0]), 2000, 8), self.map(sums, ctypes.addressof(keep[1]), 300, 40960),
                     self.map(sums, place.value, 200, 4096)]
        self.progress = [self.done(job) for job in self.jobs]
        self.check(self.lib.mape_pool_trace_stop(self.pool))
        self.stats = abi.mape_stats()
        self.check(self.lib.mape_pool_stats(byref(self.stats), self.pool))
        self.events = self.read()
        self.check(self.lib.mape_pool_trace_write(self.pool, os.fsencode(path)))

    def check(self, status):
        if status < 0:
            text = ctypes.create_string_buffer(2048)
            self.lib.mape_message(text, 2048, self.pool)
            raise AssertionError(f"{status}: {text.value.decode()}")

    def function(self, symbol):
        out = ctypes.c_uint32()
        description = abi.mape_function(library=os.fsencode(LIBRARY), run_symbol=symbol, setup_symbol=b"set_up")
        self.check(self.lib.mape_function_register(byref(out), self.pool, byref(description)))
        return out.value

    def map(self, function, base, count, size):
        job = abi.mape_job()
        self.check(self.lib.mape_map(byref(job), self.pool, function, byref(abi.mape_items(base=base, count=count, item_size=size)), None))
        return job

    def done(self, job):
        self.check(self.lib.mape_job_wait(job, PATIENCE))
        progress = abi.mape_progress()
        self.check(self.lib.mape_job_progress(byref(progress), job))
        return progress

    def read(self):
        events, count, lost = [], ctypes.c_size_t(1), ctypes.c_uint64()
        while count.value:
            out = (abi.mape_trace_event * 1000)()
            out[0].struct_size = ctypes.sizeof(abi.mape_trace_event)
            self.check(self.lib.mape_pool_trace_read(out, 1000, byref(count), byref(lost), self.pool))
            assert lost.value == 0
            events += out[:count.value]
        return events

    def release(self):
        self.check(self.lib.mape_pool_release(self.pool))


# ---- The trace processor. ----


class Processor:
    """A trace in the trace processor."""

    def __init__(self, path):
        (folder,) = Path(viztracer.__file__).parent.joinpath("web_dist").glob("v*/engine_bundle.js")
        self._said = open(os.path.join(FOLDER, "processor.log"), "w+")
        self._process = subprocess.Popen(["node", Path(__file__).with_name("processor.js"), folder.parent], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=self._said)
        self._protos = ProtoFactory(PlatformDelegate())
        self._rpc = TraceProcessorRpc(self, self._protos)
        kind = self._protos.TraceProcessorRpc
        append = kind(request=kind.TPM_APPEND_TRACE_DATA, append_trace_data=Path(path).read_bytes())
        assert not self._ask(append).append_result.error
        assert not self._ask(kind(request=kind.TPM_FINALIZE_TRACE_DATA)).finalize_data_result.error

    def _ask(self, message):
        self.send(self._protos.TraceProcessorRpcStream(msg=[message]).SerializeToString())
        answer = self._protos.TraceProcessorRpc()
        answer.MergeFromString(self._rpc._read_payload())
        assert not answer.fatal_error, answer.fatal_error
        return answer

    # What TraceProcessorRpc wants of its transport.

    def send(self, data):
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def read(self, count):
        data = self._process.stdout.read(count)
        if len(data) != count:
            self._said.seek(0)
            raise ConnectionError(f"the trace processor has ended: {self._said.read()[-2000:]}")
        return data

    def close(self):
        self._process.stdin.close()
        self._process.wait()

    def query(self, sql):
        result = self._rpc.execute_query(sql)
        assert not result.error, result.error
        return [tuple(vars(row).values()) for row in QueryResultIterator(result.column_names, result.batch)]

    def number(self, sql):
        ((value,),) = self.query(sql)
        return value or 0


def argument(name):
    return f"extract_arg(arg_set_id, 'args.{name}')"


# ---- The tests. ----


def test_it_loads_without_an_error(traced, processor):
    assert processor.query("select name, value from stats where severity = 'error' and value > 0") == []
    assert processor.number("select count(*) from slice where dur < 0") == 0


def test_each_event_is_there_once(traced, processor):
    kinds = {}
    for event in traced.events:
        kinds[KINDS[event.kind]] = kinds.get(KINDS[event.kind], 0) + 1
    assert dict(processor.query("select category, count(*) from slice group by category")) == kinds
    assert {"range", "setup", "copy", "death", "job"} <= set(kinds)


def test_items_are_those_of_the_api(traced, processor):
    assert processor.number(f"select sum({argument('items')}) from slice where category = 'range'") == traced.stats.items == 2500
    for job, progress in enumerate(traced.progress, 1):
        where = f"from slice where category = 'range' and {argument('job')} = {job}"
        assert processor.number(f"select sum({argument('items')}) {where}") == progress.done
        assert processor.number(f"select sum({argument('failed')}) {where}") == progress.failed
        assert processor.number(f"select sum({argument('crashed')}) {where}") == progress.crashed
    ended = processor.query(f"select {argument('ok')}, {argument('items')} from slice where category = 'job' order by ts")
    assert ended == [(progress.ok, progress.done) for progress in traced.progress]


def test_times_are_those_of_the_api(traced, processor):
    for worker in range(3):
        for kind, name in KINDS.items():
            expected = sum(event.end_ns - event.begin_ns for event in traced.events if event.worker == worker and event.kind == kind)
            got = processor.number(f"select sum(dur) from slice join thread_track on thread_track.id = track_id join thread using (utid) "
                                   f"where tid = {worker + 1} and category = '{name}'")
            assert got == expected, (worker, name, got, expected)


def test_workers_do_one_thing_at_a_time(traced, processor):
    overlaps = processor.number("select count(*) from (select ts, lag(ts + dur) over (partition by track_id order by ts) as before "
                                "from slice join thread_track on thread_track.id = track_id where dur > 0) where before > ts")
    assert overlaps == 0
    names = dict(processor.query("select tid, name from thread where tid between 1 and 3"))
    assert all(names[worker + 1].startswith(f"worker {worker} (pid ") for worker in range(3)), names


def test_copies_and_crashes_are_told(traced, processor):
    copied = dict(processor.query(f"select {argument('job')}, sum({argument('bytes')}) from slice where category = 'copy' group by 1"))
    assert copied == {1: 16000, 2: 300 * 40960, 3: 0}
    shared = processor.number(f"select sum({argument('shared_bytes')}) from slice where category = 'copy'")
    assert shared == 200 * 4096
    ((name, item, signal, symbol),) = processor.query(
        f"select name, {argument('item')}, {argument('signal')}, {argument('symbol')} from slice where category = 'death'")
    assert (name, item, signal) == ("SIGSEGV", 555, 11) and "ends_badly in libfunctions.so" == symbol, symbol
    slow = processor.query(f"select {argument('slowest')}, {argument('slowest_of')}, {argument('slowest_ns')} from slice "
                           f"where category = 'range' and {argument('slowest_ns')} >= 400000000")
    assert [first for first, of, _ in slow if first <= 1234 < first + (of or 1)], slow


def test_the_summary_is_the_sum_of_the_events(traced, processor):
    lines = Path(traced.path).read_text("utf-8").splitlines()
    trace = json.loads("\n".join(lines))
    summary = trace["mapengine"]
    for line in lines[2:lines.index("],")]:
        json.loads(line.removesuffix(","))  # An event is a line.
    assert summary["lost"] == 0 and summary["events"] == len(traced.events)
    per_worker = {index: (busy, items) for index, busy, items in processor.query(
        f"select tid - 1, sum(dur), sum({argument('items')}) from slice join thread_track on thread_track.id = track_id join thread using (utid) "
        "where category = 'range' group by 1")}
    assert [worker["index"] for worker in summary["workers"]] == [0, 1, 2]  # Also one that had nothing to do.
    assert all((worker["busy_ns"], worker["items"]) == per_worker.get(worker["index"], (0, 0)) for worker in summary["workers"])
    busy = {job: time for job, time in processor.query(f"select {argument('job')}, sum(dur) from slice where category = 'range' group by 1")}
    assert {job["id"]: job["busy_ns"] for job in summary["jobs"]} == busy
    assert [(job["id"], job["items"], job["ok"], job["failed"], job["crashed"]) for job in summary["jobs"]] == [
        (number, one.total, one.ok, one.failed, one.crashed) for number, one in enumerate(traced.progress, 1)]
    by_function = dict(processor.query(f"select {argument('function')}, sum(dur) from slice where category = 'range' group by 1"))
    assert {function["id"]: function["busy_ns"] for function in summary["functions"]} == by_function
    assert sum(worker["setup_ns"] for worker in summary["workers"]) == processor.number("select sum(dur) from slice where category = 'setup'")
    assert sum(worker["waiting_ns"] for worker in summary["workers"]) == processor.number("select sum(dur) from slice where category = 'wait'")
    assert all(worker["busy_ns"] + worker["setup_ns"] + worker["waiting_ns"] + worker["idle_ns"] == summary["span_ns"]
               for worker in summary["workers"])
    (crash,) = summary["crashes"]
    assert (crash["item"], crash["signal"], crash["job"]) == (555, 11, 1)
    # Not which is first: a machine can take as long for a short item.
    assert any(one["item"] <= 1234 < one["item"] + one.get("items", 1) and one["ns"] >= 400_000_000 for one in summary["slow"])


def main():
    passed = failed = 0
    traced = Traced(os.path.join(FOLDER, "trace.json"))
    processor = Processor(traced.path)
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        title = f"{name[5:].replace('_', ' ')}"
        try:
            test(traced, processor)
            passed += 1
            print(f"ok {title}", flush=True)
        except Exception as error:
            failed += 1
            line = next((frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.name == name), 0)
            print(f"FAILED {title}: {type(error).__name__} in line {line}: {error}".replace("\n", "\n    "), flush=True)
    processor.close()
    traced.release()
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
