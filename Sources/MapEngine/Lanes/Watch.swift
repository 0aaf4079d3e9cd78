// What the pool reads of workers most often, in plain memory.

import CMapBridge

/// What the pool reads of each worker when it checks for news. These lie side by side in plain memory, so a worker
/// without news costs a few loads. Its worker's link writes it.
@safe struct Watch {
    /// Nil: no process.
    var outbox: Outbox?
    var published: UInt64 = 0
    var answered: UInt64 = 0
    /// How many bytes of the message ring the host has read.
    var messageHead: UInt64 = 0
    /// Items of the last request; 0: it is no range.
    var lastItems: UInt64 = 0

    /// How many bytes of messages had no room in the ring, as far as they were reported.
    var messageLost: UInt64 = 0
    /// The last request that the worker was asked to end early: only up to that one may a reply say that it did.
    var yieldedTo: UInt64 = 0
    /// The blame word of the item that was asked to stop last, and whether for its own time limit.
    var asked: UInt64 = 0
    var wasLate = false

    var isBusy: Bool { outbox != nil && published != answered }

    /// Whether it has answered a request or sent a text.
    var hasNews: Bool {
        guard let outbox else { return false }
        return outbox.tail != answered || outbox.messageTail != messageHead
    }

    /// Whether it may hold more than the item that it is on.
    var mayHoldMore: Bool { isBusy && (published - answered > 1 || lastItems > 1) }
}

/// A busy worker's reply counter, and its value as last seen under the lock. A host thread looks at it without the
/// lock.
@safe struct SpinTarget {
    private let tail: UnsafePointer<UInt64>
    private let answered: UInt64

    /// Nil: the worker has nothing to answer.
    init?(_ watch: Watch) {
        guard watch.isBusy, let outbox = watch.outbox else { return nil }
        // The tail is an outbox's first word.
        unsafe tail = UnsafeRawPointer(outbox.pointer).assumingMemoryBound(to: UInt64.self)
        answered = watch.answered
    }

    var hasCome: Bool { unsafe mapb_load(tail) != answered }
}
