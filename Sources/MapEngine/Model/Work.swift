// What is measured of jobs and functions, and what a job is counted under.

import CMapBridge

/// What was measured of items: of a job, or of all jobs of a function.
struct Measured {
    /// Ranges that workers have completed.
    private(set) var ranges: UInt64 = 0
    /// Nanoseconds that workers were on the items.
    private(set) var busy: Int64 = 0
    /// Bytes of output memory that their results have taken.
    private(set) var output: UInt64 = 0
    /// Nanoseconds per item, of those that have ended by themselves.
    private(set) var times = Histogram()
    var moved = Moved()

    /// A worker has completed ranges.
    /// - time: nanoseconds for all their items.
    /// - each: nanoseconds per item.
    @inline(__always)
    mutating func add(ranges: UInt64, items: UInt64, time: Int64, each: Double, output: UInt64) {
        self.ranges &+= ranges
        self.output &+= output
        busy &+= time
        if items > 0 { times.add(each, count: items) }
    }

    /// A worker has died on an item.
    mutating func add(lost time: Int64) { busy += time }
}

/// How inputs came to workers.
struct Moved {
    /// Bytes that the host's threads have copied, as they lie in the input memory.
    var copied: UInt64 = 0
    /// Bytes that workers read in the buffers where the host has put them.
    var shared: UInt64 = 0
    /// Nanoseconds that copying took.
    var time: Int64 = 0

    mutating func add(_ other: Moved) {
        copied &+= other.copied
        shared &+= other.shared
        time &+= other.time
    }

    /// Called before so many bytes are copied. Returns what `end` is told: 0 for so few that it takes no longer than to look at the clock.
    @inline(__always)
    mutating func begin(_ bytes: UInt64) -> Int64 {
        copied &+= bytes
        return bytes < Policy.timedCopy ? 0 : mapb_clock()
    }

    /// They are copied.
    @inline(__always)
    mutating func end(_ began: Int64) { if began != 0 { time += mapb_clock() - began } }
}

/// What a job is counted under: its function, another name of that, or a group of jobs of either.
final class Work {
    /// What the host knows it by.
    let id: UInt32
    let name: String
    /// What others find it by; nil: nothing, or it is a group.
    var label: ShownName? { didSet { number = label?.number ?? 0 } }
    /// The number of that, or of what a group is shown as, for the records of jobs; 0: there is none.
    private(set) var number: UInt32 = 0
    /// Of a group: what its jobs are counted under as well, and shown as.
    let whole: Work?
    /// Its jobs.
    private(set) var jobs: UInt64 = 0
    /// Items that have ended, by state.
    private var states = InlineArray<8, UInt64>(repeating: 0)
    private(set) var measured = Measured()

    init(id: UInt32, name: String) {
        self.id = id
        self.name = name
        whole = nil
    }

    /// A group of jobs.
    init(id: UInt32, of whole: Work) {
        self.id = id
        name = whole.name
        number = whole.number
        self.whole = whole
    }

    /// What users are shown of a job: no group.
    var shown: Work { whole?.shown ?? self }

    /// Items that have ended in a state.
    subscript(state: mape_item_state) -> UInt64 { states[Int(state.rawValue)] }

    @inline(__always)
    func end(_ items: UInt64, as state: mape_item_state) {
        states[Int(state.rawValue)] &+= items
        if let whole { whole.endOfGroup(items, as: state) }
    }

    @inline(never)
    private func endOfGroup(_ items: UInt64, as state: mape_item_state) { end(items, as: state) }

    /// The next job is submitted.
    @inline(__always)
    func begin() {
        jobs &+= 1
        if let whole { whole.beginOfGroup() }
    }

    @inline(never)
    private func beginOfGroup() { begin() }

    /// Adds to what was measured.
    @inline(__always)
    func measure(_ add: (inout Measured) -> Void) {
        add(&measured)
        if let whole { whole.measureGroup(add) }
    }

    @inline(never)
    private func measureGroup(_ add: (inout Measured) -> Void) { measure(add) }
}
