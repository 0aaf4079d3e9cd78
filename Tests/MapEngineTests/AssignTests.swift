// How much a worker holds: jobs of one item wait in its inbox when their function is short, so that host and worker need not meet for
// each of them.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct AssignTests {
    /// Answers the next request as if its range had taken so long.
    static func answer(_ local: LocalPool, nanoseconds: UInt32) {
        let process = local.processes[0]
        process.reply(process.work()).pointee.detail = nanoseconds
        process.publish()
        local.core.pump()
    }

    @Test(arguments: [(2_000, 10), (150_000, 2), (300_000, 1), (20_000_000, 1)] as [(UInt32, Int)])
    func jobsOfOneItemWaitBehindAnotherWhenTheirFunctionIsShort(nanoseconds: UInt32, held: Int) throws {
        let local = try LocalPool()
        let first = try local.submit(1)
        let second = try local.submit(1)
        #expect(local.worker(0).inFlight == 1, "nothing is known of the function")
        Self.answer(local, nanoseconds: nanoseconds)
        Self.answer(local, nanoseconds: nanoseconds)
        #expect(first.isDone && second.isDone)
        let jobs = try (0..<10).map { _ in try local.submit(1) }
        #expect(local.worker(0).inFlight == held)
        try local.settle()
        for job in jobs { #expect(job.isDone) }
    }

    /// They ring for each reply all the same.
    @Test func jobsThatDeliverItemsDoNotWaitBehindOthers() throws {
        let local = try LocalPool()
        _ = try local.submit(1)
        Self.answer(local, nanoseconds: 2_000)
        var config = JobConfig()
        config.deliver = MAPE_DELIVER_ITEMS.rawValue
        let jobs = try (0..<4).map { _ in try local.submit(1, config) }
        #expect(local.worker(0).inFlight == 1)
        try local.settle()
        for job in jobs { #expect(job.isDone) }
    }

    /// Of a job of more items the time of its own items counts.
    @Test func otherJobsAreMeasuredByThemselves() throws {
        let local = try LocalPool()
        _ = try local.submit(1)
        Self.answer(local, nanoseconds: 2_000)
        var config = JobConfig()
        config.chunk = 1
        let job = try local.submit(8, config)
        #expect(local.worker(0).inFlight == 1)
        try local.settle()
        #expect(job.isDone)
    }

    /// Nothing is known of how long that takes.
    @Test func noCallWaitsBehindAnotherJobsRange() throws {
        let local = try LocalPool()
        _ = try local.submit(1)
        Self.answer(local, nanoseconds: 2_000)
        let job = try local.submit(8)
        #expect(local.worker(0).inFlight == 1)
        let call = try local.submit(1)
        #expect(local.worker(0).inFlight == 1)
        try local.settle()
        #expect(job.isDone && call.isDone)
    }

    /// What waits in a worker behind a long item of another job ends as soon as what waits in the pool.
    @Test func whatWaitsBehindALongItemIsCancelled() throws {
        let local = try LocalPool()
        mapb_store32(&local.processes[0].region.outbox.pointee.yields, 1)
        _ = try local.submit(1)
        Self.answer(local, nanoseconds: 2_000)
        let long = try local.submit(1)
        let jobs = try (0..<3).map { _ in try local.submit(1) }
        #expect(local.worker(0).inFlight == 4)
        local.script.during = { _ in
            local.script.during = nil
            let now = mapb_clock()
            local.pool.core.with { core in core.end(jobs[1], .cancelled(), now: now) }
            #expect(!jobs[1].isDone)
            local.pool.core.with { core in core.takeBackEnded(now + 3_600_000_000_000) }
            #expect(jobs[1].isDone && jobs[1].tally[MAPE_ITEM_CANCELLED] == 1)
            #expect(!jobs[0].isDone && !jobs[2].isDone && !long.isDone)
        }
        try local.settle()
        #expect(long.isDone && jobs[0].isDone && jobs[2].isDone)
        #expect(jobs[0].tally[MAPE_ITEM_CANCELLED] == 0)
    }
}
