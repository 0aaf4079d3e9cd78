// Random schedules: range sizes, deaths of workers, stops, a cancel, a host that fetches now and then. Whatever happens, every item
// ends exactly once.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct JobScheduleTests {
    struct Way: Sendable, CustomTestStringConvertible {
        var ordered = false
        var drop = false
        var delivers = true
        var cancels = false
        var testDescription: String {
            "\(ordered ? "ordered" : "as they end"), \(drop ? "dropping" : "keeping")\(delivers ? "" : ", unheard")\(cancels ? ", cancelled" : "")"
        }
    }

    static let ways = [
        Way(), Way(ordered: true), Way(drop: true), Way(ordered: true, drop: true), Way(delivers: false),
        Way(drop: true, delivers: false), Way(cancels: true), Way(ordered: true, drop: true, cancels: true),
    ]

    @Test(arguments: ways, seeds)
    func everyItemEndsExactlyOnce(_ way: Way, seed: UInt64) throws {
        var random = SeededRandom(seed)
        var config = JobConfig()
        config.ordered = way.ordered
        config.drop = way.drop
        config.window = UInt64.random(in: 1...40, using: &random)
        if way.delivers { config.deliver = MAPE_DELIVER_ITEMS.rawValue }
        let total = UInt64.random(in: 1...800, using: &random)
        let job = try bareJob(total, config)
        let results = try Regional(64 << 20)
        var ends = [Int](repeating: 0, count: Int(total))
        var delivered: [UInt64] = []
        var holding: [ItemRange] = []
        var deaths = 0

        func end(_ segment: Segment, ok: UInt64) {
            for i in segment.first..<segment.end { ends[Int(i)] += 1 }
            job.end(segment, ok: ok, failed: 0, now: 0)
        }
        func finish(_ range: ItemRange, _ count: UInt64) throws {
            guard count > 0 else { return }
            end(try results.segment(first: range.first, count: count, size: 8), ok: count)
        }
        func rest(_ range: ItemRange, from: UInt64) -> ItemRange {
            ItemRange(first: range.first + from, count: range.count - from, searched: range.searched)
        }
        func back(_ range: ItemRange) {
            guard range.count > 0 else { return }
            if let ending = job.ending {
                end(Segment(first: range.first, count: range.count, outcome: ending), ok: 0)
            } else {
                job.requeue(range)
            }
        }

        var steps = 0
        while job.tally.ended < total || job.delivery.undelivered > 0 {
            steps += 1
            try #require(
                steps < 200_000,
                "no step brings the job on: \(job.tally.ended) of \(total) ended, \(job.delivery.undelivered) undelivered"
            )
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<40:
                guard holding.count < 8 else { continue }
                let most = min(UInt64.random(in: 1...30, using: &random), job.room(draining: false))
                if let range = job.nextRange(most) { holding.append(range) }
            case 40..<65:
                guard let at = holding.indices.randomElement(using: &random) else { continue }
                let range = holding.remove(at: at)
                try finish(range, range.count)
            case 65..<72:
                // Stopped early: the rest did not run.
                guard let at = holding.indices.randomElement(using: &random) else { continue }
                let range = holding.remove(at: at)
                let done = UInt64.random(in: 0...range.count, using: &random)
                try finish(range, done)
                back(rest(range, from: done))
            case 72..<80:
                // A worker dies in one of its ranges and holds others.
                guard let at = holding.indices.randomElement(using: &random), deaths < 200 else { continue }
                deaths += 1
                let range = holding.remove(at: at)
                let done = UInt64.random(in: 0..<range.count, using: &random)
                try finish(range, done)
                if random.chance(50) {
                    end(Segment(first: range.first + done, count: 1, outcome: .crashed()), ok: 0)
                } else {
                    back(ItemRange(first: range.first + done, count: 1, searched: true))
                }
                back(rest(range, from: done + 1))
                for other in holding where random.chance(50) {
                    holding.removeAll { $0.first == other.first }
                    back(other)
                }
            case 80..<99:
                guard let place = job.delivery.places.first else { continue }
                let segment = job.results[place]!
                let count = UInt64.random(in: 1...(segment.count - job.delivery.offset), using: &random)
                for i in 0..<count { delivered.append(segment.first + job.delivery.offset + i) }
                if job.delivery.delivered(count, of: segment.count) && way.drop { job.drop(place)?.store.free() }
            default:
                guard way.cancels, job.ending == nil else { continue }
                job.willEnd(.cancelled(), now: 0)
                var open: [(UInt64, UInt64)] = job.unstarted.again.map { ($0.first, $0.count) }
                open.append((job.unstarted.next, total - job.unstarted.next))
                for (first, count) in open { for i in first..<(first + count) { ends[Int(i)] += 1 } }
                job.endWaiting(job.ending!, now: 0)
            }
            #expect(job.waiting + job.tally.running + job.tally.ended == total)
            #expect(job.tally.running == holding.reduce(0) { $0 + $1.count })
            if way.drop && way.delivers && !way.cancels {
                #expect(job.delivery.undelivered + job.tally.running <= config.window)
            }
        }

        #expect(ends.allSatisfy { $0 == 1 })
        #expect(job.tally.ofAllStates == total)
        #expect(job.tally.running == 0 && job.waiting == 0)
        if way.delivers { #expect(delivered.sorted() == Array(0..<total)) }
        if way.delivers && way.ordered { #expect(delivered == Array(0..<total)) }
        if !way.drop {
            for i in 0..<total {
                let segment = try #require(job.segment(holding: i))
                if segment.outcome == nil {
                    #expect(
                        bytes(readResult(segment, i - segment.first))
                            == [UInt8](repeating: UInt8(truncatingIfNeeded: i), count: 8))
                }
            }
            job.dropAll()
        }
        #expect(results.region.live == 0)
    }
}
