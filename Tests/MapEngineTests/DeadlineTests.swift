// When the engine has to look again: never in the past, however far away the limits are.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct DeadlineTests {
    @Test func anIdlePoolHasNoDeadline() throws {
        #expect(try LocalPool(workers: 2).core.nextDeadline(mapb_clock()) == .max)
    }

    @Test(arguments: [1_000_000, 1 << 40, Int64.max - 1, Int64.max])
    func aProgressIntervalIsNoDeadlineInThePast(interval: Int64) throws {
        let local = try LocalPool()
        var config = delivering(MAPE_DELIVER_PROGRESS)
        config.progressInterval = interval
        let job = try local.submit(10, config)
        #expect(job.tally.running > 0)
        let now = mapb_clock()
        #expect(local.core.nextDeadline(now) >= now)
    }

    @Test(arguments: [1_000_000_000_000, 1 << 60, Int64.max - 1])
    func aJobTimeoutIsNoDeadlineInThePast(timeout: Int64) throws {
        let local = try LocalPool()
        var config = JobConfig()
        config.jobTimeout = timeout
        let job = try local.submit(10, config)
        let now = mapb_clock()
        #expect(local.core.nextDeadline(now) >= now)
        local.pool.core.with { $0.checkTimes(now) }
        #expect(job.ending == nil)
    }

    @Test(arguments: [1_000_000_000_000, 1 << 60, Int64.max - 1])
    func anItemTimeoutIsNoDeadlineInThePast(timeout: Int64) throws {
        let local = try LocalPool()
        var config = JobConfig()
        config.itemTimeout = timeout
        _ = try local.submit(10, config)
        let now = mapb_clock()
        #expect(local.core.nextDeadline(now) >= now)
        local.pool.core.with { $0.checkTimes(now) }
        #expect(local.worker(0).state == .ready)
    }

    @Test func aJobThatIsOverItsTimeEndsWhatWaits() throws {
        let local = try LocalPool()
        var config = JobConfig()
        config.jobTimeout = 1_000_000
        config.chunk = 1
        let job = try local.submit(100, config)
        local.pool.core.with { $0.checkTimes(job.life.submitted + 999_999) }
        #expect(job.ending == nil)
        local.pool.core.with { $0.checkTimes(job.life.submitted + 1_000_000) }
        #expect(job.ending?.cause == MAPE_CAUSE_JOB_TIMEOUT)
        #expect(job.tally[MAPE_ITEM_TIMED_OUT] == 100 - job.tally.running)
        try local.settle()
        #expect(job.isDone && job.tally[MAPE_ITEM_TIMED_OUT] == 100)
    }

    @Test func aWorkerWithoutAStepIsKilledAfterTheItemTimeout() throws {
        let local = try LocalPool()
        var config = JobConfig()
        config.itemTimeout = 1_000_000
        let job = try local.submit(10, config)
        let worker = local.worker(0)
        let ticket = worker.published
        mapb_store(&local.processes[0].region.outbox.pointee.current, ticket << 32 | 1)
        let begin = worker.seen.since
        // The step to this item is seen first, and counts from then.
        local.pool.core.with { $0.checkTimes(begin + 500_000) }
        local.pool.core.with { $0.checkTimes(begin + 1_499_999) }
        #expect(worker.state == .ready)
        local.pool.core.with { $0.checkTimes(begin + 1_500_000) }
        #expect(worker.state == .dying)
        local.pool.core.with { $0.died(worker, .status(9)) }
        let result = try #require(local.result(job, 0))
        #expect(result.state == MAPE_ITEM_TIMED_OUT.rawValue && result.cause == MAPE_CAUSE_ITEM_TIMEOUT.rawValue)
        try local.restart(0)
        try local.settle()
        #expect(job.isDone)
        for i in 1..<10 as Range<UInt64> { local.expectDone(job, i) }
    }
}
