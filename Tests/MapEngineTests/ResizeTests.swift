// A pool that gets more workers and fewer, in the middle of its items: each runs once, and who leaves ends as it should.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct ResizeTests {
    private static func resize(_ local: LocalPool, to count: Int) throws {
        try local.pool.core.with { (core) throws(MapError) in try core.resize(to: count) }
    }

    @Test func whoLeavesFinishesItsItemAndTheRestRunsElsewhere() throws {
        let local = try ReclaimTests.pool(2)
        var config = JobConfig()
        config.chunk = 10
        let job = try local.submit(20, config)
        var isFirst = true
        local.script.during = { index in
            guard isFirst, index == 13 else { return }
            isFirst = false
            try? Self.resize(local, to: 1)
            #expect(local.worker(1).isBusy && local.worker(1).isSpent)
        }
        // The second worker has the second ten; its item 13 is under way.
        _ = local.processes[1].work()
        local.script.during = nil
        local.processes[1].publish()
        local.core.pump()
        #expect(job.tally.ended == 4, "10 to 13")
        #expect(local.worker(1).state == .stopping, "idle at last, it is asked to end")
        // The other runs all that is left.
        for _ in 0..<100 where !job.isDone {
            local.core.pump()
            try local.step(0)
        }
        local.core.pump()
        #expect(job.isDone)
        for i in 0..<20 as Range<UInt64> { local.expectDone(job, i) }
        local.pool.core.with { $0.died(local.worker(1), .status(0)) }
        #expect(local.worker(1).state == .none && local.core.table.empty.isEmpty)
        #expect(local.core.figures.workersDied == 0, "it was asked to")
        WorkerTableTests.check(local.core)
    }

    @Test func whoIsWantedAgainStays() throws {
        let local = try ReclaimTests.pool(2)
        var config = JobConfig()
        config.chunk = 1
        let job = try local.submit(4, config)
        #expect(local.worker(1).isBusy)
        try Self.resize(local, to: 1)
        #expect(local.worker(1).isSpent && local.worker(1).state == .ready)
        try Self.resize(local, to: 2)
        #expect(!local.worker(1).isSpent && local.worker(1).generation == 1)
        try local.settle()
        for i in 0..<4 as Range<UInt64> { local.expectDone(job, i) }
        WorkerTableTests.check(local.core)
    }

    @Test func anIdleOneIsAskedToEndAtOnce() throws {
        let local = try LocalPool(workers: 3)
        try Self.resize(local, to: 1)
        #expect(local.worker(1).state == .stopping && local.worker(2).state == .stopping)
        try Self.resize(local, to: 5)
        #expect(local.core.workers.count == 5 && local.core.table.empty == [3, 4] as SlotSet)
        local.pool.core.with { $0.died(local.worker(1), .status(0)) }
        #expect(local.core.table.empty.contains(1), "another takes its place")
        WorkerTableTests.check(local.core)
    }

    @Test func aClosedPoolIsNotResized() throws {
        let local = try LocalPool(workers: 1)
        local.core.life.stage = .closing
        #expect(throws: MapError.self) { try Self.resize(local, to: 2) }
    }
}

extension SlotSet: ExpressibleByArrayLiteral {
    public init(arrayLiteral elements: Int...) {
        self.init()
        for slot in elements { insert(slot) }
    }
}
