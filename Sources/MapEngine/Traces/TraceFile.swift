// A trace as a file: JSON of Chrome's trace event format, an event per line, then the sums. docs/trace-file.md says what it holds.
//
// The one writer of such files. It is fed event by event, and holds no more of them than the sums need.

import CMapBridge

/// What a file tells of the trace as a whole.
struct TraceHead {
    let beganOnWall: Int64
    /// From its start to its end, or to now.
    let span: Int64
    /// The host's process.
    let pid: Int32
    let program: String
    let version: String
    /// The pool's places on this machine that have had a process, with the present one: also those of which there is no event.
    var workers: [(index: Int32, pid: Int32)] = []
}

struct TraceFile {
    private let file: Int32
    private let head: TraceHead
    private var json = JSONText()
    private var summary = TraceSummary()
    private var isFirst = true
    /// An errno: the rest cannot be written.
    private(set) var why: Int32 = 0
    /// Things that the host does at the same time have lines of their own, as those of one line lie one behind the other or one in
    /// the other. By line: when the last one ends.
    private var hostLines: [Int64] = [0]

    private static let blockBytes = 65_536

    /// - file: open to be written to; the caller closes it.
    init(_ file: Int32, _ head: TraceHead) {
        self.file = file
        self.head = head
        for worker in head.workers { summary.add(worker: worker.index, worker.pid) }
        json.add("{\"displayTimeUnit\":\"ms\",\n\"traceEvents\":[")
    }

    mutating func add(_ event: mape_trace_event) {
        summary.add(event)
        switch mape_trace_kind(event.kind) {
        case MAPE_TRACE_RANGE, MAPE_TRACE_REMOTE: range(event)
        case MAPE_TRACE_SETUP: complete(event, "setup")
        case MAPE_TRACE_CLEANUP: complete(event, "cleanup")
        case MAPE_TRACE_MODULE: complete(event, "module")
        case MAPE_TRACE_WAIT: complete(event, "wait", named: "waits for the host")
        case MAPE_TRACE_COPY: complete(event, "copy", named: "copies inputs")
        case MAPE_TRACE_CALLBACK: complete(event, "callback")
        case MAPE_TRACE_DEATH: death(event)
        case MAPE_TRACE_RECLAIM: instant(event, "reclaim", named: "items taken back")
        case MAPE_TRACE_JOB: job(event)
        default: return
        }
        if json.bytes.count >= Self.blockBytes { flush() }
    }

    /// Writes the rest.
    /// - lost: how many events are not in the file.
    mutating func finish(lost: UInt64) {
        lines()
        json.add("\n],\n\"mapengine\":")
        summary.write(to: &json, head, lost: lost)
        json.add("}\n")
        flush()
    }

    private mutating func flush() {
        if why == 0 { why = -Files.write(file, json.bytes) }
        json.removeAll()
    }

    // MARK: - Events

    private mutating func begin(_ phase: String, _ line: Int, _ category: StaticString) {
        json.add(isFirst ? "\n{" : ",\n{")
        isFirst = false
        json.add("ph", phase)
        json.add("pid", head.pid)
        json.add("tid", line)
        json.add("cat", "\(category)")
    }

    private mutating func range(_ event: mape_trace_event) {
        let isRemote = event.kind == MAPE_TRACE_REMOTE.rawValue
        complete(event, isRemote ? "remote" : "range") { json in
            json.add("first", event.first)
            json.add("items", event.items)
            json.add("assigned", event.assigned)
            Self.add(event, to: &json)
            if event.slowest_ns > 0 {
                json.add("slowest", event.slowest)
                json.add("slowest_ns", event.slowest_ns)
                if event.slowest_of > 1 { json.add("slowest_of", event.slowest_of) }
            }
            if isRemote {
                unsafe json.add("host", event.host)
                json.add("round_trip_ns", event.round_trip_ns)
            }
        }
    }

    /// How many items have not ended well.
    private static func add(_ event: mape_trace_event, to json: inout JSONText) {
        json.add("failed", event.failed)
        if event.crashed > 0 { json.add("crashed", event.crashed) }
        if event.timed_out > 0 { json.add("timed_out", event.timed_out) }
        if event.cancelled > 0 { json.add("cancelled", event.cancelled) }
    }

    private mutating func complete(
        _ event: mape_trace_event, _ category: StaticString, named name: String? = nil,
        _ more: (inout JSONText) -> Void = { _ in }
    ) {
        begin("X", line(of: event), category)
        if let name { json.add("name", name) } else { unsafe json.add("name", event.name) }
        json.add("ts", microseconds: event.begin_ns)
        json.add("dur", microseconds: event.end_ns - event.begin_ns)
        arguments(event, more)
    }

    private mutating func instant(
        _ event: mape_trace_event, _ category: StaticString, named name: String? = nil,
        _ more: (inout JSONText) -> Void = { _ in }
    ) {
        begin("i", line(of: event), category)
        json.add("s", "t")
        if let name { json.add("name", name) } else { unsafe json.add("name", event.name) }
        json.add("ts", microseconds: event.begin_ns)
        arguments(event, more)
    }

    private mutating func arguments(_ event: mape_trace_event, _ more: (inout JSONText) -> Void) {
        json.add(",\"args\":{")
        if event.job != 0 { json.add("job", event.job) }
        if event.function != 0 { json.add("function", event.function) }
        switch mape_trace_kind(event.kind) {
        case MAPE_TRACE_COPY:
            json.add("bytes", event.bytes)
            json.add("shared_bytes", event.shared_bytes)
        case MAPE_TRACE_CALLBACK: json.add("items", event.items)
        case MAPE_TRACE_RECLAIM:
            json.add("first", event.first)
            json.add("items", event.items)
        case MAPE_TRACE_WAIT, MAPE_TRACE_DEATH: break
        default: json.add("state", Self.name(of: event.state))
        }
        if event.pid != 0 { json.add("pid", event.pid) }
        more(&json)
        json.add("}}")
    }

    private mutating func death(_ event: mape_trace_event) {
        instant(event, "death") { json in
            if event.items == 1 { json.add("item", event.first) }
            json.add(event.code > 0 ? "signal" : "exit", event.code > 0 ? event.code : -event.code)
            unsafe json.add("symbol", event.symbol)
            unsafe json.add("text", event.text)
            unsafe json.add("host", event.host)
        }
    }

    private mutating func job(_ event: mape_trace_event) {
        for phase in ["b", "e"] {
            begin(phase, 0, "job")
            json.add("id", event.job)
            unsafe json.add("name", event.name)
            json.add("ts", microseconds: phase == "b" ? event.begin_ns : event.end_ns)
            json.add(",\"args\":{")
            json.add("function", event.function)
            if phase == "b" {
                json.add("items", event.assigned)
            } else {
                json.add("state", Self.name(of: event.state))
                json.add("items", event.items)
                json.add("ok", event.ok)
                Self.add(event, to: &json)
            }
            json.add("}}")
        }
    }

    static func name(of state: UInt32) -> String {
        switch mape_trace_state(state) {
        case MAPE_TRACE_OK: "ok"
        case MAPE_TRACE_FAILED: "failed"
        case MAPE_TRACE_CRASHED: "crashed"
        case MAPE_TRACE_TIMED_OUT: "timeout"
        case MAPE_TRACE_LOST: "lost"
        case MAPE_TRACE_CANCELLED: "cancelled"
        case MAPE_TRACE_RECLAIMED: "reclaimed"
        default: "running"
        }
    }

    // MARK: - Lines: threads, to those who show the file

    private static let otherHostLines = 2000

    private mutating func line(of event: mape_trace_event) -> Int {
        if event.worker >= 0 { return Int(event.worker) + 1 }
        if event.begin_ns == event.end_ns { return 0 }
        let free = hostLines.firstIndex { $0 <= event.begin_ns }
        let line = free ?? hostLines.count
        if free == nil { hostLines.append(0) }
        hostLines[line] = event.end_ns
        return number(ofHost: line)
    }

    /// What the lines are called.
    private mutating func lines() {
        name("process_name", 0, head.program)
        for line in hostLines.indices {
            name("thread_name", number(ofHost: line), line == 0 ? "host" : "host (\(line + 1))")
        }
        for worker in summary.sortedWorkers {
            name(
                "thread_name", Int(worker.index) + 1,
                worker.isRemote
                    ? "lane \(worker.index) (\(worker.host))" : "worker \(worker.index) (pid \(worker.shown))")
        }
    }

    private mutating func name(_ what: String, _ line: Int, _ text: String) {
        json.add(isFirst ? "\n{" : ",\n{")
        isFirst = false
        json.add("ph", "M")
        json.add("pid", head.pid)
        json.add("tid", line)
        json.add("name", what)
        json.add(",\"args\":{")
        json.add("name", text)
        json.add("}}")
    }

    private func number(ofHost line: Int) -> Int { line == 0 ? 0 : Self.otherHostLines + line - 1 }
}

extension mape_trace_event {
    /// Items that have ended well.
    var ok: UInt64 {
        let others = failed + crashed + timed_out + cancelled
        return items > others ? items - others : 0
    }

    var time: Int64 { end_ns - begin_ns }
}
