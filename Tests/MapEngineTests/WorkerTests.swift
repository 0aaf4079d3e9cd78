// What a worker was given ends once: as answered or as lost, and before that as taken back, in parts.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct WorkerTests {
    /// What a trace tells of each request that a process was given: each has ended once, and each item of a job in one of them.
    @Test(arguments: seeds)
    func eachAssignmentEndsOnce(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let local = try LocalPool(workers: 3)
        for process in local.processes { mapb_store32(&process.region.outbox.pointee.yields, 1) }
        try local.pool.startTrace(capacity: 0)
        // How many requests each process was given, by its id, beside those before the trace.
        var given: [Int32: UInt64] = [:]
        let before = Dictionary(uniqueKeysWithValues: local.core.workers.map { ($0.pid, $0.published) })
        func note() {
            for worker in local.core.workers { given[worker.pid] = worker.published - (before[worker.pid] ?? 0) }
        }
        var totals: [UInt64: UInt64] = [:]
        for i in 0..<40 as Range<UInt64> { local.script.deaths[i * 7] = 1 }
        for _ in 0..<10 {
            var config = JobConfig()
            config.chunk = random.chance(30) ? 0 : UInt64.random(in: 1...40, using: &random)
            config.attempts = 3
            let total = UInt64.random(in: 1...200, using: &random)
            let job = try local.submit(total, config)
            totals[job.sequence] = total
            var steps = 0
            while !job.isDone {
                steps += 1
                try #require(steps < 50_000, "nothing moves: \(job.tally.ended) of \(total) ended")
                note()
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
        note()
        for slot in 0..<3 { try local.lose(slot) }
        note()
        try local.pool.stopTrace()
        var ended: [Int32: UInt64] = [:]
        var items: [UInt64: UInt64] = [:]
        var jobs: [UInt64: UInt64] = [:]
        var counts = (answered: UInt64(0), lost: UInt64(0), takenBack: UInt64(0))
        let lost = try local.pool.readTrace(.max) { events in
            for event in events {
                switch mape_trace_kind(event.kind) {
                case MAPE_TRACE_RANGE:
                    items[event.job, default: 0] += event.items
                    let isLost = event.state == MAPE_TRACE_LOST.rawValue || event.state == MAPE_TRACE_CRASHED.rawValue
                    if isLost { counts.lost += 1 } else { counts.answered += 1 }
                    #expect(event.items <= event.assigned)
                    ended[event.pid, default: 0] += 1
                case MAPE_TRACE_SETUP: ended[event.pid, default: 0] += 1
                case MAPE_TRACE_RECLAIM: counts.takenBack += event.items
                case MAPE_TRACE_JOB: jobs[event.job, default: 0] += event.items
                default: break
                }
            }
        }
        #expect(lost == 0 && items == totals && jobs == totals)
        for (pid, count) in given where count > 0 { #expect(ended[pid] == count, "each once: \(pid)") }
        #expect(counts.answered > 0 && counts.lost > 0)
        #expect(counts.takenBack > 0 || mapb_barrier() == 0)
    }

    @Test func whatAProcessWasGivenThatNeverCameIsLost() throws {
        let local = try LocalPool(workers: 1)
        let worker = local.worker(0)
        local.pool.core.with { $0.died(worker, .status(SIGKILL)) }
        worker.renew(try OutputRegion(reserve: 8 << 20), inbox: local.core.input.inbox(0))
        local.pool.core.with { $0.send(worker, .setup(local.function, nil)) }
        #expect(worker.isBusy && local.core.table.busy.contains(0))
        worker.disconnect()
        worker.state = .none
        #expect(worker.assigned.isEmpty && worker.region == nil && !local.core.table.busy.contains(0))
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
