// From jobs to workers: which job is next, how many items a worker gets, and the request for them.

import CMapBridge

extension Core {
    /// Assigns ranges to every worker that has room.
    func assign() {
        table.consumeNewRoom()
        guard !work.isEmpty, failure == nil, errands.goneZygote == nil else {
            if work.isEmpty { work.noteRest(.max) }
            return
        }
        let draining = life.stage == .closing
        let now = clock.now()
        if table.busy.isEmpty { table.slowStart.calm(0) }
        while table.available > 0, let job = work.first() {
            spread(job, draining: draining, now: now)
            if job.waiting == 0 || job.room(draining: draining) == 0 {
                // It is enqueued again when it has something to assign: queueForWork.
                work.removeFirst()
                work.note(job, withholds: job.hasUnassigned)
            } else if canRun(job) {
                // The items of a job are assigned before those of later jobs.
                break
            } else {
                work.parkFirst()
            }
        }
        work.noteRest(now)
        if work.isEmpty {
            table.slowStart.calm(table.busy.count)
        } else if table.size.hasResting && !table.slowStart.holds {
            wakeResting(items: work.first()?.waiting ?? 1, now)
        }
        if table.slowStart.holds { engineMustWake(by: table.slowStart.growsAt) }
    }

    private func canRun(_ job: Job) -> Bool { table.hasAvailable { mayRun($0, job) } }

    /// Called when a worker has room again, or has run a setup: enqueues parked jobs that it can run.
    func unpark(for worker: Worker) {
        guard work.hasParked, worker.isReadyForWork, worker.backlog.isEmpty, !worker.isSpent else { return }
        work.unpark { worker.isPrepared($0) }
    }

    /// Assigns a job's ranges to workers: idle ones first, then round by round.
    private func spread(_ job: Job, draining: Bool, now: Int64) {
        let workers = table.available
        let isParallel = workers > 1 && fixed.usable > 1 && job.isLong
        var from = 0
        while let load = table.lowestLoad(from: from) {
            let size = rangeSize(job, workers: workers)
            let depth = depth(job, size, workers: workers)
            let lanes = remote == nil ? (size: size, depth: depth) : lanePortion(job, workers: workers)
            guard load < max(depth, lanes.depth) else { return }
            // A call waits only behind calls that are short as well: a worker could be on another item for long.
            let waits = load > 0 && job.isSingle
            var next = waits ? table.firstBrief(holding: load) : table.firstAvailable(holding: load)
            while let slot = next {
                if load == 0 && !table.slowStart.allows(table.busy.count) {
                    table.slowStart.held(now)
                    break
                }
                let worker = table[slot]
                let (size, depth) = worker.isRemote ? lanes : (size, depth)
                var gave = false
                if load < depth, mayRun(worker, job) {
                    gave = assignRange(
                        worker, job, size, isParallel, isBrief: job.isSingle && depth > 1, draining: draining, now: now)
                }
                if job.waiting == 0 || (!gave && job.room(draining: draining) == 0) { return }
                next =
                    waits
                    ? table.nextBrief(holding: load, after: slot) : table.nextAvailable(holding: load, after: slot)
            }
            from = load + 1
        }
    }

    private func mayRun(_ worker: Worker, _ job: Job) -> Bool {
        guard worker.isReadyForWork, worker.isPrepared(job.function.line), worker.backlog.isEmpty, !worker.isSpent
        else {
            return false
        }
        if worker.isRemote { if !takes(job) { return false } } else if job.config.place == MAPE_REMOTE { return false }
        return !(worker.isBusy && worker.region!.isStretched)
    }

    /// Assigns one range. Returns false when the job has nothing more to assign now.
    @inline(__always)
    private func assignRange(
        _ worker: Worker, _ job: Job, _ size: UInt64, _ isParallel: Bool, isBrief: Bool, draining: Bool, now: Int64
    ) -> Bool {
        var most = min(size, job.room(draining: draining))
        if config.limits.itemsPerWorker > 0 {
            let given = min(config.limits.itemsPerWorker, worker.history.itemsAssigned)
            most = min(most, max(1, config.limits.itemsPerWorker - given))
        }
        guard let range = job.nextRange(most) else { return false }
        worker.history.itemsAssigned += range.count
        if job.config.wants(MAPE_DELIVER_PROGRESS) { touch(job) }
        if job.life.begunAt == 0 { job.hasBegun(now: now) }
        worker.assign(job, range, now: now, owed: work.owedSince, isSpread: isParallel, isBrief: isBrief)
        return true
    }

    /// How many ranges a worker may hold: enough for Policy.queueTime, fewer when there is little left, so that workers finish
    /// together.
    private func depth(_ job: Job, _ size: UInt64, workers: Int) -> Int {
        // Of a job of one item nothing is known but how long its function took before. The host hears of each reply for a job that delivers
        // items: such jobs gain nothing, and stay where they can be cancelled without a word to a worker.
        let itemTime = job.isSingle && !job.isPrompt ? job.function.pace.itemTime : job.pace.itemTime
        guard itemTime > 0 else { return 1 }
        let time = max(1, itemTime * Double(size))
        if time > Policy.longRange { return 1 }
        // With less than a range left for each worker, a range that waits at one could run at another now.
        if time > Double(Policy.queueTime) && job.waiting <= size * UInt64(workers) { return 1 }
        return max(Policy.depth, min(WorkerLink.capacity - 8, Int(Double(Policy.queueTime) / time) + 1))
    }

    /// Items per request: about Policy.rangeTime, and no more than half of a worker's fair share of what is left,
    /// unless that is too short (Policy.shortRange). For a job with a chunk, as many whole ranges of that size as fit,
    /// and one range until the time per item is known.
    @inline(__always)
    private func rangeSize(_ job: Job, workers: Int) -> UInt64 {
        let chunk = min(job.config.chunk, Policy.largestRange)
        guard job.pace.itemTime > 0 else { return chunk > 0 ? chunk : fairShare(job, workers, Policy.firstRange) }
        let workers = min(workers, table.slowStart.limit)
        func items(in time: Int64) -> UInt64 {
            UInt64(max(1, min(Double(Policy.largestRange), Double(time) / job.pace.itemTime)))
        }
        let size = max(fairShare(job, workers, items(in: Policy.rangeTime)), items(in: Policy.shortRange))
        return chunk > 0 ? max(1, size / chunk) * chunk : size
    }

    private func fairShare(_ job: Job, _ workers: Int, _ most: UInt64) -> UInt64 {
        max(1, min(most, job.waiting / UInt64(workers * 2)))
    }

    /// Sends a request that is no range; it goes to the backlog when the inbox is full.
    func send(_ worker: Worker, _ work: Assignment.Work) {
        if worker.inFlight < WorkerLink.capacity && worker.backlog.isEmpty && !worker.isTrimming {
            worker.assign(work, now: mapb_clock(), owed: self.work.owedSince)
        } else {
            worker.backlog.append(work)
        }
    }

    /// Sends the requests that waited for room in the inbox.
    func sendBacklog(_ worker: Worker) {
        guard !worker.backlog.isEmpty, !worker.isTrimming else { return }
        while worker.inFlight < WorkerLink.capacity, let work = worker.backlog.popFirst() {
            worker.assign(work, now: mapb_clock(), owed: self.work.owedSince)
        }
    }

    /// Publishes requests that were written into inboxes, and wakes workers that sleep.
    func publish() {
        var rings = false
        while let worker = table.nextToPublish() {
            if worker.isRemote {
                if worker.link?.publishRemote() == true { rings = true }
            } else {
                switch worker.link?.publish() ?? .none {
                case .none: continue
                case .seen: break
                case .woke: doorbell.wokeSleeper = true
                }
            }
            let limit = worker.limit(config.limits)
            if limit != .max { engineMustWake(by: later(worker.seen.since, by: limit / 4)) }
        }
        if rings { remote?.ring() }
    }

    /// Enqueues a job if it has items to assign now.
    func queueForWork(_ job: Job) {
        guard job.waiting > 0, job.room(draining: life.stage == .closing) > 0 else { return }
        work.add(job)
    }
}
