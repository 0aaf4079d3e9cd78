// The blame word, outbox.current, in which a worker says what it is on. Only this file decodes it.
//
//   63           32 31 30            0
//   ┌──────────────┬──┬──────────────┐   0              it is on nothing
//   │ ticket, low  │R │ position     │   R = 0          the item at position - 1 of the request
//   │ half         │  │              │   R = 1          the range that begins at this position, as a whole
//   └──────────────┴──┴──────────────┘   in a setup     MAPB_AT_PLACE + n: it loads place n; MAPB_AT_SETUP: the setup runs
//                                        ticket 0       MAPB_AT_HOOK: before the first request, in the zygote's hook after_in_worker
//
// The worker writes it before each of these begins, and 0 once the reply is published. The host uses it for blame
// alone: items that it says have ended must stand in the reply.

import CMapBridge

struct BlameMark: Equatable {
    let word: UInt64

    init(_ word: UInt64) { self.word = word }

    private var mark: UInt32 { UInt32(truncatingIfNeeded: word) }

    /// Whether it names this request. If it names another request, or none, this one has not begun.
    func isOn(_ ticket: UInt64) -> Bool {
        mark != 0 && UInt32(truncatingIfNeeded: word >> 32) == UInt32(truncatingIfNeeded: ticket)
    }

    /// Where a worker is in a request for items.
    enum Point: Equatable {
        /// It has not begun the request.
        case before
        /// It runs this item, counted from the request's first.
        case item(UInt64)
        /// It runs a range as a whole, and does not say at which of its items it is.
        case range(start: UInt64, count: UInt64)
        /// It stands before the first reclaimed item, with nothing left to do.
        case end(UInt64)
        /// Any item of the request may run: the range that it names lies behind the last one, as workerVouch writes it.
        case anywhere
        /// It names an item behind the last one, which only a worker with overwritten memory does.
        case nonsense
    }

    /// - count: how many items of the request were not reclaimed. step: how many items one range has.
    func point(in ticket: UInt64, count: UInt64, step: UInt64, wasReclaimed: Bool) -> Point {
        guard isOn(ticket) else { return .before }
        let isRange = mark & MAPB_MARK_RANGE != 0
        let position = isRange ? UInt64(mark & ~MAPB_MARK_RANGE) : UInt64(mark) - 1
        if position < count {
            return isRange ? .range(start: position, count: min(step, count - position)) : .item(position)
        }
        if wasReclaimed && position == count { return .end(count) }
        return isRange ? .anywhere : .nonsense
    }

    /// Whether a worker that has begun no request yet is in the zygote's hook after_in_worker.
    var isInHook: Bool { word == UInt64(MAPB_AT_HOOK) }

    /// What a worker does in a request for a setup.
    enum Stage: Equatable {
        /// Loads a library: of the function's code (0), its setup (1) or its cleanup (2).
        case loading(Int)
        case setup
    }

    /// Nil: the setup has not begun. A mark that stands for nothing is one of a setup that has overwritten it.
    func stage(in ticket: UInt64) -> Stage? {
        guard isOn(ticket) else { return nil }
        return mark < MAPB_AT_SETUP ? .loading(Int(mark - MAPB_AT_PLACE)) : .setup
    }
}

extension BlameMark.Point {
    /// How many of the first items have ended, if the worker tells the truth.
    var finished: UInt64 {
        switch self {
        case .before, .anywhere, .nonsense: 0
        case .item(let item): item
        case .range(let start, _): start
        case .end(let count): count
        }
    }

    /// How many of the first items can have begun at most. Nil: any can.
    var begun: UInt64? {
        switch self {
        case .before: 0
        case .item(let item): item + 1
        case .range(let start, let count): start + count
        case .end(let count): count
        case .anywhere, .nonsense: nil
        }
    }

    /// How many items run now, and may report their progress.
    var running: UInt64 {
        switch self {
        case .before, .end, .anywhere, .nonsense: 0
        case .item: 1
        case .range(_, let count): count
        }
    }
}
