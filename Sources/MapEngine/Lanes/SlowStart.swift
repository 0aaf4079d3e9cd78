// How many workers may be busy at once.
//
// A pool may have many more workers than there are cores, for functions that mostly wait. Short work is then done before the last of
// them has woken, and waking them would cost more than the work. So the first `Policy.workersAtOnce` begin, and as long as there is
// more to do and nobody free to do it, the number is doubled every `Policy.slowStart`: 1,024 workers run after 8 ms.

struct SlowStart {
    private(set) var limit = Policy.workersAtOnce
    /// When to double it; Int64.max: nobody was kept from working.
    private(set) var growsAt = Int64.max

    /// Work waits because of this, and for nothing else.
    var holds: Bool { growsAt != .max }

    func allows(_ busy: Int) -> Bool { busy < limit }

    /// A worker that could have worked was not asked to.
    mutating func held(_ now: Int64) {
        if growsAt == .max { growsAt = later(now, by: Policy.slowStart) }
    }

    /// True when more may work from now on.
    mutating func growIfDue(_ now: Int64) -> Bool {
        guard now >= growsAt else { return false }
        growsAt = .max
        limit *= 2
        return true
    }

    /// Nothing waits any more.
    mutating func calm(_ busy: Int) {
        growsAt = .max
        limit = Swift.max(Policy.workersAtOnce, Swift.min(limit, busy))
    }
}
