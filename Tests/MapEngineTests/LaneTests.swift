// Lanes: workers whose ranges run on other machines. What they are assigned, when they are late, who is blamed for their loss, and what they
// may say.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct LaneTests {
    // MARK: - Losses

    static func lost(
        _ range: ItemRange, _ loss: Loss = .status(9), _ verdict: Verdict? = nil, isJobEnding: Bool = false
    ) -> [Finding.Part] {
        postmortem(
            RangeLoss(
                range: range, point: .before, loss: loss, verdict: verdict, isJobEnding: isJobEnding, isOnLane: true)
        ).parts
    }

    @Test func aLostMachineIsSuspectedOnlyAfterManyTimes() {
        var range = ItemRange(first: 10, count: 4)
        for times in 1..<Policy.laneSuspicion {
            range.losses = times - 1
            #expect(
                Self.lost(range) == [.requeue(ItemRange(first: 10, count: 4, losses: times))],
                "lost \(times) times")
        }
        range.losses = Policy.laneSuspicion - 1
        #expect(
            Self.lost(range) == [
                .requeue(ItemRange(first: 12, count: 2, searched: true)),
                .requeue(ItemRange(first: 10, count: 2, searched: true)),
            ])
        let one = ItemRange(first: 10, count: 1, losses: Policy.laneSuspicion - 1)
        #expect(Self.lost(one) == [.blame(10, .lost)])
    }

    @Test func theHelpersLossCountsForNothing() {
        let range = ItemRange(first: 10, count: 1, losses: Policy.laneSuspicion - 1)
        #expect(Self.lost(range, .zygote) == [.requeue(range)])
        #expect(Self.lost(range, .status(9), .cancel, isJobEnding: true) == [.requeue(range)])
        #expect(Self.lost(range, .status(9), .shutdown) == [.requeue(range)])
        #expect(Self.lost(range, .status(9), .hostile("a lie")) == [.blame(10, .overwrote)])
    }

    // MARK: - The handshake

    @Test func anAnswerThatIsHereKeepsAllOfItsRequest() {
        let mark = BlameMark(7 << 32 | UInt64(MAPB_MARK_ANSWER))
        for wasReclaimed in [false, true] {
            let point = mark.point(in: 7, count: 1 << 20, step: 1 << 20, wasReclaimed: wasReclaimed)
            #expect(point == .anywhere)
            #expect(point.begun == nil)
        }
        #expect(mark.point(in: 8, count: 5, step: 5, wasReclaimed: true).begun == 0)
        #expect(BlameMark(0).point(in: 7, count: 5, step: 5, wasReclaimed: true).begun == 0)
    }

    // MARK: - Times

    @Test func theTimePerItemFallsFromTheWayToWhatItIs() {
        var pace = Pace()
        pace.measureLane(nanoseconds: 200_000, work: 1000, items: 0)
        #expect(pace.laneTime == 0)
        pace.measureLane(nanoseconds: 200_000, work: 1000, items: 1)
        #expect(pace.laneTime == 200_000)
        for _ in 0..<8 { pace.measureLane(nanoseconds: 250_000, work: 1000, items: 1000) }
        #expect(pace.laneTime > 249 && pace.laneTime < 260)
        #expect(pace.itemTime == 0, "workers here have nothing to do with it")
        let before = pace.laneTime
        pace.measureLane(nanoseconds: .max, work: 1000, items: 1)
        #expect(pace.laneTime < before * 4)
    }

    /// What an answer says of the work there, about the least of late.
    @Test func theWorkPerItemIsKnownWithoutTheWay() {
        var pace = Pace()
        pace.measureLane(nanoseconds: 500_000, work: 60_000, items: 1)
        #expect(pace.laneWork == 60_000)
        pace.measureLane(nanoseconds: 900_000, work: 500_000, items: 5000)
        #expect(pace.laneWork == 100)
        for _ in 0..<20 { pace.measureLane(nanoseconds: 500_000, work: 60_000, items: 20) }
        #expect(pace.laneWork > 500 && pace.laneWork < 3000, "it follows slowly")
        pace.measureLane(nanoseconds: 500_000, work: 0, items: 1000)
        #expect(pace.laneWork > 0)
    }

    /// A map's last ranges would else be hundreds, each of a few items that take no time, and each with the same way.
    @Test func lastRangesHaveWorkForTheirWay() throws {
        let local = try LocalPool()
        let job = try local.submit(200_000)
        #expect(local.core.lanePortion(job, workers: 6).size == 1, "nothing is known of how long they take")
        for _ in 0..<8 { job.pace.measureLane(nanoseconds: 2_000_000, work: 1_000_000, items: 10_000) }
        #expect(local.core.lanePortion(job, workers: 6).size == job.waiting / 12)
        #expect(local.core.lanePortion(job, workers: 64).size == 10_000, "a millisecond of work")
        for _ in 0..<8 { job.pace.measureLane(nanoseconds: 500_000, work: 60_000, items: 14) }
        #expect(
            local.core.lanePortion(job, workers: 1000).size > 200,
            "short ranges do not get shorter by what the way takes")
        try local.settle()
    }

    @Test func aRangeTakesLongAgainstTheWayButNotTooLong() {
        #expect(Pace.laneGoal(roundTrip: 0) == Policy.laneTime)
        #expect(Pace.laneGoal(roundTrip: 200_000) == Policy.laneTime)
        #expect(Pace.laneGoal(roundTrip: 5_000_000) == 100_000_000)
        #expect(Pace.laneGoal(roundTrip: 9_000_000_000) == Policy.laneLongest)
        #expect(Pace.laneGoal(roundTrip: .max) == Policy.laneLongest && Pace.laneGoal(roundTrip: -5) == Policy.laneTime)
    }

    @Test func whatIsLateRunsElsewhere() {
        var pace = Pace()
        func late(_ items: UInt64, delays: UInt8 = 0, here: Bool = false) -> Int64 {
            pace.lateness(items: items, delays: delays, couldRunHere: here)
        }
        #expect(late(1) == Policy.laneUnknown && late(1, here: true) == Policy.laneUnknown)
        pace.measure(nanoseconds: 30_000_000, items: 1)
        #expect(late(1) == Policy.laneUnknown, "of the way nothing is known")
        #expect(late(1, here: true) == 60_000_000, "as long as it would take here, twice")
        // A node behind a slow link.
        pace.measureLane(nanoseconds: 900_000_000, work: 1000, items: 1)
        #expect(late(1) == 1_800_000_000)
        #expect(late(1, here: true) == 60_000_000)
        #expect(late(2, delays: 1) == 14_400_000_000)
        #expect(late(2, delays: 1, here: true) == 120_000_000)
        pace = Pace()
        pace.measure(nanoseconds: 1000, items: 1)
        pace.measureLane(nanoseconds: 1000, work: 1000, items: 1)
        #expect(late(10) == Policy.laneLate && late(10, here: true) == Policy.laneLate)
        #expect(late(1, delays: 50) == Policy.laneLate << Int64(2 * Policy.laneDoublings))
        // Items of 80 MB: the way takes seconds, and what is sent again takes it once more.
        pace = Pace()
        pace.itemBytes = 80_000_000
        #expect(late(1) == Policy.laneUnknown + 16_000_000_000)
        pace.measure(nanoseconds: 1000, items: 1)
        #expect(late(1, here: true) == Policy.laneLate, "a worker here needs no way")
        pace.measureLane(nanoseconds: 500_000_000, work: 1000, items: 1)
        #expect(late(1) == 1_000_000_000, "what was measured counts")
        pace = Pace()
        pace.itemBytes = .max
        #expect(late(.max, delays: 6) > 0)
    }

    // MARK: - What a lane says of an item that was ended

    /// A description, and its texts behind it.
    static func told(_ change: (inout mapb_item_end) -> Void = { _ in }) throws -> (OutputRegion, Used, UInt64) {
        let region = try OutputRegion(reserve: 1 << 20)
        let start = UInt64(MAPB_RESULTS_OFFSET)
        var end = mapb_item_end()
        end.state = MAPE_ITEM_CRASHED.rawValue
        end.cause = MAPE_CAUSE_SIGNAL.rawValue
        end.code = 11
        end.signal = 11
        end.attempts = 2
        let text = Array("worker 0 (process 5) was ended by SIGSEGV".utf8)
        let report = Array("text\nitem\n#0 f+0x1\n\u{1b}[31m\n".utf8)
        let host = Array("n2".utf8)
        end.text = start + 128
        end.text_size = UInt32(text.count)
        end.report = start + 512
        end.report_size = UInt32(report.count)
        end.host = start + 1024
        end.host_size = UInt32(host.count)
        change(&end)
        for (at, bytes) in [(128, text), (512, report), (1024, host)] {
            memcpy(region.base + Int(start) + at, bytes, bytes.count)
        }
        memcpy(region.base + Int(start), &end, MemoryLayout<mapb_item_end>.size)
        let used = Used(
            hole: Extent(offset: 0, count: 0), frontier: Extent(offset: start, count: 4096))
        return (region, used, start)
    }

    static let name = ItemName(function: "f", functionID: 3, job: 4, index: 17)

    @Test func anEndedItemIsNamedByTheHost() throws {
        let (region, used, at) = try Self.told()
        let item = try EndedItem(region, used, at: at, UInt64(MemoryLayout<mapb_item_end>.size))
        let outcome = item.outcome(Self.name)
        #expect(
            outcome.text.string
                == "on machine \"n2\": worker 0 (process 5) was ended by SIGSEGV, function \"f\", item 17 of job 4")
        #expect(outcome.state == MAPE_ITEM_CRASHED && outcome.cause == MAPE_CAUSE_SIGNAL && outcome.code == 11)
        #expect(item.more == 2)
        let crash = try #require(outcome.crash).publicForm
        #expect(String(cString: crash.host) == "n2" && crash.signal == 11 && crash.function == 3)
        let report = String(cString: crash.text)
        #expect(report.contains("#0 f+0x1\n") && report.contains("item 17 of job 4"))
        #expect(!report.contains("\u{1b}"), "made printable")
    }

    @Test func otherDescriptionsAreRefused() throws {
        let lies: [(inout mapb_item_end) -> Void] = [
            { $0.state = MAPE_ITEM_OK.rawValue }, { $0.state = 99 }, { $0.cause = MAPE_CAUSE_NONE.rawValue },
            { $0.cause = MAPE_CAUSE_POOL.rawValue }, { $0.state = MAPE_ITEM_TIMED_OUT.rawValue },
            { $0.text = 0 }, { $0.text = .max }, { $0.text_size = 4097 }, { $0.text_size = .max },
            { $0.report = UInt64(MAPB_RESULTS_OFFSET) + 4096 }, { $0.report_size = 65537 },
            { $0.host = 3 }, { $0.host_size = 256 },
        ]
        for (i, lie) in lies.enumerated() {
            let (region, used, at) = try Self.told(lie)
            #expect(throws: InvalidReply.self, "lie \(i)") {
                _ = try EndedItem(region, used, at: at, UInt64(MemoryLayout<mapb_item_end>.size))
            }
        }
        let (region, used, at) = try Self.told()
        for size: UInt64 in [0, 87, 89, .max] {
            #expect(throws: InvalidReply.self) { _ = try EndedItem(region, used, at: at, size) }
        }
    }

    /// With any words changed it is refused, or makes texts.
    @Test func anyWordsAreRefusedOrMakeAnOutcome() throws {
        var random = SystemRandomNumberGenerator()
        var accepted = 0
        let (region, used, at) = try Self.told()
        let words = UnsafeMutableRawPointer(region.base + Int(at)).assumingMemoryBound(to: UInt32.self)
        let count = MemoryLayout<mapb_item_end>.size / 4
        let right = (0..<count).map { words[$0] }
        for _ in 0..<1000 {
            for i in 0..<count { words[i] = right[i] }
            for _ in 0..<2 {
                let edges: [UInt32] = [
                    0, 1, 4095, 4096, .max, UInt32(MAPB_RESULTS_OFFSET), .random(in: .min ... .max, using: &random),
                ]
                words[.random(in: 0..<count, using: &random)] = edges.randomElement(using: &random)!
            }
            guard let item = try? EndedItem(region, used, at: at, UInt64(MemoryLayout<mapb_item_end>.size)) else {
                continue
            }
            accepted += 1
            _ = item.outcome(Self.name).crash?.publicForm
        }
        #expect(accepted > 0 && accepted < 1000)
    }
}
