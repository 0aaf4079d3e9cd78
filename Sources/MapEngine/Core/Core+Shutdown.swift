// The steps of a shutdown under the lock: see Pool+Shutdown.

import CMapBridge

/// What a call of mape_pool_shutdown finds.
enum ShutdownBegin {
    /// The pool runs, and this is the first call that shuts it down; or the call before was interrupted.
    case begun
    /// Another thread has begun a start meanwhile: the call waits for that, then asks again.
    case isStarting
    /// There are no processes: the pool is closed already.
    case hasNotRun
    case isDoneByAnother
}

extension Core {
    /// Of several calls at once the strictest counts.
    func beginShutdown(_ how: mape_shutdown, by end: Int64) -> ShutdownBegin {
        if how == MAPE_SHUTDOWN_CANCEL { life.shutdownCancels = true }
        life.shutdownEnd = min(life.shutdownEnd, end)
        touched.wakes = true
        guard isOpen else {
            if !life.shutdownWasLeft { return .isDoneByAnother }
            life.shutdownWasLeft = false
            if how == MAPE_SHUTDOWN_CANCEL { endAllJobs() }
            return .begun
        }
        if life.stage == .starting { return .isStarting }
        guard life.stage == .running else {
            life.stage = .closed
            figures.show(MAPB_STAGE_CLOSED)
            endAllJobs()
            return .hasNotRun
        }
        life.stage = .closing
        figures.show(MAPB_STAGE_CLOSING)
        if how == MAPE_SHUTDOWN_CANCEL {
            endAllJobs()
        } else {
            for job in jobs.all {
                job.stream?.finish()
                // The limit on undelivered items no longer applies.
                touch(job)
            }
        }
        return .begun
    }

    /// Called when the thread that shuts the pool down was interrupted: the next call goes on.
    func leaveShutdown() {
        life.shutdownWasLeft = true
        life.shutdownEnd = .max
        touched.wakes = true
    }

    /// Every item that has not ended ends as abandoned.
    func endAllJobs() {
        let outcome = Outcome(MAPE_ITEM_ABANDONED, MAPE_CAUSE_SHUTDOWN, "the pool was shut down")
        let now = mapb_clock()
        for job in jobs.all { end(job, outcome, now: now) }
    }

    /// While the zygote has not begun there are no workers to wait for.
    func dropUnborn() {
        guard let zygote, !zygote.hasBegun else { return }
        for worker in workers where worker.isAlive && worker.pid == 0 { neverBorn(worker) }
    }

    /// All jobs are done: what lanes still hold is nobody's. Returns the helper, for the caller to end.
    func endLanes() -> Zygote? {
        guard let remote else { return nil }
        for lane in table.remotes {
            table.want(lane, false)
            guard lane.isAlive else { continue }
            if lane.pid == 0 { neverBorn(lane) } else { laneDied(lane, .zygote) }
        }
        defer { remote.helper = nil }
        guard let helper = remote.helper else { return nil }
        mapb_poller_remove(fixed.poller.number, helper.control)
        if helper.watch >= 0 { mapb_poller_remove(fixed.poller.number, helper.watch) }
        if let errors = helper.errors { mapb_poller_remove(fixed.poller.number, errors.file) }
        remote.retryAt = .max
        return helper
    }

    /// False: no worker was left.
    func killAll() -> Bool {
        let alive = workers.filter { $0.isAlive }
        for worker in alive { kill(worker, .shutdown) }
        return !alive.isEmpty
    }

    /// No worker runs any more: the rest ends here. False: a cleanup had to be killed.
    func endShutdown() -> Bool {
        let now = mapb_clock()
        for worker in workers where worker.isAlive { died(worker, .status(9)) }
        endAllJobs()
        for job in jobs.all where !job.isDone { endByForce(job, now) }
        life.stage = .closed
        figures.show(MAPB_STAGE_CLOSED)
        touched.wakes = true
        return !life.cleanupsWereKilled
    }

    /// Ends a job when no worker is left that could end its items.
    private func endByForce(_ job: Job, _ now: Int64) {
        job.endWaiting(
            job.ending ?? Outcome(MAPE_ITEM_ABANDONED, MAPE_CAUSE_SHUTDOWN, "the pool was shut down"), now: now)
        touch(job)
    }

    /// Called when the pool is released. Returns the handles that the host had for its jobs and buffers.
    func releaseAll() -> [UInt] {
        var handles: [UInt] = []
        for job in jobs.all {
            if !job.owner.isItself { handles.append(job.handle) }
            release(job)
        }
        for buffer in registry.buffers.removeAll() {
            handles.append(buffer.handle)
            release(buffer)
        }
        return handles
    }
}
