// What only range functions can do: one output for all, items out of turn, and leaving early.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct WorkerRangeFunctionTests {
    static func run(_ count: Int, _ function: mape_run_range_fn, cancelled: Bool = false) throws -> (mapb_reply, Bench)
    {
        let bench = try Bench()
        bench.worker.load(1, range: function)
        try bench.job((0..<count).map { Order.output(UInt32($0)) })
        bench.jobRecord.pointee.cancel = cancelled ? 1 : 0
        return (bench.run(count: count), bench)
    }

    @Test func oneOutputHoldsAllResultsSideBySide() throws {
        let (reply, bench) = try Self.run(10) { task, _, range in
            let place = mape_task_output_range(task, 4)!.assumingMemoryBound(to: UInt8.self)
            for i in 0..<range!.pointee.count * 4 { place[i] = UInt8(i) }
            return 0
        }
        #expect(reply.done == 10 && reply.flags == 0 && reply.size == 4)
        #expect(reply.base % 64 == 0)
        let wanted = (0..<10 as Range<UInt8>).map { i -> Bench.Ended in .ok([i * 4, i * 4 + 1, i * 4 + 2, i * 4 + 3]) }
        #expect(bench.ended(reply) == wanted)
    }

    /// The host keeps the items before the one that is marked, so they have to be recorded first. A worker that is told to give the
    /// next one back shows the moment between the two.
    @Test func anItemIsRecordedBeforeTheNextIsMarked() throws {
        let bench = try Bench()
        let recorded = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
        defer { recorded.deallocate() }
        recorded.pointee = 0
        bench.worker.load(
            1,
            range: { task, state, _ in
                _ = mape_task_begin(nil, task, 0)
                memset(mape_task_output(task, 2), 5, 2)
                UnsafeMutablePointer(mutating: task!.pointee.inbox!).pointee.yield = UInt64.max
                _ = mape_task_begin(nil, task, 1)
                state!.assumingMemoryBound(to: UInt64.self).pointee = task!.pointee.reply.pointee.size
                return 0
            })
        bench.worker.task.pointee.functions[0]![1].state = UnsafeMutableRawPointer(recorded)
        try bench.job((0..<3).map { Order.output(UInt32($0)) })
        let reply = bench.run(count: 3)
        #expect(recorded.pointee == 2)
        #expect(reply.done == 1 && reply.flags == MAPB_REPLY_STOPPED.rawValue)
        #expect(bench.ended(reply) == [.ok([5, 5])])
    }

    /// A function that gets no next item may well return an error.
    @Test(arguments: [true, false])
    func anItemEndsWellWhateverTheFunctionReturnsWhenToldToStop(cancelled: Bool) throws {
        let bench = try Bench()
        bench.worker.load(
            1,
            range: { task, state, _ in
                _ = mape_task_begin(nil, task, 0)
                memset(mape_task_output(task, 2), 5, 2)
                if Int(bitPattern: state) != 0 {
                    UnsafeMutablePointer(mutating: task!.pointee.job!).pointee.cancel = 1
                } else {
                    UnsafeMutablePointer(mutating: task!.pointee.inbox!).pointee.yield = UInt64.max
                }
                return mape_task_begin(nil, task, 1) == nil ? 9 : 0
            })
        bench.worker.task.pointee.functions[0]![1].state = UnsafeMutableRawPointer(bitPattern: cancelled ? 1 : 0)
        try bench.job((0..<3).map { Order.output(UInt32($0)) })
        let reply = bench.run(count: 3)
        #expect(reply.done == 1 && reply.flags == MAPB_REPLY_STOPPED.rawValue)
        #expect(bench.ended(reply) == [.ok([5, 5])])
    }

    @Test func withoutOutputAllResultsAreEmpty() throws {
        let (reply, bench) = try Self.run(3) { _, _, _ in 0 }
        #expect(reply.done == 3 && reply.flags == 0 && reply.size == 0)
        #expect(bench.ended(reply) == [.ok([]), .ok([]), .ok([])])
    }

    @Test func aCodeFailsAllItems() throws {
        let (reply, bench) = try Self.run(3) { _, _, _ in 17 }
        #expect(reply.done == 3)
        #expect(bench.ended(reply) == Array(repeating: .failed(17, ""), count: 3))
    }

    @Test func aTextFailsAllItemsEvenWhenTheFunctionReturnsZero() throws {
        let (reply, bench) = try Self.run(3) { task, _, _ in
            _ = mape_task_fail(task, 4, "no scene")
            return 0
        }
        #expect(bench.ended(reply) == Array(repeating: .failed(4, "no scene"), count: 3))
    }

    @Test func itemsNeverBegunFailWithTheFunctionsCode() throws {
        let (reply, bench) = try Self.run(4) { task, _, _ in
            for i in 0..<2 {
                _ = mape_task_begin(nil, task, i)
                memset(mape_task_output(task, 2), Int32(i), 2)
            }
            _ = mape_task_begin(nil, task, 2)
            return 9
        }
        #expect(bench.ended(reply) == [.ok([0, 0]), .ok([1, 1]), .failed(9, ""), .failed(9, "")])
    }

    @Test func aFunctionThatLeavesEarlyWithoutACodeFailsTheRest() throws {
        let (reply, bench) = try Self.run(3) { task, _, _ in
            _ = mape_task_begin(nil, task, 0)
            return 0
        }
        #expect(bench.ended(reply) == [.ok([]), .failed(1, ""), .failed(1, "")])
    }

    @Test func itemsAreBegunInTurnOnly() throws {
        let (reply, bench) = try Self.run(3) { task, _, _ in
            if mape_task_begin(nil, task, 1) != nil || mape_task_begin(nil, task, -1) != nil { return 2 }
            if mape_task_begin(nil, task, 0) == nil || mape_task_begin(nil, task, 0) != nil { return 3 }
            if mape_task_begin(nil, task, 2) != nil || mape_task_begin(nil, task, 1) == nil { return 4 }
            if mape_task_begin(nil, task, 2) == nil || mape_task_begin(nil, task, 3) != nil { return 5 }
            return 0
        }
        #expect(bench.ended(reply) == [.ok([]), .ok([]), .ok([])])
    }

    @Test func inputsCanBeSeenOutOfTurn() throws {
        let (reply, bench) = try Self.run(3) { task, _, _ in
            var size = 0
            for i in [2, 0, 1] {
                guard let input = mape_task_item(&size, task, i), size == 16 else { return 2 }
                if input.loadUnaligned(as: Order.self).size != UInt32(i) { return 3 }
            }
            return mape_task_item(nil, task, 3) == nil && mape_task_item(nil, task, -1) == nil ? 0 : 4
        }
        #expect(bench.ended(reply) == [.ok([]), .ok([]), .ok([])])
    }

    @Test func theRunningItemsIndexIsTold() throws {
        let (reply, bench) = try Self.run(4) { task, _, _ in
            for i in 0..<4 {
                _ = mape_task_begin(nil, task, i)
                mape_task_output(task, 8)!.storeBytes(of: mape_task_index(task), as: UInt64.self)
            }
            return 0
        }
        let wanted = (0..<4 as Range<UInt8>).map { i -> Bench.Ended in .ok([i, 0, 0, 0, 0, 0, 0, 0]) }
        #expect(bench.ended(reply) == wanted)
    }

    @Test func aRangesOutputIsRefusedOnceItemsAreBegunAndTheOtherWayRound() throws {
        let (first, one) = try Self.run(2) { task, _, _ in
            for i in 0..<2 { _ = mape_task_begin(nil, task, i) }
            return mape_task_output_range(task, 8) == nil ? 0 : 2
        }
        #expect(one.ended(first) == [.ok([]), .ok([])])
        let (second, other) = try Self.run(2) { task, _, _ in
            memset(mape_task_output_range(task, 1), 6, 2)
            return mape_task_begin(nil, task, 0) == nil ? 0 : 2
        }
        #expect(other.ended(second) == [.ok([6]), .ok([6])])
    }

    @Test(arguments: [5 << 20, Int.max, Int.max / 2, -1])
    func anOutputThatDoesNotFitStopsTheRange(size: Int) throws {
        let bench = try Bench()
        bench.worker.load(1) { task, _, range in
            _ = mape_task_output_range(task, range!.pointee.base!.load(as: Int.self))
            return 0
        }
        try bench.job([size, size])
        let reply = bench.run(count: 2)
        #expect(reply.done == 0)
        #expect(reply.flags == MAPB_REPLY_NO_MEMORY.rawValue)
    }

    /// Ended to stop, a function may return anything: the item before was ended by the call that said so.
    @Test(arguments: [0, 7] as [Int32])
    func theCodeOfAFunctionThatIsToldToStopIsNoItemsCode(code: Int32) throws {
        let bench = try Bench()
        bench.worker.load(1, range: code == 0 ? Self.stopped : Self.stoppedWithACode)
        try bench.job((0..<4).map { Order.output(UInt32($0)) })
        let reply = bench.run(count: 4)
        #expect(reply.done == 2)
        #expect(reply.flags & MAPB_REPLY_STOPPED.rawValue != 0)
        #expect(bench.ended(reply) == [.ok([]), .ok([])])
    }

    private static let stopped: mape_run_range_fn = { task, _, _ in
        for i in 0..<4 {
            if mape_task_begin(nil, task, i) == nil { return 0 }
            if i == 1 { UnsafeMutablePointer(mutating: task!.pointee.job!).pointee.cancel = 1 }
        }
        return 0
    }
    private static let stoppedWithACode: mape_run_range_fn = { task, state, range in
        stopped(task, state, range) == 0 ? 7 : 8
    }

    /// The header: "NULL when ... the job was cancelled: return then".
    @Test func aFunctionThatIsToldToStopBeforeItsFirstItemHasDoneNone() throws {
        let (reply, _) = try Self.run(
            5,
            { task, _, _ in
                // The cancel comes while the function gets ready.
                UnsafeMutablePointer(mutating: task!.pointee.job!).pointee.cancel = 1
                return mape_task_begin(nil, task, 0) == nil ? 0 : 2
            })
        #expect(reply.done == 0)
        #expect(reply.flags & MAPB_REPLY_STOPPED.rawValue != 0)
    }

    /// Its code is about what it was told not to begin, not about the item before, which has its result.
    @Test(arguments: [false, true])
    func aFunctionThatIsToldToStopMayReturnACode(byCancel: Bool) throws {
        let run: mape_run_range_fn =
            byCancel
            ? { task, _, _ in
                for i in 0..<5 {
                    if i == 3 { UnsafeMutablePointer(mutating: task!.pointee.job!).pointee.cancel = 1 }
                    if mape_task_begin(nil, task, i) == nil { return 33 }
                    mape_task_output(task, 1)!.storeBytes(of: UInt8(i), as: UInt8.self)
                }
                return 0
            }
            : { task, _, _ in
                for i in 0..<5 {
                    if i == 3 { UnsafeMutablePointer(mutating: task!.pointee.inbox!).pointee.yield = 1 }
                    if mape_task_begin(nil, task, i) == nil { return 33 }
                    mape_task_output(task, 1)!.storeBytes(of: UInt8(i), as: UInt8.self)
                }
                return 0
            }
        let (reply, bench) = try Self.run(5, run)
        #expect(reply.done == 3)
        #expect(reply.flags & MAPB_REPLY_STOPPED.rawValue != 0)
        #expect(bench.ended(reply) == [.ok([0]), .ok([1]), .ok([2])])
    }
}
