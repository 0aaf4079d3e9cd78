// The other questions a function can ask of its worker: globals, logs, cancellation, failure texts.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct TaskTests {
    @Test func everyCallBearsATaskOfNull() {
        #expect(mape_task_index(nil) == 0)
        #expect(mape_task_worker(nil) == 0)
        #expect(mape_task_output(nil, 1) == nil)
        #expect(mape_task_output_range(nil, 1) == nil)
        #expect(mape_task_begin(nil, nil, 0) == nil)
        #expect(mape_task_item(nil, nil, 0) == nil)
        #expect(mape_task_fail(nil, 3, "x") == 3)
        #expect(mape_task_global(nil, nil, "x") == nil)
        #expect(mape_task_cancelled(nil) == 0)
        #expect(mape_task_report_fd(nil) == -1)
        mape_task_mark(nil, 1)
        mape_task_progress(nil, 0.5)
        mape_task_log(nil, 0, "x")
    }

    @Test func aFailureWithoutACodeHasCodeOne() throws {
        let bench = try Bench()
        bench.worker.load(1) { task, _, _, _ in mape_task_fail(task, 0, nil) }
        try bench.job([0])
        #expect(bench.ended(bench.run(count: 1)) == [.failed(1, "")])
    }

    @Test(arguments: [0, 1, 1022, 1023, 1024, 5000, 1 << 20, 1 << 20 + 1])
    func aFailuresTextIsCutAfterAMebibyte(count: Int) throws {
        let bench = try Bench(output: 8 << 20)
        bench.worker.load(1) { task, _, input, _ in
            mape_task_fail(task, 5, String(repeating: "x", count: input!.load(as: Int.self)))
        }
        try bench.job([count])
        #expect(bench.ended(bench.run(count: 1)) == [.failed(5, String(repeating: "x", count: min(count, 1 << 20)))])
    }

    @Test func aLongTextIsCutBetweenCharacters() throws {
        let bench = try Bench(output: 8 << 20)
        bench.worker.load(1) { task, _, _, _ in mape_task_fail(task, 5, "x" + String(repeating: "é", count: 1 << 20)) }
        try bench.job([0])
        let whole = "x" + String(repeating: "é", count: (1 << 20 - 1) / 2)
        #expect(bench.ended(bench.run(count: 1)) == [.failed(5, whole)])
    }

    @Test func whereTheMemoryIsFullALongTextIsCutToAShortOne() throws {
        let bench = try Bench()
        bench.worker.load(1) { task, _, _, _ in
            // All but the room for the table, a short text and its failure.
            let free = task!.pointee.frontier_limit - task!.pointee.frontier_cursor
            _ = mape_task_output(task, Int(free) - 1500)
            return mape_task_fail(task, 5, String(repeating: "y", count: 100_000))
        }
        try bench.job([0])
        #expect(bench.ended(bench.run(count: 1)) == [.failed(5, String(repeating: "y", count: 1023))])
    }

    /// Otherwise a long text would be written for each item.
    @Test(arguments: [10, 10_000])
    func itemsThatFailTogetherShareTheirText(size: Int) throws {
        let bench = try Bench()
        let failing: mape_run_range_fn = { task, state, _ in
            mape_task_fail(task, 5, String(repeating: "z", count: state == nil ? 10 : 10_000))
        }
        bench.worker.load(1, range: failing)
        bench.worker.task.pointee.functions[0]![1].state = UnsafeMutableRawPointer(bitPattern: size == 10 ? 0 : 1)
        try bench.job([Int](repeating: 0, count: 100))
        let reply = bench.run(count: 100)
        #expect(
            bench.ended(reply) == [Bench.Ended](repeating: .failed(5, String(repeating: "z", count: size)), count: 100))
        #expect(Set((0..<100).map { bench.failure(reply, $0).text }).count == 1)
    }

    @Test func whatAFailedItemHasWrittenIsKept() throws {
        let bench = try Bench()
        bench.worker.load(1, run: obey)
        try bench.job([Order.outputThenFail(24, 7), .fail(8), .output(3)])
        let reply = bench.run(count: 3)
        let failure = bench.failure(reply, 0)
        #expect(failure.code == 7 && failure.data_size == 24)
        #expect(bench.region.copy(failure.data, 24) == [UInt8](repeating: 0, count: 24))
        #expect(bench.failure(reply, 1).data_size == 0)
    }

    // MARK: - Asked to stop

    /// What a function returns that has seen mape_task_cancelled, and how its item ends.
    @Test(arguments: [
        (code: 0 as Int32, fails: false, sees: true, ended: Bench.Ended.ok([])), (4, false, true, .stopped),
        (4, true, true, .failed(4, "why")), (4, false, false, .failed(4, "")),
    ])
    func anItemThatObeysACancelHasStopped(code: Int32, fails: Bool, sees: Bool, ended: Bench.Ended) throws {
        struct Way: BitwiseCopyable { var code: Int32, fails: Bool, sees: Bool }
        let bench = try Bench()
        bench.worker.load(1) { task, _, input, _ in
            let way = input!.load(as: Way.self)
            UnsafeMutablePointer(mutating: task!.pointee.job!).pointee.cancel = 1
            if way.sees && mape_task_cancelled(task) == 0 { return 99 }
            return way.fails ? mape_task_fail(task, way.code, "why") : way.code
        }
        try bench.job([Way(code: code, fails: fails, sees: sees), Way(code: 0, fails: false, sees: false)])
        let reply = bench.run(count: 2)
        #expect(bench.ended(reply) == [ended], "the next item does not begin")
        #expect(reply.flags & MAPB_REPLY_STOPPED.rawValue != 0)
    }

    @Test func aWholeRangeThatObeysACancelHasStopped() throws {
        let bench = try Bench()
        let obeying: mape_run_range_fn = { task, _, _ in
            UnsafeMutablePointer(mutating: task!.pointee.job!).pointee.cancel = 1
            return mape_task_cancelled(task)
        }
        bench.worker.load(1, range: obeying)
        try bench.job([0, 0, 0])
        #expect(bench.ended(bench.run(count: 3)) == [.stopped, .stopped, .stopped])
    }

    /// One item was asked by name; the next one was not.
    @Test func onlyTheItemThatWasAskedIsToldToStop() throws {
        let bench = try Bench()
        bench.worker.load(1) { task, _, input, _ in
            if mape_task_index(task) == 1 {
                let inbox = UnsafeMutablePointer(mutating: task!.pointee.inbox!)
                inbox.pointee.interrupt = task!.pointee.outbox!.pointee.current
            }
            return mape_task_cancelled(task) != 0 ? 3 : 0
        }
        try bench.job([0, 0, 0])
        #expect(bench.ended(bench.run(count: 3)) == [.ok([]), .stopped, .ok([])])
    }

    // MARK: - Data, marks

    @Test func aJobsDataAreReadInItsItemsOnly() throws {
        let bench = try Bench()
        bench.worker.load(1) { task, _, _, _ in
            var size = 7
            let data = mape_task_job_data(&size, task)
            guard let data else { return size == 0 ? 1 : 2 }
            return size == 3 && memcmp(data, "abc", 3) == 0 ? 0 : 3
        }
        try bench.job([0])
        #expect(bench.ended(bench.run(count: 1)) == [.failed(1, "")], "there are none")
        let data = try JobData(copying: "abc", 3, to: bench.input)
        bench.jobRecord.pointee.data = data.offset
        #expect(bench.ended(bench.run(count: 1)) == [.ok([])])
        var size = 7
        #expect(mape_task_job_data(&size, bench.task) == nil && size == 0, "no item runs")
        #expect(mape_task_job_data(nil, nil) == nil)
    }

    @Test func aMarkIsOfTheItemThatSaidIt() throws {
        let bench = try Bench()
        bench.worker.load(1) { task, _, _, _ in
            if mape_task_index(task) == 0 {
                mape_task_mark(task, 17)
                mape_task_mark(task, 18)
            }
            let outbox = task!.pointee.outbox!.pointee
            return outbox.marked == outbox.current && outbox.mark == 18 ? 0 : 1
        }
        try bench.job([0, 0])
        #expect(bench.ended(bench.run(count: 2)) == [.ok([]), .failed(1, "")])
    }

    @Test func theLastFailureCounts() throws {
        let bench = try Bench()
        bench.worker.load(1) { task, _, _, _ in
            _ = mape_task_fail(task, 5, "first")
            return mape_task_fail(task, 6, nil)
        }
        try bench.job([0])
        #expect(bench.ended(bench.run(count: 1)) == [.failed(6, "")])
    }

    /// The host's side of the ring: texts in order, each with its level.
    static func take(_ bench: Bench, from head: inout UInt64) -> [(level: Int32, text: String)] {
        var texts: [(Int32, String)] = []
        let ring = UInt64(MAPB_MESSAGES)
        let start = bench.region.base + Int(MAPB_MESSAGES_OFFSET)
        func byte(_ at: UInt64) -> UInt8 { start[Int(at % ring)] }
        while head < bench.region.outbox.pointee.message_tail {
            let size = (0..<4).reduce(UInt64(0)) { $0 | UInt64(byte(head + $1)) << ($1 * 8) }
            let level = (4..<8).reduce(UInt32(0)) { $0 | UInt32(byte(head + $1)) << (UInt32($1 - 4) * 8) }
            texts.append(
                (Int32(bitPattern: level), String(decoding: (0..<size).map { byte(head + 8 + $0) }, as: UTF8.self)))
            head += (8 + size + 7) & ~7
        }
        bench.input.inbox(0).pointee.message_head = head
        return texts
    }

    @Test(arguments: seeds)
    func logsPassTheRingAndWhatHasNoRoomIsCounted(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let bench = try Bench()
        var head: UInt64 = 0
        var sent: [String] = []
        var lost: UInt64 = 0
        for i in 0..<2000 {
            let text = String(repeating: "\(i % 10)", count: Int.random(in: 0...1500, using: &random))
            let cut = String(text.prefix(1023))
            let before = bench.region.outbox.pointee.message_lost
            mape_task_log(bench.task, Int32(i % 4), text)
            if bench.region.outbox.pointee.message_lost > before || bench.region.outbox.pointee.message_tail == head {
                lost += UInt64(cut.utf8.count)
            } else {
                sent.append(cut)
            }
            #expect(bench.region.outbox.pointee.message_lost == lost)
            #expect(bench.region.outbox.pointee.message_tail - head <= UInt64(MAPB_MESSAGES))
            if random.chance(5) {
                #expect(Self.take(bench, from: &head).map { $0.text } == sent)
                sent = []
            }
        }
        #expect(lost > 0, "the schedule has to fill the ring")
    }

    @Test func aFullRingLosesWithoutHarmToWhatIsInIt() throws {
        let bench = try Bench()
        let text = String(repeating: "y", count: 1000)
        for level in 0..<100 { mape_task_log(bench.task, Int32(level % 4), text) }
        var head: UInt64 = 0
        let taken = Self.take(bench, from: &head)
        #expect(taken.count == 16384 / 1008)
        #expect(taken.allSatisfy { $0.text == text })
        #expect(taken.map { $0.level } == (0..<taken.count).map { Int32($0 % 4) })
        #expect(bench.region.outbox.pointee.message_lost == UInt64(100 - taken.count) * 1000)
    }

    @Test func progressIsPassedOnAsItIs() throws {
        let bench = try Bench()
        mape_task_progress(bench.task, 0.25)
        #expect(Double(bitPattern: bench.region.outbox.pointee.fraction) == 0.25)
    }
}
