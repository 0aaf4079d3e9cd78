// Host threads that wait, for a job or an event or a start.
//
// One of them at a time is the leader: workers ring its bell instead of the engine's, and it moves the data itself, so that a round
// trip has no extra thread in it. The others sleep on a counter that changes whenever something has ended.
//
// A thread may be cancelled while it sleeps. So it sleeps in C (host_wait.c), and what is here are the steps between one sleep and the
// next; what it holds meanwhile stands in its mapb_wait, and `leave` gives it back. What is waited for: Pool+Waits.swift.

import CMapBridge

@safe final class Waiting: @unchecked Sendable {
    private let word: UnsafeMutablePointer<UInt32>
    private let sleepers: UnsafeMutablePointer<UInt32>
    /// Guarded by the pool's lock.
    var hasLeader = false
    var leaderSleeps = false
    var leaderBell: Int32 = -1

    init() {
        unsafe word = .allocate(capacity: 2)
        unsafe word.initialize(repeating: 0, count: 2)
        unsafe sleepers = unsafe word + 1
    }

    deinit { unsafe word.deallocate() }

    /// The counter; read it before looking whether there is anything to wait for.
    var changes: UInt32 { unsafe mapb_load32(word) }

    /// Wakes every waiting thread to look again. With the pool's lock held.
    func wake() {
        unsafe mapb_store32(word, mapb_peek32(word) &+ 1)
        mapb_fence()
        if unsafe mapb_peek32(sleepers) > 0 { unsafe mapb_word_wake_local(word) }
        if leaderSleeps { mapb_bell_ring(leaderBell) }
    }

    /// Sleeps until the counter is no longer `seen`, or the deadline. Without the pool's lock.
    func sleep(_ seen: UInt32, _ deadline: Int64) {
        _ = unsafe beginSleep()
        let rest = deadline == .max ? -1 : max(0, deadline - mapb_clock())
        unsafe mapb_word_wait_local(word, seen, rest)
        endSleep()
    }

    /// The calling thread is about to sleep on the counter.
    func beginSleep() -> UnsafePointer<UInt32> {
        unsafe mapb_add32(sleepers, 1)
        mapb_fence()
        return unsafe UnsafePointer(word)
    }

    func endSleep() { unsafe mapb_add32(sleepers, UInt32.max) }
}

/// A busy worker's replies, as far as they were known under the lock.
@safe struct LookedReply {
    let tail: UnsafePointer<UInt64>
    let answered: UInt64

    var hasCome: Bool { unsafe mapb_load(tail) != answered }
}

extension Pool {
    /// Takes a wait on from one sleep to the next, moving data meanwhile. Without the lock. True: sleep, then again; false: it is over.
    func wait(_ wait: UnsafeMutablePointer<mapb_wait>) -> Bool {
        var event: mape_event?
        if unsafe wait.pointee.word != nil {
            unsafe wait.pointee.word = nil
            waiting.endSleep()
        }
        if unsafe wait.pointee.leads != 0 {
            // Back from the bell.
            waiterBell.silence()
            let isOver = locked { () -> Bool in
                waiting.leaderSleeps = false
                point(bellAt: MAPB_BELL_NONE)
                pump()
                if unsafe settles(wait, &event) {
                    unsafe endLead(wait)
                    return true
                }
                startLooking()
                return false
            }
            if isOver { return unsafe end(wait, event) }
        }
        while true {
            if unsafe wait.pointee.leads == 0 {
                var seen: UInt32 = 0
                let isOver = locked { () -> Bool in
                    pump()
                    if unsafe settles(wait, &event) { return true }
                    seen = waiting.changes
                    let isLook = unsafe wait.pointee.kind == MAPB_WAIT_EVENT.rawValue && wait.pointee.timeout == 0
                    if !waiting.hasLeader && life == .running && !isLook {
                        unsafe wait.pointee.leads = 1
                        beginLead()
                    }
                    return false
                }
                if isOver { return unsafe end(wait, event) }
                if unsafe wait.pointee.leads == 0 {
                    if unsafe mapb_clock() >= wait.pointee.deadline { return unsafe timeOut(wait) }
                    unsafe wait.pointee.bell = -1
                    unsafe wait.pointee.seen = seen
                    unsafe wait.pointee.word = unsafe waiting.beginSleep()
                    return true
                }
            }
            switch unsafe lead(wait, &event) {
            case .over: return unsafe end(wait, event)
            case .sleeps: return true
            case .ends: if unsafe mapb_clock() >= wait.pointee.deadline { return unsafe timeOut(wait) }
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
    private func lead(_ wait: UnsafeMutablePointer<mapb_wait>, _ event: inout mape_event?) -> Lead {
        let deadline = unsafe wait.pointee.deadline
        if isLooking { look(until: min(deadline, mapb_clock() + Policy.waiterSpin)) }
        return locked { () -> Lead in
            stopLooking()
            pump()
            if unsafe settles(wait, &event) {
                unsafe endLead(wait)
                return .over
            }
            if mapb_clock() >= deadline || life != .running {
                unsafe endLead(wait)
                return .ends
            }
            // Announce, then look again: workers publish, then look at the doorbell.
            point(bellAt: MAPB_BELL_WAITER)
            waiting.leaderSleeps = true
            waiting.leaderBell = waiterBell.writing.number
            pump()
            if unsafe settles(wait, &event) {
                unsafe endLead(wait)
                return .over
            }
            unsafe wait.pointee.bell = waiterBell.reading.number
            return .sleeps
        }
    }

    /// The thread was cancelled in its sleep: others go on without it.
    func leave(_ wait: UnsafeMutablePointer<mapb_wait>) {
        if unsafe wait.pointee.word != nil { waiting.endSleep() }
        if unsafe wait.pointee.leads == 0 { return }
        waiterBell.silence()
        locked {
            waiting.leaderSleeps = false
            pump()
            unsafe endLead(wait)
        }
    }

    // MARK: - Under the lock

    private func beginLead() {
        waiting.hasLeader = true
        unsafe mapb_store32(&input.head.pointee.waiter, mapb_processor() + 1)
        point(bellAt: MAPB_BELL_NONE)
        startLooking()
    }

    /// This thread no longer leads. It may have to look once more, when workers wake the engine from now on.
    private func endLead(_ wait: UnsafeMutablePointer<mapb_wait>) {
        unsafe wait.pointee.leads = 0
        stopLooking()
        waiting.hasLeader = false
        waiting.leaderSleeps = false
        if !attend(mapb_clock()) {
            unsafe mapb_store32(&input.head.pointee.waiter, 0)
            point(bellAt: MAPB_BELL_ENGINE)
            pump()
        }
        // Another waiting thread may lead now, and looks for itself.
        waiting.wake()
    }

    /// A host thread has moved the data and goes. When such visits follow one another closely, the next is waited for: workers wake
    /// nobody, and the engine thread stays out of the way. It looks itself when no visit has come for Policy.attention. True when
    /// that is so.
    @discardableResult func attend(_ now: Int64) -> Bool {
        defer { lastAttended = now }
        guard life == .running, !waiting.hasLeader, now - lastAttended < Policy.attention else { return false }
        attendedUntil = now + Policy.attention
        point(bellAt: MAPB_BELL_NONE)
        engineMustWake(by: attendedUntil)
        return true
    }

    /// Says from which reply on each worker rings: when it has half of its ranges left and there are more to give, or none, or when
    /// another job comes, because the one before may be done then. At once while items or progress are to be told as they come.
    private func chooseRings() {
        let isPrompt = promptJobs > 0
        let hasMore = !work.isEmpty
        // Those that have nothing to do have answered all up to their ticket: they ring for the next request at once.
        for slot in table.busy {
            let watch = unsafe table.watches[slot]
            guard unsafe watch.outbox != nil else { continue }
            var ticket: UInt64 = 0
            if !isPrompt && watch.published - watch.answered > 1 {
                ticket = hasMore ? (watch.answered + watch.published + 1) / 2 : watch.published
                ticket = min(ticket, table[slot].lastTicketOfFirstJob)
            }
            unsafe mapb_store(&input.inbox(slot).pointee.ring_at, ticket)
        }
    }

    /// Notes what to look at without the lock; nothing when looking would take a processor from a worker: from one that works, or one
    /// that was just woken, perhaps on this processor.
    private func startLooking() {
        defer { wokeSleeper = false }
        lookCount = 0
        if wokeSleeper || table.busy.count >= usable { return }
        for slot in table.busy {
            let watch = unsafe table.watches[slot]
            guard watch.isBusy, let outbox = unsafe watch.outbox else { continue }
            if lookCount + 1 >= usable { return }
            let tail = unsafe UnsafeRawPointer(outbox).assumingMemoryBound(to: UInt64.self)
            unsafe (lookList + lookCount).initialize(to: LookedReply(tail: tail, answered: watch.answered))
            lookCount += 1
        }
        isLooking = lookCount > 0
    }

    private func stopLooking() {
        isLooking = false
        retired.removeAll(keepingCapacity: true)
    }

    // MARK: - Without the lock, by the leader alone

    /// Looks for replies, until there are some.
    private func look(until end: Int64) {
        var rounds = 0
        while true {
            for i in 0..<lookCount where unsafe lookList[i].hasCome { return }
            mapb_pause()
            rounds += 1
            if rounds & 31 == 0 && mapb_clock() >= end { return }
        }
    }

    /// Whom workers wake from now on. With the lock.
    func point(bellAt target: mapb_doorbell_target) {
        // Nobody is woken twice by one epoch, so a target that is to be woken again needs a new one.
        if target == MAPB_BELL_NONE && bellTarget == MAPB_BELL_NONE { return }
        bellTarget = target
        bellEpoch += 1
        if target != MAPB_BELL_NONE { chooseRings() }
        unsafe mapb_store(&input.head.pointee.doorbell, bellEpoch << 2 | UInt64(target.rawValue))
        mapb_fence()
    }
}
