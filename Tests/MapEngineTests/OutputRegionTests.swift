// The host's bookkeeping of a worker's output memory: what a reply may claim, and what becomes of it.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct OutputRegionTests {
    static let start = UInt64(MAPB_RESULTS_OFFSET)
    static let mib: UInt64 = 1 << 20

    /// A region of 16 MiB whose worker has used 4 MiB, then 1 MiB; the first 4 are free again, and were granted as a hole with
    /// request 3.
    static func withGrantedHole() throws -> (region: OutputRegion, kept: Used, hole: Extent) {
        let region = try OutputRegion(reserve: 16 * mib)
        let first = try #require(region.advance(ticket: 1, holeEnd: 0, wildEnd: start + 4 * mib))
        let kept = try #require(region.advance(ticket: 2, holeEnd: 0, wildEnd: start + 5 * mib))
        region.give(first)
        var request = mapb_request()
        region.direct(&request, ticket: 3, idle: false)
        #expect(request.flags == MAPB_SET_HOLE.rawValue)
        return (region, kept, Extent(offset: request.hole_base, count: request.hole_limit - request.hole_base))
    }

    @Test(arguments: [1, 4096, UInt64(MAPB_RESULTS_OFFSET), 1 << 20, 3 << 20] as [UInt64])
    func holdsRepliesAndResultsHoweverLittleWasAskedFor(reserve: UInt64) throws {
        let region = try OutputRegion(reserve: reserve)
        #expect(region.size >= max(Policy.leastReserve, reserve & ~4095))
    }

    @Test func aFreshRegionNeedsNoDirection() throws {
        let region = try OutputRegion(reserve: 4 * Self.mib)
        var request = mapb_request()
        region.direct(&request, ticket: 1, idle: true)
        #expect(request.flags == 0)
        #expect(!region.isStretched)
    }

    @Test func whatTheWildCursorPassedIsUsed() throws {
        let region = try OutputRegion(reserve: 4 * Self.mib)
        let used = try #require(region.advance(ticket: 1, holeEnd: 12345, wildEnd: Self.start + 100))
        #expect(used.wild == Extent(offset: Self.start, count: 100))
        #expect(used.hole.count == 0)
        #expect(region.live == 100)
        let next = try #require(region.advance(ticket: 2, holeEnd: 0, wildEnd: Self.start + 164))
        #expect(next.wild == Extent(offset: Self.start + 100, count: 64))
        region.give(used)
        region.give(next)
        #expect(region.live == 0)
    }

    @Test func theWildCursorMayReachTheEnd() throws {
        let region = try OutputRegion(reserve: 4 * Self.mib)
        #expect(region.advance(ticket: 1, holeEnd: 0, wildEnd: region.size) != nil)
    }

    @Test(
        arguments: [
            0, 1, UInt64(MAPB_RESULTS_OFFSET), UInt64(MAPB_RESULTS_OFFSET) + 99, (4 << 20) + 1, 1 << 62, UInt64.max,
        ] as [UInt64])
    func aWildCursorThatWentBackOrBeyondTheEndIsRefused(wildEnd: UInt64) throws {
        let region = try OutputRegion(reserve: 4 * Self.mib)
        _ = region.advance(ticket: 1, holeEnd: 0, wildEnd: Self.start + 100)
        #expect(region.advance(ticket: 2, holeEnd: 0, wildEnd: wildEnd) == nil)
        // And nothing was changed by it.
        #expect(region.live == 100)
        let next = region.advance(ticket: 2, holeEnd: 0, wildEnd: Self.start + 101)
        #expect(next?.wild == Extent(offset: Self.start + 100, count: 1))
    }

    @Test func aHoleCountsFromTheReplyToTheRequestThatGrantedIt() throws {
        let (region, kept, hole) = try Self.withGrantedHole()
        #expect(hole == Extent(offset: Self.start, count: 4 * Self.mib))
        let used = try #require(region.advance(ticket: 3, holeEnd: hole.offset + 64, wildEnd: kept.wild.end + 8))
        #expect(used.hole == Extent(offset: hole.offset, count: 64))
        #expect(used.wild == Extent(offset: kept.wild.end, count: 8))
        let next = try #require(region.advance(ticket: 4, holeEnd: hole.end, wildEnd: kept.wild.end + 8))
        #expect(next.hole == Extent(offset: hole.offset + 64, count: hole.count - 64))
    }

    @Test(arguments: [-1, (4 << 20) + 1, 6 << 20])
    func aHoleCursorOutsideItsHoleIsRefused(distance: Int) throws {
        let (region, kept, hole) = try Self.withGrantedHole()
        let cursor = UInt64(Int(hole.offset) + distance)
        #expect(region.advance(ticket: 3, holeEnd: cursor, wildEnd: kept.wild.end) == nil)
        #expect(region.live == kept.wild.count)
    }

    @Test func aHoleCursorThatWentBackIsRefused() throws {
        let (region, kept, hole) = try Self.withGrantedHole()
        _ = region.advance(ticket: 3, holeEnd: hole.offset + 64, wildEnd: kept.wild.end)
        #expect(region.advance(ticket: 4, holeEnd: hole.offset + 63, wildEnd: kept.wild.end) == nil)
        #expect(region.advance(ticket: 4, holeEnd: hole.offset + 64, wildEnd: kept.wild.end) != nil)
    }

    @Test func aReplyBeforeTheGrantMayNotUseTheNewHole() throws {
        let region = try OutputRegion(reserve: 16 * Self.mib)
        let first = try #require(region.advance(ticket: 1, holeEnd: 0, wildEnd: Self.start + 4 * Self.mib))
        region.give(first)
        var request = mapb_request()
        region.direct(&request, ticket: 3, idle: false)
        // Request 2 is still on its way: nothing of the hole counts as its own.
        let used = try #require(region.advance(ticket: 2, holeEnd: request.hole_limit, wildEnd: first.wild.end + 16))
        #expect(!used.contains(request.hole_base, 1))
        #expect(used.contains(first.wild.end, 16))
    }

    @Test func whatWasLeftOfAHoleIsFreeAgainAfterTheSwitch() throws {
        let (region, kept, hole) = try Self.withGrantedHole()
        let small = hole.offset + 64
        _ = try #require(region.advance(ticket: 3, holeEnd: small, wildEnd: kept.wild.end))
        var request = mapb_request()
        region.direct(&request, ticket: 4, idle: true)
        // Idle: the rest of the old hole is one stretch, and granted anew.
        #expect(request.flags == MAPB_SET_HOLE.rawValue | MAPB_SET_WILD.rawValue)
        #expect(request.hole_base == small)
        #expect(request.hole_limit == hole.end)
        #expect(request.wild_base == kept.wild.end)
    }

    @Test func anIdleWorkersWildPartStartsAnewWhereResultsEnd() throws {
        let region = try OutputRegion(reserve: 16 * Self.mib)
        let first = try #require(region.advance(ticket: 1, holeEnd: 0, wildEnd: Self.start + 4096))
        let second = try #require(region.advance(ticket: 2, holeEnd: 0, wildEnd: Self.start + 9 * Self.mib))
        region.give(second)
        #expect(region.isStretched)
        var request = mapb_request()
        region.direct(&request, ticket: 3, idle: true)
        #expect(request.wild_base == first.wild.end)
        #expect(!region.isStretched)
        region.give(first)
        request = mapb_request()
        region.direct(&request, ticket: 3, idle: true)
        #expect(request.wild_base == Self.start)
    }

    @Test func aPartHoldsOnlyWhatLiesWhollyInside() {
        let used = Used(hole: Extent(offset: 100, count: 50), wild: Extent(offset: 150, count: 10))
        #expect(used.contains(100, 50))
        #expect(used.contains(150, 10))
        #expect(used.contains(150, 0))
        #expect(!used.contains(99, 1))
        #expect(!used.contains(140, 20))
        #expect(!used.contains(159, 2))
        #expect(!used.contains(120, UInt64.max))
        #expect(!used.contains(UInt64.max, 1))
    }

    @Test func aPoolsFiguresAreThoseOfAllItsMemories() throws {
        let figures = OutputFigures()
        let size = Policy.warmOutput * 2
        var regions = try (0..<2).map { _ in try OutputRegion(reserve: size * 2, figures: figures) }
        let start = UInt64(MAPB_RESULTS_OFFSET)
        let small = try #require(regions[0].advance(ticket: 1, holeEnd: 0, wildEnd: start + 1000))
        let large = try #require(regions[1].advance(ticket: 1, holeEnd: 0, wildEnd: start + size))
        #expect(figures.live == size + 1000 && !figures.hasExcess)
        regions[1].give(large)
        #expect(figures.live == 1000 && figures.hasExcess)
        regions[1].giveBack(regions[1].beginTrim())
        #expect(!figures.hasExcess)
        let again = try #require(regions[1].advance(ticket: 2, holeEnd: 0, wildEnd: start + size * 3 / 2))
        regions[1].give(again)
        #expect(figures.hasExcess == regions[1].hasExcess)
        // A memory that goes takes with it what is said of it.
        regions[1].retire()
        #expect(!figures.hasExcess && figures.live == 1000)
        _ = try #require(regions[1].advance(ticket: 3, holeEnd: 0, wildEnd: start + size * 3 / 2 + 100))
        #expect(figures.live > 1000)
        regions.removeLast()
        #expect(figures.live == 1000 && !figures.hasExcess)
        regions[0].give(small)
        #expect(figures.live == 0)
    }
}
