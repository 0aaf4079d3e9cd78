// Traces, as the host asks for them: made, read and written without the lock, from which events are copied some at a time.

import CMapBridge

extension Pool {
    /// How many events are copied under one lock.
    private static let chunk: UInt64 = 256

    func startTrace(capacity: UInt64) throws(MapError) {
        guard capacity <= Trace.largest else {
            throw .argument("config.capacity", "is \(capacity); at most \(Trace.largest) are possible")
        }
        let trace = try Trace(capacity: capacity)
        // Returned, so that the memory of the one before is freed here.
        _ = try core.with { (core) throws(MapError) -> Trace? in
            let before = core.table.tracing.last
            try core.beginTrace(trace)
            return before
        }
    }

    func stopTrace() throws(MapError) {
        let isOver = core.with { core in
            core.pump()
            return core.endTrace()
        }
        if !isOver { throw MapError(MAPE_E_STATE, "pool is not being traced") }
    }

    private static func last(_ core: Core) throws(MapError) -> Trace {
        guard let trace = core.table.tracing.last else { throw MapError(MAPE_E_STATE, "pool was never traced") }
        return trace
    }

    /// Hands out events that were not read, in portions. Returns how many were lost.
    func readTrace(_ room: UInt64, _ each: ([mape_trace_event]) -> Void) throws(MapError) -> UInt64 {
        var left = room
        var lost: UInt64 = 0
        var chunk = [mape_trace_event](repeating: mape_trace_event(), count: Int(min(left, Self.chunk)))
        while left > 0 {
            let got = try core.with { (core) throws(MapError) -> (count: UInt64, lost: UInt64) in
                if left == room { core.pump() }
                return try unsafe Self.last(core).read(&chunk, min(left, Self.chunk))
            }
            lost += got.lost
            if got.count == 0 { break }
            each(Array(chunk.prefix(Int(got.count))))
            left -= got.count
        }
        return lost
    }

    func writeTrace(_ path: UserText) throws(MapError) {
        // What is still open is told as it is now, behind all that has ended before.
        let (trace, running, end, workers) = try core.with { (core) throws(MapError) in
            core.pump()
            let trace = try Self.last(core)
            let now = mapb_clock()
            let goesOn = trace.ended == .max
            return (
                trace, goesOn ? core.running(trace, now) : [],
                (number: trace.recorded, time: goesOn ? now : trace.ended),
                core.table.locals.filter { $0.generation > 0 }.map { (index: Int32($0.slot), pid: $0.pid) }
            )
        }
        let file = Files.openToWrite(path)
        guard file >= 0 else { throw failure(path, "opened", -file) }
        defer { mapb_close(file) }
        var out = TraceFile(
            file,
            TraceHead(
                beganOnWall: trace.beganOnWall, span: end.time - trace.began, pid: mapb_process_id(),
                program: programName(),
                version: "\(MAPE_VERSION_MAJOR).\(MAPE_VERSION_MINOR).\(MAPE_VERSION_PATCH)", workers: workers))
        var number: UInt64 = 0
        var lost: UInt64 = 0
        var chunk = [mape_trace_event](repeating: mape_trace_event(), count: Int(Self.chunk))
        while number < end.number && out.why == 0 {
            let room = min(Self.chunk, end.number - number)
            let got = core.with { _ in unsafe trace.copy(from: &number, &chunk, room) }
            lost += got.lost
            for event in chunk.prefix(Int(got.count)) { out.add(event) }
        }
        for event in running { out.add(event) }
        out.finish(lost: lost)
        if out.why != 0 { throw failure(path, "written", out.why) }
    }

    private func failure(_ path: UserText, _ what: String, _ why: Int32) -> MapError {
        MapError(MAPE_E_SYSTEM, "the trace \"\(path)\" cannot be \(what): \(SystemError.text(why))")
    }
}
