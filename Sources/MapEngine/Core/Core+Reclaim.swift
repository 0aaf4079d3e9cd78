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
    private var hasIdleWorker: Bool {
        !table.slowStart.holds && (table.hasIdle || (table.size.hasResting && table.isComplete))
    }

    /// When to check whether items should be reclaimed; Int64.max: there is nothing to reclaim.
    func reclaimDeadline() -> Int64 {
        guard !table.holders.isEmpty, hasIdleWorker else { return .max }
        var next = Int64.max
        for slot in table.holders where mayReclaim(table[slot]) {
            next = min(next, table[slot].seen.progress + Policy.reclaimAfter)
        }
        return next
    }

    /// Reclaims from workers that have made no step for a while.
    func reclaimIfDue(_ now: Int64) {
        defer { clock.reclaimAt = reclaimDeadline() }
        guard hasIdleWorker else { return }
        var late: [Worker] = []
        for slot in table.holders
        where mayReclaim(table[slot]) && now - table[slot].seen.progress >= Policy.reclaimAfter {
            late.append(table[slot])
        }
        if late.isEmpty { return }
        // Once the woken ones are ready, there is an idle worker to reclaim for.
        if table.hasIdle { reclaim(from: late) } else { wakeResting(items: UInt64(late.count), now) }
    }

    /// Whether a worker holds items that may not have begun.
    private func mayReclaim(_ worker: Worker) -> Bool {
        guard worker.state == .ready || worker.state == .stopping, let last = worker.assigned.last else { return false }
        guard case .range(_, let range) = last.work, !last.wasReclaimed else {
            // Behind the last range there may be a cleanup.
            return false
        }
        return worker.assigned.count > 1 || range.count > 1
    }

    /// Requeues what has not begun at these workers. One barrier serves them all.
    func reclaim(from workers: [Worker]) {
        let asked = workers.filter { $0.askToYield() }
        guard !asked.isEmpty, mapb_barrier() != 0 else { return }
        let now = mapb_clock()
        for worker in asked {
            for (job, range) in worker.reclaim().reversed() {
                requeue(range, job, now)
                touch(job)
            }
        }
    }
}
