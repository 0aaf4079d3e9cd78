// How long the items of a job take, or of all jobs of one item of a function. Only the size of ranges, and how many of them a worker holds, depend on it.

struct Pace {
    /// Measured nanoseconds per item; 0: not yet.
    private(set) var itemTime: Double = 0
    /// The same on other machines, with the way there and back.
    private(set) var laneTime: Double = 0
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
    mutating func measureLane(nanoseconds: Int64, items: UInt64) {
        guard items > 0 else { return }
        let sample = Double(max(1, nanoseconds)) / Double(items)
        if laneTime == 0 {
            laneTime = sample
        } else if sample < laneTime {
            laneTime = (laneTime + 3 * sample) / 4
        } else {
            laneTime = laneTime * 0.7 + min(sample, laneTime * 8) * 0.3
        }
    }

    /// Whether this many items are worth a worker's move to a processor of its own, which takes some 50 µs.
    func isLong(_ items: UInt64) -> Bool {
        itemTime > 0 ? Double(items) * itemTime > Policy.worthMoving : items >= Policy.manyItems
    }
}
