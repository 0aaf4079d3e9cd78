// The parts of a job, each by itself. JobTests has them together.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct TallyTests {
    @Test func itemsGoFromWaitingToRunningToEnded() {
        var tally = Tally(total: 10)
        tally.begin(7)
        tally.stop(2)
        tally.end(2, as: MAPE_ITEM_OK)
        tally.end(1, as: MAPE_ITEM_FAILED)
        tally.end(1, as: MAPE_ITEM_CANCELLED)
        #expect(tally.running == 1 && tally.ended == 4 && tally.ofAllStates == 4)
        #expect(tally[MAPE_ITEM_OK] == 2 && tally[MAPE_ITEM_FAILED] == 1 && tally[MAPE_ITEM_CANCELLED] == 1)
        #expect(tally[MAPE_ITEM_CRASHED] == 0 && !tally.haveAllEnded)
    }

    @Test func eachEndedItemIsReportedOnce() {
        var tally = Tally(total: 3)
        #expect(tally.report() == (0, 3))
        tally.begin(3)
        tally.end(2, as: MAPE_ITEM_OK)
        #expect(tally.report() == (2, 0))
        #expect(tally.report() == (0, 0))
        tally.total += 2
        tally.end(1, as: MAPE_ITEM_FAILED)
        #expect(tally.report() == (1, 2))
        tally.begin(2)
        tally.end(2, as: MAPE_ITEM_OK)
        #expect(tally.haveAllEnded)
    }
}

@Suite struct UnstartedTests {
    @Test func whatIsNotReadyIsNotTaken() {
        var items = Unstarted(ready: 4)
        #expect(items.nextRange(10) == ItemRange(first: 0, count: 4))
        #expect(items.nextRange(1) == nil)
        #expect(items.count == 0)
        items.ready = 6
        #expect(items.count == 2)
        #expect(items.nextRange(10) == ItemRange(first: 4, count: 2))
    }

    @Test func whatCameBackLastIsTakenFirstAndKeepsItsHistory() {
        var items = Unstarted(ready: 10)
        _ = items.nextRange(10)
        items.requeue(ItemRange(first: 0, count: 3))
        items.requeue(ItemRange(first: 5, count: 2, searched: true, losses: 1))
        items.requeue(ItemRange(first: 9, count: 0))
        #expect(items.count == 5)
        #expect(items.nextRange(1) == ItemRange(first: 5, count: 1, searched: true, losses: 1))
        #expect(items.nextRange(9) == ItemRange(first: 6, count: 1, searched: true, losses: 1))
        #expect(items.nextRange(9) == ItemRange(first: 0, count: 3))
        #expect(items.count == 0)
    }

    @Test func takingAllTakesWhatIsNotReadyAsWell() {
        var items = Unstarted(ready: 4)
        _ = items.nextRange(3)
        items.requeue(ItemRange(first: 1, count: 1))
        #expect(items.removeAll(of: 9) == [ItemRange(first: 1, count: 1), ItemRange(first: 3, count: 6)])
        #expect(items.count == 0)
        #expect(items.nextRange(1) == nil)
        #expect(items.removeAll(of: 9) == [])
    }
}

@Suite struct PaceTests {
    @Test func aTimeIsFollowedAndNoSingleOneChangesItMuch() {
        var pace = Pace()
        pace.measure(nanoseconds: 0, items: 0)
        #expect(pace.itemTime == 0)
        pace.measure(nanoseconds: 1000, items: 10)
        #expect(pace.itemTime == 100)
        pace.measure(nanoseconds: 4_000_000_000, items: 1)
        #expect(pace.itemTime == 100 * 0.7 + 800 * 0.3)
        pace.measure(nanoseconds: 0, items: 1)
        #expect(pace.itemTime > 100)
    }

    @Test func whatIsWorthMovingForIsTimeOnceThatIsKnown() {
        var pace = Pace()
        #expect(!pace.isLong(Policy.manyItems - 1) && pace.isLong(Policy.manyItems))
        pace.measure(nanoseconds: 1000, items: 1)
        #expect(!pace.isLong(UInt64(Policy.worthMoving / 1000)))
        #expect(pace.isLong(UInt64(Policy.worthMoving / 1000) + 1))
    }
}

@Suite struct LostItemsTests {
    @Test func lossesAreCountedByItemAndByWhoWasLost() {
        var lost = LostItems()
        let crashes = [lost.countCrash(3), lost.countCrash(3), lost.countCrash(4)]
        #expect(crashes == [1, 2, 1])
        let withZygote = [lost.countWithZygote(3), lost.countWithZygote(3)]
        #expect(withZygote == [1, 2])
        #expect(lost.crashes == [3: 2, 4: 1])
    }
}

@Suite struct JobInputTests {
    @Test func pinnedInputIsFreedByWhoLetsGoLast() throws {
        let nowhere = Extent(offset: 0, count: 0)
        var input = JobInput(record: nowhere, globals: nil, used: UsedBuffers())
        var free = JobInput(record: nowhere, globals: nil, used: UsedBuffers())
        let mayFree = free.mayFree()
        #expect(mayFree)
        input.pin()
        input.pin()
        let answers = [input.unpin(), input.mayFree(), input.unpin()]
        #expect(answers == [false, false, true], "nobody wanted to free it at first")
    }

    @Test func aBufferIsKeptOnce() {
        let buffer = Buffer(block: Extent(offset: 4096, count: 4096), size: 100)
        var input = JobInput(record: Extent(offset: 0, count: 0), globals: nil, used: UsedBuffers())
        input.keep(buffer)
        input.keep(buffer)
        #expect(input.buffers.count == 1)
        #expect(input.buffer(holding: 4100, 8) === buffer && input.buffer(holding: 4190, 8) == nil)
        #expect(!buffer.release() && buffer.release())
    }
}

@Suite struct DeliveryTests {
    static func ten(_ first: UInt64) -> Range<UInt64> { first..<first + 10 }

    @Test func inOrderMeansThatEachWaitsForThoseBefore() {
        var delivery = Delivery()
        for (place, first) in ([20, 40, 0, 30, 10] as [UInt64]).enumerated() {
            delivery.add(Self.ten(first), at: place, inOrder: true)
        }
        #expect(delivery.undelivered == 50)
        var places: [Int] = []
        while let place = delivery.places.first {
            places.append(place)
            let wasLast = [delivery.delivered(4, of: 10), delivery.delivered(6, of: 10)]
            #expect(wasLast == [false, true] && delivery.offset == 0)
        }
        #expect(places == [2, 4, 0, 3, 1] && delivery.undelivered == 0)
    }

    @Test func nothingIsDeliveredOfWhatIsForgotten() {
        var delivery = Delivery()
        delivery.add(Self.ten(0), at: 0, inOrder: true)
        delivery.add(Self.ten(20), at: 1, inOrder: true)
        delivery.forgetItems()
        #expect(delivery.places.isEmpty && delivery.undelivered == 0)
    }
}

@Suite struct ResultListTests {
    @Test func resultsThatTouchAreOneSegment() throws {
        let results = try Regional()
        var list = ResultList()
        func join(_ segment: Segment) -> Bool { list.join(segment) }
        #expect(!join(Segment(first: 0, count: 0, outcome: .crashed())), "there is none yet")
        _ = list.keep(try results.segment(first: 0, count: 4, size: 8))
        #expect(join(try results.segment(first: 4, count: 2, size: 8)))
        #expect(!join(try results.segment(first: 7, count: 2, size: 8)), "item 6 is missing")
        #expect(!join(try results.segment(first: 6, count: 2, size: 4)), "they have another size")
        #expect(!join(try results.segment(first: 6, count: 2, size: 8)), "other bytes lie between")
        #expect(!join(Segment(first: 6, count: 1, outcome: .crashed())))
        #expect(list.segments.count == 1)
        for i in 0..<6 as Range<UInt64> {
            let found = list.holding(i)
            let segment = try #require(found)
            #expect(bytes(readResult(segment, i)) == [UInt8](repeating: UInt8(i), count: 8))
        }
        let beyond = list.holding(6)
        #expect(beyond == nil)
    }

    @Test func whatIsPinnedIsDroppedAfterwards() throws {
        let results = try Regional()
        var list = ResultList()
        _ = list.keep(try results.segment(first: 0, count: 4, size: 8))
        list.pin()
        list.drop()
        #expect(results.region.live == 32 && list.segments.count == 1)
        list.unpin()
        #expect(results.region.live == 0 && list.segments.isEmpty)
    }

    @Test func whatIsTakenOutIsTheCallers() throws {
        let results = try Regional()
        var list = ResultList()
        let place = list.keep(try results.segment(first: 0, count: 4, size: 8))
        let taken = list.remove(place)
        let segment = try #require(taken)
        let isGone = list.remove(place) == nil && list.remove(77) == nil
        #expect(isGone)
        list.drop()
        #expect(results.region.live == 32)
        segment.store.free()
        #expect(results.region.live == 0)
    }
}

@Suite struct ResultStoreTests {
    @Test func nothingIsReadBeyondTheMemory() throws {
        let results = try Regional(1 << 20)
        let size = results.region.size
        let store = ResultStore.shared(results.region, try results.use(16))
        #expect(store.bytes(0, 1) == UnsafeRawPointer(results.region.base))
        #expect(store.bytes(size - 8, 8) != nil && store.bytes(size, 0) != nil)
        for (offset, count) in [(size - 8, 9), (size, 1), (size + 1, 0), (.max, 1), (8, .max)] as [(UInt64, UInt64)] {
            #expect(store.bytes(offset, count) == nil, "\(offset), \(count)")
        }
        #expect(ResultStore.none.bytes(0, 0) == nil)
        store.free()
        #expect(results.region.live == 0)
    }
}

@Suite struct JobRecordTests {
    @Test func whatIsWrittenIsReadAgain() throws {
        let input = try smallInput()
        let block = try input.allocate(JobRecord.bytes)
        // The mask of spans stands where the stride of other items does.
        for (stride, spans, mask) in [(0, 6, 7), (4, 0, 0)] as [(UInt64, UInt64, UInt64)] {
            let record = JobRecord(
                function: 1, globals: 2, base: 3, stride: stride, size: 5, spans: spans, spanMask: mask, columns: 8,
                data: 9)
            record.write(to: input, at: block.offset)
            #expect(JobRecord(reading: input, at: block.offset) == record)
        }
        JobRecord.cancel(input, at: block.offset)
        #expect(input.at(block.offset, as: mapb_job.self).pointee.cancel == 1)
    }

    @Test func anItemLiesAtItsStrideOrInItsSpan() throws {
        let input = try smallInput()
        var record = JobRecord()
        record.base = 1000
        record.stride = 24
        record.size = 8
        #expect(record.item(3, in: input) == Extent(offset: 1072, count: 8))
        record.spans = try input.allocate(4 * SpanTable.line).offset
        record.spanMask = 3
        SpanTable(input, at: record.spans)[2] = Extent(offset: 5, count: 6)
        #expect(record.item(6, in: input) == Extent(offset: 5, count: 6))
    }
}
