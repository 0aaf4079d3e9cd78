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
        let first = try #require(region.advance(ticket: 1, holeEnd: 0, frontierEnd: start + 4 * mib))
        let kept = try #require(region.advance(ticket: 2, holeEnd: 0, frontierEnd: start + 5 * mib))
        region.free(first)
        var request = mapb_request()
        region.placeOutput(&request, ticket: 3, idle: false)
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
        region.placeOutput(&request, ticket: 1, idle: true)
        #expect(request.flags == 0)
        #expect(!region.isStretched)
    }

    @Test func whatTheFrontierCursorPassedIsUsed() throws {
        let region = try OutputRegion(reserve: 4 * Self.mib)
        let used = try #require(region.advance(ticket: 1, holeEnd: 12345, frontierEnd: Self.start + 100))
        #expect(used.frontier == Extent(offset: Self.start, count: 100))
        #expect(used.hole.count == 0)
        #expect(region.live == 100)
        let next = try #require(region.advance(ticket: 2, holeEnd: 0, frontierEnd: Self.start + 164))
        #expect(next.frontier == Extent(offset: Self.start + 100, count: 64))
        region.free(used)
        region.free(next)
        #expect(region.live == 0)
    }

    @Test func theFrontierCursorMayReachTheEnd() throws {
        let region = try OutputRegion(reserve: 4 * Self.mib)
        #expect(region.advance(ticket: 1, holeEnd: 0, frontierEnd: region.size) != nil)
    }

    @Test(
        arguments: [
            0, 1, UInt64(MAPB_RESULTS_OFFSET), UInt64(MAPB_RESULTS_OFFSET) + 99, (4 << 20) + 1, 1 << 62, UInt64.max,
        ] as [UInt64])
    func aFrontierCursorThatWentBackOrBeyondTheEndIsRefused(frontierEnd: UInt64) throws {
        let region = try OutputRegion(reserve: 4 * Self.mib)
        _ = region.advance(ticket: 1, holeEnd: 0, frontierEnd: Self.start + 100)
        #expect(region.advance(ticket: 2, holeEnd: 0, frontierEnd: frontierEnd) == nil)
        // And nothing was changed by it.
        #expect(region.live == 100)
        let next = region.advance(ticket: 2, holeEnd: 0, frontierEnd: Self.start + 101)
        #expect(next?.frontier == Extent(offset: Self.start + 100, count: 1))
    }

    @Test func aHoleCountsFromTheReplyToTheRequestThatGrantedIt() throws {
        let (region, kept, hole) = try Self.withGrantedHole()
        #expect(hole == Extent(offset: Self.start, count: 4 * Self.mib))
        let used = try #require(
            region.advance(ticket: 3, holeEnd: hole.offset + 64, frontierEnd: kept.frontier.end + 8))
        #expect(used.hole == Extent(offset: hole.offset, count: 64))
        #expect(used.frontier == Extent(offset: kept.frontier.end, count: 8))
        let next = try #require(region.advance(ticket: 4, holeEnd: hole.end, frontierEnd: kept.frontier.end + 8))
        #expect(next.hole == Extent(offset: hole.offset + 64, count: hole.count - 64))
    }

    @Test(arguments: [-1, (4 << 20) + 1, 6 << 20])
    func aHoleCursorOutsideItsHoleIsRefused(distance: Int) throws {
        let (region, kept, hole) = try Self.withGrantedHole()
        let cursor = UInt64(Int(hole.offset) + distance)
        #expect(region.advance(ticket: 3, holeEnd: cursor, frontierEnd: kept.frontier.end) == nil)
        #expect(region.live == kept.frontier.count)
    }

    @Test func aHoleCursorThatWentBackIsRefused() throws {
        let (region, kept, hole) = try Self.withGrantedHole()
        _ = region.advance(ticket: 3, holeEnd: hole.offset + 64, frontierEnd: kept.frontier.end)
        #expect(region.advance(ticket: 4, holeEnd: hole.offset + 63, frontierEnd: kept.frontier.end) == nil)
        #expect(region.advance(ticket: 4, holeEnd: hole.offset + 64, frontierEnd: kept.frontier.end) != nil)
    }

    @Test func aReplyBeforeTheGrantMayNotUseTheNewHole() throws {
        let region = try OutputRegion(reserve: 16 * Self.mib)
        let first = try #require(region.advance(ticket: 1, holeEnd: 0, frontierEnd: Self.start + 4 * Self.mib))
        region.free(first)
        var request = mapb_request()
        region.placeOutput(&request, ticket: 3, idle: false)
        // Request 2 is still on its way: nothing of the hole counts as its own.
        let used = try #require(
            region.advance(ticket: 2, holeEnd: request.hole_limit, frontierEnd: first.frontier.end + 16))
        #expect(!used.contains(request.hole_base, 1))
        #expect(used.contains(first.frontier.end, 16))
    }

    @Test func whatWasLeftOfAHoleIsFreeAgainAfterTheSwitch() throws {
        let (region, kept, hole) = try Self.withGrantedHole()
        let small = hole.offset + 64
        _ = try #require(region.advance(ticket: 3, holeEnd: small, frontierEnd: kept.frontier.end))
        var request = mapb_request()
        region.placeOutput(&request, ticket: 4, idle: true)
        // Idle: the rest of the old hole is one stretch, and granted anew.
        #expect(request.flags == MAPB_SET_HOLE.rawValue | MAPB_SET_FRONTIER.rawValue)
        #expect(request.hole_base == small)
        #expect(request.hole_limit == hole.end)
        #expect(request.frontier_base == kept.frontier.end)
    }

    @Test func anIdleWorkersFrontierStartsAnewWhereResultsEnd() throws {
        let region = try OutputRegion(reserve: 16 * Self.mib)
        let first = try #require(region.advance(ticket: 1, holeEnd: 0, frontierEnd: Self.start + 4096))
        let second = try #require(region.advance(ticket: 2, holeEnd: 0, frontierEnd: Self.start + 9 * Self.mib))
        region.free(second)
        #expect(region.isStretched)
        var request = mapb_request()
        region.placeOutput(&request, ticket: 3, idle: true)
        #expect(request.frontier_base == first.frontier.end)
        #expect(!region.isStretched)
        region.free(first)
        request = mapb_request()
        region.placeOutput(&request, ticket: 3, idle: true)
        #expect(request.frontier_base == Self.start)
    }

    @Test func aPartHoldsOnlyWhatLiesWhollyInside() {
        let used = Used(hole: Extent(offset: 100, count: 50), frontier: Extent(offset: 150, count: 10))
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
        let small = try #require(regions[0].advance(ticket: 1, holeEnd: 0, frontierEnd: start + 1000))
        let large = try #require(regions[1].advance(ticket: 1, holeEnd: 0, frontierEnd: start + size))
        #expect(figures.live == size + 1000 && !figures.hasExcess)
        regions[1].free(large)
        #expect(figures.live == 1000 && figures.hasExcess)
        regions[1].returnPages(regions[1].beginTrim())
        #expect(!figures.hasExcess)
        let again = try #require(regions[1].advance(ticket: 2, holeEnd: 0, frontierEnd: start + size * 3 / 2))
        regions[1].free(again)
        #expect(figures.hasExcess == regions[1].hasExcess)
        // A memory that goes takes with it what is said of it.
        regions[1].retire()
        #expect(!figures.hasExcess && figures.live == 1000)
        _ = try #require(regions[1].advance(ticket: 3, holeEnd: 0, frontierEnd: start + size * 3 / 2 + 100))
        #expect(figures.live > 1000)
        regions.removeLast()
        #expect(figures.live == 1000 && !figures.hasExcess)
        regions[0].free(small)
        #expect(figures.live == 0)
    }
}
