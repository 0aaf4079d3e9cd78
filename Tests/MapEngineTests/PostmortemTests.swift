// Who is to blame and what runs again: a row per case, in the order of Tests/model/deaths.pml (`postmortem`), then what the model leaves out.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct PostmortemTests {
    static let signal = Loss.status(11)
    static let retired = Loss.status(Int32(MAPB_EXIT_RETIRED.rawValue) << 8)
    /// The items 100 to 109.
    static let range = ItemRange(first: 100, count: 10)
    static let one = ItemRange(first: 100, count: 1)

    static func again(_ items: Range<UInt64>, searched: Bool = false, losses: UInt32 = 0) -> Finding.Part {
        .requeue(ItemRange(first: items.lowerBound, count: UInt64(items.count), searched: searched, losses: losses))
    }
    static func sought(_ items: Range<UInt64>) -> Finding.Part { again(items, searched: true) }

    struct Row: CustomTestStringConvertible {
        let what: String
        let lost: RangeLoss
        var isRecorded = true
        var keep: UInt64 = 0
        let parts: [Finding.Part]
        var testDescription: String { what }

        init(
            _ what: String, _ range: ItemRange = PostmortemTests.range, at point: BlameMark.Point,
            _ loss: Loss = PostmortemTests.signal, _ verdict: Verdict? = nil, hasMovedOn: Bool = false,
            hasWorked: Bool = false, isJobEnding: Bool = false, isRecorded: Bool = true, keep: UInt64 = 0,
            then parts: [Finding.Part]
        ) {
            self.what = what
            lost = RangeLoss(
                range: range, point: point, loss: loss, verdict: verdict, hasMovedOn: hasMovedOn, hasWorked: hasWorked,
                isJobEnding: isJobEnding)
            self.isRecorded = isRecorded
            self.keep = keep
            self.parts = parts
        }
    }

    static func lostBefore(_ losses: UInt32, _ count: UInt64 = 10) -> ItemRange {
        ItemRange(first: 100, count: count, losses: losses)
    }

    /// In the model.
    static let modelled: [Row] = [
        // mark == 0
        Row("not begun", at: .before, then: [again(100..<110, losses: 1)]),
        // reclaimed && at == count
        Row("before what was reclaimed", at: .end(10), keep: 10, then: []),
        Row("all was reclaimed", ItemRange(first: 100, count: 0), at: .end(0), then: []),
        // IS_BYSTANDER
        Row("moved on, an item", at: .item(3), signal, .timeout, hasMovedOn: true, keep: 3, then: [again(103..<110)]),
        Row("moved on, the first item", at: .item(0), signal, .timeout, hasMovedOn: true, then: [again(100..<110)]),
        Row(
            "moved on, a range", at: .range(start: 4, count: 4), signal, .timeout, hasMovedOn: true, keep: 4,
            then: [again(104..<110)]),
        Row("moved on, anywhere", at: .anywhere, signal, .timeout, hasMovedOn: true, then: [again(100..<110)]),
        Row("moved on, nonsense", at: .nonsense, signal, .timeout, hasMovedOn: true, then: [again(100..<110)]),
        Row("moved on to the end", at: .end(10), signal, .timeout, hasMovedOn: true, keep: 10, then: []),
        // mark >= MARK_RANGE
        Row(
            "the first range", at: .range(start: 0, count: 4),
            then: [again(104..<110), sought(102..<104), sought(100..<102)]),
        Row(
            "a range", at: .range(start: 4, count: 4), keep: 4,
            then: [again(108..<110), sought(106..<108), sought(104..<106)]),
        Row("the last range", at: .range(start: 8, count: 2), keep: 8, then: [sought(109..<110), sought(108..<109)]),
        Row(
            "an odd range", at: .range(start: 0, count: 3),
            then: [again(103..<110), sought(101..<103), sought(100..<101)]),
        Row("a range of one", at: .range(start: 4, count: 1), keep: 4, then: [again(105..<110), .blame(104, .lost)]),
        Row(
            "a range, timed out", at: .range(start: 4, count: 4), signal, .timeout, keep: 4,
            then: [again(108..<110), sought(106..<108), sought(104..<106)]),
        Row(
            "a range of one, timed out", at: .range(start: 4, count: 1), signal, .timeout, keep: 4,
            then: [again(105..<110), .blame(104, .timedOut)]),
        Row("anywhere", at: .anywhere, then: [sought(105..<110), sought(100..<105)]),
        Row("anywhere in one", one, at: .anywhere, then: [.blame(100, .lost)]),
        Row("anywhere in one, timed out", one, at: .anywhere, signal, .timeout, then: [.blame(100, .timedOut)]),
        // mark < MARK_RANGE
        Row("an item", at: .item(3), keep: 3, then: [.blame(103, .lost), again(104..<110)]),
        Row("the first item", at: .item(0), then: [.blame(100, .lost), again(101..<110)]),
        Row("the last item", at: .item(9), keep: 9, then: [.blame(109, .lost)]),
        Row("the only item", one, at: .item(0), then: [.blame(100, .lost)]),
        Row(
            "an item, timed out", at: .item(3), signal, .timeout, keep: 3,
            then: [.blame(103, .timedOut), again(104..<110)]),
        Row("nonsense", at: .nonsense, then: [sought(105..<110), sought(100..<105)]),
        Row("nonsense in one", one, at: .nonsense, then: [.blame(100, .overwrote)]),
        // A job that is to end.
        Row(
            "an item of a job that ends", at: .item(3), isJobEnding: true, keep: 3,
            then: [.blame(103, .lost), again(104..<110)]),
        Row(
            "a range of a job that ends", at: .range(start: 4, count: 4), isJobEnding: true, keep: 4,
            then: [again(108..<110), again(104..<108)]),
        // A range in which an item is looked for.
        Row(
            "an item while it is looked for", ItemRange(first: 100, count: 10, searched: true), at: .item(3), keep: 3,
            then: [.blame(103, .lost), sought(104..<110)]),
        Row(
            "a range while it is looked for", ItemRange(first: 100, count: 10, searched: true),
            at: .range(start: 4, count: 4), keep: 4, then: [sought(108..<110), sought(106..<108), sought(104..<106)]),
        Row(
            "not begun while it is looked for", ItemRange(first: 100, count: 10, searched: true), at: .before,
            then: [again(100..<110, searched: true, losses: 1)]),
    ]

    /// Not in the model: docs/model.md says why.
    static let others: [Row] = [
        // Ranges that are lost again and again without having begun.
        Row("not begun, the second time", lostBefore(1), at: .before, then: [again(100..<110, losses: 2)]),
        Row("not begun, the third time", lostBefore(2), at: .before, then: [sought(105..<110), sought(100..<105)]),
        Row("one not begun, the third time", lostBefore(2, 1), at: .before, then: [.blame(100, .lost)]),
        Row(
            "one not begun, the third time, timed out", lostBefore(2, 1), at: .before, signal, .timeout,
            then: [.blame(100, .lost)]),
        Row(
            "the third time, of a job that ends", lostBefore(2), at: .before, isJobEnding: true,
            then: [again(100..<110, losses: 3)]),
        Row(
            "losses are forgotten once it has begun", lostBefore(2), at: .item(3), keep: 3,
            then: [.blame(103, .lost), again(104..<110)]),
        // A worker that has given up its place.
        Row(
            "retired after work", lostBefore(2), at: .before, retired, hasWorked: true,
            then: [again(100..<110, losses: 2)]),
        Row("retired without work", lostBefore(2), at: .before, retired, then: [sought(105..<110), sought(100..<105)]),
        Row(
            "ended by a signal after work", lostBefore(2), at: .before, hasWorked: true,
            then: [sought(105..<110), sought(100..<105)]),
        // The zygote died.
        Row("zygote, not begun", lostBefore(2), at: .before, .zygote, then: [again(100..<110, losses: 2)]),
        Row("zygote, an item", at: .item(3), .zygote, keep: 3, then: [.blame(103, .lostWithZygote), again(104..<110)]),
        Row(
            "zygote, an item, timed out", at: .item(3), .zygote, .timeout, keep: 3,
            then: [.blame(103, .timedOut), again(104..<110)]),
        Row(
            "zygote, a range", at: .range(start: 4, count: 4), .zygote, keep: 4,
            then: [again(108..<110), again(104..<108, searched: true, losses: 1)]),
        Row(
            "zygote, a range, the third time", lostBefore(2), at: .range(start: 4, count: 4), .zygote, keep: 4,
            then: [
                again(108..<110), again(106..<108, searched: true, losses: 2),
                again(104..<106, searched: true, losses: 2),
            ]),
        Row(
            "zygote, a range of one", at: .range(start: 4, count: 1), .zygote, keep: 4,
            then: [again(105..<110), .blame(104, .lostWithZygote)]),
        Row(
            "zygote, a range of a job that ends", at: .range(start: 4, count: 4), .zygote, isJobEnding: true, keep: 4,
            then: [again(108..<110), again(104..<108)]),
        Row("zygote, anywhere", at: .anywhere, .zygote, then: [sought(105..<110), sought(100..<105)]),
        Row("zygote, before what was reclaimed", at: .end(10), .zygote, keep: 10, then: []),
        // Killed because its job was cancelled, or the pool is shut down.
        Row(
            "cancelled", at: .item(3), signal, .cancel, isJobEnding: true, keep: 3,
            then: [.blame(103, .lost), again(104..<110)]),
        Row(
            "the cancelled job is over, another runs", at: .item(3), signal, .cancel, keep: 3, then: [again(103..<110)]),
        Row(
            "shut down, and the job is not to end", at: .range(start: 4, count: 4), signal, .shutdown, keep: 4,
            then: [again(104..<110)]),
        Row(
            "shut down", at: .item(3), signal, .shutdown, isJobEnding: true, keep: 3,
            then: [.blame(103, .lost), again(104..<110)]),
        // Its replies were not valid: nothing that it says is believed.
        Row("hostile", at: .item(3), signal, .hostile("x"), then: [sought(105..<110), sought(100..<105)]),
        Row("hostile, one", one, at: .item(0), signal, .hostile("x"), then: [.blame(100, .overwrote)]),
        Row("hostile, not begun", at: .before, signal, .hostile("x"), then: [sought(105..<110), sought(100..<105)]),
        Row(
            "hostile, before what was reclaimed", at: .end(10), signal, .hostile("x"),
            then: [sought(105..<110), sought(100..<105)]),
        Row("hostile, its job ends", at: .item(3), signal, .hostile("x"), isJobEnding: true, then: [again(100..<110)]),
        Row("hostile, and the zygote died", one, at: .item(0), .zygote, .hostile("x"), then: [.blame(100, .overwrote)]),
        // What it says has ended does not stand in its reply.
        Row("an item, not recorded", at: .item(3), isRecorded: false, then: [sought(105..<110), sought(100..<105)]),
        Row("the end, not recorded", at: .end(10), isRecorded: false, then: [sought(105..<110), sought(100..<105)]),
        Row("the end of one, not recorded", one, at: .end(1), isRecorded: false, then: [.blame(100, .overwrote)]),
        Row(
            "a range, not recorded", at: .range(start: 4, count: 4), isRecorded: false,
            then: [sought(105..<110), sought(100..<105)]),
        Row(
            "moved on, not recorded", at: .item(3), signal, .timeout, hasMovedOn: true, isRecorded: false,
            then: [again(100..<110)]),
    ]

    @Test(arguments: modelled + others)
    func aDeathIsJudgedByWhatIsKnown(row: Row) {
        #expect(postmortem(row.lost, isRecorded: row.isRecorded) == Finding(keep: row.keep, parts: row.parts))
    }

    /// Whatever has happened: each item is kept, is blamed or runs again, once; one is blamed at most, and never one that had ended.
    @Test(arguments: seeds)
    func noItemIsLostOrRunsTwice(seed: UInt64) {
        var random = SeededRandom(seed)
        for _ in 0..<20_000 {
            let count = UInt64.random(in: 0...9, using: &random)
            let range = ItemRange(
                first: UInt64.random(in: 0...50, using: &random), count: count, searched: random.chance(50),
                losses: UInt32.random(in: 0...3, using: &random))
            let mark = UInt32.random(in: 0...12, using: &random) | (random.chance(50) ? MAPB_MARK_RANGE : 0)
            let point = BlameMark(UInt64.random(in: 1...2, using: &random) << 32 | UInt64(mark)).point(
                in: 1, count: count, step: UInt64.random(in: 1...9, using: &random), wasReclaimed: random.chance(50))
            let verdicts: [Verdict?] = [nil, .timeout, .cancel, .shutdown, .hostile("")]
            let lost = RangeLoss(
                range: range, point: point, loss: [Self.signal, Self.retired, .zygote].randomElement(using: &random)!,
                verdict: verdicts.randomElement(using: &random)!, hasMovedOn: random.chance(50),
                hasWorked: random.chance(50), isJobEnding: random.chance(50))
            let isRecorded = random.chance(80)
            let finding = postmortem(lost, isRecorded: isRecorded)
            #expect(finding.keep <= (isRecorded ? point.finished : 0))
            var items = Array(range.first..<range.first + finding.keep)
            var blamed: [UInt64] = []
            for part in finding.parts {
                switch part {
                case .requeue(let again):
                    #expect(again.count > 0)
                    items += again.first..<again.first + again.count
                case .blame(let item, _): blamed.append(item)
                }
            }
            #expect((items + blamed).sorted() == Array(range.first..<range.first + count), "\(lost)")
            #expect(blamed.count <= 1)
        }
    }
}
