// Fetching events: mape_dispatch runs callbacks for them, mape_next_event hands them out. Both take the same steps.

import CMapBridge

/// Events made ready under the lock, to be told outside it.
enum Ready {
    case message(PoolMessage)
    /// Items of one segment, from `offset` on; and the job's crashes, which change under the lock as workers die.
    case items(Job, Segment, place: Int, offset: UInt64, count: UInt64, crashes: [UInt64: UInt32])
    case progress(Job, mape_progress)
    case done(Job, mape_progress)
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
                    let now = mapb_now()
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
                return .done(job, job.progress(now: mapb_now(), partial: 0))
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

    private func enterEvents() throws(MapError) {
        guard !events.isBusy else {
            throw MapError(MAPE_E_BUSY, "events are being fetched already: inside a callback, or on another thread")
        }
        events.isBusy = true
        letGoOfHeld()
    }

    // MARK: - Dispatch

    /// Runs callbacks on this thread. Returns how many events were handled.
    func dispatch(most: UInt32, budget: Int64) throws(MapError) -> Int32 {
        let end = budget > 0 ? deadline(after: budget) : .max
        try locked { () throws(MapError) in
            try enterEvents()
            pump()
            attend(mapb_now())
        }
        defer { locked { events.isBusy = false } }
        let limit = most == 0 ? UInt64(Int32.max) : min(UInt64(most), UInt64(Int32.max))
        var handled: UInt64 = 0
        while handled < limit {
            let ready = locked { () -> Ready? in
                let ready = nextReady(min(Policy.dispatchBatch, limit - handled))
                if case .items(let job, _, let place, _, _, _)? = ready {
                    events.held = HeldSegment(job: job, place: place)
                }
                return ready
            }
            guard let ready else { break }
            handled += tell(ready, end)
            if end != .max && mapb_now() >= end { break }
        }
        return Int32(handled)
    }

    /// Calls back for what is ready. Returns how many events that was.
    private func tell(_ ready: Ready, _ end: Int64) -> UInt64 {
        var event = unsafe emptyEvent()
        switch ready {
        case .message(let message):
            guard let callback = unsafe message.isLog ? config.onLog : config.onOutput else { return 0 }
            unsafe fill(&event, message)
            unsafe callback(config.context, &event)
            return 1
        case .progress(let job, let progress):
            guard let callback = unsafe job.config.onProgress else { return 0 }
            unsafe fill(&event, job, MAPE_EVENT_PROGRESS)
            unsafe event.progress = progress
            unsafe callback(job.config.context, &event)
            return 1
        case .done(let job, let progress):
            if let callback = unsafe job.config.onDone {
                unsafe fill(&event, job, MAPE_EVENT_DONE)
                unsafe event.progress = progress
                unsafe callback(job.config.context, &event)
            }
            locked { if job.ownsItself && !job.isReleased { release(job) } }
            return unsafe job.config.onDone == nil ? 0 : 1
        case .items(let job, let segment, let place, let offset, let count, let crashes):
            unsafe fill(&event, job, MAPE_EVENT_ITEM)
            let told = unsafe tellItems(job, segment, offset, count, crashes, &event, end)
            locked {
                self.told(job, place: place, told, keepHeld: false)
                letGoOfHeld()
            }
            return told
        }
    }

    /// Calls back for items of a segment. Returns how many were told.
    private func tellItems(
        _ job: Job, _ segment: Segment, _ offset: UInt64, _ count: UInt64, _ crashes: [UInt64: UInt32],
        _ event: inout mape_event, _ end: Int64
    ) -> UInt64 {
        guard let callback = unsafe job.config.onItem else { return count }
        let context = unsafe job.config.context
        let released = unsafe mapb_load32(releases)
        // What is the same for all of a range's results is written once.
        let isPlain = segment.table == nil && segment.outcome == nil && crashes.isEmpty
        let size = isPlain ? Int(segment.size) : 0
        unsafe segment.read(offset, into: &event.result)
        unsafe event.index = segment.first + offset
        unsafe event.result.attempts = unsafe Job.attempts(of: event.index, event.result, crashes: crashes)
        var told: UInt64 = 0
        while true {
            unsafe callback(context, &event)
            told += 1
            // A callback may have released the job: look under the lock.
            if unsafe told == count || mapb_load32(releases) != released { return told }
            if end != .max && mapb_now() >= end { return told }
            unsafe event.index += 1
            if isPlain {
                if let data = unsafe event.result.data { unsafe event.result.data = unsafe data + size }
            } else {
                unsafe segment.read(offset + told, into: &event.result)
                unsafe event.result.attempts = unsafe Job.attempts(of: event.index, event.result, crashes: crashes)
            }
        }
    }

    // MARK: - Pull

    /// Fetches one event, waiting for it until the deadline. Nil: there was none.
    func nextEvent(timeout: Int64) throws(MapError) -> mape_event? {
        let end = deadline(after: timeout)
        try locked { () throws(MapError) in
            try enterEvents()
            pump()
        }
        defer { locked { events.isBusy = false } }
        if let event = unsafe locked({ unsafe fetch() }) { return unsafe event }
        if timeout == 0 { return nil }
        return unsafe wait(until: end) { unsafe fetch() }
    }

    private func fetch() -> mape_event? {
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
