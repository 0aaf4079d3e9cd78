// Fetching events: mape_pool_dispatch calls callbacks for them, mape_pool_next_event returns them. Both make the same steps.
//
// A callback may be left by a jump, an exception, or with its thread. So C calls it (host_wait.c), no Swift frame is
// below it on the stack, and what a dispatch holds stands in the queue. The next thread finds it there, and sees by the
// mark whether the dispatch still runs.

import CMapBridge

extension Pool {
    // MARK: - One thread at a time

    /// Makes the calling thread the one that fetches events: by callbacks, from a marked frame, or one by one. Without
    /// the lock.
    func enterEvents(_ mark: mapb_mark = unsafe mapb_mark(thread: 0, number: 1, place: nil)) throws(MapError) {
        while true {
            let other = core.with { (core) -> mapb_mark? in
                if let other = core.events.caller { return other }
                core.events.caller = mark
                core.releaseHeld()
                return nil
            }
            guard let other = other else { return }
            // Outside the lock, because it may unwind the stack.
            guard mapb_goes_on(other) == 0 else {
                throw MapError(
                    MAPE_E_BUSY, "events are being fetched already: inside a callback, or on another thread")
            }
            dispatchWasLeft(other)
        }
    }

    /// Called when a callback did not return: longjmp, an exception, the end of its thread. Its event counts as
    /// delivered; the next dispatch delivers the rest.
    @inline(never) private func dispatchWasLeft(_ mark: mapb_mark) {
        core.with { core in
            guard core.events.caller?.number == mark.number else { return }
            core.events.caller = nil
            if let delivery = core.events.delivery {
                core.events.delivery = nil
                _ = core.finish(delivery, delivered: fixed.begun.peeked)
                unsafe Unmanaged.passUnretained(delivery).release()
            }
            core.releaseHeld()
            // The reference that its frame had.
            unsafe Unmanaged.passUnretained(self).release()
        }
    }

    /// Called before the pool ends: releases what an abandoned dispatch holds.
    func forgetDispatchThatWasLeft() {
        if let mark = core.with({ $0.events.caller }), mapb_goes_on(mark) == 0 {
            dispatchWasLeft(mark)
        }
    }

    // MARK: - Dispatch

    func beginDelivery(_ t: CFrame<mapb_delivery>, budget: Int64) throws(MapError) {
        t.pointee.end = budget > 0 ? deadline(after: budget) : .max
        try enterEvents(t.pointee.mark)
        unsafe t.pointee.pool = Unmanaged.passRetained(self).toOpaque()
        unsafe t.pointee.releases = UnsafePointer(fixed.releases.pointer)
        unsafe t.pointee.begun = fixed.begun.pointer
        t.pointee.event = emptyEvent()
        core.with { core in
            core.pump()
            core.notePolling(mapb_clock())
        }
    }

    /// Makes the next events ready. False: there are none.
    func deliverNext(_ t: CFrame<mapb_delivery>) -> Bool {
        let delivery = core.with { (core) -> EventBatch? in
            guard core.events.caller?.number == t.pointee.mark.number else { return nil }
            guard let ready = core.nextReady(min(Policy.dispatchBatch, t.pointee.limit)) else { return nil }
            if case .items(let job, _, let place, _, _, _) = ready {
                core.events.held = HeldSegment(job: job, place: place)
            }
            let delivery = EventBatch(ready)
            core.events.delivery = delivery
            if let trace = core.trace { trace.deliveryBegan = mapb_clock() }
            return delivery
        }
        guard let delivery else { return false }
        fixed.begun.store(0)
        unsafe t.pointee.items = Unmanaged.passRetained(delivery).toOpaque()
        t.pointee.is_items = 0
        t.pointee.callback = nil
        t.pointee.event = emptyEvent()
        switch delivery.ready {
        case .message(let message):
            t.pointee.callback = message.isLog ? config.callbacks.onLog : config.callbacks.onOutput
            t.pointee.context = config.callbacks.context
            unsafe fillEvent(&t.pointee.event, message, config.callbacks.context)
        case .progress(let job, let progress):
            t.pointee.callback = job.config.onProgress
            t.pointee.context = job.config.context
            fillEvent(&t.pointee.event, job, MAPE_EVENT_PROGRESS)
            t.pointee.event.progress = progress
        case .done(let job, let progress):
            t.pointee.callback = job.config.onDone
            t.pointee.context = job.config.context
            fillEvent(&t.pointee.event, job, MAPE_EVENT_DONE)
            t.pointee.event.progress = progress
        case .items(let job, let segment, _, let offset, let count, let crashes):
            t.pointee.callback = job.config.onItem
            t.pointee.context = job.config.context
            let events = delivery.ready.events
            fillEvent(&t.pointee.event, job, MAPE_EVENT_ITEM, count: count / events)
            t.pointee.event.index = segment.first + offset
            t.pointee.is_items = 1
            t.pointee.count = events
            unsafe t.pointee.delivered = job.config.onItem == nil ? events : 0
            t.pointee.released = fixed.releases.loaded
            // The fields that are equal for all results of a range are written once.
            let isPlain = segment.table == nil && segment.outcome == nil && crashes.isEmpty
            t.pointee.is_plain = isPlain ? 1 : 0
            t.pointee.size = isPlain ? segment.size : 0
            deliverItem(t)
        }
        return true
    }

    /// Fills the event of the first item that is not delivered.
    func deliverItem(_ t: CFrame<mapb_delivery>) {
        let delivery = unsafe Unmanaged<EventBatch>.fromOpaque(t.pointee.items).takeUnretainedValue()
        guard case .items(_, let segment, _, let offset, _, let crashes) = delivery.ready,
            t.pointee.delivered < t.pointee.count
        else { return }
        segment.read(offset + t.pointee.delivered, into: &t.pointee.event.result)
        t.pointee.event.result.attempts = Job.attempts(
            of: t.pointee.event.index, t.pointee.event.result, crashes: crashes)
    }

    /// Called when the ready events are delivered. Returns how many events that is; -1: another thread has ended this
    /// dispatch as abandoned.
    func delivered(_ t: CFrame<mapb_delivery>) -> Int64 {
        let count = core.with { (core) -> Int64 in
            guard core.events.caller?.number == t.pointee.mark.number, let delivery = core.events.delivery else {
                return -1
            }
            core.events.delivery = nil
            unsafe Unmanaged.passUnretained(delivery).release()
            if core.trace != nil, unsafe t.pointee.callback != nil, let job = delivery.ready.job {
                core.traceCallback(job, t.pointee.is_items == 1 ? t.pointee.delivered : 1)
            }
            return core.finish(delivery, delivered: t.pointee.delivered)
        }
        return unsafe count > 0 && t.pointee.callback == nil && t.pointee.is_items == 0 ? 0 : count
    }

    func endDelivery(_ t: CFrame<mapb_delivery>) {
        let isMine = core.with { (core) -> Bool in
            guard core.events.caller?.number == t.pointee.mark.number else { return false }
            core.events.caller = nil
            return true
        }
        if isMine { unsafe Unmanaged.passUnretained(self).release() }
    }
}
