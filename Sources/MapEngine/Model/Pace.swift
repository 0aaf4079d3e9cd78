// How long the items of a job take, or of all jobs of one item of a function. Only the size of ranges, and how many of them a worker holds, depend on it.

struct Pace {
    /// Measured nanoseconds per item; 0: not yet.
    private(set) var itemTime: Double = 0
    /// The same on other machines, with the way there and back.
    private(set) var laneTime: Double = 0
    /// The same as the machines there say it, without the way: about the least of what was said lately, as each range has a cost of its own, which
    /// falls on few items where it is short.
    private(set) var laneWork: Double = 0
    /// Bytes of an item's input, where there are other machines; 0: not known.
    var itemBytes: UInt64 = 0

    /// Updates the time per item from what workers report. A worker that had to wait for a processor reports too much,
    /// so no single range changes the figure much.
    mutating func measure(nanoseconds: UInt32, items: UInt64) {
        guard items > 0 else { return }
        let sample = Double(max(1, nanoseconds)) / Double(items)
        itemTime = itemTime == 0 ? sample : itemTime * 0.7 + min(sample, itemTime * 8) * 0.3
    }

    /// The same for an answer of a lane, `nanoseconds` after the one before, or after it was assigned. It falls quickly: the first range has one item, and
    /// most of its time is the way.
    /// - work: how long it took there, as the answer says.
    mutating func measureLane(nanoseconds: Int64, work: UInt32, items: UInt64) {
        guard items > 0 else { return }
        let own = Double(max(1, work)) / Double(items)
        laneWork = laneWork == 0 || own < laneWork ? own : laneWork * 0.9 + min(own, laneWork * 8) * 0.1
        let sample = Double(max(1, nanoseconds)) / Double(items)
        if laneTime == 0 {
            laneTime = sample
        } else if sample < laneTime {
            laneTime = (laneTime + 3 * sample) / 4
        } else {
            laneTime = laneTime * 0.7 + min(sample, laneTime * 8) * 0.3
        }
    }

    /// How long a lane's range should take.
    /// - roundTrip: to the server.
    static func laneGoal(roundTrip: Int64) -> Int64 {
        let (trips, over) = Policy.laneTrips.multipliedReportingOverflow(by: max(0, roundTrip))
        return max(Policy.laneTime, over ? Policy.laneLongest : min(Policy.laneLongest, trips))
    }

    /// How long a lane may make no step before a range that it holds is taken back.
    /// - delays: how often that was done with it. couldRunHere: a worker of this machine has nothing to do, and could run it: then it waits no longer
    ///   than that would take twice, however slow the lane is known to be, and however often the range has gone round.
    func lateness(items: UInt64, delays: UInt8, couldRunHere: Bool) -> Int64 {
        func twice(_ time: Double) -> Int64 { max(Policy.laneLate, Int64(min(2 * time * Double(items), 1e15))) }
        let there = laneTime > 0 ? twice(laneTime) : Policy.laneUnknown + wayOfUnknown(items)
        let late = there << Int64(min(delays, Policy.laneDoublings) * 2)
        return couldRunHere && itemTime > 0 ? min(late, twice(itemTime)) : late
    }

    /// How long the bytes of items may take to another machine and back, where nothing is known of the way: results are taken to be as large as inputs.
    private func wayOfUnknown(_ items: UInt64) -> Int64 {
        Int64(min(2 * Double(itemBytes) * Double(items) / Policy.laneSlowest * 1e9, 1e15))
    }

    /// Whether this many items are worth a worker's move to a processor of its own, which takes some 50 µs.
    func isLong(_ items: UInt64) -> Bool {
        itemTime > 0 ? Double(items) * itemTime > Policy.worthMoving : items >= Policy.manyItems
    }
}
