// Host threads that wait, for a job or an event or a start.
//
// One of them at a time is the leader: workers ring its bell instead of the engine's, and it moves the data itself, so
// that a round trip needs no other thread. The others sleep on a counter that changes whenever something has ended.
//
// A thread may be cancelled while it sleeps. So it sleeps in C (host_wait.c), and this file has the steps between one sleep and the next.
// What the thread holds meanwhile stands in its mapb_wait, and `leave` releases it. Core+Waits says what threads wait for.

import CMapBridge

extension Pool {
    /// Makes the steps of a wait from one sleep to the next, and moves data meanwhile. True: sleep, then call again;
    /// false: the wait is over.
    func wait(_ wait: CFrame<mapb_wait>) -> Bool {
        var events: [Ready] = []
        /// The replies on which the leader spins without the lock.
        var looks = 0
        if unsafe wait.pointee.word != nil {
            wait.pointee.word = nil
            waiters.endSleep()
        }
        if wait.pointee.leads != 0 {
            // Back from the bell.
            fixed.waiterBell.drain()
            let isOver = core.with { core in
                core.doorbell.leaderSleeps = false
                core.point(bellAt: MAPB_BELL_NONE)
                core.pump()
                if core.resolves(wait, &events) {
                    core.endLead(wait)
                    return true
                }
                looks = core.startSpinning()
                return false
            }
            if isOver { return end(wait, &events) }
        }
        while true {
            if wait.pointee.leads == 0 {
                var seen: UInt32 = 0
                let isOver = core.with { core in
                    core.pump()
                    // First, because an interrupt changes the counter without the lock.
                    seen = waiters.changes
                    if core.resolves(wait, &events) { return true }
                    let isPoll = wait.pointee.kind == MAPB_WAIT_EVENT.rawValue && wait.pointee.timeout == 0
                    if !core.doorbell.hasLeader && core.life.stage == .running && !isPoll {
                        wait.pointee.leads = 1
                        looks = core.beginLead()
                    }
                    return false
                }
                if isOver { return end(wait, &events) }
                if wait.pointee.leads == 0 {
                    if mapb_clock() >= wait.pointee.deadline { return timeOut(wait) }
                    wait.pointee.bell = -1
                    wait.pointee.seen = seen
                    unsafe wait.pointee.word = waiters.beginSleep()
                    return true
                }
            }
            switch lead(wait, looks, &events) {
            case .over: return end(wait, &events)
            case .sleeps: return true
            case .ends: if mapb_clock() >= wait.pointee.deadline { return timeOut(wait) }
            }
        }
    }

    private enum Lead {
        /// The wait has what it waited for.
        case over
        /// The thread must sleep until the bell rings.
        case sleeps
        /// This thread no longer leads: the time is over, or the pool no longer runs.
        case ends
    }

    /// Leads from one sleep to the next.
    /// - looks: on how many replies to spin before.
    private func lead(
        _ wait: CFrame<mapb_wait>, _ looks: Int, _ events: inout [Ready]
    ) -> Lead {
        let deadline = wait.pointee.deadline
        if looks > 0 { spin(looks, until: deadline) }
        return core.with { core in
            core.stopSpinning()
            core.pump()
            if core.resolves(wait, &events) {
                core.endLead(wait)
                return .over
            }
            if core.life.stage != .running || (deadline != .max && mapb_clock() >= deadline) {
                core.endLead(wait)
                return .ends
            }
            // Announce, then check again: workers publish, then read the doorbell.
            core.point(bellAt: MAPB_BELL_WAITER)
            core.doorbell.leaderSleeps = true
            core.doorbell.leaderBell = fixed.waiterBell.writing.number
            core.pump()
            if core.resolves(wait, &events) {
                core.endLead(wait)
                return .over
            }
            wait.pointee.bell = fixed.waiterBell.reading.number
            return .sleeps
        }
    }

    /// Called when the thread was cancelled in its sleep: passes the lead on and releases what the wait holds.
    func leave(_ wait: CFrame<mapb_wait>) {
        if unsafe wait.pointee.word != nil { waiters.endSleep() }
        if wait.pointee.leads == 0 { return }
        fixed.waiterBell.drain()
        core.with { core in
            core.doorbell.leaderSleeps = false
            core.pump()
            core.endLead(wait)
        }
    }

    /// The leader spins until a reply has come, the deadline, or a time that is not worth more. Most replies are there before it reads the
    /// clock.
    private func spin(_ count: Int, until deadline: Int64) {
        var rounds = 0
        var end = Int64.max
        while true {
            for i in 0..<count where fixed.looks[i].hasCome { return }
            mapb_pause()
            rounds += 1
            if rounds & 31 != 0 { continue }
            let now = mapb_clock()
            if end == .max { end = min(deadline, now + Policy.waiterSpin) }
            if now >= end { return }
        }
    }
}
