// Taking back: what a worker was given and has not begun, while another has nothing to do.
//
// Ranges are sized by measured time, so most finish together. When one item takes far longer than the others did, what waits behind
// it, in its range and in the ranges after it, is run elsewhere. Both sides write one word, then read the other's (Dekker):
//
//   worker, before each item:  current = item;     read inbox.yield     compiler fence; free
//   host, now and then:        inbox.yield = t;    read current         membarrier(2): a full fence on every worker's processor
//
// So either the host sees that an item has begun, and leaves it to the worker, or the worker sees that it is to stop before it.

import CMapBridge

extension Core {
    /// A worker that could take something, if there was something.
    private var hasIdleWorker: Bool { table.hasIdle && !table.slowStart.holds }

    /// When to look whether something should be taken back; Int64.max: there is nothing to take.
    func takeBackDeadline() -> Int64 {
        guard !table.holders.isEmpty, hasIdleWorker else { return .max }
        var next = Int64.max
        for slot in table.holders where mayGiveBack(table[slot]) {
            next = min(next, table[slot].seen.progress + Policy.takeBackAfter)
        }
        return next
    }

    /// Takes back from those that have had no step for a while.
    func takeBackIfDue(_ now: Int64) {
        defer { clock.takeBackAt = takeBackDeadline() }
        guard hasIdleWorker else { return }
        for slot in table.holders {
            let worker = table[slot]
            guard mayGiveBack(worker), now - worker.seen.progress >= Policy.takeBackAfter else { continue }
            takeBack(worker)
        }
    }

    /// True when it holds items that may not have begun.
    private func mayGiveBack(_ worker: Worker) -> Bool {
        guard worker.state == .ready || worker.state == .stopping, let last = worker.given.last else { return false }
        guard case .range(_, let range) = last.work, !last.wasTakenBack else {
            // Behind the last range there may be a cleanup.
            return false
        }
        return worker.given.count > 1 || range.count > 1
    }

    private func takeBack(_ worker: Worker) {
        let back = worker.reclaim()
        let now = mapb_clock()
        for (job, range) in back.reversed() {
            putBack(range, job, now)
            touch(job)
        }
    }
}
