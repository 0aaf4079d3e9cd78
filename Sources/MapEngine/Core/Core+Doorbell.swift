// Whom workers wake after a reply: the engine thread, the leading host thread, or nobody, because a thread polls
// anyway.

import CMapBridge

struct Doorbell {
    /// Nobody is woken twice by one epoch.
    fileprivate var epoch: UInt64 = 0
    fileprivate var target = MAPB_BELL_NONE
    /// The leader: the one host thread that moves the data while it waits.
    fileprivate(set) var hasLeader = false
    var leaderSleeps = false
    var leaderBell: Int32 = -1
    /// Until this time we assume that a host thread will poll again, and workers wake nobody.
    fileprivate(set) var pollingUntil: Int64 = 0
    fileprivate var lastPolled: Int64 = 0
    /// Output memories that must stay mapped while the leader spins without the lock.
    fileprivate(set) var isSpinning = false
    var retired: [OutputRegion] = []
    /// Whether the host has woken a sleeping worker since a waiting thread last spun.
    var wokeSleeper = false
}

extension Core {
    /// Whom workers wake from now on.
    func point(bellAt target: mapb_doorbell_target) {
        // A worker wakes a target once per epoch, so a target that must be woken again needs a new epoch.
        if target == MAPB_BELL_NONE && doorbell.target == MAPB_BELL_NONE { return }
        doorbell.target = target
        doorbell.epoch += 1
        if target != MAPB_BELL_NONE { chooseNotifyPoints() }
        input.setDoorbell(doorbell.epoch << 2 | UInt64(target.rawValue))
        mapb_fence()
    }

    /// Makes the calling thread the leader. Returns on how many replies it spins: see startSpinning.
    func beginLead() -> Int {
        doorbell.hasLeader = true
        input.setWaiter(mapb_processor() + 1)
        point(bellAt: MAPB_BELL_NONE)
        return startSpinning()
    }

    /// Ends the calling thread's lead. If workers wake the engine from now on, it pumps once more, for replies that
    /// came before.
    func endLead(_ wait: CFrame<mapb_wait>) {
        wait.pointee.leads = 0
        stopSpinning()
        doorbell.hasLeader = false
        doorbell.leaderSleeps = false
        if !notePolling(clock.now()) {
            input.setWaiter(0)
            point(bellAt: MAPB_BELL_ENGINE)
            pump()
        }
        // Another waiting thread may become the leader.
        touched.wakes = true
    }

    /// Called when a host thread stops polling. If the last poll was less than Policy.pollingGap ago, suppresses wakeups
    /// for that long: workers wake nobody, and the engine thread polls when the time is over. Returns whether wakeups
    /// are suppressed.
    @discardableResult func notePolling(_ now: Int64) -> Bool {
        defer { doorbell.lastPolled = now }
        guard life.stage == .running, !doorbell.hasLeader, now - doorbell.lastPolled < Policy.pollingGap else {
            return false
        }
        doorbell.pollingUntil = now + Policy.pollingGap
        point(bellAt: MAPB_BELL_NONE)
        engineMustWake(by: doorbell.pollingUntil)
        return true
    }

    /// Sets for each worker the reply from which on it rings the bell: when it has half of its ranges left and there
    /// are more to assign, when it has none left, or when the next range is of another job, because the job before may
    /// be done then. The next reply, while a job delivers items or progress as they come.
    private func chooseNotifyPoints() {
        let isPrompt = jobs.prompt > 0
        let hasMore = !work.isEmpty
        // Idle workers have answered all requests up to their ticket: they ring for the next one at once.
        for slot in table.busy {
            let watch = table.watches[slot]
            guard watch.outbox != nil else { continue }
            var ticket: UInt64 = 0
            if !isPrompt && watch.published - watch.answered > 1 {
                ticket = hasMore ? (watch.answered + watch.published + 1) / 2 : watch.published
                ticket = min(ticket, table[slot].lastTicketOfFirstJob)
            }
            table[slot].link?.ring(from: ticket)
        }
    }

    /// Notes the replies on which the leader may spin without the lock. Notes none when spinning would take a processor
    /// from a worker: from one that works, or one that was just woken, perhaps on this processor.
    /// - Returns: how many there are in `fixed.looks`.
    func startSpinning() -> Int {
        defer { doorbell.wokeSleeper = false }
        if doorbell.wokeSleeper || table.busy.count >= fixed.usable { return 0 }
        var count = 0
        for slot in table.busy {
            let watch = table.watches[slot]
            guard let looked = SpinTarget(watch) else { continue }
            if count + 1 >= fixed.usable { break }
            fixed.looks[count] = looked
            count += 1
        }
        doorbell.isSpinning = count > 0
        return count
    }

    func stopSpinning() {
        doorbell.isSpinning = false
        doorbell.retired.removeAll(keepingCapacity: true)
    }
}
