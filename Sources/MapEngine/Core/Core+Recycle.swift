// Replacing workers: starts a new process in an empty place that is to have one, and asks a spent one to end.

import CMapBridge

extension Core {
    /// Starts processes in the places that are empty.
    func refill(_ now: Int64) {
        // During a shutdown only if items are left to run: the shutdown would miss a worker that starts while it asks
        // the others to end.
        guard life.stage == .running || (life.stage == .closing && jobs.toRun > 0), failure == nil else { return }
        if table.empty.isEmpty { return }
        if brake.failedStarts >= config.limits.restarts && othersDecide(now) { return }
        for slot in table.empty {
            let worker = table[slot]
            if worker.tries.retryAt <= now { spawn(worker) } else { engineMustWake(by: worker.tries.retryAt) }
        }
    }

    /// Called when too many starts have failed. Whether the workers that are starting, or in the zygote's hook, decide if the pool goes on.
    private func othersDecide(_ now: Int64) -> Bool {
        var isStarting = false
        for worker in table.locals {
            switch worker.state {
            case .starting: isStarting = true
            case .ready:
                guard worker.isInHook else { return false }
                isStarting = true
                // Nobody tells when it leaves the hook.
                engineMustWake(by: now + Policy.restartPause)
            default: break
            }
        }
        return isStarting
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
