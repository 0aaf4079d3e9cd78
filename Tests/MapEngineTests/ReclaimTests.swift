// Taking back what a worker has not begun, in the middle of its items: between them they run each item once.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct ReclaimTests {
    static func pool(_ workers: Int) throws -> LocalPool {
        let local = try LocalPool(workers: workers)
        for process in local.processes { mapb_store32(&process.region.outbox.pointee.yields, 1) }
        return local
    }

    /// Long after every worker's last step.
    static func reclaim(_ pool: Pool) { pool.core.with { $0.reclaimIfDue(mapb_clock() + 3_600_000_000_000) } }

    @Test func whatIsBehindASlowItemIsRunElsewhere() throws {
        let local = try Self.pool(2)
        var config = JobConfig()
        config.chunk = 10
        let job = try local.submit(10, config)
        var slow: Int?
        var ranBeside: [UInt64] = []
        local.script.during = { index in
            if slow != nil {
                ranBeside.append(index)
                return
            }
            guard index == 3 else { return }
            slow = local.processes.firstIndex { $0.task.pointee.mode == MAPB_MODE_ITEM.rawValue }
            Self.reclaim(local.pool)
            #expect(job.tally.running == 10, "given out anew at once")
            for slot in 0..<2 where slot != slow {
                while local.processes[slot].hasRequests { local.processes[slot].answer() }
            }
            local.core.pump()
            #expect(job.tally.ended == 6 && job.tally.running == 4)
        }
        try local.settle()
        #expect(job.isDone && job.tally.ended == 10)
        #expect(ranBeside == Array(4..<10))
        for i in 0..<10 as Range<UInt64> { local.expectDone(job, i) }
    }

    /// Others have run it meanwhile, and the job's record may hold anything.
    @Test func aReclaimedRequestIsAnsweredWithoutALookAtItsJob() throws {
        let bench = try Bench()
        try bench.job((0..<4).map { Order.output(UInt32($0)) })
        memset(bench.jobRecord, 0xff, MemoryLayout<mapb_job>.size)
        bench.input.inbox(0).pointee.yield = 1
        let reply = bench.run(count: 4)
        #expect(reply.done == 0)
        #expect(reply.flags == MAPB_REPLY_STOPPED.rawValue)
    }

    /// Between its last item and its reply, a worker looks much like one that has not begun.
    @Test func whatIsDoneButNotYetPublishedIsNotReclaimed() throws {
        let local = try Self.pool(2)
        var config = JobConfig()
        config.chunk = 10
        let job = try local.submit(10, config)
        let slot = try #require(local.processes.firstIndex { $0.hasRequests })
        _ = local.processes[slot].work()
        Self.reclaim(local.pool)
        local.processes[slot].publish()
        local.core.pump()
        #expect(local.worker(slot).state == .ready, "a worker that did as it should is not killed")
        #expect(job.isDone)
        for i in 0..<10 as Range<UInt64> { local.expectDone(job, i) }
    }

    /// A worker has ended its last item, marked the next, and is killed before it sees that this was reclaimed.
    @Test func nobodyIsBlamedBetweenReclaimedItems() throws {
        let local = try Self.pool(2)
        var config = JobConfig()
        config.chunk = 10
        let job = try local.submit(10, config)
        var slow: Int?
        local.script.during = { index in
            guard index == 3, slow == nil else { return }
            slow = local.processes.firstIndex { $0.task.pointee.mode == MAPB_MODE_ITEM.rawValue }
            Self.reclaim(local.pool)
        }
        let first = try #require(local.processes.firstIndex { $0.hasRequests })
        _ = local.processes[first].work()
        #expect(slow == first && UInt32(truncatingIfNeeded: local.processes[first].region.outbox.pointee.current) == 5)
        try local.lose(first)
        #expect(job.lost.crashes.isEmpty && job.tally.ended == 4, "the four that it had ended are kept")
        try local.settle()
        #expect(job.isDone)
        for i in 0..<10 as Range<UInt64> { local.expectDone(job, i) }
    }

    @Test func aWorkerThatDoesNotYieldKeepsWhatItHas() throws {
        let local = try LocalPool(workers: 2)
        var config = JobConfig()
        config.chunk = 10
        let job = try local.submit(10, config)
        let holding = local.core.workers.filter { $0.isBusy }.count
        Self.reclaim(local.pool)
        #expect(holding == 1 && local.core.workers.filter { $0.isBusy }.count == 1)
        try local.settle()
        #expect(job.isDone)
        for i in 0..<10 as Range<UInt64> { local.expectDone(job, i) }
    }

    /// At any item, from any state, also with deaths: every item ends once.
    @Test(arguments: seeds)
    func everyItemEndsOnceWheneverSomethingIsReclaimed(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let local = try Self.pool(3)
        var depth = 0
        var takes = 0
        local.script.during = { _ in
            guard depth == 0, random.chance(10) else { return }
            depth = 1
            defer { depth = 0 }
            Self.reclaim(local.pool)
            takes += 1
            // Meanwhile the others work; the one in this item cannot.
            let died = local.script.died
            for process in local.processes where process.task.pointee.mode == MAPB_MODE_NONE.rawValue {
                if process.hasRequests && random.chance(70) { process.answer() }
            }
            local.core.pump()
            local.script.died = died
        }
        for _ in 0..<15 {
            let total = UInt64.random(in: 1...200, using: &random)
            var config = JobConfig()
            config.chunk = random.chance(30) ? 0 : UInt64.random(in: 1...40, using: &random)
            let job = try local.submit(total, config)
            var steps = 0
            while !job.isDone {
                steps += 1
                try #require(steps < 50_000, "nothing moves: \(job.tally.ended) of \(total) ended")
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<6: try local.step(Int.random(in: 0..<3, using: &random))
                case 6: Self.reclaim(local.pool)
                default: local.core.pump()
                }
                #expect(job.waiting + job.tally.running + job.tally.ended == total)
            }
            for i in 0..<total { local.expectDone(job, i) }
            #expect(job.tally.ofAllStates == total)
            local.pool.core.with { $0.release(job) }
        }
        #expect(takes > 0)
        for process in local.processes { #expect(process.region.live == 0) }
    }

    /// The job may have ended elsewhere meanwhile, and its record be used for something else.
    @Test func nothingIsReadOfWhatWasReclaimed() throws {
        let bench = try Bench()
        bench.worker.load(1, run: emptyRun)
        try bench.job([UInt64](repeating: 1, count: 4))
        bench.jobRecord.pointee.function = 0x7fff_ffff
        bench.jobRecord.pointee.spans = 1 << 60
        bench.input.inbox(0).pointee.yield = 1
        let reply = bench.run(count: 4)
        #expect(reply.done == 0)
        #expect(reply.flags == MAPB_REPLY_STOPPED.rawValue)
        #expect(bench.region.outbox.pointee.current == 0)
    }
}
