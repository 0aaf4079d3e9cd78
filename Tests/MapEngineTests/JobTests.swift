// A job's bookkeeping, step by step. JobScheduleTests has random schedules.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct JobTests {
    @Test func itemsAreTakenInOrderAndCountAsRunning() throws {
        let job = try bareJob(10)
        #expect(job.waiting == 10)
        let first = try #require(job.nextRange(4))
        #expect(first.first == 0 && first.count == 4)
        let second = try #require(job.nextRange(100))
        #expect(second.first == 4 && second.count == 6)
        #expect(job.nextRange(1) == nil)
        #expect(job.waiting == 0 && job.tally.running == 10)
    }

    @Test func takingNothingTakesNothing() throws {
        let job = try bareJob(10)
        #expect(job.nextRange(0) == nil)
        #expect(job.waiting == 10 && job.tally.running == 0)
    }

    @Test func whatWasGivenBackIsTakenFirst() throws {
        let job = try bareJob(10)
        let range = try #require(job.nextRange(4))
        job.requeue(range)
        #expect(job.waiting == 10 && job.tally.running == 0)
        let part = try #require(job.nextRange(3))
        #expect(part.first == 0 && part.count == 3)
        let rest = try #require(job.nextRange(3))
        #expect(rest.first == 3 && rest.count == 1)
        #expect(try #require(job.nextRange(3)).first == 4)
    }

    @Test func aSearchedRangeStaysSoWhenItIsTakenInParts() throws {
        let job = try bareJob(10)
        var range = try #require(job.nextRange(4))
        range.searched = true
        range.losses = 2
        job.requeue(range)
        for _ in 0..<2 {
            let part = try #require(job.nextRange(2))
            #expect(part.searched && part.losses == 2 && part.count == 2)
        }
    }

    @Test func endedItemsAreCountedByTheirState() throws {
        let job = try bareJob(10)
        _ = job.nextRange(10)
        let results = try Regional()
        job.end(try results.segment(first: 0, count: 4, size: 8), ok: 3, failed: 1, now: 0)
        job.end(Segment(first: 4, count: 1, outcome: .crashed()), ok: 0, failed: 0, now: 0)
        job.end(Segment(first: 5, count: 5, outcome: .cancelled()), ok: 0, failed: 0, now: 0)
        #expect(job.tally.ended == 10 && job.tally.running == 0)
        #expect(job.tally[MAPE_ITEM_OK] == 3)
        #expect(job.tally[MAPE_ITEM_FAILED] == 1)
        #expect(job.tally[MAPE_ITEM_CRASHED] == 1)
        #expect(job.tally[MAPE_ITEM_CANCELLED] == 5)
    }

    @Test func endingWhatWaitsLeavesAloneWhatRuns() throws {
        let job = try bareJob(100)
        _ = job.nextRange(10)
        let back = try #require(job.nextRange(10))
        _ = job.nextRange(10)
        job.requeue(back)
        job.endWaiting(.cancelled(), now: 0)
        #expect(job.tally.ended == 80 && job.tally.running == 20 && job.waiting == 0)
        #expect(job.nextRange(1) == nil)
        #expect(job.segment(holding: 5) == nil)
        #expect(job.segment(holding: 15)?.outcome?.state == MAPE_ITEM_CANCELLED)
        #expect(job.segment(holding: 25) == nil)
        #expect(job.segment(holding: 99)?.outcome?.state == MAPE_ITEM_CANCELLED)
        job.endWaiting(.cancelled(), now: 0)
        #expect(job.tally.ended == 80)
    }

    @Test func resultsAreReadWhereTheyLie() throws {
        let job = try bareJob(6)
        _ = job.nextRange(6)
        let results = try Regional()
        job.end(try results.segment(first: 3, count: 3, size: 16), ok: 3, failed: 0, now: 0)
        for i in 3..<6 as Range<UInt64> {
            let segment = try #require(job.segment(holding: i))
            let result = readResult(segment, i - segment.first)
            #expect(
                result.state == MAPE_ITEM_OK.rawValue && result.cause == MAPE_CAUSE_NONE.rawValue && result.code == 0)
            #expect(bytes(result) == [UInt8](repeating: UInt8(i), count: 16))
            #expect(String(cString: result.message) == "")
        }
        #expect(job.segment(holding: 2) == nil)
    }

    @Test func anEmptyResultIsNullAndNoBytes() throws {
        let segment = try Regional().segment(first: 0, count: 1, size: 0)
        #expect(readResult(segment, 0).data == nil)
        #expect(readResult(segment, 0).size == 0)
        #expect(readResult(segment, 0).state == MAPE_ITEM_OK.rawValue)
        let crashed = Segment(first: 0, count: 1, outcome: .crashed())
        let result = readResult(crashed, 0)
        #expect(
            result.state == MAPE_ITEM_CRASHED.rawValue && result.cause == MAPE_CAUSE_SIGNAL.rawValue
                && result.code == 11)
        #expect(withExtendedLifetime(crashed) { String(cString: result.message) } == "crashed")
    }

    @Test func segmentsAreFoundWhateverTheOrderTheyCameIn() throws {
        let job = try bareJob(100)
        while job.nextRange(10) != nil {}
        for first in [50, 0, 90, 30, 70] as [UInt64] {
            job.end(Segment(first: first, count: 10, outcome: .crashed()), ok: 0, failed: 0, now: 0)
        }
        func ended() -> [UInt64] { (0..<100).filter { job.segment(holding: $0) != nil } }
        #expect(ended() == Array(0..<10) + Array(30..<40) + Array(50..<60) + Array(70..<80) + Array(90..<100))
        // And again after more have come.
        for first in [10, 80] as [UInt64] {
            job.end(Segment(first: first, count: 10, outcome: .crashed()), ok: 0, failed: 0, now: 0)
        }
        #expect(ended() == Array(0..<20) + Array(30..<40) + Array(50..<60) + Array(70..<100))
        #expect(job.segment(holding: 100) == nil)
        #expect(job.segment(holding: .max) == nil)
    }

    @Test func droppingAResultFreesItsMemoryAndItsPlace() throws {
        var config = delivering(MAPE_DELIVER_ITEMS)
        config.drop = true
        let job = try bareJob(20, config)
        _ = job.nextRange(20)
        let results = try Regional()
        job.end(try results.segment(first: 0, count: 10, size: 8), ok: 10, failed: 0, now: 0)
        let place = try #require(job.delivery.places.first)
        #expect(results.region.live == 80)
        job.drop(place)?.store.free()
        #expect(results.region.live == 0)
        job.drop(place)?.store.free()
        #expect(results.region.live == 0)
        job.end(try results.segment(first: 10, count: 10, size: 8), ok: 10, failed: 0, now: 0)
        #expect(job.results.segments.count == 1, "the place is used again")
    }

    @Test func resultsThatNobodyWantsAreDroppedAtOnce() throws {
        var config = JobConfig()
        config.drop = true
        let job = try bareJob(10, config)
        _ = job.nextRange(10)
        let results = try Regional()
        job.end(try results.segment(first: 0, count: 10, size: 8), ok: 10, failed: 0, now: 0)
        #expect(results.region.live == 0)
        #expect(job.tally.ended == 10 && job.delivery.undelivered == 0)
    }

    @Test func resultsThatComeAfterTheReleaseAreDroppedAtOnce() throws {
        let job = try bareJob(20, delivering(MAPE_DELIVER_ITEMS))
        _ = job.nextRange(20)
        let results = try Regional()
        job.end(try results.segment(first: 0, count: 10, size: 8), ok: 10, failed: 0, now: 0)
        job.owner.hasReleased = true
        job.dropAll()
        #expect(results.region.live == 0)
        job.end(try results.segment(first: 10, count: 10, size: 8), ok: 10, failed: 0, now: 0)
        #expect(results.region.live == 0)
        #expect(job.tally.ended == 20 && job.delivery.undelivered == 0 && job.delivery.places.isEmpty)
    }

    @Test func itemsAreDeliveredAsTheyEnd() throws {
        let job = try bareJob(30, delivering(MAPE_DELIVER_ITEMS))
        while job.nextRange(10) != nil {}
        for first in [20, 0, 10] as [UInt64] {
            job.end(Segment(first: first, count: 10, outcome: .crashed()), ok: 0, failed: 0, now: 0)
        }
        #expect(job.delivery.undelivered == 30)
        #expect(job.deliverAll() == [20, 0, 10])
        #expect(job.delivery.undelivered == 0)
    }

    @Test func orderedItemsWaitForTheOnesBefore() throws {
        var config = delivering(MAPE_DELIVER_ITEMS)
        config.ordered = true
        let job = try bareJob(40, config)
        while job.nextRange(10) != nil {}
        func end(_ first: UInt64) -> [UInt64] {
            job.end(Segment(first: first, count: 10, outcome: .crashed()), ok: 0, failed: 0, now: 0)
            return job.deliverAll()
        }
        #expect(end(20) == [])
        #expect(end(10) == [])
        #expect(end(0) == [0, 10, 20])
        #expect(end(30) == [30])
    }

    @Test func aWindowHoldsBackNewItems() throws {
        var config = delivering(MAPE_DELIVER_ITEMS)
        config.drop = true
        config.window = 10
        let job = try bareJob(100, config)
        #expect(job.room(draining: false) == 10)
        _ = job.nextRange(7)
        #expect(job.room(draining: false) == 3)
        job.end(Segment(first: 0, count: 7, outcome: .crashed()), ok: 0, failed: 0, now: 0)
        #expect(job.room(draining: false) == 3, "ended, not delivered")
        _ = job.nextRange(3)
        #expect(job.room(draining: false) == 0)
        #expect(job.room(draining: true) == .max, "a shutdown waits for nobody")
    }

    @Test func withoutEventsOrDropThereIsNoWindow() throws {
        var config = delivering(MAPE_DELIVER_ITEMS)
        config.window = 10
        #expect(try bareJob(100, config).room(draining: false) == .max)
        config.drop = true
        config.deliver = 0
        #expect(try bareJob(100, config).room(draining: false) == .max)
    }

    @Test(arguments: [(1_000, 5_000, 6_000), (1_000, .max, .max)] as [(Int64, Int64, Int64)])
    func aJobsDeadlineIsItsTimeoutAfterSubmission(now: Int64, timeout: Int64, deadline: Int64) throws {
        var config = JobConfig()
        config.jobTimeout = timeout
        #expect(try bareJob(1, config, now: now).deadline == deadline)
    }

    @Test(arguments: [Int64.max - 1, Int64.max - 1_000_000, Int64.max / 1_000_000_000 * 1_000_000_000])
    func aTimeoutBeyondTheClocksEndIsNoDeadlineInThePast(timeout: Int64) throws {
        var config = JobConfig()
        config.jobTimeout = timeout
        let now: Int64 = 3_600_000_000_000
        #expect(try bareJob(1, config, now: now).deadline > now)
    }

    @Test func attemptsCountDeathsAndTheRunThatEnded() throws {
        let job = try bareJob(4)
        for _ in 0..<2 { _ = job.lost.countCrash(1) }
        func result(_ state: mape_item_state, _ cause: mape_cause) -> mape_result {
            var result = mape_result()
            result.state = state.rawValue
            result.cause = cause.rawValue
            return result
        }
        #expect(job.attempts(of: 0, result(MAPE_ITEM_OK, MAPE_CAUSE_NONE)) == 1)
        #expect(job.attempts(of: 1, result(MAPE_ITEM_OK, MAPE_CAUSE_NONE)) == 3)
        #expect(job.attempts(of: 1, result(MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL)) == 2)
        #expect(job.attempts(of: 0, result(MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION)) == 1)
        #expect(job.attempts(of: 0, result(MAPE_ITEM_FAILED, MAPE_CAUSE_SETUP)) == 0)
        #expect(job.attempts(of: 0, result(MAPE_ITEM_FAILED, MAPE_CAUSE_LOAD)) == 0)
        #expect(job.attempts(of: 0, result(MAPE_ITEM_TIMED_OUT, MAPE_CAUSE_ITEM_TIMEOUT)) == 1)
        #expect(job.attempts(of: 0, result(MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL)) == 0)
    }
}
