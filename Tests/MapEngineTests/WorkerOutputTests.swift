// Where a worker puts results: two cursors, alignment, and results that change their size.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct WorkerOutputTests {
    static let start = UInt64(MAPB_RESULTS_OFFSET)

    @Test(
        arguments: [
            (1, 1), (2, 2), (3, 1), (4, 4), (6, 2), (8, 8), (12, 4), (24, 8), (32, 32), (48, 16), (64, 64), (96, 32),
            (128, 64), (192, 64),
            (4096, 64), (1 << 40, 64),
        ] as [(UInt64, UInt64)])
    func resultsAreAlignedToThePowerOfTwoThatDividesThem(size: UInt64, alignment: UInt64) {
        #expect(outputAlignment(size) == alignment)
    }

    @Test func theHoleIsUsedFirstThenTheFrontier() throws {
        let bench = try Bench()
        let hole: UInt64 = 1 << 20
        bench.task.pointee.hole_cursor = hole
        bench.task.pointee.hole_limit = hole + 100
        let taken = [60, 60, 40, 1].map { outputAllocate(WorkerTask(bench.task), $0, 4) }
        #expect(taken == [hole, Self.start, hole + 60, Self.start + 60])
    }

    @Test func cursorsAreAlignedUp() throws {
        let bench = try Bench()
        #expect(outputAllocate(WorkerTask(bench.task), 3, 1) == Self.start)
        #expect(outputAllocate(WorkerTask(bench.task), 8, 8) == Self.start + 8)
        #expect(outputAllocate(WorkerTask(bench.task), 64, 64) == Self.start + 64)
    }

    @Test(arguments: [(4 << 20) - 32768 + 1, 4 << 20, 1 << 62, UInt64.max] as [UInt64])
    func moreThanThereIsIsRefusedAndNothingUsed(size: UInt64) throws {
        let bench = try Bench()
        #expect(outputAllocate(WorkerTask(bench.task), size, 1) == nil)
        #expect(bench.task.pointee.frontier_cursor == Self.start)
        #expect(outputAllocate(WorkerTask(bench.task), (4 << 20) - 32768, 1) == Self.start)
        #expect(outputAllocate(WorkerTask(bench.task), 1, 1) == nil)
    }

    /// A task in the middle of an item.
    static func inItem() throws -> Bench {
        let bench = try Bench()
        try bench.job([Order.nothing])
        bench.task.pointee.mode = MAPB_MODE_ITEM.rawValue
        bench.task.pointee.job = UnsafePointer(bench.jobRecord)
        return bench
    }

    @Test func theLastResultGrowsAndShrinksInPlace() throws {
        let bench = try Self.inItem()
        let first = try #require(mape_task_output(bench.task, 64))
        #expect(mape_task_output(bench.task, 640) == first)
        #expect(bench.task.pointee.frontier_cursor == Self.start + 640)
        #expect(mape_task_output(bench.task, 8) == first)
        #expect(bench.task.pointee.frontier_cursor == Self.start + 8)
    }

    @Test func aResultMovesWhenItsNewSizeNeedsAnotherAlignment() throws {
        let bench = try Self.inItem()
        _ = outputAllocate(WorkerTask(bench.task), 1, 1)
        let first = try #require(mape_task_output(bench.task, 3))
        memset(first, 0x5a, 3)
        let second = try #require(mape_task_output(bench.task, 64))
        #expect(UInt(bitPattern: second) % 64 == 0)
        #expect(Array(UnsafeRawBufferPointer(start: second, count: 3)) == [0x5a, 0x5a, 0x5a])
        #expect(bench.task.pointee.result_size == 64)
    }

    @Test func aResultThatOutgrowsItsHoleMovesToTheFrontier() throws {
        let bench = try Self.inItem()
        bench.task.pointee.hole_cursor = 1 << 20
        bench.task.pointee.hole_limit = 1 << 20 + 128
        let first = try #require(mape_task_output(bench.task, 128))
        memset(first, 0x77, 128)
        let second = try #require(mape_task_output(bench.task, 256))
        #expect(second == UnsafeMutableRawPointer(bench.region.base + Int(Self.start)))
        #expect(UnsafeRawBufferPointer(start: second, count: 128).allSatisfy { $0 == 0x77 })
    }

    @Test func aSizeThatDoesNotFitLeavesTheResultAndIsRemembered() throws {
        let bench = try Self.inItem()
        let first = try #require(mape_task_output(bench.task, 64))
        #expect(mape_task_output(bench.task, 5 << 20) == nil)
        #expect(bench.task.pointee.out_of_memory == 1)
        #expect(bench.task.pointee.result_size == 64)
        #expect(bench.task.pointee.output + Int(bench.task.pointee.result) == first.assumingMemoryBound(to: UInt8.self))
    }

    @Test(arguments: [-1, Int.min])
    func aSizeBeyondHalfAnAddressSpaceIsRefused(size: Int) throws {
        let bench = try Self.inItem()
        #expect(mape_task_output(bench.task, size) == nil)
        #expect(bench.task.pointee.out_of_memory == 1)
    }

    @Test func noOutputIsGivenOutsideAnItem() throws {
        let bench = try Bench()
        #expect(mape_task_output(nil, 8) == nil)
        #expect(mape_task_output(bench.task, 8) == nil)
        bench.task.pointee.mode = MAPB_MODE_SETUP.rawValue
        #expect(mape_task_output(bench.task, 8) == nil)
        bench.task.pointee.mode = MAPB_MODE_RANGE.rawValue
        #expect(mape_task_output(bench.task, 8) == nil, "before mape_task_begin")
        #expect(bench.task.pointee.frontier_cursor == Self.start)
    }

    /// Against an array per item: whatever the sizes asked for, what was written before stays.
    @Test(arguments: seeds)
    func resizedResultsKeepTheirBytes(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let bench = try Self.inItem()
        bench.task.pointee.hole_cursor = 2 << 20
        bench.task.pointee.hole_limit = 2 << 20 + 20_000
        bench.task.pointee.frontier_limit = 2 << 20
        var ended: [(UInt64, [UInt8])] = []
        for _ in 0..<200 {
            itemBegin(WorkerTask(bench.task), 0)
            var model: [UInt8] = []
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let size = Int.random(in: 1...3000, using: &random)
                guard let place = mape_task_output(bench.task, size) else { break }
                let bytes = place.assumingMemoryBound(to: UInt8.self)
                #expect(UInt64(UInt(bitPattern: bytes)) % outputAlignment(UInt64(size)) == 0)
                for i in 0..<min(size, model.count) where bytes[i] != model[i] {
                    Issue.record("byte \(i) changed")
                    break
                }
                model = (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }
                for i in 0..<size { bytes[i] = model[i] }
            }
            if bench.task.pointee.has_result != 0 && bench.task.pointee.out_of_memory == 0 {
                ended.append((bench.task.pointee.result, model))
            }
        }
        #expect(ended.count > 100)
        for (place, model) in ended { #expect(memcmp(bench.region.base + Int(place), model, model.count) == 0) }
    }
}
