// Replacing workers: starts a new process in an empty place that is to have one, and asks a spent one to end.

import CMapBridge

extension Core {
    /// Starts processes in the places that are empty.
    func refill(_ now: Int64) {
        // During a shutdown only if items are left to run: the shutdown would miss a worker that starts while it asks
        // the others to end.
        guard life.stage == .running || (life.stage == .closing && jobs.toRun > 0), failure == nil else { return }
        // Too many starts have failed: the workers that are starting decide whether the pool goes on.
        if table.empty.isEmpty { return }
        let isBraked = brake.failedStarts >= config.limits.restarts && table.ready.isEmpty
        if isBraked && workers.contains(where: { $0.state == .starting }) { return }
        for slot in table.empty {
            let worker = table[slot]
            if worker.tries.retryAt <= now { spawn(worker) } else { engineMustWake(by: worker.tries.retryAt) }
        }
    }

    /// Asks a worker to end when it is spent and idle.
    func recycleIfDue(_ worker: Worker) {
        guard worker.isSpent, worker.state == .ready, !worker.isBusy,
            life.stage == .running || (life.stage == .closing && jobs.toRun > 0)
        else { return }
        askToEnd(worker)
    }

    /// Sends the cleanups, then the exit.
    @inline(never) func askToEnd(_ worker: Worker) {
        guard worker.state == .ready || worker.state == .starting else { return }
        // A worker ignores the cleanup of a function whose setup did not run, and answers requests in order.
        for function in functions where function.hasCleanup { send(worker, .cleanup(function, globals)) }
        send(worker, .exit)
        worker.state = .stopping
    }

    @inline(never) func dropRegion(_ worker: Worker) {
        // Segments keep the region alive while they need it.
        if doorbell.isSpinning, let region = worker.region { doorbell.retired.append(region) }
        worker.disconnect()
        forgetCleanups(worker)
    }
}
