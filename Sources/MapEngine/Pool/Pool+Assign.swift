// From jobs to workers: which job, how many items, and the request that says so.

import CMapBridge

extension Pool {
    /// Gives every worker that has room ranges, in rounds, so that the work is spread. Then wakes those that sleep.
    func assign() {
        guard !work.isEmpty, failure == nil else { return }
        let draining = life == .closing
        var gave = true
        var ready = 0
        for worker in workers where worker.takesWork { ready += 1 }
        guard ready > 0 else { return }
        while gave {
            gave = false
            for worker in workers where worker.takesWork {
                if worker.region!.isStretched && worker.isBusy { continue }
                guard let job = nextJob(for: worker, draining: draining, workers: ready) else { continue }
                let most = min(rangeSize(job, workers: ready), job.room(draining: draining))
                guard let range = job.take(most) else { continue }
                give(worker, .range(job, range))
                gave = true
            }
        }
        work.removeAll { job in
            let finished = job.waiting == 0
            if finished { job.isQueuedForWork = false }
            return finished
        }
        publish()
    }

    /// The first job with items that this worker can take and is not too full for.
    private func nextJob(for worker: Worker, draining: Bool, workers count: Int) -> Job? {
        for job in work where job.waiting > 0 && worker.prepared.contains(job.function.id) && job.room(draining: draining) > 0 {
            return worker.inFlight < depth(job, workers: count) ? job : nil
        }
        return nil
    }

    /// How many ranges a worker may hold: enough for Policy.queueTime, fewer when there is little left, so that workers finish
    /// together.
    private func depth(_ job: Job, workers: Int) -> Int {
        let waiting = job.waiting
        let size = rangeSize(job, workers: workers)
        // With less than a range for each worker left, what one holds waiting another could do now.
        if waiting <= size * UInt64(workers) && job.itemTime * Double(size) > Double(Policy.queueTime) { return 1 }
        guard job.itemTime > 0 else { return job.config.chunk > 0 ? 4 : Policy.depth }
        let time = max(1, job.itemTime * Double(size))
        return max(Policy.depth, min(Int(MAPB_RING) - 8, Int(Double(Policy.queueTime) / time) + 1))
    }

    /// Items per range: the chunk that was asked for; else about Policy.rangeTime, and never more than half of a worker's fair share
    /// of what is left.
    private func rangeSize(_ job: Job, workers: Int) -> UInt64 {
        if job.config.chunk > 0 { return min(job.config.chunk, Policy.largestRange) }
        var size = Policy.firstRange
        if job.itemTime > 0 {
            size = UInt64(max(1, min(Double(Policy.largestRange), Double(Policy.rangeTime) / job.itemTime)))
        }
        let share = job.waiting / UInt64(workers * 2)
        return max(1, min(size, share))
    }

    /// Puts a request into a worker's inbox. It is seen once published.
    func give(_ worker: Worker, _ work: Assignment.Work) {
        let ticket = worker.published + 1
        var request = mapb_request()
        request.ticket = ticket
        switch work {
        case .range(let job, let range):
            request.kind = MAPB_REQUEST_RANGE.rawValue
            request.record = job.record.offset
            request.first = range.first
            request.count = UInt32(range.count)
        case .setup(let function, let globals):
            request.kind = MAPB_REQUEST_SETUP.rawValue
            request.record = function.record.offset
            request.first = globals?.block.offset ?? 0
        case .cleanup(let function, let globals):
            request.kind = MAPB_REQUEST_CLEANUP.rawValue
            request.record = function.record.offset
            request.first = globals?.block.offset ?? 0
        case .module(let block, _):
            request.kind = MAPB_REQUEST_MODULE.rawValue
            request.record = block.offset
        case .exit:
            request.kind = MAPB_REQUEST_EXIT.rawValue
        }
        worker.region!.direct(&request, ticket: ticket, idle: !worker.isBusy)
        let now = mapb_now()
        if !worker.isBusy {
            worker.seenSince = now
            worker.progressSince = now
        }
        worker.given.append(Assignment(ticket: ticket, work: work, given: now))
        let inbox = unsafe input.inbox(worker.slot)
        unsafe UnsafeMutablePointer(mutating: mapb_request_at(inbox, ticket)!).pointee = request
        worker.published = ticket
    }

    /// Makes what was given visible, and wakes workers that sleep.
    func publish() {
        for worker in workers where worker.isAlive {
            let inbox = unsafe input.inbox(worker.slot)
            if unsafe mapb_peek(&inbox.pointee.tail) == worker.published { continue }
            unsafe mapb_store(&inbox.pointee.tail, worker.published)
            mapb_fence()
            if unsafe mapb_peek32(&worker.region!.outbox.pointee.sleeping) != 0 { unsafe mapb_wake_futex(&inbox.pointee.tail) }
            if worker.limit(config) != .max { engineMustWake(by: worker.seenSince &+ worker.limit(config) / 4) }
        }
    }

    /// Puts a job among those that have items, by priority, then age.
    func queueForWork(_ job: Job) {
        guard !job.isQueuedForWork, job.waiting > 0 else { return }
        job.isQueuedForWork = true
        let before = work.firstIndex {
            $0.config.priority < job.config.priority
                || ($0.config.priority == job.config.priority && $0.sequence > job.sequence)
        }
        work.insert(job, at: before ?? work.count)
    }
}
