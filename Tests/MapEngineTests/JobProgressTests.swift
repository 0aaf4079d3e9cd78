import CMapBridge
import Testing

@testable import MapEngine

@Suite struct JobProgressTests {
    @Test func countsAreThoseOfTheJob() throws {
        let job = try bareJob(100, delivering(MAPE_DELIVER_ITEMS), now: 1000)
        _ = job.nextRange(60)
        job.end(try Regional().segment(first: 0, count: 10, size: 1), ok: 7, failed: 3, now: 0)
        for (i, state) in [MAPE_ITEM_CRASHED, MAPE_ITEM_TIMED_OUT, MAPE_ITEM_CANCELLED, MAPE_ITEM_ABANDONED]
            .enumerated()
        {
            let outcome = Outcome(state, MAPE_CAUSE_NONE, "")
            job.end(
                Segment(first: 10 + UInt64(i) * 5, count: UInt64(i) + 1, outcome: outcome), ok: 0, failed: 0, now: 0)
        }
        let p = job.progress(now: 5000, partial: 0)
        #expect(p.struct_size == MemoryLayout<mape_progress>.size)
        #expect(p.total == 100 && p.done == 20 && p.running == 40)
        #expect(
            p.ok == 7 && p.failed == 3 && p.crashed == 1 && p.timed_out == 2 && p.cancelled == 3 && p.abandoned == 4)
        #expect(p.undelivered == 20)
        #expect(p.elapsed_ns == 4000)
        #expect(p.is_done == 0 && p.reserved == 0)
        #expect(p.fraction == 0.2)
    }

    @Test(arguments: [(0, 0.2), (5, 0.25), (39.5, 0.595), (40, 0.6), (1000, 0.6)])
    func runningItemsCountWithWhatTheyTold(partial: Double, fraction: Double) throws {
        let job = try bareJob(100)
        _ = job.nextRange(60)
        job.end(Segment(first: 0, count: 20, outcome: .crashed()), ok: 0, failed: 0, now: 0)
        #expect(abs(job.progress(now: 0, partial: partial).fraction - fraction) < 1e-12)
    }

    @Test func aDoneJobsTimeStandsStill() throws {
        let job = try bareJob(0, now: 100)
        job.becomeDone(now: 400)
        let p = job.progress(now: 9999, partial: 0)
        #expect(p.elapsed_ns == 300 && p.is_done == 1 && p.fraction == 1)
    }

    @Test func anOpenStreamWithoutItemsIsAtZero() throws {
        let stream = try LocalPool().make(JobConfig(), .ofStream)
        let p = stream.progress(now: 0, partial: 0)
        #expect(p.fraction == 0 && p.is_done == 0)
    }

    @Test func progressIsDueOncePerInterval() throws {
        var config = delivering(MAPE_DELIVER_PROGRESS)
        config.progressInterval = 100
        let job = try bareJob(10, config)
        _ = job.nextRange(10)
        job.end(Segment(first: 0, count: 1, outcome: .crashed()), ok: 0, failed: 0, now: 99)
        #expect(!job.delivery.progressIsDue)
        job.end(Segment(first: 1, count: 1, outcome: .crashed()), ok: 0, failed: 0, now: 100)
        #expect(job.delivery.progressIsDue && job.hasEvents)
    }

    @Test func doneIsToldOnlyWhenAskedForAndAfterAllItems() throws {
        let silent = try bareJob(0)
        #expect(!silent.hasEvents)
        let job = try bareJob(1, delivering(MAPE_DELIVER_DONE, MAPE_DELIVER_ITEMS))
        _ = job.nextRange(1)
        job.end(Segment(first: 0, count: 1, outcome: .crashed()), ok: 0, failed: 0, now: 0)
        #expect(!job.doneIsDue)
        _ = job.delivery.delivered(1, of: 1)
        #expect(job.doneIsDue)
        job.delivery.toldDoneAt = 1
        #expect(!job.doneIsDue)
    }
}
