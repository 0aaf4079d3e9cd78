// Reclaiming: unstarted items go from a busy worker back to the queue while another worker is idle.
//
// Ranges are sized by measured time, so most finish together. When one item takes far longer than the others did, the
// pool reclaims the items behind it, in its range and in the ranges after it, for other workers. Both sides write one
// word, then read the other's (Dekker):
//
//   worker, before each item:  current = item;     read inbox.yield     compiler fence; free
//   host, now and then:        inbox.yield = t;    read current         membarrier(2): a full fence on every worker's processor
//
// So either the host sees that an item has begun, and leaves it to the worker, or the worker sees that it must stop
// before it.

import CMapBridge

extension Core {
    /// Whether a worker could run reclaimed items: one that is idle, or one whose place rests. Places are woken when all others are ready,
    /// so that this is not asked in vain while they start.
    var hasIdleWorker: Bool {
        !table.slowStart.holds && (table.hasIdle || (table.size.hasResting && table.isComplete))
    }

    /// When to check whether items should be reclaimed; Int64.max: there is nothing to reclaim.
    func reclaimDeadline() -> Int64 {
        guard !table.holders.isEmpty, hasIdleWorker else { return .max }
        var next = Int64.max
        let idle = remote == nil ? nil : idle
        for slot in table.holders where mayReclaim(table[slot], idle) {
            next = min(next, later(table[slot].seen.progress, by: lateness(table[slot], idle)))
        }
        return next
    }

    /// Reclaims from workers that have made no step for a while.
    func reclaimIfDue(_ now: Int64) {
        defer { clock.reclaimAt = reclaimDeadline() }
        guard hasIdleWorker else { return }
        let idle = remote == nil ? nil : idle
        var late: [Worker] = []
        for slot in table.holders
        where mayReclaim(table[slot], idle) && now - table[slot].seen.progress >= lateness(table[slot], idle) {
            late.append(table[slot])
        }
        if late.isEmpty { return }
        // Once the woken ones are ready, there is an idle worker to reclaim for.
        if table.hasIdle { reclaim(from: late, areLate: true) } else { wakeResting(items: UInt64(late.count), now) }
    }

    /// Whether a worker holds items that may not have begun.
    /// - idle: who could run them; nil: any idle worker could.
    private func mayReclaim(_ worker: Worker, _ idle: Idle?) -> Bool {
        if let idle, !isWanted(worker, by: idle) { return false }
        guard worker.state == .ready || worker.state == .stopping, let last = worker.assigned.last else { return false }
        guard case .range(_, let range) = last.work, !last.wasReclaimed else {
            // Behind the last range there may be a cleanup.
            return false
        }
        return worker.assigned.count > 1 || range.count > 1 || worker.isRemote
    }

    // MARK: - What waits in workers and will not run

    /// Called when a job is being ended of which workers hold items. Most answer in no time; what waits behind an item of another job that takes
    /// long is taken back after a while.
    func scheduleTakeBack(_ now: Int64) {
        clock.takeBackAt = min(clock.takeBackAt, later(now, by: Policy.reclaimAfter))
        engineMustWake(by: clock.takeBackAt)
    }

    /// Ends the items of ended jobs at workers that have made no step for a while, but for those that run.
    func takeBackEnded(_ now: Int64) {
        clock.takeBackAt = .max
        var late: [Worker] = []
        for slot in table.busy where table[slot].holds(behind: 1, { $0.ending != nil }) {
            let due = later(table[slot].seen.progress, by: Policy.reclaimAfter)
            if now >= due { late.append(table[slot]) } else { clock.takeBackAt = min(clock.takeBackAt, due) }
        }
        reclaim(from: late)
    }

    /// Requeues what has not begun at these workers. One barrier serves them all; a lane makes its half of it itself.
    /// - areLate: they have made no step for a while.
    func reclaim(from workers: [Worker], areLate: Bool = false) {
        let asked = workers.filter { $0.askToYield() }
        if asked.isEmpty { return }
        let hasBarrier = mapb_barrier() != 0
        if !hasBarrier { mapb_fence() }
        let now = mapb_clock()
        for worker in asked where hasBarrier || worker.isRemote {
            for (job, range) in worker.reclaim(isLate: areLate).reversed() {
                if worker.isRemote { remote?.figures.again += range.count }
                if trace != nil { traceReclaim(worker, job, range, now) }
                requeue(range, job, now)
                touch(job)
            }
        }
        if asked.contains(where: { $0.isRemote }) { remote?.ring() }
    }
}
