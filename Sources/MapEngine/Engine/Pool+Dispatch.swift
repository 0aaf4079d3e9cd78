// Fetching events: mape_dispatch runs callbacks for them, mape_next_event hands them out. Both take the same steps.
//
// A callback may be left by a jump, an exception, or with its thread. So C calls it (host_wait.c), no frame of Swift is below it, and
// what a dispatch holds stands in the queue: whoever comes next finds it, and sees by the mark whether the dispatch still goes on.

import CMapBridge

extension Pool {
    // MARK: - One thread at a time

    /// The calling thread is the one that fetches events from now on: by callbacks, from a marked frame, or one by one. Without the lock.
    func enterEvents(_ mark: mapb_mark = unsafe mapb_mark(thread: 0, number: 1, place: nil)) throws(MapError) {
        while true {
            let other = unsafe core.with { (core) -> mapb_mark? in
                if let other = unsafe core.events.caller { return unsafe other }
                unsafe core.events.caller = unsafe mark
                core.letGoOfHeld()
                return nil
            }
            guard let other = unsafe other else { return }
            // Outside the lock: it may take a walk over the stack.
            guard unsafe mapb_goes_on(other) == 0 else {
                throw MapError(
                    MAPE_E_BUSY, "events are being fetched already: inside a callback, or on another thread")
            }
            unsafe dispatchWasLeft(other)
        }
    }

    /// A callback did not come back: longjmp, an exception, the end of its thread. What was being told counts as told; the rest is
    /// told by whoever dispatches next.
    private func dispatchWasLeft(_ mark: mapb_mark) {
        core.with { core in
            guard unsafe core.events.caller?.number == mark.number else { return }
            unsafe core.events.caller = nil
            if let telling = core.events.telling {
                core.events.telling = nil
                _ = core.finish(telling, told: unsafe mapb_peek(fixed.begun.first))
                unsafe Unmanaged.passUnretained(telling).release()
            }
            core.letGoOfHeld()
            // The reference that its frame had.
            unsafe Unmanaged.passUnretained(self).release()
        }
    }

    /// Before the pool's end: a dispatch that was left holds nothing any longer.
    func forgetDispatchThatWasLeft() {
        if let mark = unsafe core.with({ unsafe $0.events.caller }), unsafe mapb_goes_on(mark) == 0 {
            unsafe dispatchWasLeft(mark)
        }
    }

    // MARK: - Dispatch

    func beginTelling(_ t: UnsafeMutablePointer<mapb_telling>, budget: Int64) throws(MapError) {
        unsafe t.pointee.end = budget > 0 ? deadline(after: budget) : .max
        try unsafe enterEvents(t.pointee.mark)
        unsafe t.pointee.pool = Unmanaged.passRetained(self).toOpaque()
        unsafe t.pointee.releases = unsafe UnsafePointer(fixed.releases.first)
        unsafe t.pointee.begun = unsafe fixed.begun.first
        unsafe t.pointee.event = unsafe emptyEvent()
        core.with { core in
            core.pump()
            core.attend(mapb_clock())
        }
    }

    /// Makes the next events ready. False: there are none.
    func tellNext(_ t: UnsafeMutablePointer<mapb_telling>) -> Bool {
        let telling = core.with { (core) -> EventBatch? in
            guard unsafe core.events.caller?.number == t.pointee.mark.number else { return nil }
            guard let ready = unsafe core.nextReady(min(Policy.dispatchBatch, t.pointee.limit)) else { return nil }
            if case .items(let job, _, let place, _, _, _) = ready {
                core.events.held = HeldSegment(job: job, place: place)
            }
            let telling = EventBatch(ready)
            core.events.telling = telling
            return telling
        }
        guard let telling else { return false }
        unsafe mapb_store(fixed.begun.first, 0)
        unsafe t.pointee.items = Unmanaged.passRetained(telling).toOpaque()
        unsafe t.pointee.is_items = 0
        unsafe t.pointee.callback = nil
        unsafe t.pointee.event = unsafe emptyEvent()
        switch telling.ready {
        case .message(let message):
            unsafe t.pointee.callback = unsafe message.isLog ? config.callbacks.onLog : config.callbacks.onOutput
            unsafe t.pointee.context = unsafe config.callbacks.context
            unsafe fillEvent(&t.pointee.event, message, config.callbacks.context)
        case .progress(let job, let progress):
            unsafe t.pointee.callback = unsafe job.config.onProgress
            unsafe t.pointee.context = unsafe job.config.context
            unsafe fillEvent(&t.pointee.event, job, MAPE_EVENT_PROGRESS)
            unsafe t.pointee.event.progress = progress
        case .done(let job, let progress):
            unsafe t.pointee.callback = unsafe job.config.onDone
            unsafe t.pointee.context = unsafe job.config.context
            unsafe fillEvent(&t.pointee.event, job, MAPE_EVENT_DONE)
            unsafe t.pointee.event.progress = progress
        case .items(let job, let segment, _, let offset, let count, let crashes):
            unsafe t.pointee.callback = unsafe job.config.onItem
            unsafe t.pointee.context = unsafe job.config.context
            unsafe fillEvent(&t.pointee.event, job, MAPE_EVENT_ITEM)
            unsafe t.pointee.event.index = segment.first + offset
            unsafe t.pointee.is_items = 1
            unsafe t.pointee.count = count
            unsafe t.pointee.told = unsafe job.config.onItem == nil ? count : 0
            unsafe t.pointee.released = unsafe mapb_load32(fixed.releases.first)
            // What is the same for all of a range's results is written once.
            let isPlain = segment.table == nil && segment.outcome == nil && crashes.isEmpty
            unsafe t.pointee.is_plain = isPlain ? 1 : 0
            unsafe t.pointee.size = isPlain ? segment.size : 0
            unsafe tellItem(t)
        }
        return true
    }

    /// The event of an item: the first that is not told.
    func tellItem(_ t: UnsafeMutablePointer<mapb_telling>) {
        let telling = unsafe Unmanaged<EventBatch>.fromOpaque(t.pointee.items).takeUnretainedValue()
        guard case .items(_, let segment, _, let offset, let count, let crashes) = telling.ready,
            unsafe t.pointee.told < count
        else { return }
        unsafe segment.read(offset + t.pointee.told, into: &t.pointee.event.result)
        unsafe t.pointee.event.result.attempts = unsafe Job.attempts(
            of: t.pointee.event.index, t.pointee.event.result, crashes: crashes)
    }

    /// What was made ready was told. How many events that is; -1: somebody took this dispatch for one that was left.
    func told(_ t: UnsafeMutablePointer<mapb_telling>) -> Int64 {
        let count = core.with { (core) -> Int64 in
            guard unsafe core.events.caller?.number == t.pointee.mark.number, let telling = core.events.telling else {
                return -1
            }
            core.events.telling = nil
            unsafe Unmanaged.passUnretained(telling).release()
            return core.finish(telling, told: unsafe t.pointee.told)
        }
        return unsafe count > 0 && t.pointee.callback == nil && t.pointee.is_items == 0 ? 0 : count
    }

    func endTelling(_ t: UnsafeMutablePointer<mapb_telling>) {
        let isMine = core.with { (core) -> Bool in
            guard unsafe core.events.caller?.number == t.pointee.mark.number else { return false }
            unsafe core.events.caller = nil
            return true
        }
        if isMine { unsafe Unmanaged.passUnretained(self).release() }
    }
}
