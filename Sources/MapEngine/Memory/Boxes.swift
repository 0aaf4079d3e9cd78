// The words by which host and worker communicate: mapb_layout.h says who writes which, and in what order.

import CMapBridge

/// A worker's request ring, which the host alone writes. Safe, because the input memory that it lies in stays mapped as long as the pool.
@safe struct Inbox {
    let pointer: UnsafeMutablePointer<mapb_inbox>

    init(_ pointer: UnsafeMutablePointer<mapb_inbox>) { unsafe self.pointer = pointer }

    var pointee: mapb_inbox {
        @inline(__always) unsafeAddress { unsafe UnsafePointer(pointer) }
        @inline(__always) nonmutating unsafeMutableAddress { unsafe pointer }
    }

    /// Writes a request to its place in the ring. The worker sees it once the tail has reached its ticket.
    func write(_ request: mapb_request, _ ticket: UInt64) {
        unsafe mapb_place_of_request(pointer, ticket).pointee = request
    }

    /// Requests published.
    var tail: UInt64 { unsafe mapb_peek(&pointee.tail) }
    func storeTail(_ tail: UInt64) { unsafe mapb_store(&pointee.tail, tail) }
    /// Wakes the worker that sleeps on the tail.
    func wake() { unsafe mapb_word_wake(&pointee.tail) }

    /// How many bytes of the message ring the host has read.
    func storeMessageHead(_ head: UInt64) { unsafe mapb_store(&pointee.message_head, head) }
    /// The worker does not ring the doorbell for requests before this ticket.
    func storeRingAt(_ ticket: UInt64) { unsafe mapb_store(&pointee.notify_at, ticket) }
    /// Asks an item to stop, by its blame word.
    func storeInterrupt(_ word: UInt64) { unsafe mapb_store(&pointee.interrupt, word) }
    /// Requests up to this ticket end before their next item.
    func storeYield(_ ticket: UInt64) { unsafe mapb_store(&pointee.yield, ticket) }
}

/// The line that tells others of the worker: mapb_worker_line.
extension Inbox {
    /// A process is to take the place.
    func showNew(_ generation: UInt64) {
        unsafe mapb_store(&pointee.line.generation, generation)
        mapb_fence()
        pointee.line.pid = 0
        pointee.line.items = 0
        pointee.line.since = 0
    }

    func show(state: mape_worker_state) { unsafe mapb_store32(&pointee.line.state, state.rawValue) }

    func show(pid: Int32) { pointee.line.pid = pid }
    @inline(__always) func show(items: UInt64) { pointee.line.items = items }
    @inline(__always) func show(since: Int64) { pointee.line.since = since }
}

/// The start of a worker's output memory, which the worker alone writes: what it says may be anything, and change at any time. Safe to
/// read, because the memory stays mapped as long as the OutputRegion that gave this: whoever keeps this keeps that.
@safe struct Outbox {
    let pointer: UnsafeMutablePointer<mapb_outbox>

    init(_ pointer: UnsafeMutablePointer<mapb_outbox>) { unsafe self.pointer = pointer }

    var pointee: mapb_outbox {
        @inline(__always) unsafeAddress { unsafe UnsafePointer(pointer) }
        @inline(__always) nonmutating unsafeMutableAddress { unsafe pointer }
    }

    /// Replies published.
    var tail: UInt64 { unsafe mapb_load(&pointee.tail) }
    /// What it is on: see BlameMark.
    var current: UInt64 { unsafe mapb_load(&pointee.current) }
    /// mape_task_progress, as the bits of a double.
    var fraction: UInt64 { unsafe mapb_load(&pointee.fraction) }
    /// The last request of items that has ended.
    var leaving: UInt64 { unsafe mapb_load(&pointee.leaving) }
    /// Not 0: a function may have written to the report.
    var reports: UInt32 { unsafe mapb_load32(&pointee.reports) }
    /// mape_task_mark: how far it is, and the word `current` of the item that said so.
    var progressMark: UInt64 { unsafe mapb_load(&pointee.mark) }
    var marked: UInt64 { unsafe mapb_load(&pointee.marked) }
    /// 1: it reads Inbox.yield.
    var yields: UInt32 { unsafe mapb_load32(&pointee.yields) }
    /// 1: it sleeps and must be woken.
    var sleeping: UInt32 { unsafe mapb_peek32(&pointee.sleeping) }
    /// Bytes written to the message ring, and those that had no room.
    var messageTail: UInt64 { unsafe mapb_load(&pointee.message_tail) }
    var messageLost: UInt64 { unsafe mapb_load(&pointee.message_lost) }
}
