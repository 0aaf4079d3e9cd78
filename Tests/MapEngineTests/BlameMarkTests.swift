// The blame word is read right: every kind of word, for the request it names and for others.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct BlameMarkTests {
    /// The word a worker writes: see workerMark.
    static func word(_ ticket: UInt64, _ mark: UInt32) -> UInt64 { ticket << 32 | UInt64(mark) }
    static let range = MAPB_MARK_RANGE

    struct Row: CustomTestStringConvertible {
        let what: String
        let word: UInt64
        var ticket: UInt64 = 7
        var count: UInt64 = 10
        var step: UInt64 = 4
        var wasReclaimed = false
        let point: BlameMark.Point
        let finished: UInt64
        let begun: UInt64?
        let running: UInt64
        var testDescription: String { what }
    }

    static let rows: [Row] = [
        Row(what: "no word yet", word: 0, point: .before, finished: 0, begun: 0, running: 0),
        Row(what: "the request, and no mark", word: word(7, 0), point: .before, finished: 0, begun: 0, running: 0),
        Row(what: "the request before", word: word(6, 3), point: .before, finished: 0, begun: 0, running: 0),
        Row(what: "the request after", word: word(8, range | 4), point: .before, finished: 0, begun: 0, running: 0),
        Row(what: "the first item", word: word(7, 1), point: .item(0), finished: 0, begun: 1, running: 1),
        Row(what: "an item", word: word(7, 4), point: .item(3), finished: 3, begun: 4, running: 1),
        Row(what: "the last item", word: word(7, 10), point: .item(9), finished: 9, begun: 10, running: 1),
        Row(what: "an item behind the last", word: word(7, 11), point: .nonsense, finished: 0, begun: nil, running: 0),
        Row(
            what: "an item far behind", word: word(7, range - 1), point: .nonsense, finished: 0, begun: nil, running: 0),
        Row(
            what: "before the first item that was reclaimed", word: word(7, 11), wasReclaimed: true, point: .end(10),
            finished: 10, begun: 10, running: 0),
        Row(
            what: "behind that one", word: word(7, 12), wasReclaimed: true, point: .nonsense, finished: 0, begun: nil,
            running: 0),
        Row(
            what: "an item of a request of which items were reclaimed", word: word(7, 3), wasReclaimed: true,
            point: .item(2), finished: 2, begun: 3, running: 1),
        Row(
            what: "all was reclaimed, and it says so", word: word(7, 1), count: 0, wasReclaimed: true, point: .end(0),
            finished: 0, begun: 0, running: 0),
        Row(
            what: "all was reclaimed, and it has not looked", word: word(6, 1), count: 0, wasReclaimed: true,
            point: .before, finished: 0, begun: 0, running: 0),
        Row(
            what: "the first range", word: word(7, range), point: .range(start: 0, count: 4), finished: 0, begun: 4,
            running: 4),
        Row(
            what: "a range", word: word(7, range | 4), point: .range(start: 4, count: 4), finished: 4, begun: 8,
            running: 4),
        Row(
            what: "the last range, which is shorter", word: word(7, range | 8), point: .range(start: 8, count: 2),
            finished: 8, begun: 10, running: 2),
        Row(
            what: "one range that is the request", word: word(7, range), step: 10,
            point: .range(start: 0, count: 10), finished: 0, begun: 10, running: 10),
        Row(
            what: "the next range was reclaimed", word: word(7, range | 8), count: 8, wasReclaimed: true,
            point: .end(8), finished: 8, begun: 8, running: 0),
        Row(
            what: "a range behind the last item", word: word(7, range | 10), point: .anywhere, finished: 0, begun: nil,
            running: 0),
        Row(
            what: "the request as a whole is suspected: workerVouch", word: word(7, range | ~range), point: .anywhere,
            finished: 0, begun: nil, running: 0),
        Row(
            what: "the same, and items were reclaimed", word: word(7, range | ~range), wasReclaimed: true,
            point: .anywhere, finished: 0, begun: nil, running: 0),
        Row(
            what: "a ticket of more than 32 bits", word: word(1 << 40 | 7, 3), ticket: 1 << 40 | 7, point: .item(2),
            finished: 2, begun: 3, running: 1),
        Row(
            what: "the largest request", word: word(7, UInt32(Policy.largestRange)), count: Policy.largestRange,
            step: Policy.largestRange, point: .item(Policy.largestRange - 1), finished: Policy.largestRange - 1,
            begun: Policy.largestRange, running: 1),
    ]

    @Test(arguments: rows)
    func aWordSaysWhereItsWorkerIs(row: Row) {
        let mark = BlameMark(row.word)
        let point = mark.point(in: row.ticket, count: row.count, step: row.step, wasReclaimed: row.wasReclaimed)
        #expect(point == row.point)
        #expect(point.finished == row.finished)
        #expect(point.begun == row.begun)
        #expect(point.running == row.running)
        #expect(mark.isOn(row.ticket) == (row.point != .before))
        #expect(mark.word == row.word)
    }

    @Test(
        arguments: [
            (word(7, MAPB_AT_PLACE), .loading(0)),
            (word(7, MAPB_AT_PLACE + 1), .loading(1)),
            (word(7, MAPB_AT_PLACE + 2), .loading(2)),
            (word(7, MAPB_AT_SETUP), .setup),
            (word(7, MAPB_AT_SETUP + 1), .setup),
            (word(7, .max), .setup),
            (word(7, 0), nil),
            (word(6, MAPB_AT_SETUP), nil),
            (0, nil),
        ] as [(UInt64, BlameMark.Stage?)])
    func aWordSaysHowFarASetupIs(word: UInt64, stage: BlameMark.Stage?) {
        #expect(BlameMark(word).stage(in: 7) == stage)
    }

    /// What has ended has begun, what runs has begun and not ended, and none of it lies outside the request: whatever the word is.
    @Test(arguments: seeds)
    func noWordLeadsOutOfTheRequest(seed: UInt64) {
        var random = SeededRandom(seed)
        for _ in 0..<20_000 {
            let count = UInt64.random(in: 0...12, using: &random)
            let step = UInt64.random(in: 1...12, using: &random)
            let position = UInt32.random(in: 0...(random.chance(80) ? 14 : .max), using: &random)
            let mark = position | (random.chance(50) ? Self.range : 0)
            let ticket = UInt64.random(in: 6...8, using: &random)
            let point = BlameMark(Self.word(ticket, mark)).point(
                in: 7, count: count, step: step, wasReclaimed: random.chance(50))
            #expect(point.finished <= count)
            guard let begun = point.begun else { continue }
            #expect(begun <= count)
            #expect(point.finished + point.running == begun)
        }
    }
}
