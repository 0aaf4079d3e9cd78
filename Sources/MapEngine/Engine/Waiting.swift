// Host threads that wait, for a job or an event or a start.
//
// One of them at a time is the leader: workers ring its bell instead of the engine's, and it moves the data itself, so that a round
// trip has no extra thread in it. The others sleep on a counter that changes whenever something has ended.
//
// A thread may be cancelled while it sleeps. So it sleeps in C (host_wait.c), and this file has the steps between one sleep and the next.
// What the thread holds meanwhile stands in its mapb_wait, and `leave` releases it. Core+Waits says what threads wait for.

import CMapBridge

extension Pool {
    /// Takes a wait on from one sleep to the next, moving data meanwhile. True: sleep, then again; false: it is over.
    func wait(_ wait: CFrame<mapb_wait>) -> Bool {
        var event: mape_event?
        /// Replies that the leader looks at without the lock.
        var looks = 0
        if unsafe wait.pointee.word != nil {
            wait.pointee.word = nil
            waiters.endSleep()
        }
        if wait.pointee.leads != 0 {
            // Back from the bell.
            fixed.waiterBell.silence()
            let isOver = core.with { core in
                core.doorbell.leaderSleeps = false
                core.point(bellAt: MAPB_BELL_NONE)
                core.pump()
                if core.settles(wait, &event) {
                    core.endLead(wait)
                    return true
                }
                looks = core.startLooking()
                return false
            }
            if isOver { return end(wait, event) }
        }
        while true {
            if wait.pointee.leads == 0 {
                var seen: UInt32 = 0
                let isOver = core.with { core in
                    core.pump()
                    if core.settles(wait, &event) { return true }
                    seen = waiters.changes
                    let isLook = wait.pointee.kind == MAPB_WAIT_EVENT.rawValue && wait.pointee.timeout == 0
                    if !core.doorbell.hasLeader && core.life.stage == .running && !isLook {
                        wait.pointee.leads = 1
                        looks = core.beginLead()
                    }
                    return false
                }
                if isOver { return end(wait, event) }
                if wait.pointee.leads == 0 {
                    if mapb_clock() >= wait.pointee.deadline { return timeOut(wait) }
                    wait.pointee.bell = -1
                    wait.pointee.seen = seen
                    unsafe wait.pointee.word = waiters.beginSleep()
                    return true
                }
            }
            switch lead(wait, looks, &event) {
            case .over: return end(wait, event)
            case .sleeps: return true
            case .ends: if mapb_clock() >= wait.pointee.deadline { return timeOut(wait) }
            }
        }
    }

    private enum Lead {
        /// What was waited for is there.
        case over
        /// Until the bell rings.
        case sleeps
        /// This thread no longer leads: the time is over, or the pool no longer runs.
        case ends
    }

    /// Leads from one sleep to the next.
    /// - looks: how many replies to look at before.
    private func lead(
        _ wait: CFrame<mapb_wait>, _ looks: Int, _ event: inout mape_event?
    ) -> Lead {
        let deadline = wait.pointee.deadline
        if looks > 0 { look(at: looks, until: min(deadline, mapb_clock() + Policy.waiterSpin)) }
        return core.with { core in
            core.stopLooking()
            core.pump()
            if core.settles(wait, &event) {
                core.endLead(wait)
                return .over
            }
            if mapb_clock() >= deadline || core.life.stage != .running {
                core.endLead(wait)
                return .ends
            }
            // Announce, then look again: workers publish, then look at the doorbell.
            core.point(bellAt: MAPB_BELL_WAITER)
            core.doorbell.leaderSleeps = true
            core.doorbell.leaderBell = fixed.waiterBell.writing.number
            core.pump()
            if core.settles(wait, &event) {
                core.endLead(wait)
                return .over
            }
            wait.pointee.bell = fixed.waiterBell.reading.number
            return .sleeps
        }
    }

    /// The thread was cancelled in its sleep: others go on without it.
    func leave(_ wait: CFrame<mapb_wait>) {
        if unsafe wait.pointee.word != nil { waiters.endSleep() }
        if wait.pointee.leads == 0 { return }
        fixed.waiterBell.silence()
        core.with { core in
            core.doorbell.leaderSleeps = false
            core.pump()
            core.endLead(wait)
        }
    }

    /// The leader looks for replies, until there are some.
    private func look(at count: Int, until end: Int64) {
        var rounds = 0
        while true {
            for i in 0..<count where fixed.looks[i].hasCome { return }
            mapb_pause()
            rounds += 1
            if rounds & 31 == 0 && mapb_clock() >= end { return }
        }
    }
}
