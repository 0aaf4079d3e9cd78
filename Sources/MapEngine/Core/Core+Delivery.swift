// Delivery of events: which come next, and what happens once they are delivered.

import CMapBridge

extension Core {
    func queueForDelivery(_ job: Job) {
        if job.endsWithItems {
            release(job)
            return
        }
        if !job.isReleased && job.hasEvents {
            events.enqueue(job)
            touched.wakes = true
        }
    }

    /// What comes next. Only texts leave the queue when they are returned here, and jobs that have nothing left but that.
    private enum Next {
        case message(PoolMessage)
        case progress(Job, mape_progress)
        /// The items at a place of its results that are not delivered.
        case items(Job, place: Int)
        case done(Job, mape_progress)
    }

    private func next() -> Next? {
        if let message = events.nextMessage() { return .message(message) }
        while let job = events.firstJob {
            if job.delivery.progressIsDue {
                job.delivery.progressIsDue = false
                if job.config.wants(MAPE_DELIVER_PROGRESS) && !job.isDone {
                    let now = mapb_clock()
                    let progress = job.progress(now: now, partial: partial(of: job))
                    job.delivery.lastProgress = now
                    job.delivery.lastFraction = progress.fraction
                    events.rotate()
                    return .progress(job, progress)
                }
            }
            if let place = job.delivery.places.first, job.results.count(at: place) > 0 {
                return .items(job, place: place)
            }
            if job.doneIsDue {
                let now = mapb_clock()
                job.delivery.toldDoneAt = now
                events.rotate()
                return .done(job, job.progress(now: now, partial: 0))
            }
            events.rotate()
        }
        return nil
    }

    /// The next events, at most `limit`; nil when there are none.
    func nextReady(_ limit: UInt64) -> Ready? {
        switch next() {
        case nil: return nil
        case .message(let message): return .message(message)
        case .progress(let job, let progress): return .progress(job, progress)
        case .done(let job, let progress): return .done(job, progress)
        case .items(let job, let place):
            guard let segment = job.results[place] else { return nil }
            let left = segment.count - job.delivery.offset
            let count = job.config.deliversRanges ? left : min(limit, left)
            return .items(
                job, segment, place: place, offset: job.delivery.offset, count: count, crashes: job.lost.crashes)
        }
    }

    /// Called when the first `count` ready items are delivered.
    /// - isFetched: the host goes on reading them.
    private func delivered(_ job: Job, place: Int, _ count: UInt64, isFetched: Bool) {
        if job.isReleased { return }
        if job.delivery.delivered(count, of: job.results.count(at: place)), job.drops {
            if let segment = job.drop(place) {
                if isFetched { events.fetched.segments.append(segment) } else { segment.store.free() }
            }
        }
        events.rotate()
        // The window may be open again; a job without a handle may be over.
        if job.drops || job.owner.isItself && !isFetched {
            touch(job)
        }
    }

    /// Releases what the host has read.
    func releaseHeld() {
        if let held = events.held {
            events.held = nil
            held.orphan?.store.free()
        }
        if events.fetched.isEmpty { return }
        for segment in events.fetched.segments { segment.store.free() }
        for job in events.fetched.jobs where !job.isReleased { release(job) }
        events.fetched.segments.removeAll(keepingCapacity: true)
        events.fetched.texts.removeAll(keepingCapacity: true)
        events.fetched.jobs.removeAll(keepingCapacity: true)
    }

    /// Finishes ready events, of which `count` were delivered if they are of items. Returns how many events that is.
    func finish(_ delivery: EventBatch, delivered count: UInt64) -> Int64 {
        switch delivery.ready {
        case .message, .progress: return 1
        case .done(let job, _):
            if job.owner.isItself && !job.isReleased { release(job) }
            return 1
        case .items(let job, _, let place, _, let items, _):
            delivered(job, place: place, job.config.deliversRanges && count > 0 ? items : count, isFetched: false)
            releaseHeld()
            return Int64(count)
        }
    }

    // MARK: - Pull

    /// The next event, as it counts as delivered from now on. False: there is none. For a host that fetches one by one: an entry of a list
    /// would hold all that the event is made from.
    func fetch(into event: inout mape_event) -> Bool {
        guard let next = next() else { return false }
        event = emptyEvent()
        switch next {
        case .message(let message):
            unsafe fillEvent(&event, message, fixed.config.callbacks.context)
            events.fetched.texts.append(message)
        case .progress(let job, let progress):
            fillEvent(&event, job, MAPE_EVENT_PROGRESS)
            event.progress = progress
        case .done(let job, let progress):
            fillEvent(&event, job, MAPE_EVENT_DONE)
            event.progress = progress
            if job.owner.isItself { release(job) }
        case .items(let job, let place):
            let count = job.config.deliversRanges ? job.results.count(at: place) - job.delivery.offset : 1
            fillEvent(&event, job, MAPE_EVENT_ITEM, count: count)
            event.index = job.results.read(job.delivery.offset, at: place, into: &event.result)
            event.result.attempts = job.attempts(of: event.index, event.result)
            delivered(job, place: place, count, isFetched: true)
            if job.endsWithItems { events.fetched.jobs.append(job) }
        }
        return true
    }

    /// The next events, at most `room`, as they count as delivered from now on. Returns how many there are. Those of a segment are one
    /// entry of the list: what the lock is held for does not depend on how many items it has.
    func fetch(into list: inout [Ready], _ room: UInt64) -> UInt64 {
        var count: UInt64 = 0
        while count < room, let ready = nextReady(room - count) {
            if list.capacity == 0 { swap(&list, &events.spare) }
            list.append(ready)
            let before = count
            count += ready.events
            switch ready {
            case .message(let message): events.fetched.texts.append(message)
            case .progress: break
            case .done(let job, _):
                if job.owner.isItself {
                    // Events before this one may be of its items.
                    if before == 0 { release(job) } else { events.fetched.jobs.append(job) }
                }
            case .items(let job, _, let place, _, let items, _):
                delivered(job, place: place, items, isFetched: true)
                if job.endsWithItems { events.fetched.jobs.append(job) }
            }
        }
        return count
    }
}
