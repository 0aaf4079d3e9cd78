// The items of a job that no worker has: those that were never given to one, and those that came back.

/// Consecutive items that wait to run, or to run again.
struct ItemRange: Equatable {
    var first: UInt64
    var count: UInt64
    /// Whether the pool searches it for a culprit: it runs as it is or halved, and is never joined with another.
    var searched = false
    /// How often it was taken back from a lane that was late with it, as far as that counts: Policy.laneDoublings. Beside the flag it takes no
    /// room: ranges are copied with each assignment.
    var delays: UInt8 = 0
    /// How many workers died with it unstarted, or how many zygotes died while it ran.
    var losses: UInt32 = 0
}

struct Unstarted {
    /// Items whose input is in place, from the first on.
    var ready: UInt64
    /// Items from this index on have never been assigned.
    private(set) var next: UInt64 = 0
    /// Requeued ranges. The last one runs first.
    private(set) var again: [ItemRange] = []
    private var againItems: UInt64 = 0

    init(ready: UInt64) { self.ready = ready }

    /// How many items could be assigned now.
    var count: UInt64 { max(ready, next) - next + againItems }

    /// Removes and returns up to `most` items to run.
    @inline(__always)
    mutating func nextRange(_ most: UInt64) -> ItemRange? {
        guard most > 0 else { return nil }
        if var range = again.popLast() {
            if range.count > most {
                var rest = range
                rest.first += most
                rest.count -= most
                again.append(rest)
                range.count = most
            }
            againItems -= range.count
            return range
        }
        guard next < ready else { return nil }
        let range = ItemRange(first: next, count: min(most, ready - next))
        next += range.count
        return range
    }

    /// Requeues a range that did not run.
    @inline(never) mutating func requeue(_ range: ItemRange) {
        if range.count == 0 { return }
        again.append(range)
        againItems += range.count
    }

    /// Removes and returns all waiting items, also those that are not ready yet: none of the job's items up to `total`
    /// will run.
    mutating func removeAll(of total: UInt64) -> [ItemRange] {
        var ranges = again
        again = []
        againItems = 0
        if next < total { ranges.append(ItemRange(first: next, count: total - next)) }
        next = total
        return ranges
    }
}
