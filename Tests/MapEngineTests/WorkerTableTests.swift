// The sets of workers, held against what each worker says of itself; and who is given work.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct WorkerTableTests {
    static func check(_ core: Core) {
        let table = core.table
        var available = 0
        for worker in core.workers {
            let slot = worker.slot
            #expect(table.busy.contains(slot) == worker.isBusy)
            #expect(table.ready.contains(slot) == (worker.state == .ready))
            #expect(table.empty.contains(slot) == (worker.state == .none && table.size.wanted.contains(slot)))
            let isHeard =
                worker.state == .starting || (worker.isBusy && worker.state != .dying && worker.state != .none)
            #expect(table.listening.contains(slot) == isHeard)
            #expect(!table.unpublished.contains(slot), "all was published")
            let hasRoom = worker.state == .ready && worker.backlog.isEmpty && !worker.isSpent && worker.inFlight < 64
            if hasRoom { available += 1 }
            for load in 0..<64 {
                #expect(table.available(holding: load).contains(slot) == (hasRoom && worker.inFlight == load))
            }
        }
        #expect(table.available == available)
        #expect(table.hasIdle == core.workers.contains { $0.state == .ready && !$0.isBusy })
        let loads = (0..<64).filter { !table.available(holding: $0).isEmpty }
        #expect(table.lowestLoad(from: 0) == loads.first)
        #expect(table.lowestLoad(from: 3) == loads.first { $0 >= 3 })
    }

    @Test(arguments: seeds)
    func theSetsAreWhatTheWorkersAre(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let local = try LocalPool(workers: 5)
        for _ in 0..<200 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<2:
                var config = JobConfig()
                config.chunk = UInt64.random(in: 0...3, using: &random)
                _ = try local.submit(UInt64.random(in: 0...40, using: &random), config)
            case 2..<8: try local.step(Int.random(in: 0..<5, using: &random))
            case 8: try local.lose(Int.random(in: 0..<5, using: &random))
            default: local.core.pump()
            }
            Self.check(local.core)
        }
        try local.settle()
        Self.check(local.core)
        #expect(local.core.work.isEmpty && local.core.jobs.unended == 0)
        #expect(local.core.clock.jobs.count == 0)
    }

    @Test func jobsOfAFunctionThatNobodyKnowsYetKeepNobodyBack() throws {
        let local = try LocalPool(workers: 2)
        let (pool, core) = (local.pool, local.core)
        // Its code can be anywhere: workers are not started here.
        core.life.stage = .created
        let late = try core.function(pool.register(describe(run: scripted)))
        core.life.stage = .running
        let waiting = try (0..<3).map { _ in
            let input = try pool.prepare(.strided(nil, count: 5, stride: 0, size: 0))
            return try pool.submit(late.id, JobConfig(), nil, input, handle: 0x100000 + UInt(core.jobs.all.count) << 4)
        }
        #expect(waiting.allSatisfy { $0.tally.running == 0 && $0.places.isParked })
        let job = try local.submit(20)
        #expect(job.tally.running > 0)
        pool.core.with { $0.release(waiting[1]) }
        #expect(waiting[1].isDone && !waiting[1].isQueuedForWork)
        try local.settle()
        #expect(job.isDone && !waiting[0].isDone)
        // One worker learns it.
        pool.core.with { $0.send(local.worker(1), .setup(late, nil)) }
        core.followUp()
        local.processes[1].answer()
        local.processes[1].setState(local.script, of: late.id)
        core.pump()
        #expect(waiting[0].tally.running > 0 && !waiting[0].places.isParked)
        try local.settle()
        #expect(waiting[0].isDone && waiting[2].isDone && core.work.isEmpty && core.jobs.unended == 0)
        for i in 0..<5 as Range<UInt64> { local.expectDone(waiting[2], i) }
    }

    @Test func aJobWithoutRoomLeavesTheQueueAndComesBack() throws {
        let local = try LocalPool(workers: 2)
        var config = delivering(MAPE_DELIVER_ITEMS)
        config.drop = true
        config.window = 4
        config.priority = 1
        let full = try local.submit(100, config)
        try local.settle()
        #expect(full.tally.ended == 4 && !full.isQueuedForWork && full.waiting == 96)
        let other = try local.submit(50)
        try local.settle()
        #expect(other.isDone)
        var told = 0
        while told < 100 {
            guard let event = try local.pool.nextEvent(timeout: 0) else {
                try local.settle()
                continue
            }
            if event.type == MAPE_EVENT_ITEM.rawValue { told += 1 }
        }
        #expect(full.isDone && full.tally.ofAllStates == 100)
    }

    @Test func aPoolOfManyWorkersBeginsWithSome() throws {
        let count = Policy.workersAtOnce * 3
        let local = try LocalPool(workers: count, output: 1 << 20)
        let core = local.core
        var config = JobConfig()
        config.chunk = 1
        _ = try local.submit(UInt64(count) * 10, config)
        #expect(core.table.busy.count == Policy.workersAtOnce && core.table.slowStart.holds)
        let due = core.table.slowStart.growsAt
        #expect(core.nextDeadline(due - 1000) <= due)
        let grows = core.table.slowStart.growIfDue(due)
        #expect(grows)
        core.assign()
        #expect(core.table.busy.count == Policy.workersAtOnce * 2)
        try local.settle()
        #expect(core.table.busy.isEmpty && !core.table.slowStart.holds)
        core.followUp()
        _ = try local.submit(1)
        #expect(core.table.slowStart.limit == Policy.workersAtOnce)
    }

    /// What followUp goes by: enqueued jobs are looked at again when one could be assigned more, and then only.
    @Test func roomIsNewWhenAWorkerCanBeAssignedMore() throws {
        let local = try LocalPool(workers: 2)
        let core = local.core
        var config = JobConfig()
        config.chunk = 1
        let job = try local.submit(1000, config)
        // Assigning fills workers, which makes no room.
        #expect(!core.table.hasNewRoom && !core.work.isEmpty && job.waiting > 0)
        core.table[0].isTrimming = true
        #expect(!core.table.hasNewRoom)
        core.table[0].isTrimming = false
        #expect(core.table.hasNewRoom)
        let before = job.waiting
        core.followUp()
        #expect(!core.table.hasNewRoom)
        // A second look finds nothing, and asks for nothing.
        core.followUp()
        #expect(job.waiting <= before)
        local.processes[0].answer()
        let given = job.waiting
        core.pump()
        #expect(job.waiting < given)
        try local.settle()
        #expect(job.isDone)
    }
}
