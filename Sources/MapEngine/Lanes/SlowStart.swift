// How many workers may be busy at once.
//
// A pool may have many more workers than there are cores, for functions that mostly wait. Short work is then done before the last of
// them has woken, and waking them would cost more than the work. So the first `Policy.workersAtOnce` begin, and while
// there is more to do and no worker free to do it, the pool doubles the number every `Policy.slowStart`: 1,024 workers
// run after 8 ms.

struct SlowStart {
    private(set) var limit = Policy.workersAtOnce
    /// When to double it; Int64.max: no worker was held back.
    private(set) var growsAt = Int64.max

    /// Whether work waits only because of this limit.
    var holds: Bool { growsAt != .max }

    func allows(_ busy: Int) -> Bool { busy < limit }

    /// Called when the limit held a worker back.
    mutating func held(_ now: Int64) {
        if growsAt == .max { growsAt = later(now, by: Policy.slowStart) }
    }

    /// Doubles the limit if it is time. Returns whether it did.
    mutating func growIfDue(_ now: Int64) -> Bool {
        guard now >= growsAt else { return false }
        growsAt = .max
        limit *= 2
        return true
    }

    /// Called when no work waits any more.
    mutating func calm(_ busy: Int) {
        growsAt = .max
        limit = Swift.max(Policy.workersAtOnce, Swift.min(limit, busy))
    }
}
