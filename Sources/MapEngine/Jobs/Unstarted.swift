// The items of a job that no worker has: those that were never given to one, and those that came back.

/// Items that wait to be run (again).
struct ItemRange: Equatable {
    var first: UInt64
    var count: UInt64
    /// Run as it is or halved, never joined: a crash inside it is looked for.
    var searched = false
    /// Workers that died holding it without having begun it, or zygotes with which it was lost while it ran.
    var losses: UInt32 = 0
}

struct Unstarted {
    /// Items whose input is in place, from the first on.
    var ready: UInt64
    /// Items from here on have never been given to a worker.
    private(set) var next: UInt64 = 0
    /// What came back. The last one runs first.
    private(set) var again: [ItemRange] = []
    private var againItems: UInt64 = 0

    init(ready: UInt64) { self.ready = ready }

    /// Items that a worker could be given now.
    var count: UInt64 { max(ready, next) - next + againItems }

    /// Takes up to `most` items out, to be run.
    mutating func take(_ most: UInt64) -> ItemRange? {
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

    /// Takes a range back that did not run.
    @inline(never) mutating func giveBack(_ range: ItemRange) {
        if range.count == 0 { return }
        again.append(range)
        againItems += range.count
    }

    /// Takes all out, and those that are not ready yet: none of the job's items up to `total` will run.
    mutating func takeAll(of total: UInt64) -> [ItemRange] {
        var ranges = again
        again = []
        againItems = 0
        if next < total { ranges.append(ItemRange(first: next, count: total - next)) }
        next = total
        return ranges
    }
}
