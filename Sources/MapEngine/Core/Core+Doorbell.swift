// Whom workers wake when they have answered: the engine thread, the host's thread that leads, or nobody, because somebody looks anyway.

import CMapBridge

struct Doorbell {
    /// Nobody is woken twice by one epoch.
    fileprivate var epoch: UInt64 = 0
    fileprivate var target = MAPB_BELL_NONE
    /// The leader: the one host thread that moves the data while it waits.
    fileprivate(set) var hasLeader = false
    var leaderSleeps = false
    var leaderBell: Int32 = -1
    /// Host threads come by so often that until then nobody is woken for replies.
    fileprivate(set) var attendedUntil: Int64 = 0
    fileprivate var lastAttended: Int64 = 0
    /// The leader looks at replies without the lock: memories that must not go meanwhile.
    fileprivate(set) var isLooking = false
    var retired: [OutputRegion] = []
    /// A worker that slept was woken since a waiting thread last looked.
    var wokeSleeper = false
}

extension Core {
    /// Whom workers wake from now on.
    func point(bellAt target: mapb_doorbell_target) {
        // Nobody is woken twice by one epoch, so a target that is to be woken again needs a new one.
        if target == MAPB_BELL_NONE && doorbell.target == MAPB_BELL_NONE { return }
        doorbell.target = target
        doorbell.epoch += 1
        if target != MAPB_BELL_NONE { chooseRings() }
        unsafe mapb_store(&input.head.pointee.doorbell, doorbell.epoch << 2 | UInt64(target.rawValue))
        mapb_fence()
    }

    /// The calling thread leads from now on. Returns how many replies it looks at: see startLooking.
    func beginLead() -> Int {
        doorbell.hasLeader = true
        unsafe mapb_store32(&input.head.pointee.waiter, mapb_processor() + 1)
        point(bellAt: MAPB_BELL_NONE)
        return startLooking()
    }

    /// This thread no longer leads. It may have to look once more, when workers wake the engine from now on.
    func endLead(_ wait: CFrame<mapb_wait>) {
        wait.pointee.leads = 0
        stopLooking()
        doorbell.hasLeader = false
        doorbell.leaderSleeps = false
        if !attend(mapb_clock()) {
            unsafe mapb_store32(&input.head.pointee.waiter, 0)
            point(bellAt: MAPB_BELL_ENGINE)
            pump()
        }
        // Another waiting thread may lead now, and looks for itself.
        touched.wakes = true
    }

    /// A host thread has moved the data and goes. When such visits follow one another closely, the next is waited for: workers wake
    /// nobody, and the engine thread stays out of the way. It looks itself when no visit has come for Policy.attention. True when
    /// that is so.
    @discardableResult func attend(_ now: Int64) -> Bool {
        defer { doorbell.lastAttended = now }
        guard life.stage == .running, !doorbell.hasLeader, now - doorbell.lastAttended < Policy.attention else { return false }
        doorbell.attendedUntil = now + Policy.attention
        point(bellAt: MAPB_BELL_NONE)
        engineMustWake(by: doorbell.attendedUntil)
        return true
    }

    /// Says from which reply on each worker rings: when it has half of its ranges left and there are more to give, or none, or when
    /// another job comes, because the one before may be done then. At once while items or progress are to be told as they come.
    private func chooseRings() {
        let isPrompt = jobs.prompt > 0
        let hasMore = !work.isEmpty
        // Those that have nothing to do have answered all up to their ticket: they ring for the next request at once.
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

    /// Notes what to look at without the lock; nothing when looking would take a processor from a worker: from one that works, or one
    /// that was just woken, perhaps on this processor.
    /// - Returns: how many there are in `fixed.looks`.
    func startLooking() -> Int {
        defer { doorbell.wokeSleeper = false }
        if doorbell.wokeSleeper || table.busy.count >= fixed.usable { return 0 }
        var count = 0
        for slot in table.busy {
            let watch = table.watches[slot]
            guard let looked = LookedReply(watch) else { continue }
            if count + 1 >= fixed.usable { break }
            fixed.looks[count] = looked
            count += 1
        }
        doorbell.isLooking = count > 0
        return count
    }

    func stopLooking() {
        doorbell.isLooking = false
        doorbell.retired.removeAll(keepingCapacity: true)
    }
}
