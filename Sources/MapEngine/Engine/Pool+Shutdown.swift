// The end of a pool: of its jobs, its workers, its zygote and its thread. Bounded, and safe to ask for twice.

import CMapBridge

extension Pool {
    /// True when nothing had to be killed or abandoned.
    func shutDown(_ how: mape_shutdown, timeout: Int64) -> Bool {
        let end = deadline(after: timeout)
        var begin = ShutdownBegin.isStarting
        while case .isStarting = begin {
            _ = waitForZygote()
            begin = core.with { $0.beginShutdown(how, by: end) }
        }
        switch begin {
        case .isDoneByAnother: return waitForShutdown()
        case .hasNotRun: return true
        case .begun, .isStarting: break
        }
        var clean = true
        let isOver = awaitEnd({ $0.life.shutdownEnd }) { core in
            core.jobs.unended == 0 || how != MAPE_SHUTDOWN_CANCEL && core.life.shutdownCancels
        }
        if !isOver || core.with({ $0.jobs.unended > 0 }) {
            clean = how == MAPE_SHUTDOWN_CANCEL
            core.with { $0.endAllJobs() }
            // Running items have the grace to stop; then checkTimes kills their workers.
            let grace = deadline(after: config.limits.grace)
            if !awaitEnd({ _ in grace }, { $0.jobs.unended == 0 }) { clean = false }
        }
        core.with { core in
            core.dropUnborn()
            for worker in core.workers { core.askToEnd(worker) }
            core.engineMustWake(by: mapb_clock())
        }
        let cleanupEnd = deadline(after: config.limits.grace)
        let allGone = awaitEnd({ max($0.life.shutdownEnd, cleanupEnd) }) { core in
            core.workers.allSatisfy { !$0.isAlive }
        }
        if !allGone { clean = false }
        let zygote = core.with { core -> Zygote? in
            if core.killAll() { clean = false }
            core.life.engineShouldEnd = true
            core.engineMustWake(by: 0)
            defer { core.zygote = nil }
            return core.zygote
        }
        joinEngine()
        // A program that has not called mape_zygote_main does not see the end of its socket.
        zygote.map { _ = $0.end(grace: $0.hasBegun ? Policy.zygoteGrace : 0) }
        return core.with { $0.endShutdown() } && clean
    }

    /// Another call shuts the pool down, within the limits of both.
    private func waitForShutdown() -> Bool {
        while true {
            let seen = waiters.changes
            if core.with({ $0.life.stage == .closed }) { return true }
            waiters.sleep(seen, .max)
        }
    }

    /// Pumps until `done` returns true or the deadline has passed, which another call may bring nearer.
    private func awaitEnd(_ deadline: (Core) -> Int64, _ done: (Core) -> Bool) -> Bool {
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
            waiters.sleep(seen, end)
        }
    }

    /// After the shutdown: releases handles, jobs and buffers.
    func dismantle() {
        forgetDispatchThatWasLeft()
        for handle in core.with({ $0.releaseAll() }) { Handles.shared.remove(handle) }
    }
}
