// Host threads that wait, for a job or an event or a start.
//
// One of them at a time is the leader: workers ring its bell instead of the engine's, and it moves the data itself, so that a round
// trip has no extra thread in it. The others sleep on a counter that changes whenever something has ended.

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
        if unsafe mapb_peek32(sleepers) > 0 { unsafe mapb_wake_private(word) }
        if leaderSleeps { mapb_signal_eventfd(leaderBell) }
    }

    /// Sleeps until the counter is no longer `seen`, or the deadline. Without the pool's lock.
    func sleep(_ seen: UInt32, _ deadline: Int64) {
        unsafe mapb_add32(sleepers, 1)
        mapb_fence()
        let rest = deadline == .max ? -1 : max(0, deadline - mapb_now())
        unsafe mapb_wait_private(word, seen, rest)
        unsafe mapb_add32(sleepers, UInt32.max)
    }
}

/// A busy worker's replies, as far as they were known under the lock. Holds the memory they come in, so that it can be looked at
/// without the lock.
private struct WatchedReply {
    let region: OutputRegion
    let answered: UInt64

    var hasCome: Bool { unsafe mapb_load(&region.outbox.pointee.tail) != answered }
}

/// When a wait that begins now is over: nanoseconds of the clock; negative timeouts never.
func deadline(after timeout: Int64) -> Int64 {
    timeout < 0 ? .max : later(mapb_now(), by: timeout)
}

/// A point in time so many nanoseconds after another; Int64.max when the clock does not go so far.
func later(_ time: Int64, by duration: Int64) -> Int64 {
    let (end, over) = time.addingReportingOverflow(duration)
    return over ? .max : end
}

extension Pool {
    /// Waits until `ready` answers something, moving data meanwhile. Without the lock; `ready` is called with it.
    func wait<Result>(until deadline: Int64, _ ready: () -> Result?) -> Result? {
        while true {
            var seen: UInt32 = 0
            var leads = false
            let answer = locked { () -> Result? in
                pump()
                if let answer = ready() { return answer }
                seen = waiting.changes
                leads = !waiting.hasLeader && life == .running
                if leads { waiting.hasLeader = true }
                return nil
            }
            if let answer { return answer }
            if mapb_now() >= deadline && !leads { return nil }
            if leads {
                if let answer = lead(until: deadline, ready) { return answer }
                if mapb_now() >= deadline { return nil }
            } else {
                waiting.sleep(seen, deadline)
            }
        }
    }

    private func lead<Result>(until deadline: Int64, _ ready: () -> Result?) -> Result? {
        var answer: Result?
        unsafe mapb_store32(&input.head.pointee.waiter, mapb_processor() + 1)
        while answer == nil {
            let watched = locked { watchedReplies() }
            if !watched.isEmpty { look(at: watched, until: min(deadline, mapb_now() + Policy.waiterSpin)) }
            let over = locked { () -> Bool in
                waiting.leaderSleeps = false
                point(bellAt: MAPB_BELL_NONE)
                pump()
                answer = ready()
                if answer != nil || mapb_now() >= deadline || life != .running { return true }
                // Announce, then look again: workers publish, then look at the doorbell.
                point(bellAt: MAPB_BELL_WAITER)
                waiting.leaderSleeps = true
                waiting.leaderBell = waiterBell.writing.number
                pump()
                answer = ready()
                return answer != nil
            }
            if over { break }
            mapb_poll(waiterBell.reading.number, deadline == .max ? -1 : max(0, deadline - mapb_now()))
            waiterBell.silence()
        }
        locked {
            waiting.hasLeader = false
            waiting.leaderSleeps = false
            unsafe mapb_store32(&input.head.pointee.waiter, 0)
            point(bellAt: MAPB_BELL_ENGINE)
            pump()
            // Another waiting thread may lead now, and looks for itself.
            waiting.wake()
        }
        return answer
    }

    /// What to look at without the lock; nothing when looking would take a processor from a worker: from one that works, or one that
    /// was just woken, perhaps on this processor.
    private func watchedReplies() -> [WatchedReply] {
        defer { wokeSleeper = false }
        if wokeSleeper { return [] }
        var watched: [WatchedReply] = []
        for worker in workers where worker.isBusy {
            if let region = worker.region { watched.append(WatchedReply(region: region, answered: worker.answered)) }
        }
        return watched.count < usable ? watched : []
    }

    /// Looks for replies without the lock, until there are some.
    private func look(at watched: [WatchedReply], until end: Int64) {
        var rounds = 0
        while true {
            for reply in watched where reply.hasCome { return }
            mapb_pause()
            rounds += 1
            if rounds & 31 == 0 && mapb_now() >= end { return }
        }
    }

    /// Whom workers wake from now on.
    func point(bellAt target: mapb_doorbell_target) {
        bellEpoch += 1
        unsafe mapb_store(&input.head.pointee.doorbell, bellEpoch << 2 | UInt64(target.rawValue))
        mapb_fence()
    }
}
