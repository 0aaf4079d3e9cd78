// Delivery of events: which come next, and what happens once they are delivered.

import CMapBridge

extension Core {
    func queueForDelivery(_ job: Job) {
        if job.isDone && job.owner.isItself && !job.isReleased && !job.config.wants(MAPE_DELIVER_DONE)
            && job.delivery.undelivered == 0
        {
            release(job)
            return
        }
        if !job.isReleased && job.hasEvents {
            events.enqueue(job)
            touched.wakes = true
        }
    }

    /// The next events, at most `limit` items; nil when there are none. Only texts leave the queue here.
    func nextReady(_ limit: UInt64) -> Ready? {
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
            if let place = job.delivery.places.first, let segment = job.results[place] {
                let count = min(limit, segment.count - job.delivery.offset)
                return .items(
                    job, segment, place: place, offset: job.delivery.offset, count: count, crashes: job.lost.crashes)
            }
            if job.doneIsDue {
                job.delivery.toldDone = true
                events.rotate()
                return .done(job, job.progress(now: mapb_clock(), partial: 0))
            }
            events.rotate()
        }
        return nil
    }

    /// Called when the first `count` ready items are delivered.
    private func delivered(_ job: Job, place: Int, _ count: UInt64, keepHeld: Bool) {
        if job.isReleased { return }
        if let segment = job.results[place], job.delivery.delivered(count, of: segment.count) {
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
            touch(job)
        }
    }

    /// Releases the segment whose event the host has read.
    func releaseHeld() {
        events.heldMessage = nil
        guard let held = events.held else { return }
        events.held = nil
        if let orphan = held.orphan {
            orphan.store.free()
        } else if held.dropsAfter && !held.job.isReleased {
            held.job.drop(held.place)
        }
    }

    /// Finishes delivered events. Returns how many events that is.
    func finish(_ delivery: EventBatch, delivered count: UInt64) -> Int64 {
        switch delivery.ready {
        case .message, .progress: return 1
        case .done(let job, _):
            if job.owner.isItself && !job.isReleased { release(job) }
            return 1
        case .items(let job, _, let place, _, _, _):
            delivered(job, place: place, count, keepHeld: false)
            releaseHeld()
            return Int64(count)
        }
    }

    // MARK: - Pull

    /// The next event, for mape_pool_next_event.
    func fetch() -> mape_event? {
        var event = emptyEvent()
        guard let ready = nextReady(1) else { return nil }
        switch ready {
        case .message(let message):
            events.heldMessage = message
            unsafe fillEvent(&event, message, config.callbacks.context)
        case .progress(let job, let progress):
            fillEvent(&event, job, MAPE_EVENT_PROGRESS)
            event.progress = progress
        case .done(let job, let progress):
            fillEvent(&event, job, MAPE_EVENT_DONE)
            event.progress = progress
            if job.owner.isItself { release(job) }
        case .items(let job, let segment, let place, let offset, _, _):
            fillEvent(&event, job, MAPE_EVENT_ITEM)
            segment.read(offset, into: &event.result)
            event.index = segment.first + offset
            event.result.attempts = job.attempts(of: event.index, event.result)
            delivered(job, place: place, 1, keepHeld: true)
        }
        return event
    }
}
