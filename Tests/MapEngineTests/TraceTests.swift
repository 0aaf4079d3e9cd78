// The timeline: what is believed of a worker's times, what a full ring keeps, and what a file looks like.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct TraceTests {
    private func times(_ begin: Int64, _ took: UInt64) -> mapb_times {
        mapb_times(ticket: 1, slowest: 0, begin: begin, took: took, lap: 0)
    }

    @Test func aWorkersTimesAreCutToWhatTheHostKnows() throws {
        let trace = try Trace(capacity: 4)
        let now = trace.began + 1000
        // It was assigned something at 400, while it was idle.
        let since = trace.began + 400
        func told(_ times: mapb_times?, took: Int64? = nil) throws -> (Int64, Int64) {
            let fresh = try Trace(capacity: 4)
            let move = fresh.began - trace.began
            var times = times
            times?.begin &+= move
            let span = fresh.span(0, times, since: since + move, took: took, now: now + move)
            return (span.begin - fresh.began, span.end - fresh.began)
        }
        #expect(try told(times(trace.began + 500, 200)) == (500, 700))
        #expect(try told(times(trace.began + 100, 200)) == (400, 600), "not before it was assigned")
        #expect(try told(times(trace.began + 500, 9000)) == (500, 1000), "not after its reply was seen")
        #expect(try told(times(trace.began + 5000, 1)) == (1000, 1000))
        #expect(try told(times(.min, .max)) == (400, 1000))
        #expect(try told(times(.max / 2, .max)) == (1000, 1000))
        #expect(try told(times(trace.began + 500, 0)) == (500, 1000), "it has not ended")
        #expect(try told(nil) == (400, 1000))
        #expect(try told(nil, took: 100) == (900, 1000))
        #expect(try told(nil, took: .max) == (400, 1000))
        #expect(try told(nil, took: -5) == (1000, 1000))
    }

    @Test func aWorkerDoesOneThingAtATime() throws {
        let trace = try Trace(capacity: 4)
        let (a, b) = (trace.began + 1000, trace.began + 2000)
        _ = trace.span(3, times(trace.began + 100, 300), since: trace.began + 50, now: a)
        // Behind another request: it may have begun before the reply to that was seen, but not before its end.
        let next = trace.span(3, times(trace.began, 100), since: a, now: b)
        #expect(next.begin == trace.began + 400 && next.end == trace.began + 500 && !next.wasIdle)
        let idle = trace.span(
            3, times(trace.began + 1900, 50), since: trace.began + 1800 + 500, now: trace.began + 3000)
        #expect(idle.wasIdle && idle.free == trace.began + 2300 && idle.begin == idle.free)
        #expect(trace.span(4, nil, since: 0, now: b).begin == trace.began, "of another worker nothing is known")
    }

    @Test func aLanesFirstRangesAreNamedWhenItsMachineIsKnown() throws {
        let trace = try Trace(capacity: 8)
        let machines = ["north", "south"].map { CText($0) }
        func add(_ slot: Int32, _ end: Int64) {
            var event = trace.event(MAPE_TRACE_REMOTE, trace.began, trace.began + end)
            event.worker = slot
            trace.add(event)
        }
        func name(_ machine: Int, _ slot: Int, since: Int64) {
            unsafe trace.name(
                host: UnsafePointer(machines[machine].bytes), roundTrip: 7, ofLane: slot, since: trace.began + since)
        }
        // The lane in place 3 is another one since 20; that of place 4 is named later.
        for (slot, end) in [(3, 10), (3, 30), (4, 30), (3, 40)] { add(Int32(slot), Int64(end)) }
        name(0, 3, since: 20)
        name(1, 4, since: 0)
        add(3, 50)
        name(1, 5, since: 0)
        var out = [mape_trace_event](repeating: mape_trace_event(), count: 8)
        let count = Int(unsafe trace.read(&out, 8).count)
        let told = unsafe out.prefix(count).map { unsafe String(cString: $0.host) }
        #expect(told == ["", "north", "south", "north", ""])
        #expect(out.prefix(count).map(\.round_trip_ns) == [0, 7, 7, 7, 0])
    }

    @Test func aFullRingKeepsTheLatest() throws {
        let trace = try Trace(capacity: 4)
        var out = [mape_trace_event](repeating: mape_trace_event(), count: 10)
        func read(_ room: UInt64) -> ([UInt64], UInt64) {
            let got = trace.read(&out, room)
            return (out.prefix(Int(got.count)).map(\.job), got.lost)
        }
        func add(_ jobs: Range<UInt64>) {
            for job in jobs {
                var event = trace.event(MAPE_TRACE_JOB, trace.began, trace.began)
                event.job = job
                trace.add(event)
            }
        }
        #expect(read(10) == ([], 0))
        add(0..<3)
        #expect(read(2) == ([0, 1], 0))
        add(3..<6)
        #expect(read(10) == ([2, 3, 4, 5], 0))
        add(6..<16)
        #expect(read(3) == ([12, 13, 14], 6))
        #expect(read(3) == ([15], 0))
        var number: UInt64 = 0
        let all = trace.copy(from: &number, &out, 10)
        #expect(all == (4, 12) && number == 16 && out[0].job == 12, "whatever was read")
        #expect(throws: MapError.self) { try Trace(capacity: 1 << 40) }
    }

    @Test func aFileHasALineForEachEventAndTheSumsOfThem() throws {
        let trace = try Trace(capacity: 100)
        func event(_ kind: mape_trace_kind, _ begin: Int64, _ end: Int64, worker: Int32 = -1) -> mape_trace_event {
            var event = trace.event(kind, trace.began + begin, trace.began + end)
            event.job = 7
            event.function = 2
            event.worker = worker
            event.pid = worker >= 0 ? 100 : 0
            event.name = trace.keep("f \"x\"\n\u{1}é")
            return event
        }
        var range = event(MAPE_TRACE_RANGE, 1000, 5001, worker: 0)
        (range.items, range.assigned, range.failed, range.state) = (4, 5, 1, MAPE_TRACE_FAILED.rawValue)
        (range.slowest, range.slowest_ns, range.slowest_of) = (2, 2500, 1)
        var copy = event(MAPE_TRACE_COPY, 0, 900)
        (copy.bytes, copy.shared_bytes) = (4096, 10)
        // At the same time as the other: it gets a line of its own.
        let other = event(MAPE_TRACE_COPY, 500, 1500)
        var death = event(MAPE_TRACE_DEATH, 6000, 6000, worker: 0)
        (death.code, death.items, death.first) = (11, 1, 4)
        death.name = trace.keep("SIGSEGV")
        death.symbol = trace.keep("f in libf.so")
        var job = event(MAPE_TRACE_JOB, 0, 7000)
        (job.assigned, job.items, job.failed, job.crashed) = (5, 5, 1, 1)
        job.state = MAPE_TRACE_CRASHED.rawValue
        var call: UnsafePointer<CChar>?
        let pipe = mapb_shared_create("trace", 1 << 16, &call)
        try #require(pipe >= 0)
        defer { mapb_close(pipe) }
        var file = TraceFile(
            pipe, TraceHead(beganOnWall: 5, span: 8000, pid: 99, program: "host", version: "1.2.3"))
        for event in [copy, other, range, event(MAPE_TRACE_WAIT, 5001, 5501, worker: 0), death, job] { file.add(event) }
        file.finish(lost: 3)
        #expect(file.why == 0)
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = pread(pipe, &bytes, bytes.count, 0)
        let text = String(decoding: bytes[..<count].prefix { $0 != 0 }, as: UTF8.self)
        let name = #""f \"x\"\n\#u{FFFD}é""#
        let lines = [
            #"{"displayTimeUnit":"ms","#,
            #""traceEvents":["#,
            #"{"ph":"X","pid":99,"tid":0,"cat":"copy","name":"copies inputs","ts":0.000,"dur":0.900,"args":{"job":7,"function":2,"bytes":4096,"shared_bytes":10}},"#,
            #"{"ph":"X","pid":99,"tid":2000,"cat":"copy","name":"copies inputs","ts":0.500,"dur":1.000,"args":{"job":7,"function":2,"bytes":0,"shared_bytes":0}},"#,
            #"{"ph":"X","pid":99,"tid":1,"cat":"range","name":"# + name
                + #","ts":1.000,"dur":4.001,"args":{"job":7,"function":2,"state":"failed","pid":100,"first":0,"items":4,"assigned":5,"failed":1,"slowest":2,"slowest_ns":2500}},"#,
            #"{"ph":"X","pid":99,"tid":1,"cat":"wait","name":"waits for the host","ts":5.001,"dur":0.500,"args":{"job":7,"function":2,"pid":100}},"#,
            #"{"ph":"i","pid":99,"tid":1,"cat":"death","s":"t","name":"SIGSEGV","ts":6.000,"args":{"job":7,"function":2,"pid":100,"item":4,"signal":11,"symbol":"f in libf.so","text":"","host":""}},"#,
            #"{"ph":"b","pid":99,"tid":0,"cat":"job","id":7,"name":"# + name
                + #","ts":0.000,"args":{"function":2,"items":5}},"#,
            #"{"ph":"e","pid":99,"tid":0,"cat":"job","id":7,"name":"# + name
                + #","ts":7.000,"args":{"function":2,"state":"crashed","items":5,"ok":3,"failed":1,"crashed":1}},"#,
            #"{"ph":"M","pid":99,"tid":0,"name":"process_name","args":{"name":"host"}},"#,
            #"{"ph":"M","pid":99,"tid":0,"name":"thread_name","args":{"name":"host"}},"#,
            #"{"ph":"M","pid":99,"tid":2000,"name":"thread_name","args":{"name":"host (2)"}},"#,
            #"{"ph":"M","pid":99,"tid":1,"name":"thread_name","args":{"name":"worker 0 (pid 100)"}}"#,
            #"],"#,
            #""mapengine":{"schema":1,"version":"1.2.3","program":"host","pid":99,"began_unix_ns":5,"span_ns":8000,"events":6,"lost":3,"#,
            #""workers":["#,
            #"{"index":0,"pid":100,"host":"","busy_ns":4001,"setup_ns":0,"waiting_ns":500,"idle_ns":3499,"items":4,"starts":1}],"#,
            #""functions":["#,
            #"{"id":2,"name":"# + name
                + #","items":4,"failed":1,"busy_ns":4001,"p50_ns":500,"p90_ns":2500,"p99_ns":2500,"max_ns":2500}],"#,
            #""jobs":["#,
            #"{"id":7,"function":2,"name":"# + name
                + #","items":5,"ok":3,"failed":1,"crashed":1,"timed_out":0,"cancelled":0,"busy_ns":4001,"copied_bytes":4096,"shared_bytes":10,"copy_ns":1900,"began_ns":0,"ended_ns":7000}],"#,
            #""slow":["#,
            #"{"job":7,"item":2,"ns":2500,"worker":0}],"#,
            #""crashes":["#,
            #"{"job":7,"item":4,"function":2,"signal":11,"name":"SIGSEGV","symbol":"f in libf.so","text":"","worker":0,"at_ns":6000,"host":""}]"#,
            #"}}"#, "",
        ]
        for (got, expected) in zip(text.split(separator: "\n", omittingEmptySubsequences: false), lines) {
            #expect(got == expected)
        }
        #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count == lines.count)
    }
}
