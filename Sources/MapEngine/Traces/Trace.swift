// A pool's timeline: its latest events, in memory of a fixed size. Guarded by the pool's lock; what it records is some stores under the lock
// that is held anyway.
//
//   Core+Trace ──add──► ring of mape_trace_event ──copy──► mape_pool_trace_read, TraceFile
//
// Events are recorded when what they are about has ended. Their times are the worker's where it has taken them, cut to what the host knows.

import CMapBridge

/// The trace that is going on, and the last one, which can still be read.
struct Tracing {
    /// Nil: the pool is not traced. Asked once per range.
    fileprivate(set) var running: Trace?
    fileprivate(set) var last: Trace?

    mutating func begin(_ trace: Trace) {
        running = trace
        last = trace
    }

    mutating func end(at now: Int64) {
        running?.ended = now
        running = nil
    }
}

@safe final class Trace {
    let began: Int64
    /// The same by the clock of the wall: nanoseconds since 1970.
    let beganOnWall: Int64
    /// Int64.max: it goes on.
    fileprivate(set) var ended = Int64.max
    private let ring: EventRing
    /// How many events were recorded, and up to which they were read.
    private(set) var recorded: UInt64 = 0
    private var readTo: UInt64 = 0
    private var texts = TraceTexts()
    /// The first event that is a range of a lane whose machine is not known yet; UInt64.max: there is none.
    private var nameless = UInt64.max
    /// By slot.
    private let lines: Cells<Line>
    /// When the events that are being delivered were handed out; 0: none are.
    var deliveryBegan: Int64 = 0

    private struct Line {
        /// When what the worker did last has ended, and when the host has accepted that.
        var end: Int64
        var accepted: Int64
    }

    static let largest: UInt64 = 1 << 22

    init(capacity: UInt64) throws(MapError) {
        ring = try EventRing(capacity: capacity == 0 ? Policy.tracedEvents : capacity)
        began = mapb_clock()
        beganOnWall = wallClock()
        lines = Cells(repeating: Line(end: began, accepted: began), count: Int(MAPB_MAX_WORKERS))
    }

    // MARK: - Times

    /// When something was done that a worker has answered by `now`.
    struct Span {
        var begin: Int64
        var end: Int64
        /// Since when it could have begun: from then to `begin` the worker had nothing else to do.
        let free: Int64
        /// Whether it was assigned while the worker was idle for want of items.
        let wasIdle: Bool
    }

    /// - times: what the worker says, if it was asked to. since: when the host saw it make a step, or gave it something while it was idle. took: how
    ///   long it took, if that is known otherwise.
    func span(_ slot: Int, _ times: mapb_times?, since: Int64, took: Int64? = nil, now: Int64) -> Span {
        let line = lines[slot]
        let wasIdle = since > line.accepted
        let free = min(now, wasIdle ? max(line.end, since) : line.end)
        var span = Span(begin: free, end: now, free: free, wasIdle: wasIdle)
        if let times {
            span.begin = max(free, min(now, times.begin))
            let most = UInt64(bitPattern: now - span.begin)
            span.end = times.took == 0 ? now : span.begin + Int64(bitPattern: min(most, times.took))
        } else if let took {
            span.begin = max(free, now - max(0, min(took, now - began)))
        }
        lines[slot].end = span.end
        lines[slot].accepted = now
        return span
    }

    /// When a worker did the last thing that is recorded.
    func end(_ slot: Int) -> Int64 { lines[slot].end }

    // MARK: - Events

    /// An event of which nothing is known but when.
    func event(_ kind: mape_trace_kind, _ begin: Int64, _ end: Int64) -> mape_trace_event {
        var event = mape_trace_event()
        event.struct_size = MemoryLayout<mape_trace_event>.size
        event.kind = kind.rawValue
        event.begin_ns = max(0, begin - began)
        event.end_ns = max(0, end - began)
        event.worker = -1
        unsafe event.name = emptyText
        unsafe event.host = emptyText
        unsafe event.symbol = emptyText
        unsafe event.text = emptyText
        return event
    }

    /// The same, of a job.
    func event(_ kind: mape_trace_kind, _ job: Job, _ begin: Int64, _ end: Int64) -> mape_trace_event {
        var event = event(kind, begin, end)
        event.job = job.sequence
        let work = job.work.shown
        event.function = work.id
        unsafe event.name = texts.name(work.id, work.name)
        return event
    }

    func event(_ kind: mape_trace_kind, _ function: Function, _ begin: Int64, _ end: Int64) -> mape_trace_event {
        var event = event(kind, begin, end)
        event.function = function.id
        unsafe event.name = texts.name(function.id, function.name)
        return event
    }

    func add(_ event: mape_trace_event) {
        if isNameless(event) { nameless = min(nameless, recorded) }
        ring[recorded] = event
        recorded += 1
    }

    /// A lane is known by its machine from now on: what says so can come behind the lane's first answers.
    /// - since: when the lane began. What ended before was another one's in the same place.
    func name(host: UnsafePointer<CChar>, roundTrip: Int64, ofLane slot: Int, since: Int64) {
        let first = max(nameless, oldest)
        nameless = .max
        guard first < recorded else { return }
        for number in first..<recorded where isNameless(ring[number]) {
            if ring[number].worker == slot {
                guard ring[number].end_ns >= since - began else { continue }
                unsafe ring[number].host = host
                ring[number].round_trip_ns = roundTrip
            } else if nameless == .max {
                nameless = number
            }
        }
    }

    private func isNameless(_ event: mape_trace_event) -> Bool {
        unsafe event.kind == MAPE_TRACE_REMOTE.rawValue && event.host.pointee == 0
    }

    /// A text for an event, which stays as long as the trace. Of names there are few: each is kept once.
    func keep(_ text: UserText) -> UnsafePointer<CChar> { unsafe texts.keep(text) }

    /// Whether a death gets its text: not that of a function that crashes at every item.
    func countDeath() -> Bool { texts.countDeath() }

    // MARK: - Reading

    /// The number of the oldest event that is there.
    var oldest: UInt64 { recorded > ring.capacity ? recorded - ring.capacity : 0 }

    /// Copies events from a number on, or the oldest that is there; moves the number behind them.
    /// - Returns: how many were copied, and how many were lost before them.
    func copy(from number: inout UInt64, _ out: UnsafeMutablePointer<mape_trace_event>, _ room: UInt64) -> (
        count: UInt64, lost: UInt64
    ) {
        let start = max(number, oldest)
        let lost = start - number
        let count = min(room, recorded - start)
        for i in 0..<count { unsafe out[Int(i)] = ring[start + i] }
        number = start + count
        return (count, lost)
    }

    /// Copies those that were not read.
    func read(_ out: UnsafeMutablePointer<mape_trace_event>, _ room: UInt64) -> (count: UInt64, lost: UInt64) {
        unsafe copy(from: &readTo, out, room)
    }
}

/// Places for events, the next one after the last. A place is memory once it has been used.
@safe private struct EventRing: ~Copyable {
    private let start: UnsafeMutablePointer<mape_trace_event>
    let capacity: UInt64

    init(capacity: UInt64) throws(MapError) {
        guard let memory = unsafe mapb_private_memory(Self.bytes(capacity)) else {
            throw MapError(MAPE_E_MEMORY, "there is no memory for a trace of \(capacity) events")
        }
        unsafe start = memory.assumingMemoryBound(to: mape_trace_event.self)
        self.capacity = capacity
    }

    deinit { unsafe mapb_private_memory_free(start, Self.bytes(capacity)) }

    private static func bytes(_ capacity: UInt64) -> UInt64 { capacity * UInt64(MemoryLayout<mape_trace_event>.stride) }

    /// By the event's number.
    subscript(number: UInt64) -> mape_trace_event {
        unsafeAddress { unsafe UnsafePointer(start + Int(number % capacity)) }
        nonmutating unsafeMutableAddress { unsafe start + Int(number % capacity) }
    }
}

/// What events point to: it stays as long as the trace.
private struct TraceTexts {
    private var functions: [UInt32: CText] = [:]
    /// The function that was asked for last: mostly the next one as well.
    private var last: (id: UInt32, text: CText)?
    private var kept: [UserText: CText] = [:]
    private var deaths = 0

    mutating func name(_ id: UInt32, _ name: String) -> UnsafePointer<CChar> {
        if let last, last.id == id { return unsafe UnsafePointer(last.text.bytes) }
        let text = functions[id] ?? CText(name)
        functions[id] = text
        last = (id, text)
        return unsafe UnsafePointer(text.bytes)
    }

    mutating func keep(_ text: UserText) -> UnsafePointer<CChar> {
        if let found = kept[text] { return unsafe UnsafePointer(found.bytes) }
        let new = CText(array: text.bytes)
        kept[text] = new
        return unsafe UnsafePointer(new.bytes)
    }

    mutating func countDeath() -> Bool {
        deaths += 1
        return deaths <= Policy.tracedDeaths
    }
}
