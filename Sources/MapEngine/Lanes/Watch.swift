// What is looked at of workers most often, in plain memory.

import CMapBridge

/// What is looked at of every worker each time the pool looks for news. All of a pool's lie side by side in plain memory, so that a look at
/// those that have none costs a few loads. Its worker's link writes it.
@safe struct Watch {
    /// Nil: no process.
    var outbox: Outbox?
    var published: UInt64 = 0
    var answered: UInt64 = 0
    /// Bytes of the message ring that were read.
    var messageHead: UInt64 = 0
    /// Items of the last request; 0: it is no range.
    var lastItems: UInt64 = 0

    /// Bytes of messages that had no room in the ring, as far as that was told.
    var messageLost: UInt64 = 0
    /// Requests up to this one the worker was told to end early: only there may it say that it has.
    var yieldedTo: UInt64 = 0

    var isBusy: Bool { outbox != nil && published != answered }

    /// It has answered, or sent a text.
    var hasNews: Bool {
        guard let outbox else { return false }
        return outbox.tail != answered || outbox.messageTail != messageHead
    }

    /// It holds more than the item it is on, if it is on one.
    var mayHoldMore: Bool { isBusy && (published - answered > 1 || lastItems > 1) }
}

/// A busy worker's replies, as far as they were known under the lock. A host thread looks at it without the lock.
@safe struct LookedReply {
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
