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

extension Pool {
    /// A worker that could take something, if there was something.
    private var hasIdleWorker: Bool { table.hasIdle && !slowStart.holds }

    /// When to look whether something should be taken back; Int64.max: there is nothing to take.
    func takeBackDeadline() -> Int64 {
        guard !table.holders.isEmpty, hasIdleWorker else { return .max }
        var next = Int64.max
        for slot in table.holders where mayGiveBack(table[slot]) {
            next = min(next, table[slot].progressSince + Policy.takeBackAfter)
        }
        return next
    }

    /// Takes back from those that have had no step for a while.
    func takeBackIfDue(_ now: Int64) {
        defer { takeBackAt = takeBackDeadline() }
        guard hasIdleWorker else { return }
        var took = false
        for slot in table.holders {
            let worker = table[slot]
            guard mayGiveBack(worker), now - worker.progressSince >= Policy.takeBackAfter else { continue }
            takeBack(worker)
            took = true
        }
        if took { assign() }
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
        let inbox = unsafe input.inbox(worker.slot)
        guard let outbox = unsafe worker.region?.outbox, unsafe mapb_load32(&outbox.pointee.yields) == 1 else {
            worker.given.update { $0.wasTakenBack = true }
            return
        }
        unsafe mapb_store(&inbox.pointee.yield, worker.published)
        worker.yieldedTo = worker.published
        guard mapb_barrier() != 0 else {
            // The worker may stop early all the same; its reply then says so.
            worker.given.update { $0.wasTakenBack = true }
            return
        }
        // In this order: the worker publishes a reply, then clears the word. The other way round, a request that ends between the two
        // looks would be taken for one that was not begun.
        let mark = unsafe BlameMark(mapb_load(&outbox.pointee.current))
        let tail = unsafe mapb_load(&outbox.pointee.tail)
        var back: [(Job, ItemRange)] = []
        worker.given.update { assignment in
            assignment.wasTakenBack = true
            guard assignment.ticket > tail, case .range(let job, var range) = assignment.work else { return }
            let kept = assignment.point(mark).begun ?? range.count
            if kept == range.count { return }
            back.append(
                (job, ItemRange(first: range.first + kept, count: range.count - kept, searched: range.searched)))
            range.count = kept
            assignment.work = .range(job, range)
        }
        let now = mapb_clock()
        for (job, range) in back.reversed() {
            putBack(range, job, now)
            settled(job, now)
        }
    }
}
