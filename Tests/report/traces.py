"""Makes traces, as the engine writes them, of pools that never were: what the tests of the report need, one by one.

A `Trace` takes spans and deaths in nanoseconds, and writes the file with the summary that follows from them.
"""
import json
import random


class Trace:
    def __init__(self, workers=4, program="render", began_unix_ns=1_795_000_000_000_000_000):
        self.program, self.began = program, began_unix_ns
        self.workers = [{"index": i, "pid": 4000 + i, "host": "", "busy_ns": 0, "setup_ns": 0, "waiting_ns": 0, "idle_ns": 0, "items": 0, "starts": 1} for i in range(workers)]
        self.events, self.functions, self.jobs, self.times = [], {}, {}, {}
        self.slow, self.crashes, self.lost, self.end = [], [], 0, 0
        self.meta("process_name", 0, program)
        self.meta("thread_name", 0, "host")
        for one in self.workers:
            self.meta("thread_name", one["index"] + 1, f"worker {one['index']} (pid {one['pid']})")

    def meta(self, kind, tid, name):
        self.events.append({"ph": "M", "name": kind, "pid": 77, "tid": tid, "args": {"name": name}})

    def function(self, name):
        if name not in self.functions:
            self.functions[name] = {"id": len(self.functions) + 1, "name": name, "items": 0, "failed": 0, "busy_ns": 0}
            self.times[name] = []
        return self.functions[name]

    def job(self, name, began=0, **more):
        function = self.function(name)
        number = len(self.jobs) + 1
        self.jobs[number] = {"id": number, "function": function["id"], "items": 0, "ok": 0, "failed": 0, "crashed": 0, "timed_out": 0, "cancelled": 0, "busy_ns": 0,
                             "copied_bytes": 0, "shared_bytes": 0, "copy_ns": 0, "began_ns": began, "ended_ns": began, "name": name} | more
        return number

    def span(self, worker, cat, name, start, length, args):
        self.end = max(self.end, start + length)
        self.events.append({"ph": "X", "cat": cat, "name": name, "pid": 77, "tid": worker + 1, "ts": start / 1000, "dur": length / 1000, "args": args})

    def range(self, worker, job, first, items, start, length, state="ok", slowest=None, failed=0, host=None, round_trip=None, of=1):
        one, function = self.jobs[job], self.functions[self.jobs[job]["name"]]
        args = {"job": job, "function": function["id"], "first": first, "items": items, "assigned": items, "state": state, "failed": failed, "pid": 4000 + worker}
        if slowest:
            args |= {"slowest": slowest[0], "slowest_ns": slowest[1], "slowest_of": of}
        if host:
            args |= {"host": host, "round_trip_ns": round_trip or length}
        self.span(worker, "remote" if host else "range", one["name"], start, length, args)
        slow, slow_ns = slowest or (first, length // items)
        self.slow.append({"job": job, "item": slow, "items": of, "ns": slow_ns, "worker": worker})
        rest = [(length - slow_ns) // (items - of)] * (items - of) if items > of else []
        self.times[one["name"]] += [slow_ns // of] * of + rest
        crashed = state == "crashed"
        for into in (one, function):
            into["items"] += items
            into["busy_ns"] += length
            into["failed"] += failed
        late = state == "timeout"
        one["ok"] += items - failed - crashed - late
        one["timed_out"] += late
        one["crashed"] += crashed
        one["ended_ns"] = max(one["ended_ns"], start + length)
        self.workers[worker]["busy_ns"] += length
        self.workers[worker]["items"] += items

    def setup(self, worker, name, start, length, cat="setup"):
        self.span(worker, cat, name, start, length, {})
        self.workers[worker]["setup_ns"] += length

    def wait(self, worker, job, start, length):
        self.span(worker, "wait", "waits for the host", start, length, {"job": job})
        self.workers[worker]["waiting_ns"] += length

    def copy(self, job, start, length, size, line=0):
        self.span(line - 1, "copy", "copies inputs", start, length, {"job": job, "bytes": size})
        self.jobs[job]["copied_bytes"] += size
        self.jobs[job]["copy_ns"] += length

    def crash(self, worker, job, item, at, symbol="crash_here in libscene.so", text=None, signal=11, name="SIGSEGV"):
        function = self.functions[self.jobs[job]["name"]]["id"]
        text = text if text is not None else f"item {item}: {name}, address 0x0\n  0 crash_here (scene.c:42) in libscene.so\n  1 bake (scene.c:97) in libscene.so"
        self.events.append({"ph": "i", "s": "t", "cat": "death", "name": name, "pid": 77, "tid": worker + 1, "ts": at / 1000,
                            "args": {"job": job, "item": item, "function": function, "signal": signal, "symbol": symbol, "text": text}})
        self.crashes.append({"job": job, "item": item, "function": function, "signal": signal, "name": name, "symbol": symbol, "text": text, "worker": worker, "at_ns": at, "host": ""})
        self.workers[worker]["starts"] += 1

    def document(self, schema=1):
        for job in self.jobs.values():
            common = {"cat": "job", "id": job["id"], "name": job["name"], "pid": 77, "tid": 0}
            self.events.append(common | {"ph": "b", "ts": job["began_ns"] / 1000, "args": {"items": job["items"]}})
            self.events.append(common | {"ph": "e", "ts": job["ended_ns"] / 1000, "args": {"state": "ok", "items": job["items"], "ok": job["ok"], "failed": job["failed"]}})
        functions = []
        for name, one in self.functions.items():
            times = sorted(self.times[name]) or [0]
            functions.append(one | {f"p{share}_ns": times[min(len(times) - 1, len(times) * share // 100)] for share in (50, 90, 99)} | {"max_ns": times[-1]})
        for one in self.workers:
            one["idle_ns"] = max(0, self.end - one["busy_ns"] - one["setup_ns"] - one["waiting_ns"])
        summary = {"schema": schema, "version": "2.0.0", "program": self.program, "began_unix_ns": self.began, "span_ns": self.end, "events": len(self.events), "lost": self.lost,
                   "workers": self.workers, "functions": functions, "jobs": [{k: v for k, v in job.items() if k != "name"} for job in self.jobs.values()],
                   "slow": sorted(self.slow, key=lambda one: -one["ns"])[:64], "crashes": self.crashes}
        return {"displayTimeUnit": "ms", "traceEvents": self.events, "mapengine": summary}

    def text(self, schema=1):
        """One event a line."""
        made = self.document(schema)
        lines = ",\n".join(json.dumps(event, separators=(",", ":")) for event in made["traceEvents"])
        return '{"displayTimeUnit":"ms",\n"traceEvents":[\n' + lines + '\n],\n"mapengine":' + json.dumps(made["mapengine"], separators=(",", ":")) + "}\n"


MS = 1_000_000


def three_things(workers=4):
    """A map with a long copy, an item that crashes, and a slow one that begins late and runs alone."""
    chance = random.Random(15)
    trace = Trace(workers)
    job = trace.job("bake")
    for worker in range(workers):
        trace.setup(worker, "libscene.so", 2 * MS, 30 * MS, cat="module")
    trace.copy(job, 0, 878 * MS, 2_400_000_000)
    free = [(880 + worker) * MS for worker in range(workers)]
    for item in range(0, 96):
        worker = free.index(min(free))
        if item == 71:
            length = 1200 * MS
        else:
            length = int(26 * MS * chance.lognormvariate(0, 0.3))
        if item == 12:
            length = 9 * MS
            trace.range(worker, job, item, 1, free[worker], length, state="crashed")
            trace.crash(worker, job, item, free[worker] + length)
            trace.setup(worker, "libscene.so", free[worker] + length + 4 * MS, 30 * MS, cat="module")
            free[worker] += length + 34 * MS
            continue
        trace.range(worker, job, item, 1, free[worker], length, slowest=(item, length))
        free[worker] += length
    return trace


def many(events, workers=8):
    """So many ranges, of items of some microseconds, with a stretch in which workers wait and a range that fails."""
    chance = random.Random(7)
    trace = Trace(workers, program="simulate")
    job = trace.job("step")
    free = [0] * workers
    for number in range(events):
        worker = number % workers
        length = int(chance.lognormvariate(9.5, 0.6))
        start = free[worker]
        if events // 3 < number < events // 2 and number % 3 == 0:
            trace.wait(worker, job, start, 9000)
            start += 9000
        trace.range(worker, job, number * 16, 16, start, length, slowest=(number * 16 + 3, length // 8), state="failed" if number == events // 2 else "ok", failed=int(number == events // 2))
        free[worker] = start + length + 800
    return trace


def hostile():
    """Names and texts that would do harm if any of them were taken for HTML."""
    bad = '<img src=x onerror="document.title=\'owned\'">'
    trace = Trace(2, program=bad + "</script><script>document.title='owned'</script><!--")
    trace.workers[1]["host"] = bad
    job = trace.job(f"{bad}</title>")
    trace.range(0, job, 0, 1, 0, 500 * MS)
    trace.range(1, job, 1, 1, 0, 5 * MS, state="crashed", host=bad)
    trace.crash(1, job, 1, 5 * MS, symbol=f"{bad} in <b>lib.so", text=f"{bad}\n</pre><script>document.title='owned'</script>\u202eturned", name=bad)
    trace.meta("thread_name", 2, f"lane 960 ({bad})")
    return trace


if __name__ == "__main__":
    import sys

    made = {"three_things": three_things, "hostile": hostile}
    name = sys.argv[1]
    sys.stdout.write(made[name]().text() if name in made else many(int(name)).text())
