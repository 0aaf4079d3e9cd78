import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct StreamTests {
    /// A stream with its ring, as Pool.openStream makes it.
    final class Fixture {
        let input: InputMemory
        let record: Block
        let stream: Stream
        let usedBefore: UInt64

        init(capacity: UInt64, reserve: UInt64 = 16 << 20) throws {
            input = try InputMemory(reserve: reserve)
            record = try input.allocate(JobRecord.bytes + capacity * 16)
            stream = Stream(input: input, record: record, capacity: capacity)
            usedBefore = input.used
        }

        func span(_ index: UInt64) -> mapb_span {
            let offset = record.offset + JobRecord.bytes
            return input.at(offset, as: mapb_span.self)[Int(index & (stream.capacity - 1))]
        }

        func put(_ index: UInt64, _ bytes: [UInt8]) throws {
            try bytes.withUnsafeBytes { try put(index, $0.baseAddress, UInt64($0.count)) }
        }

        func put(_ index: UInt64, _ bytes: UnsafeRawPointer?, _ size: UInt64) throws {
            let target = try stream.place(index, bytes, size)
            if target != PushScratch.nowhere { input.copy(bytes!, Int(size), to: target) }
        }

        func bytes(_ index: UInt64) -> [UInt8] {
            let span = span(index)
            return Array(UnsafeBufferPointer(start: input.base + Int(span.offset), count: Int(span.size)))
        }
    }

    @Test func itemsAreCopiedAlignedToSixteenBytes() throws {
        let fixture = try Fixture(capacity: 8)
        for i in 0..<8 as Range<UInt64> { try fixture.put(i, [UInt8](repeating: UInt8(i), count: Int(i) * 7 + 1)) }
        for i in 0..<8 as Range<UInt64> {
            #expect(fixture.bytes(i) == [UInt8](repeating: UInt8(i), count: Int(i) * 7 + 1))
            #expect(fixture.span(i).offset % 16 == 0)
        }
    }

    @Test func anEmptyItemTakesNoMemory() throws {
        let fixture = try Fixture(capacity: 4)
        try fixture.put(0, nil, 0)
        #expect(fixture.span(0).size == 0)
        #expect(fixture.input.used == fixture.usedBefore)
        fixture.stream.itemsEnded(first: 0, count: 1)
    }

    @Test func itemsInTheInputMemoryAreNotCopied() throws {
        let fixture = try Fixture(capacity: 4)
        let buffer = try fixture.input.allocate(4096)
        let before = fixture.input.used
        try fixture.put(0, fixture.input.base + Int(buffer.offset) + 100, 50)
        #expect(fixture.span(0).offset == buffer.offset + 100)
        #expect(fixture.span(0).size == 50)
        #expect(fixture.input.used == before)
        fixture.stream.itemsEnded(first: 0, count: 1)
        #expect(fixture.input.used == before)
    }

    @Test func aPlaceIsFreeAgainWhenItsItemHasEnded() throws {
        let fixture = try Fixture(capacity: 4)
        for i in 0..<4 as Range<UInt64> {
            #expect(fixture.stream.room(from: i) > 0)
            try fixture.put(i, [1])
        }
        #expect(fixture.stream.room(from: 4) == 0)
        fixture.stream.itemsEnded(first: 0, count: 1)
        #expect(fixture.stream.room(from: 4) > 0)
        #expect(fixture.stream.room(from: 5) == 0)
    }

    @Test func theLowestItemThatHasNotEndedHoldsThePlaces() throws {
        let fixture = try Fixture(capacity: 4)
        for i in 0..<4 as Range<UInt64> { try fixture.put(i, [1]) }
        fixture.stream.itemsEnded(first: 1, count: 3)
        #expect(fixture.stream.room(from: 4) == 0, "item 0's place would be used again")
        fixture.stream.itemsEnded(first: 0, count: 1)
        #expect(fixture.stream.room(from: 7) > 0)
        #expect(fixture.stream.room(from: 8) == 0)
    }

    @Test func aBlockIsGivenBackWhenItsLastItemHasEnded() throws {
        let fixture = try Fixture(capacity: 16)
        let large = [UInt8](repeating: 7, count: 200_000)
        for i in 0..<4 as Range<UInt64> { try fixture.put(i, large) }
        let whole = fixture.input.used
        fixture.stream.itemsEnded(first: 1, count: 2)
        #expect(fixture.input.used < whole)
        fixture.stream.itemsEnded(first: 0, count: 1)
        // The block that is being filled stays.
        #expect(fixture.input.used == fixture.usedBefore + Policy.streamBlock)
        fixture.stream.itemsEnded(first: 3, count: 1)
        fixture.stream.close()
        #expect(fixture.input.used == fixture.usedBefore)
    }

    @Test func anEmptyBlockIsFilledAgain() throws {
        let fixture = try Fixture(capacity: 4)
        for i in 0..<1000 as Range<UInt64> {
            try fixture.put(i, [UInt8](repeating: 1, count: 3000))
            fixture.stream.itemsEnded(first: i, count: 1)
        }
        #expect(fixture.input.used == fixture.usedBefore + Policy.streamBlock)
    }

    @Test func anItemLargerThanABlockHasItsOwn() throws {
        let fixture = try Fixture(capacity: 4)
        let large = [UInt8](repeating: 9, count: 1 << 20)
        try fixture.put(0, [1])
        try fixture.put(1, large)
        try fixture.put(2, [2])
        #expect(fixture.bytes(1) == large)
        #expect(fixture.bytes(0) == [1])
        #expect(fixture.bytes(2) == [2])
        fixture.stream.itemsEnded(first: 0, count: 3)
        fixture.stream.close()
        #expect(fixture.input.used == fixture.usedBefore)
    }

    @Test func memoryThatIsUsedUpIsAnErrorAndHarmsNoItem() throws {
        let fixture = try Fixture(capacity: 64, reserve: 2 << 20)
        var accepted: UInt64 = 0
        let error = mapError {
            while true {
                try fixture.put(accepted, [UInt8](repeating: UInt8(accepted), count: 300_000))
                accepted += 1
            }
        }
        #expect(error?.status == MAPE_E_MEMORY.rawValue)
        for i in 0..<accepted { #expect(fixture.bytes(i).allSatisfy { $0 == UInt8(i) }) }
        fixture.stream.itemsEnded(first: 0, count: accepted)
        try fixture.put(accepted, [5, 6])
        #expect(fixture.bytes(accepted) == [5, 6])
        fixture.stream.close()
        #expect(fixture.input.used == fixture.usedBefore)
    }

    @Test func noPushReadsMoreAtOnceThanThereIsRoomForToNoteIt() {
        let scratch = PushScratch()
        for some in [1, 63, 64, 1000, Policy.pushedAtOnce] {
            for taken in [0, some / 2, some - 1, some] {
                scratch.expect(after: taken, of: some)
                #expect(scratch.expected >= 1 && scratch.expected <= Policy.pushedAtOnce)
            }
        }
    }

    @Test func finishingTwiceIsFinishingOnce() throws {
        let fixture = try Fixture(capacity: 2)
        #expect(!fixture.stream.finished)
        fixture.stream.finish()
        fixture.stream.finish()
        #expect(fixture.stream.finished)
    }

    /// Items of random sizes end in random order: each keeps its bytes until then, and all memory comes back.
    @Test(arguments: seeds)
    func itemsKeepTheirBytesUntilTheyEnd(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let fixture = try Fixture(capacity: 64, reserve: 64 << 20)
        var live: [UInt64: [UInt8]] = [:]
        var next: UInt64 = 0
        for _ in 0..<5000 {
            let lowest = live.keys.min() ?? next
            #expect((fixture.stream.room(from: next) > 0) == (next - lowest < 64))
            if random.chance(52) && fixture.stream.room(from: next) > 0 {
                let most = random.chance(5) ? 400_000 : 3000
                let item = [UInt8](
                    repeating: UInt8.random(in: 0...255, using: &random),
                    count: Int.random(in: 0...most, using: &random))
                try fixture.put(next, item)
                live[next] = item
                next += 1
            } else if let first = live.keys.sorted().randomElement(using: &random) {
                // Often several in a row, as a range ends.
                var count: UInt64 = 0
                while let item = live[first + count], count < UInt64.random(in: 1...6, using: &random) {
                    let span = fixture.span(first + count)
                    #expect(span.size == item.count)
                    #expect(item.isEmpty || memcmp(item, fixture.input.base + Int(span.offset), item.count) == 0)
                    live[first + count] = nil
                    count += 1
                }
                fixture.stream.itemsEnded(first: first, count: count)
            }
        }
        for index in live.keys.shuffled(using: &random) { fixture.stream.itemsEnded(first: index, count: 1) }
        #expect(fixture.input.used <= fixture.usedBefore + 410_000)
        fixture.stream.close()
        #expect(fixture.input.used == fixture.usedBefore)
    }
}
