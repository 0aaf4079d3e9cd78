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
        mape_task_progress(nil, 0.5)
        mape_task_log(nil, 0, "x")
    }

    @Test func aFailureWithoutACodeHasCodeOne() throws {
        let bench = try Bench()
        bench.worker.load(1) { task, _, _, _ in mape_task_fail(task, 0, nil) }
        try bench.job([0])
        #expect(bench.ended(bench.run(count: 1)) == [.failed(1, "")])
    }

    @Test(arguments: [0, 1, 1022, 1023, 1024, 5000])
    func aFailuresTextIsCutAfter1023Bytes(count: Int) throws {
        let bench = try Bench()
        bench.worker.load(1) { task, _, input, _ in
            mape_task_fail(task, 5, String(repeating: "x", count: input!.load(as: Int.self)))
        }
        try bench.job([count])
        #expect(bench.ended(bench.run(count: 1)) == [.failed(5, String(repeating: "x", count: min(count, 1023)))])
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
