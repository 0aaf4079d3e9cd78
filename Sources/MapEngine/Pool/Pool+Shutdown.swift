// The end of a pool: of its jobs, its workers, its zygote and its thread. Bounded, and safe to ask for twice.

import CMapBridge

extension Pool {
    /// True when nothing had to be killed or abandoned.
    func shutDown(_ how: mape_shutdown, timeout: Int64) -> Bool {
        let end = deadline(after: timeout)
        _ = waitForZygote()
        let first = locked { () -> Bool in
            // Of several calls at once the strictest counts.
            if how == MAPE_SHUTDOWN_CANCEL { shutdownCancels = true }
            shutdownEnd = min(shutdownEnd, end)
            waiting.wake()
            guard life != .closing && life != .closed else { return false }
            life = life == .running ? .closing : .closed
            return true
        }
        if !first {
            // Another call does it, within the limits of both; this one waits for that.
            while true {
                let seen = waiting.changes
                if locked({ life == .closed }) { return true }
                waiting.sleep(seen, .max)
            }
        }
        guard locked({ life == .closing }) else {
            locked { endEverything() }
            return true
        }
        var clean = true
        if how == MAPE_SHUTDOWN_CANCEL {
            locked { endEverything() }
        } else {
            locked {
                for job in allJobs {
                    job.stream?.finish()
                    // The limit of what the host has not taken is lifted.
                    queueForWork(job)
                    settled(job, mapb_clock())
                }
            }
        }
        let cancelsNow = { how != MAPE_SHUTDOWN_CANCEL && self.shutdownCancels }
        if !settle({ self.shutdownEnd }, { !hasUnendedJobs || cancelsNow() }) || locked({ hasUnendedJobs }) {
            clean = how == MAPE_SHUTDOWN_CANCEL
            locked { endEverything() }
            // Running items have the grace to stop; then checkTimes kills their workers.
            let grace = deadline(after: config.grace)
            if !settle({ grace }, { !hasUnendedJobs }) { clean = false }
        }
        locked {
            for worker in workers { askToEnd(worker) }
            publish()
            engineMustWake(by: mapb_clock())
        }
        let allGone: () -> Bool = { self.workers.allSatisfy { !$0.isAlive } }
        let cleanupEnd = deadline(after: config.grace)
        if !settle({ max(self.shutdownEnd, cleanupEnd) }, allGone) { clean = false }
        let zygote = locked { () -> Zygote? in
            for worker in workers where worker.isAlive {
                clean = false
                kill(worker, .shutdown)
            }
            engineShouldEnd = true
            mapb_notifier_notify(engineWake.number)
            defer { self.zygote = nil }
            return self.zygote
        }
        joinEngine()
        zygote?.end(grace: Policy.zygoteGrace)
        locked {
            // Nobody runs any more: what is left ends here.
            let now = mapb_clock()
            for worker in workers where worker.isAlive { died(worker, .status(9)) }
            endEverything()
            for job in allJobs where !job.isDone { endByForce(job, now) }
            life = .closed
            waiting.wake()
        }
        return clean && !locked { cleanupsWereKilled }
    }

    private func endEverything() {
        let outcome = Outcome(MAPE_ITEM_ABANDONED, MAPE_CAUSE_SHUTDOWN, "the pool was shut down")
        let now = mapb_clock()
        for job in allJobs { end(job, outcome, now: now) }
    }

    /// No worker is left that could end its items.
    private func endByForce(_ job: Job, _ now: Int64) {
        job.endWaiting(
            job.ending ?? Outcome(MAPE_ITEM_ABANDONED, MAPE_CAUSE_SHUTDOWN, "the pool was shut down"), now: now)
        settled(job, now)
    }

    /// Moves data until `done` or the deadline, which another call may bring nearer.
    private func settle(_ deadline: () -> Int64, _ done: () -> Bool) -> Bool {
        while true {
            let seen = waiting.changes
            var end = Int64.max
            let now = locked { () -> Bool in
                pump()
                end = deadline()
                return done() || failure != nil && !hasUnendedJobs && workers.allSatisfy { !$0.isAlive }
            }
            if now { return true }
            if mapb_clock() >= end { return false }
            waiting.sleep(seen, end)
        }
    }

    /// After the shutdown: handles, jobs and buffers go.
    func dismantle() {
        forgetDispatchThatWasLeft()
        locked {
            for job in jobs.values {
                Handles.shared.remove(job.handle)
                release(job)
            }
            for job in Array(ownJobs.values) { release(job) }
            for buffer in buffers.removeAll() {
                Handles.shared.remove(buffer.handle)
                letGo(buffer)
            }
            jobs.removeAll()
            ownJobs = [:]
        }
    }
}
