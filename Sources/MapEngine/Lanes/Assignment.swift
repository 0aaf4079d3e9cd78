// What a worker was given, and how that ends.

/// A request that a worker was given and has not answered. Replies are checked against this, not against what lies in shared memory.
struct Assignment {
    enum Work {
        /// Its items become fewer when the last ones are taken back.
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
        /// The worker keeps so many items, the first ones, and they end with the assignment, which is answered or lost later. All others
        /// are given to another worker.
        case takenBack(kept: UInt64)
    }

    let ticket: UInt64
    var work: Work
    /// Items per range.
    var step: UInt64 = 0
    /// What had not begun of it was taken back: there is no more to take.
    var wasTakenBack = false

    /// Where the worker is in it, if it is one for items.
    func point(_ mark: BlameMark) -> BlameMark.Point {
        guard case .range(_, let range) = work else { return .before }
        return mark.point(in: ticket, count: range.count, step: step, wasTakenBack: wasTakenBack)
    }
}
