import Testing

@testable import MapEngine

@Suite struct ExtentsTests {
    static func holding(_ stretches: [(UInt64, UInt64)]) -> Extents {
        var extents = Extents()
        for (offset, count) in stretches { extents.free(Extent(offset: offset, count: count)) }
        return extents
    }

    @Test func anEmptyWholeHoldsNothing() {
        var extents = Extents(Extent(offset: 64, count: 0))
        #expect(extents.free.isEmpty)
        #expect(extents.allocate(1, alignment: 1) == nil)
        #expect(extents.allocateWhole(least: 0) == nil)
        #expect(extents.removeLast(endingAt: 64) == nil)
    }

    @Test func takesFromTheFirstStretchThatIsLargeEnough() {
        var extents = Self.holding([(0, 10), (100, 50), (200, 500)])
        #expect(extents.allocate(20, alignment: 1) == 100)
        #expect(extents.allocate(10, alignment: 1) == 0)
        #expect(extents.allocate(30, alignment: 1) == 120)
        #expect(extents.allocate(501, alignment: 1) == nil)
        #expect(extents.free == [Extent(offset: 200, count: 500)])
        #expect(extents.total == 500)
    }

    @Test func anAlignedTakeLeavesHeadAndTailFree() {
        var extents = Extents(Extent(offset: 10, count: 1000))
        #expect(extents.allocate(100, alignment: 256) == 256)
        #expect(extents.free == [Extent(offset: 10, count: 246), Extent(offset: 356, count: 654)])
        #expect(extents.total == 900)
    }

    @Test func anAlignedTakeSkipsAStretchThatIsTooShortOnceAligned() {
        var extents = Self.holding([(10, 260), (1024, 256)])
        #expect(extents.allocate(256, alignment: 256) == 1024)
        #expect(extents.allocate(256, alignment: 256) == nil)
    }

    @Test func anAlignedTakeUpToTheEndLeavesNoTail() {
        var extents = Extents(Extent(offset: 10, count: 246))
        #expect(extents.allocate(128, alignment: 128) == 128)
        #expect(extents.free == [Extent(offset: 10, count: 118)])
    }

    struct Gift: Sendable {
        let before: [Extent]
        let given: Extent
        let after: [Extent]
    }

    @Test(arguments: [
        Gift(before: [], given: Extent(offset: 5, count: 5), after: [Extent(offset: 5, count: 5)]),
        Gift(
            before: [Extent(offset: 0, count: 5)], given: Extent(offset: 5, count: 5),
            after: [Extent(offset: 0, count: 10)]),
        Gift(
            before: [Extent(offset: 10, count: 5)], given: Extent(offset: 5, count: 5),
            after: [Extent(offset: 5, count: 10)]),
        Gift(
            before: [Extent(offset: 0, count: 5), Extent(offset: 10, count: 5)], given: Extent(offset: 5, count: 5),
            after: [Extent(offset: 0, count: 15)]),
        Gift(
            before: [Extent(offset: 0, count: 4), Extent(offset: 11, count: 5)], given: Extent(offset: 5, count: 5),
            after: [Extent(offset: 0, count: 4), Extent(offset: 5, count: 5), Extent(offset: 11, count: 5)]),
        Gift(
            before: [Extent(offset: 0, count: 4)], given: Extent(offset: 9, count: 0),
            after: [Extent(offset: 0, count: 4)]),
    ])
    func givingBackMergesNeighbours(_ gift: Gift) {
        var extents = Self.holding(gift.before.map { ($0.offset, $0.count) })
        extents.free(gift.given)
        #expect(extents.free == gift.after)
        #expect(extents.total == gift.after.reduce(0) { $0 + $1.count })
    }

    @Test func takeWholeTakesTheFirstStretchThatIsLargeEnough() {
        var extents = Self.holding([(0, 10), (100, 50), (200, 500)])
        #expect(extents.allocateWhole(least: 11) == Extent(offset: 100, count: 50))
        #expect(extents.allocateWhole(least: 501) == nil)
        #expect(extents.total == 510)
    }

    @Test func takeLastTakesOnlyAStretchThatEndsThere() {
        var extents = Self.holding([(0, 10), (100, 50)])
        #expect(extents.removeLast(endingAt: 10) == nil)
        #expect(extents.removeLast(endingAt: 150) == Extent(offset: 100, count: 50))
        #expect(extents.total == 10)
    }

    /// Against a bitmap of the same range, with the same rule of first fit.
    @Test(arguments: seeds)
    func behavesLikeABitmap(seed: UInt64) {
        var random = SeededRandom(seed)
        let size = 700
        let origin: UInt64 = 4096
        var isFree = [Bool](repeating: true, count: size)
        var extents = Extents(Extent(offset: origin, count: UInt64(size)))
        var taken: [Extent] = []

        func stretches() -> [Extent] {
            var all: [Extent] = []
            for i in 0..<size where isFree[i] {
                if i > 0 && isFree[i - 1] {
                    all[all.count - 1].count += 1
                } else {
                    all.append(Extent(offset: origin + UInt64(i), count: 1))
                }
            }
            return all
        }
        func mark(_ extent: Extent, _ free: Bool) {
            for i in extent.offset..<extent.end { isFree[Int(i - origin)] = free }
        }

        for _ in 0..<3000 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                let count = UInt64.random(in: 1...40, using: &random)
                let alignment: UInt64 = 1 << UInt64.random(in: 0...6, using: &random)
                let wanted = stretches().lazy
                    .map { ($0, ($0.offset + alignment - 1) / alignment * alignment) }
                    .first { $1 + count <= $0.end }?.1
                #expect(extents.allocate(count, alignment: alignment) == wanted)
                if let wanted {
                    taken.append(Extent(offset: wanted, count: count))
                    mark(taken.last!, false)
                }
            case 5..<9:
                guard let at = taken.indices.randomElement(using: &random) else { continue }
                // Sometimes only a part, as results that lie side by side come back.
                let whole = taken.remove(at: at)
                let cut = random.chance(30) ? UInt64.random(in: 0...whole.count, using: &random) : whole.count
                let part = Extent(offset: whole.offset, count: cut)
                if cut < whole.count { taken.append(Extent(offset: part.end, count: whole.count - cut)) }
                extents.free(part)
                mark(part, true)
            default:
                let least = UInt64.random(in: 1...60, using: &random)
                let wanted = stretches().first { $0.count >= least }
                #expect(extents.allocateWhole(least: least) == wanted)
                if let wanted {
                    taken.append(wanted)
                    mark(wanted, false)
                }
            }
            #expect(extents.free == stretches())
            #expect(extents.total == UInt64(isFree.count { $0 }))
        }
        for extent in taken { extents.free(extent) }
        #expect(extents.free == [Extent(offset: origin, count: UInt64(size))])
    }

    @Test func aCertainStretchIsTakenWhenAllOfItIsFree() {
        var extents = Extents(Extent(offset: 100, count: 100))
        func allocate(_ offset: UInt64, _ count: UInt64) -> Bool {
            extents.allocate(Extent(offset: offset, count: count))
        }
        let early = allocate(90, 20)
        let late = allocate(190, 20)
        let inside = allocate(120, 30)
        let again = allocate(149, 1)
        #expect(!early && !late && inside && !again)
        #expect(extents.free == [Extent(offset: 100, count: 20), Extent(offset: 150, count: 50)])
        let first = allocate(100, 20)
        let last = allocate(150, 50)
        #expect(first && last)
        #expect(extents.free.isEmpty && extents.total == 0)
    }

    /// Enough stretches for many runs of them, coming and going anywhere.
    @Test(arguments: seeds)
    func manyStretchesStayInOrder(seed: UInt64) {
        var random = SeededRandom(seed)
        var extents = Extents(Extent(offset: 0, count: 8000))
        for i in 0..<8000 { #expect(extents.allocate(1, alignment: 1) == UInt64(i)) }
        #expect(extents.free.isEmpty)
        let even = stride(from: UInt64(0), to: 8000, by: 2).shuffled(using: &random)
        for i in even { extents.free(Extent(offset: i, count: 1)) }
        #expect(extents.free == even.sorted().map { Extent(offset: $0, count: 1) })
        #expect(extents.allocate(2, alignment: 1) == nil)
        // A long one at the end of all short ones.
        extents.free(Extent(offset: 7999, count: 1))
        #expect(extents.allocate(2, alignment: 1) == 7998)
        extents.free(Extent(offset: 7998, count: 2))
        for i in stride(from: UInt64(1), to: 7999, by: 2).shuffled(using: &random) {
            extents.free(Extent(offset: i, count: 1))
        }
        #expect(extents.free == [Extent(offset: 0, count: 8000)] && extents.total == 8000)
    }
}
