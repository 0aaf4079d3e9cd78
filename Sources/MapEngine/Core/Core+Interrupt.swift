// The cancel signal (config.cancel_signal): an item whose job is being ended, or that has passed its time limit, is asked to stop before
// its worker is killed. fork_interrupt.c has the worker's half, and says why the signal reaches no other item.

import CMapBridge

extension Core {
    /// Whether the pool sends a signal before it kills.
    var interrupts: Bool { config.process.cancelSignal != 0 }

    /// Asks the items of a job that run now to stop.
    @inline(never) func interruptRunning(_ job: Job) {
        // Either a worker sees that the job is cancelled before it begins an item, or its mark shows that item here.
        guard interrupts, mapb_barrier() != 0 else { return }
        for slot in table.busy { interrupt(table[slot], isLate: false) { $0 === job } }
    }

    /// Asks the item that a worker is on to stop, if it is of such a job. Returns whether it was asked.
    /// - isLate: it has passed its own time limit.
    @discardableResult
    func interrupt(_ worker: Worker, isLate: Bool, _ isMeant: (Job) -> Bool) -> Bool {
        guard worker.isAlive, worker.state != .dying, worker.state != .starting, let link = worker.link else {
            return false
        }
        let mark = link.mark
        guard let assignment = worker.assignment(of: mark), case .range(let job, _) = assignment.work, isMeant(job),
            // Nothing begins any more in a request for which a signal was sent.
            !BlameMark(worker.seen.asked).isOn(assignment.ticket)
        else { return false }
        switch assignment.point(mark) {
        case .item: break
        // Which of them is late is found by halves, as with those that do not stop.
        case .range(_, let count) where !isLate || count == 1: break
        default: return false
        }
        link.ask(mark, isLate: isLate)
        reclaim(from: [worker])
        guard link.isStill(on: assignment.ticket) else { return false }
        worker.seen.asked = mark.word
        worker.seen.askedSince = mapb_clock()
        worker.seen.word = mark.word
        var message = mapb_control()
        message.kind = MAPB_CONTROL_INTERRUPT.rawValue
        message.slot = UInt32(worker.slot)
        message.generation = worker.generation
        zygote?.send(message)
        return true
    }

    /// Why the pool has ended a worker that was lost: a signal that it was asked by may end it as well.
    func verdict(of worker: Worker, _ loss: Loss, _ mark: BlameMark) -> Verdict? {
        if let verdict = worker.verdict { return verdict }
        guard let signal = loss.signal, signal == config.process.cancelSignal, worker.seen.asked == mark.word,
            mark.word != 0
        else { return nil }
        return worker.link?.askedForTime == true ? .timeout : .cancel
    }
}

extension Worker {
    /// The one that a blame word names.
    func assignment(of mark: BlameMark) -> Assignment? {
        guard let first = assigned.first else { return nil }
        for place in 0..<assigned.count where mark.isOn(first.ticket + UInt64(place)) { return assigned[place] }
        return nil
    }

    /// Whether what it is on was asked to stop.
    var wasAsked: Bool { seen.asked != 0 && seen.asked == seen.word }
}
