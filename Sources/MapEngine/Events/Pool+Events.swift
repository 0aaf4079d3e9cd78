// Fetching events: mape_dispatch runs callbacks for them, mape_next_event hands them out. Both take the same steps.
//
// A callback may be left by a jump, an exception, or with its thread. So C calls it (host_wait.c), no frame of Swift is below it, and
// what a dispatch holds stands in the queue: whoever comes next finds it, and sees by the mark whether the dispatch still goes on.

import CMapBridge

/// Events made ready under the lock, to be told outside it.
enum Ready {
    case message(PoolMessage)
    /// Items of one segment, from `offset` on; and the job's crashes, which change under the lock as workers die.
    case items(Job, Segment, place: Int, offset: UInt64, count: UInt64, crashes: [UInt64: UInt32])
    case progress(Job, mape_progress)
    case done(Job, mape_progress)
}

/// What a dispatch is telling.
final class Telling {
    fileprivate let ready: Ready
    fileprivate init(_ ready: Ready) { self.ready = ready }
}

extension Pool {
    func queueForDelivery(_ job: Job) {
        if job.isDone && job.ownsItself && !job.isReleased && !job.config.wants(MAPE_DELIVER_DONE)
            && job.undelivered == 0
        {
            release(job)
            return
        }
        if !job.isReleased && job.hasEvents {
            events.enqueue(job)
            waiting.wake()
        }
    }

    /// The next events, at most `limit` items; nil when there are none. Nothing is taken yet but messages.
    private func nextReady(_ limit: UInt64) -> Ready? {
        if let message = events.takeMessage() { return .message(message) }
        while let job = events.firstJob {
            if job.progressDue {
                job.progressDue = false
                if job.config.wants(MAPE_DELIVER_PROGRESS) && !job.isDone {
                    let now = mapb_clock()
                    let progress = job.progress(now: now, partial: partial(of: job))
                    job.lastProgress = now
                    job.lastFraction = progress.fraction
                    events.rotate()
                    return .progress(job, progress)
                }
            }
            if let place = job.deliverable.first, let segment = job.segments[place] {
                let count = min(limit, segment.count - job.deliverOffset)
                return .items(
                    job, segment, place: place, offset: job.deliverOffset, count: count, crashes: job.crashes)
            }
            if job.doneIsDue {
                job.doneDelivered = true
                events.rotate()
                return .done(job, job.progress(now: mapb_clock(), partial: 0))
            }
            events.rotate()
        }
        return nil
    }

    /// The first `count` items that were ready have been told.
    private func told(_ job: Job, place: Int, _ count: UInt64, keepHeld: Bool) {
        if job.isReleased { return }
        job.undelivered -= count
        job.deliverOffset += count
        if let segment = job.segments[place], job.deliverOffset == segment.count {
            _ = job.deliverable.popFirst()
            job.deliverOffset = 0
            if job.drops {
                if keepHeld {
                    events.held = HeldSegment(job: job, place: place, dropsAfter: true)
                } else {
                    job.drop(place)
                }
            }
        }
        events.rotate()
        // The window may be open again.
        if job.drops {
            queueForWork(job)
            assign()
        }
    }

    /// Lets go of the segment that the host was looking at.
    private func letGoOfHeld() {
        events.heldMessage = nil
        guard let held = events.held else { return }
        events.held = nil
        if let orphan = held.orphan {
            held.job.discard(orphan)
        } else if held.dropsAfter && !held.job.isReleased {
            held.job.drop(held.place)
        }
    }

    // MARK: - One thread at a time

    /// The calling thread is the one that fetches events from now on: by callbacks, from a marked frame, or one by one. Without the lock.
    func enterEvents(_ mark: mapb_mark = unsafe mapb_mark(thread: 0, number: 1, place: nil)) throws(MapError) {
        while true {
            let other = unsafe locked { () -> mapb_mark? in
                if let other = unsafe events.caller { return unsafe other }
                unsafe events.caller = unsafe mark
                letGoOfHeld()
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
        locked {
            guard unsafe events.caller?.number == mark.number else { return }
            unsafe events.caller = nil
            if let telling = events.telling {
                events.telling = nil
                _ = finish(telling, told: unsafe mapb_peek(begun))
                unsafe Unmanaged.passUnretained(telling).release()
            }
            letGoOfHeld()
            // The reference that its frame had.
            unsafe Unmanaged.passUnretained(self).release()
        }
    }

    /// Before the pool's end: a dispatch that was left holds nothing any longer.
    func forgetDispatchThatWasLeft() {
        if let mark = unsafe locked({ unsafe events.caller }), unsafe mapb_goes_on(mark) == 0 {
            unsafe dispatchWasLeft(mark)
        }
    }

    // MARK: - Dispatch

    func beginTelling(_ t: UnsafeMutablePointer<mapb_telling>, budget: Int64) throws(MapError) {
        unsafe t.pointee.end = budget > 0 ? deadline(after: budget) : .max
        try unsafe enterEvents(t.pointee.mark)
        unsafe t.pointee.pool = Unmanaged.passRetained(self).toOpaque()
        unsafe t.pointee.releases = unsafe UnsafePointer(releases)
        unsafe t.pointee.begun = unsafe begun
        unsafe t.pointee.event = unsafe emptyEvent()
        locked {
            pump()
            attend(mapb_clock())
        }
    }

    /// Makes the next events ready. False: there are none.
    func tellNext(_ t: UnsafeMutablePointer<mapb_telling>) -> Bool {
        let telling = locked { () -> Telling? in
            guard unsafe events.caller?.number == t.pointee.mark.number else { return nil }
            guard let ready = unsafe nextReady(min(Policy.dispatchBatch, t.pointee.limit)) else { return nil }
            if case .items(let job, _, let place, _, _, _) = ready { events.held = HeldSegment(job: job, place: place) }
            let telling = Telling(ready)
            events.telling = telling
            return telling
        }
        guard let telling else { return false }
        unsafe mapb_store(begun, 0)
        unsafe t.pointee.items = Unmanaged.passRetained(telling).toOpaque()
        unsafe t.pointee.is_items = 0
        unsafe t.pointee.callback = nil
        unsafe t.pointee.event = unsafe emptyEvent()
        switch telling.ready {
        case .message(let message):
            unsafe t.pointee.callback = unsafe message.isLog ? config.onLog : config.onOutput
            unsafe t.pointee.context = unsafe config.context
            unsafe fill(&t.pointee.event, message)
        case .progress(let job, let progress):
            unsafe t.pointee.callback = unsafe job.config.onProgress
            unsafe t.pointee.context = unsafe job.config.context
            unsafe fill(&t.pointee.event, job, MAPE_EVENT_PROGRESS)
            unsafe t.pointee.event.progress = progress
        case .done(let job, let progress):
            unsafe t.pointee.callback = unsafe job.config.onDone
            unsafe t.pointee.context = unsafe job.config.context
            unsafe fill(&t.pointee.event, job, MAPE_EVENT_DONE)
            unsafe t.pointee.event.progress = progress
        case .items(let job, let segment, _, let offset, let count, let crashes):
            unsafe t.pointee.callback = unsafe job.config.onItem
            unsafe t.pointee.context = unsafe job.config.context
            unsafe fill(&t.pointee.event, job, MAPE_EVENT_ITEM)
            unsafe t.pointee.event.index = segment.first + offset
            unsafe t.pointee.is_items = 1
            unsafe t.pointee.count = count
            unsafe t.pointee.told = unsafe job.config.onItem == nil ? count : 0
            unsafe t.pointee.released = unsafe mapb_load32(releases)
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
        let telling = unsafe Unmanaged<Telling>.fromOpaque(t.pointee.items).takeUnretainedValue()
        guard case .items(_, let segment, _, let offset, let count, let crashes) = telling.ready,
            unsafe t.pointee.told < count
        else { return }
        unsafe segment.read(offset + t.pointee.told, into: &t.pointee.event.result)
        unsafe t.pointee.event.result.attempts = unsafe Job.attempts(
            of: t.pointee.event.index, t.pointee.event.result, crashes: crashes)
    }

    /// What was made ready was told. How many events that is; -1: somebody took this dispatch for one that was left.
    func told(_ t: UnsafeMutablePointer<mapb_telling>) -> Int64 {
        let count = locked { () -> Int64 in
            guard unsafe events.caller?.number == t.pointee.mark.number, let telling = events.telling else { return -1 }
            events.telling = nil
            unsafe Unmanaged.passUnretained(telling).release()
            return finish(telling, told: unsafe t.pointee.told)
        }
        return unsafe count > 0 && t.pointee.callback == nil && t.pointee.is_items == 0 ? 0 : count
    }

    /// What was told is done with. Under the lock. Returns how many events it was.
    private func finish(_ telling: Telling, told count: UInt64) -> Int64 {
        switch telling.ready {
        case .message, .progress: return 1
        case .done(let job, _):
            if job.ownsItself && !job.isReleased { release(job) }
            return 1
        case .items(let job, _, let place, _, _, _):
            told(job, place: place, count, keepHeld: false)
            letGoOfHeld()
            return Int64(count)
        }
    }

    func endTelling(_ t: UnsafeMutablePointer<mapb_telling>) {
        let isMine = locked { () -> Bool in
            guard unsafe events.caller?.number == t.pointee.mark.number else { return false }
            unsafe events.caller = nil
            return true
        }
        if isMine { unsafe Unmanaged.passUnretained(self).release() }
    }

    // MARK: - Pull

    /// The next event, for mape_next_event. Under the lock.
    func fetch() -> mape_event? {
        var event = unsafe emptyEvent()
        guard let ready = nextReady(1) else { return nil }
        switch ready {
        case .message(let message):
            events.heldMessage = message
            unsafe fill(&event, message)
        case .progress(let job, let progress):
            unsafe fill(&event, job, MAPE_EVENT_PROGRESS)
            unsafe event.progress = progress
        case .done(let job, let progress):
            unsafe fill(&event, job, MAPE_EVENT_DONE)
            unsafe event.progress = progress
            if job.ownsItself { release(job) }
        case .items(let job, let segment, let place, let offset, _, _):
            unsafe fill(&event, job, MAPE_EVENT_ITEM)
            unsafe segment.read(offset, into: &event.result)
            unsafe event.index = segment.first + offset
            unsafe event.result.attempts = unsafe job.attempts(of: event.index, event.result)
            told(job, place: place, 1, keepHeld: true)
        }
        return unsafe event
    }

    // MARK: - Filling

    private func emptyEvent() -> mape_event {
        var event = unsafe mape_event()
        unsafe event.struct_size = unsafe MemoryLayout<mape_event>.size
        unsafe event.result.struct_size = unsafe MemoryLayout<mape_result>.size
        unsafe event.result.message = unsafe emptyText
        unsafe event.progress.struct_size = MemoryLayout<mape_progress>.size
        unsafe event.worker = -1
        return unsafe event
    }

    private func fill(_ event: inout mape_event, _ message: PoolMessage) {
        unsafe event.type = (message.isLog ? MAPE_EVENT_LOG : MAPE_EVENT_OUTPUT).rawValue
        unsafe event.code = message.code
        unsafe event.context = unsafe config.context
        unsafe event.worker = message.worker
        unsafe event.lost = message.lost
        unsafe event.text = unsafe UnsafePointer(message.text.bytes)
        unsafe event.text_size = message.text.count
    }

    private func fill(_ event: inout mape_event, _ job: Job, _ type: mape_event_type) {
        unsafe event.type = type.rawValue
        unsafe event.job = unsafe OpaquePointer(bitPattern: job.ownsItself ? 0 : job.handle)
        unsafe event.context = unsafe job.config.context
    }
}
