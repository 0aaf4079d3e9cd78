// How many items a job has, how many of them run, and how many have ended how.

import CMapBridge

struct Tally {
    /// Items of the job; of a stream, those accepted so far.
    var total: UInt64
    /// How many items are assigned and not answered.
    private(set) var running: UInt64 = 0
    private(set) var ended: UInt64 = 0
    /// Ended items by state. In here, because an array would be one more allocation per job.
    private var states = InlineArray<8, UInt64>(repeating: 0)
    /// How many ended items, and how many items, the pool's figures count already.
    private var reported: UInt64 = 0
    private var reportedTotal: UInt64 = 0

    init(total: UInt64) { self.total = total }

    /// Ended items of a state.
    subscript(state: mape_item_state) -> UInt64 { states[Int(state.rawValue)] }

    var haveAllEnded: Bool { ended == total }

    mutating func begin(_ items: UInt64) { running += items }

    /// Running items go back to those that wait.
    mutating func stop(_ items: UInt64) { running -= items }

    /// Running items have ended alike.
    mutating func end(_ items: UInt64, as state: mape_item_state) {
        running -= items
        ended += items
        states[Int(state.rawValue)] += items
    }

    /// How many items have ended, and how many were submitted, since the last call.
    mutating func report() -> (ended: UInt64, submitted: UInt64) {
        defer { (reported, reportedTotal) = (ended, total) }
        return (ended - reported, total - reportedTotal)
    }
}
