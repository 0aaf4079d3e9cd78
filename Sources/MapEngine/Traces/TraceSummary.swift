// The sums of a trace's events: per worker, function and job, the slowest items, the crashes. Of the same events as the file, so that who
// adds those up gets these.

import CMapBridge

struct TraceSummary {
    struct Worker {
        let index: Int32
        /// Of its present process, and of that of its last event.
        var known: Int32 = 0
        var pid: Int32 = 0
        var host = ""
        var isRemote = false
        var busy: Int64 = 0
        var setup: Int64 = 0
        var waiting: Int64 = 0
        var items: UInt64 = 0
        var starts = 0

        var shown: Int32 { pid != 0 ? pid : known }
    }

    fileprivate struct Function {
        var name = ""
        var items: UInt64 = 0
        var failed: UInt64 = 0
        var busy: Int64 = 0
        var longest: Int64 = 0
        /// Items that took about as long.
        var times: [(time: Int64, items: UInt64)] = []
    }

    private struct Job {
        let id: UInt64
        var function: UInt32 = 0
        var name = ""
        var ended: mape_trace_event?
        var ranges = mape_trace_event()
        var busy: Int64 = 0
        var copied: UInt64 = 0
        var shared: UInt64 = 0
        var copying: Int64 = 0
    }

    private var events: UInt64 = 0
    private var workers: [Int32: Worker] = [:]
    private var functions: [UInt32: Function] = [:]
    private var jobs: [UInt64: Job] = [:]
    private var slow: [mape_trace_event] = []
    private var crashes: [mape_trace_event] = []
    private var names: [UInt: String] = [:]

    private static let slowest = 64

    var sortedWorkers: [Worker] { workers.values.sorted { $0.index < $1.index } }

    private mutating func text(_ pointer: UnsafePointer<CChar>) -> String {
        let place = UInt(bitPattern: pointer)
        if let known = names[place] { return known }
        let text = unsafe JSONText.text(pointer)
        names[place] = text
        return text
    }

    /// A worker, whether it has had something to do or not.
    mutating func add(worker index: Int32, _ pid: Int32) { workers[index] = Worker(index: index, known: pid) }

    mutating func add(_ event: mape_trace_event) {
        events += 1
        if event.worker >= 0 { addToWorker(event) }
        switch mape_trace_kind(event.kind) {
        case MAPE_TRACE_RANGE, MAPE_TRACE_REMOTE: addRange(event)
        case MAPE_TRACE_COPY:
            let name = unsafe text(event.name)
            update(event, name) {
                $0.copied += event.bytes
                $0.shared += event.shared_bytes
                $0.copying += event.time
            }
        case MAPE_TRACE_JOB:
            let name = unsafe text(event.name)
            update(event, name) { $0.ended = event }
        case MAPE_TRACE_DEATH: crashes.append(event)
        default: break
        }
    }

    private mutating func addToWorker(_ event: mape_trace_event) {
        var worker = workers[event.worker] ?? Worker(index: event.worker)
        if event.pid != 0 && event.pid != worker.pid {
            worker.pid = event.pid
            worker.starts += 1
        }
        switch mape_trace_kind(event.kind) {
        case MAPE_TRACE_REMOTE:
            worker.isRemote = true
            worker.host = unsafe text(event.host)
            fallthrough
        case MAPE_TRACE_RANGE:
            worker.busy += event.time
            worker.items += event.items
        case MAPE_TRACE_SETUP, MAPE_TRACE_CLEANUP, MAPE_TRACE_MODULE: worker.setup += event.time
        case MAPE_TRACE_WAIT: worker.waiting += event.time
        default: break
        }
        workers[event.worker] = worker
    }

    private mutating func addRange(_ event: mape_trace_event) {
        let name = unsafe text(event.name)
        functions[event.function, default: Function(name: name)].add(event)
        update(event, name) {
            $0.busy += event.time
            $0.ranges.items += event.items
            $0.ranges.failed += event.failed
            $0.ranges.crashed += event.crashed
            $0.ranges.timed_out += event.timed_out
            $0.ranges.cancelled += event.cancelled
        }
        guard event.slowest_ns > 0 else { return }
        slow.append(event)
        if slow.count >= Self.slowest * 16 { sortSlow() }
    }

    private mutating func update(_ event: mape_trace_event, _ name: String, _ change: (inout Job) -> Void) {
        var job = jobs[event.job] ?? Job(id: event.job)
        job.function = event.function
        job.name = name
        change(&job)
        jobs[event.job] = job
    }

    private mutating func sortSlow() {
        slow.sort { $0.slowest_ns > $1.slowest_ns }
        slow.removeLast(max(0, slow.count - Self.slowest))
    }

    // MARK: - Writing

    mutating func write(to json: inout JSONText, _ head: TraceHead, lost: UInt64) {
        json.add("{")
        json.add("schema", 1)
        json.add("version", head.version)
        json.add("program", head.program)
        json.add("pid", head.pid)
        json.add("began_unix_ns", head.beganOnWall)
        json.add("span_ns", head.span)
        json.add("events", events)
        json.add("lost", lost)
        list("workers", sortedWorkers, to: &json) { Self.write($0, head, to: &$1) }
        list("functions", functions.sorted { $0.key < $1.key }, to: &json) { $0.value.write($0.key, to: &$1) }
        list("jobs", jobs.values.sorted { $0.id < $1.id }, to: &json) { Self.write($0, to: &$1) }
        sortSlow()
        list("slow", slow, to: &json) { event, json in
            json.add("job", event.job)
            json.add("item", event.slowest)
            json.add("ns", event.slowest_ns)
            json.add("worker", event.worker)
            if event.slowest_of > 1 { json.add("items", event.slowest_of) }
        }
        list("crashes", crashes, to: &json) { event, json in
            if event.job != 0 { json.add("job", event.job) }
            if event.items == 1 { json.add("item", event.first) }
            json.add("function", event.function)
            json.add("signal", max(0, event.code))
            if event.code <= 0 { json.add("exit", -event.code) }
            unsafe json.add("name", event.name)
            unsafe json.add("symbol", event.symbol)
            unsafe json.add("text", event.text)
            json.add("worker", event.worker)
            json.add("at_ns", event.begin_ns)
            unsafe json.add("host", event.host)
        }
        json.add("\n}")
    }

    private func list<Element>(
        _ key: StaticString, _ elements: [Element], to json: inout JSONText, _ write: (Element, inout JSONText) -> Void
    ) {
        json.add(",\n\"\(key)\":[")
        for (i, element) in elements.enumerated() {
            json.add(i == 0 ? "\n{" : ",\n{")
            write(element, &json)
            json.add("}")
        }
        json.add("]")
    }

    private static func write(_ worker: Worker, _ head: TraceHead, to json: inout JSONText) {
        json.add("index", worker.index)
        json.add("pid", worker.shown)
        json.add("host", worker.host)
        json.add("busy_ns", worker.busy)
        json.add("setup_ns", worker.setup)
        json.add("waiting_ns", worker.waiting)
        json.add("idle_ns", max(0, head.span - worker.busy - worker.setup - worker.waiting))
        json.add("items", worker.items)
        json.add("starts", worker.starts)
    }

    private static func write(_ job: Job, to json: inout JSONText) {
        // The event of a job that has ended long ago may be lost, and its ranges as well.
        let sums = job.ended ?? job.ranges
        json.add("id", job.id)
        json.add("function", job.function)
        json.add("name", job.name)
        json.add("items", job.ended?.assigned ?? sums.items)
        json.add("ok", sums.ok)
        json.add("failed", sums.failed)
        json.add("crashed", sums.crashed)
        json.add("timed_out", sums.timed_out)
        json.add("cancelled", sums.cancelled)
        json.add("busy_ns", job.busy)
        json.add("copied_bytes", job.copied)
        json.add("shared_bytes", job.shared)
        json.add("copy_ns", job.copying)
        json.add("began_ns", job.ended?.begin_ns ?? 0)
        json.add("ended_ns", job.ended?.end_ns ?? 0)
    }
}

extension TraceSummary.Function {
    fileprivate mutating func add(_ event: mape_trace_event) {
        items += event.items
        failed += event.failed + event.crashed + event.timed_out
        busy += event.time
        // A range tells how long its items took together, and how long the slowest.
        guard event.items > 0 else { return }
        let each = event.time / Int64(event.items)
        guard event.slowest_ns > 0, event.slowest_of == 1, event.items > 1 else {
            times.append((each, event.items))
            longest = max(
                longest, event.slowest_of > 1 ? max(each, event.slowest_ns - each * Int64(event.slowest_of - 1)) : each)
            return
        }
        times.append((event.slowest_ns, 1))
        times.append((max(0, event.time - event.slowest_ns) / Int64(event.items - 1), event.items - 1))
        longest = max(longest, event.slowest_ns)
    }

    fileprivate func write(_ id: UInt32, to json: inout JSONText) {
        let sorted = times.sorted { $0.time < $1.time }
        let count = sorted.reduce(0) { $0 + $1.items }
        func quantile(_ part: UInt64) -> Int64 {
            var before: UInt64 = 0
            for (time, items) in sorted {
                before += items
                if before * 100 >= count * part { return time }
            }
            return 0
        }
        json.add("id", id)
        json.add("name", name)
        json.add("items", items)
        json.add("failed", failed)
        json.add("busy_ns", busy)
        json.add("p50_ns", quantile(50))
        json.add("p90_ns", quantile(90))
        json.add("p99_ns", quantile(99))
        json.add("max_ns", longest)
    }
}
