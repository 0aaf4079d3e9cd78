// Time limits. The pool watches what a worker does, not what it says: its word `current` or its replies must change.

import CMapBridge

extension Worker {
    /// How long the worker may take for what it is doing without a step: nanoseconds; Int64.max: no limit.
    func limit(_ limits: PoolConfig.Limits) -> Int64 {
        if isRemote { return laneLimit(limits) }
        guard state != .dying, let head = assigned.first else { return .max }
        switch head.work {
        case .range(let job, _): return job.ending != nil || wasAsked ? limits.grace : job.config.itemTimeout
        case .setup, .module: return limits.setupTimeout
        case .cleanup, .exit: return limits.cleanupTimeout
        }
    }
}

extension Core {
    /// Acts on every limit that has passed.
    func checkTimes(_ now: Int64) {
        if now >= zygoteDeadline, let zygote { zygoteDied(zygote.overdue(config.limits)) }
        for slot in table.busy where table[slot].isAlive { checkTime(table[slot], now) }
        while let job = clock.jobs.popDue(now) { checkTime(job, now) }
        checkHelper(now)
        refill(now)
    }

    private func checkTime(_ job: Job, _ now: Int64) {
        if job.isDone { return }
        if job.ending == nil && now >= job.deadline {
            let text = "the job ran longer than its timeout of \(job.config.jobTimeout / 1_000_000) ms"
            end(job, Outcome(MAPE_ITEM_TIMED_OUT, MAPE_CAUSE_JOB_TIMEOUT, text), now: now)
        }
        if job.config.wants(MAPE_DELIVER_PROGRESS) && now - job.delivery.lastProgress >= job.config.progressInterval {
            let fraction = job.progress(now: now, partial: partial(of: job)).fraction
            if fraction != job.delivery.lastFraction {
                job.delivery.progressIsDue = true
            }
        }
        touch(job)
    }

    /// Sets the job's next deadline: when its time is over, or, while its items run, after its interval of progress.
    func watchTimes(of job: Job) {
        var time = job.ending == nil ? job.deadline : .max
        if job.config.wants(MAPE_DELIVER_PROGRESS) && job.tally.running > 0 {
            time = min(time, later(mapb_clock(), by: job.config.progressInterval))
        }
        guard time < job.places.clockTime else { return }
        clock.jobs.set(job, by: time)
        engineMustWake(by: time)
    }

    private func checkTime(_ worker: Worker, _ now: Int64) {
        if worker.isRemote { return checkLane(worker, now) }
        let limit = worker.limit(config.limits)
        // A worker that is not forked yet makes no steps: the zygote may be loading libraries.
        guard limit != .max, worker.pid != 0, let link = worker.link, let head = worker.assigned.first else { return }
        let word = link.mark.word
        if word != worker.seen.word {
            worker.seen.word = word
            worker.seen.since = now
            return
        }
        var since = worker.seen.since
        var verdict = Verdict.timeout
        if case .range(let job, _) = head.work, job.ending != nil {
            since = job.life.endingSince
            verdict = .cancel
        } else if worker.wasAsked {
            since = worker.seen.askedSince
        }
        if now - since >= limit {
            if interrupts && verdict.isTimeout && !worker.wasAsked && interrupt(worker, isLate: true, { _ in true }) {
                return
            }
            log(
                MAPE_LOG_WARNING,
                "worker \(worker.slot) (pid \(worker.pid)) is killed: no progress for \((now - since) / 1_000_000) ms")
            if worker.state == .stopping { life.cleanupsWereKilled = true }
            kill(worker, verdict)
        }
    }

    /// When the zygote must have done what it does.
    private var zygoteDeadline: Int64 { zygote?.deadline(config.limits) ?? .max }

    /// When to check again at the latest.
    func nextDeadline(_ now: Int64) -> Int64 {
        var next = min(zygoteDeadline, helperDeadline)
        if (life.stage == .running || life.stage == .closing) && failure == nil {
            for slot in table.empty where table[slot].tries.retryAt > now {
                next = min(next, table[slot].tries.retryAt)
            }
        }
        for slot in table.busy {
            let limit = table[slot].limit(config.limits)
            if limit == .max { continue }
            // Four checks per limit: the pool notices a step at most a quarter of the limit late.
            next = min(next, later(now, by: max(1_000_000, limit / 4)))
        }
        next = min(next, max(now, clock.jobs.next), table.slowStart.growsAt)
        return next == .max ? next : min(next, now &+ Policy.longestTick)
    }

    /// The progress that running items have reported, in items.
    func partial(of job: Job) -> Double {
        var sum = 0.0
        if job.tally.running == 0 { return 0 }
        for slot in table.busy {
            let worker = table[slot]
            guard let link = worker.link, let head = worker.assigned.first,
                case .range(let owner, _) = head.work,
                owner === job
            else { continue }
            sum += worker.isRemote ? link.remoteProgress(of: head) : link.progress(of: head)
        }
        return sum
    }
}
