// What a worker was given ends once: as answered or as lost, and before that as taken back, in parts.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct WorkerTests {
    /// All that was heard of the assignments of one process.
    final class Heard {
        struct Process: Hashable {
            let slot: Int
            let generation: UInt64
        }

        var published: [Process: UInt64] = [:]
        /// Tickets, in the order in which they ended.
        var ended: [Process: [UInt64]] = [:]
        /// How many items are left of those of which some were reclaimed.
        var left: [Process: [UInt64: UInt64]] = [:]
        var counts = (answered: 0, lost: 0, takenBack: 0)

        func hear(_ worker: Worker, _ assignment: Assignment, _ end: Assignment.End) {
            let process = Process(slot: worker.slot, generation: worker.generation)
            published[process] = worker.published
            var items: UInt64 = 0
            if case .range(_, let range) = assignment.work { items = range.count }
            #expect(left[process]?[assignment.ticket] ?? items == items, "shrunk by nobody else")
            switch end {
            case .answered: counts.answered += 1
            case .lost: counts.lost += 1
            case .takenBack(let kept):
                counts.takenBack += 1
                #expect(kept < items)
                #expect(ended[process]?.contains(assignment.ticket) != true, "it has not ended")
                left[process, default: [:]][assignment.ticket] = kept
                return
            }
            ended[process, default: []].append(assignment.ticket)
        }
    }

    @Test(arguments: seeds)
    func eachAssignmentEndsOnce(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let heard = Heard()
        let local = try LocalPool(workers: 3)
        for process in local.processes { mapb_store32(&process.region.outbox.pointee.yields, 1) }
        // The setups of the first processes were answered before anybody listened.
        for worker in local.core.workers {
            heard.ended[Heard.Process(slot: worker.slot, generation: worker.generation)] = [1]
        }
        local.core.table.onFinish = heard.hear
        defer { local.core.table.onFinish = nil }
        for i in 0..<40 as Range<UInt64> { local.script.deaths[i * 7] = 1 }
        for _ in 0..<10 {
            var config = JobConfig()
            config.chunk = random.chance(30) ? 0 : UInt64.random(in: 1...40, using: &random)
            config.attempts = 3
            let total = UInt64.random(in: 1...200, using: &random)
            let job = try local.submit(total, config)
            var steps = 0
            while !job.isDone {
                steps += 1
                try #require(steps < 50_000, "nothing moves: \(job.tally.ended) of \(total) ended")
                switch Int.random(in: 0..<20, using: &random) {
                case 0..<12: try local.step(Int.random(in: 0..<3, using: &random))
                case 12..<15: local.pool.core.with { $0.reclaimIfDue(mapb_clock() + 3_600_000_000_000) }
                case 15:
                    let slot = Int.random(in: 0..<3, using: &random)
                    try local.lose(slot)
                    mapb_store32(&local.processes[slot].region.outbox.pointee.yields, 1)
                default: local.core.pump()
                }
            }
            local.pool.core.with { $0.release(job) }
        }
        try local.settle()
        for slot in 0..<3 { try local.lose(slot) }
        for (process, tickets) in heard.ended {
            let last = heard.published[process] ?? 1
            #expect(tickets == Array(1...last), "each once, in order: \(process)")
        }
        #expect(heard.counts.answered > 0 && heard.counts.lost > 0)
        #expect(heard.counts.takenBack > 0 || mapb_barrier() == 0)
    }

    @Test func whatAProcessWasGivenThatNeverCameIsLost() throws {
        let local = try LocalPool(workers: 1)
        let worker = local.worker(0)
        let heard = Heard()
        local.pool.core.with { $0.died(worker, .status(SIGKILL)) }
        worker.renew(try OutputRegion(reserve: 8 << 20), inbox: local.core.input.inbox(0))
        local.core.table.onFinish = heard.hear
        local.pool.core.with { $0.send(worker, .setup(local.function, nil)) }
        #expect(worker.isBusy && local.core.table.busy.contains(0))
        worker.disconnect()
        worker.state = .none
        #expect(heard.counts == (0, 1, 0))
        #expect(worker.assigned.isEmpty && worker.region == nil && !local.core.table.busy.contains(0))
        local.core.table.onFinish = nil
        try local.restart(0)
    }

    @Test func aProcessBeginsWithNothingOfTheOneBefore() throws {
        let local = try LocalPool(workers: 1)
        let worker = local.worker(0)
        let job = try local.submit(3)
        try local.settle()
        #expect(job.isDone && worker.history.itemsEnded == 3 && worker.history.itemsAssigned == 3)
        worker.noteGrowth()
        #expect(worker.isSpent && local.core.table.available == 0)
        let generation = worker.generation
        try local.lose(0)
        #expect(worker.generation == generation + 1 && !worker.isSpent && local.core.table.available == 1)
        #expect(worker.history.itemsEnded == 0 && worker.answered == 1 && worker.isPrepared(local.function.id))
    }
}
