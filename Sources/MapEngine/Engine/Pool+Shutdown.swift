// The end of a pool: of its jobs, its workers, its zygote and its thread. Bounded, and safe to ask for twice.

import CMapBridge

enum ShutdownEnd {
    case well
    /// Something had to be killed or abandoned.
    case byForce
    /// The pool still waits for jobs.
    case interrupted
}

extension Pool {
    func shutDown(_ how: mape_shutdown, timeout: Int64, isInterruptible: Bool) -> ShutdownEnd {
        let end = deadline(after: timeout)
        let sleep = InterruptibleSleep(self, isInterruptible: isInterruptible)
        while true {
            switch core.with({ $0.beginShutdown(how, by: end) }) {
            case .isStarting: _ = waitForZygote()
            case .hasNotRun: return .well
            case .begun:
                let isOver = awaitEnd(sleep, { $0.life.shutdownEnd }) { core in
                    core.jobs.unended == 0 || how != MAPE_SHUTDOWN_CANCEL && core.life.shutdownCancels
                }
                guard let isOver else {
                    core.with { $0.leaveShutdown() }
                    return .interrupted
                }
                return endAll(how, isOver: isOver) ? .well : .byForce
            case .isDoneByAnother:
                guard let isClosed = waitForShutdown(sleep) else { return .interrupted }
                if isClosed { return .well }
            }
        }
    }

    /// Called when the jobs are done, or the time for them is over. True: nothing had to be killed or abandoned.
    private func endAll(_ how: mape_shutdown, isOver: Bool) -> Bool {
        var clean = true
        if !isOver || core.with({ $0.jobs.unended > 0 }) {
            clean = how == MAPE_SHUTDOWN_CANCEL
            core.with { $0.endAllJobs() }
            // Running items have the grace to stop; then checkTimes kills their workers.
            let grace = deadline(after: config.limits.grace)
            if awaitEnd({ _ in grace }, { $0.jobs.unended == 0 }) != true { clean = false }
        }
        let helper = core.with { $0.endLanes() }
        core.with { core in
            core.dropUnborn()
            for worker in core.workers { core.askToEnd(worker) }
            core.engineMustWake(by: mapb_clock())
        }
        let cleanupEnd = deadline(after: config.limits.grace)
        let allGone = awaitEnd({ max($0.life.shutdownEnd, cleanupEnd) }) { core in
            core.workers.allSatisfy { !$0.isAlive }
        }
        if allGone != true { clean = false }
        let zygote = core.with { core -> Zygote? in
            if core.killAll() { clean = false }
            core.life.engineShouldEnd = true
            core.engineMustWake(by: 0)
            defer { core.zygote = nil }
            return core.zygote
        }
        joinEngine()
        endHelpers(helper)
        // A program that has not called mape_zygote_main does not see the end of its socket.
        zygote.map { _ = $0.end(grace: $0.hasBegun ? Policy.zygoteGrace : 0) }
        let hasEnded = core.with { $0.endShutdown() }
        // Jobs that this has ended are recorded by now.
        core.with { _ = $0.endTrace() }
        return hasEnded && clean
    }

    /// Ends the helper for other machines, and one that was just lost or made.
    private func endHelpers(_ helper: Zygote?) {
        let others = core.with { [$0.errands.goneHelper, $0.endLanes()] }
        for helper in [helper] + others { helper.map { _ = $0.end(grace: $0.hasBegun ? Policy.zygoteGrace : 0) } }
    }

    /// Another call shuts the pool down, within the limits of both. False: it was interrupted; nil: this one was.
    private func waitForShutdown(_ sleep: InterruptibleSleep) -> Bool? {
        while true {
            let seen = waiters.changes
            let (isClosed, wasLeft) = core.with { ($0.life.stage == .closed, $0.life.shutdownWasLeft) }
            if isClosed { return true }
            if sleep.isInterrupted { return nil }
            if wasLeft { return false }
            sleep.sleep(seen, .max)
        }
    }

    /// Pumps until `done` returns true or the deadline has passed, which another call may bring nearer: false. Nil: it was interrupted.
    private func awaitEnd(
        _ sleep: InterruptibleSleep, _ deadline: (Core) -> Int64, _ done: (Core) -> Bool
    ) -> Bool? {
        while true {
            let seen = waiters.changes
            let (isOver, end) = core.with { core in
                core.pump()
                let isDead =
                    core.failure != nil && core.jobs.unended == 0 && core.workers.allSatisfy { !$0.isAlive }
                return (done(core) || isDead, deadline(core))
            }
            if isOver { return true }
            if mapb_clock() >= end { return false }
            if sleep.isInterrupted { return nil }
            sleep.sleep(seen, end)
        }
    }

    private func awaitEnd(_ deadline: (Core) -> Int64, _ done: (Core) -> Bool) -> Bool? {
        awaitEnd(InterruptibleSleep(self, isInterruptible: false), deadline, done)
    }

    /// After the shutdown: releases handles, jobs and buffers.
    func dismantle() {
        forgetDispatchThatWasLeft()
        for handle in core.with({ $0.releaseAll() }) { Handles.shared.remove(handle) }
    }
}
