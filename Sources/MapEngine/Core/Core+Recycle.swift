// Places of workers: a new process comes where one has ended, and one that is spent is asked to end.

import CMapBridge

extension Core {
    /// Starts processes in the places that are empty.
    func refill(_ now: Int64) {
        // In a shutdown only for items that are still to run: a worker that starts while others are asked to end would be missed.
        guard life.stage == .running || (life.stage == .closing && (jobs.toRun > 0)), failure == nil else { return }
        // The brake holds: those that are starting decide whether the pool goes on.
        if table.empty.isEmpty { return }
        let isBraked = brake.failedStarts >= config.limits.restarts && table.ready.isEmpty
        if isBraked && workers.contains(where: { $0.state == .starting }) { return }
        for slot in table.empty {
            let worker = table[slot]
            if worker.tries.retryAt <= now { spawn(worker) } else { engineMustWake(by: worker.tries.retryAt) }
        }
    }

    /// Asks a worker to end that is spent and has nothing left to do.
    func recycleIfDue(_ worker: Worker) {
        guard worker.isSpent, worker.state == .ready, !worker.isBusy,
            life.stage == .running || (life.stage == .closing && (jobs.toRun > 0))
        else { return }
        askToEnd(worker)
    }

    /// Cleanups, then the end.
    @inline(never) func askToEnd(_ worker: Worker) {
        guard worker.state == .ready || worker.state == .starting else { return }
        // One whose setup did not run, or is still on its way, is told in vain or in order: the worker knows.
        for function in functions where function.hasCleanup { tell(worker, .cleanup(function, globals)) }
        tell(worker, .exit)
        worker.state = .stopping
    }

    @inline(never) func dropRegion(_ worker: Worker) {
        // Results keep it alive as long as they need it.
        if doorbell.isLooking, let region = worker.region { doorbell.retired.append(region) }
        worker.disconnect()
    }
}
