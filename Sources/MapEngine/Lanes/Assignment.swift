// The assignments of a worker, and how they end.

/// A request that was assigned to a worker and is not answered. The host checks replies against this, not against
/// shared memory.
struct Assignment {
    enum Work {
        /// Its items become fewer when the last ones are reclaimed.
        case range(Job, ItemRange)
        case setup(Function, Globals?)
        case cleanup(Function, Globals?)
        case module(Library)
        case exit
    }

    /// How an assignment ends: Worker.finish.
    enum End: Equatable {
        /// Its reply was accepted.
        case answered
        /// Its worker's process has ended, or was never forked.
        case lost
        /// The worker keeps this many of the first items, which end with the assignment, answered or lost later. All
        /// others are requeued.
        case takenBack(kept: UInt64)
    }

    let ticket: UInt64
    var work: Work
    /// Items per range.
    var step: UInt64 = 0
    /// Whether its unstarted items were reclaimed: nothing is left to reclaim.
    var wasReclaimed = false

    /// Where the worker is in it, if it is one for items.
    func point(_ mark: BlameMark) -> BlameMark.Point {
        guard case .range(_, let range) = work else { return .before }
        return mark.point(in: ticket, count: range.count, step: step, wasReclaimed: wasReclaimed)
    }
}
