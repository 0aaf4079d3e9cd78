// A worker that bumps its cursors as Worker/WorkerOutput.swift does, beside the host that follows them: live results never overlap,
// keep their bytes, and everything is free in the end.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct OutputRegionModelTests {
    /// The worker's side: only what requests told it.
    struct Cursors {
        var hole: UInt64 = 0
        var holeLimit: UInt64 = 0
        var frontier = UInt64(MAPB_RESULTS_OFFSET)
        let frontierLimit: UInt64

        mutating func begin(_ request: mapb_request) {
            if request.flags & MAPB_SET_HOLE.rawValue != 0 {
                hole = request.hole_base
                holeLimit = request.hole_limit
            }
            if request.flags & MAPB_SET_FRONTIER.rawValue != 0 { frontier = request.frontier_base }
        }

        mutating func allocate(_ size: UInt64) -> Extent? {
            if hole <= holeLimit && size <= holeLimit - hole {
                hole += size
                return Extent(offset: hole - size, count: size)
            }
            guard frontier <= frontierLimit && size <= frontierLimit - frontier else { return nil }
            frontier += size
            return Extent(offset: frontier - size, count: size)
        }
    }

    struct Live {
        let used: Used
        let results: [(Extent, UInt64)]
    }

    @Test(arguments: seeds)
    func liveResultsNeverOverlap(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let region = try OutputRegion(reserve: 96 << 20)
        var worker = Cursors(frontierLimit: region.size)
        var inbox: [mapb_request] = []
        var answered: [(mapb_request, Cursors, [(Extent, UInt64)])] = []
        var live: [Live] = []
        var ticket: UInt64 = 0
        var holesUsed = 0
        var restarts = 0

        func stamp(_ extent: Extent) -> UnsafeMutablePointer<UInt64> {
            UnsafeMutableRawPointer(region.base + Int(extent.offset)).assumingMemoryBound(to: UInt64.self)
        }
        func overlaps(_ a: Extent, _ b: Extent) -> Bool { a.offset < b.end && b.offset < a.end }

        for round in 0..<4000 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<3:
                let idle = inbox.isEmpty && answered.isEmpty
                if inbox.count + answered.count >= 6 || (region.isStretched && !idle) { continue }
                ticket += 1
                var request = mapb_request()
                request.ticket = ticket
                region.placeOutput(&request, ticket: ticket, idle: idle)
                if request.flags & MAPB_SET_FRONTIER.rawValue != 0 { restarts += 1 }
                inbox.append(request)
            case 3..<6:
                // The worker runs a range.
                guard !inbox.isEmpty else { continue }
                let request = inbox.removeFirst()
                worker.begin(request)
                var results: [(Extent, UInt64)] = []
                for _ in 0..<Int.random(in: 0...4, using: &random) {
                    let most: UInt64 = random.chance(10) ? 300_000 : 2000
                    guard let place = worker.allocate(UInt64.random(in: 1...most, using: &random) * 8) else { break }
                    results.append((place, random.next()))
                    stamp(place).pointee = results.last!.1
                }
                answered.append((request, worker, results))
            case 6..<8:
                // The host takes a reply in.
                guard !answered.isEmpty else { continue }
                let (request, cursors, results) = answered.removeFirst()
                let used = try #require(
                    region.advance(ticket: request.ticket, holeEnd: cursors.hole, frontierEnd: cursors.frontier),
                    "round \(round)")
                for (place, _) in results {
                    #expect(used.contains(place.offset, place.count), "round \(round)")
                    for other in live {
                        for (otherPlace, _) in other.results { #expect(!overlaps(place, otherPlace), "round \(round)") }
                    }
                }
                if used.hole.count > 0 { holesUsed += 1 }
                live.append(Live(used: used, results: results))
            default:
                guard let at = live.indices.randomElement(using: &random) else { continue }
                if live.count < 20 && random.chance(60) { continue }
                let gone = live.remove(at: at)
                for (place, value) in gone.results { #expect(stamp(place).pointee == value, "round \(round)") }
                region.free(gone.used)
            }
            #expect(region.live == live.reduce(0) { $0 + $1.used.hole.count + $1.used.frontier.count })
        }
        #expect(holesUsed > 0 && restarts > 0, "the schedule has to reach both cursors")
        for one in live {
            for (place, value) in one.results { #expect(stamp(place).pointee == value) }
            region.free(one.used)
        }
        #expect(region.live == 0)
    }
}
