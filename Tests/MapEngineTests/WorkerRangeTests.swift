// How a worker records what became of a range's items: alike ones in two words, others in a table.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct WorkerRangeTests {
    enum Style: CaseIterable, Sendable { case perItem, each }

    static func bench(_ style: Style, _ orders: [Order], output: UInt64 = 4 << 20, first: UInt64 = 0) throws -> Bench {
        let bench = try Bench(output: output)
        switch style {
        case .perItem: bench.worker.load(1, run: obey)
        case .each: bench.worker.load(1, range: obeyEach)
        }
        try bench.job(orders, first: first)
        return bench
    }

    struct Orders: Sendable, CustomTestStringConvertible {
        let name: String
        let orders: [Order]
        let isTable: Bool
        var testDescription: String { name }
    }

    static let tables = [
        Orders(name: "one item", orders: [.output(8)], isTable: false),
        Orders(name: "all alike", orders: Array(repeating: .output(24), count: 50), isTable: false),
        Orders(name: "all of an odd size", orders: Array(repeating: .output(7), count: 50), isTable: false),
        Orders(name: "all empty", orders: Array(repeating: .nothing, count: 50), isTable: false),
        Orders(name: "all grown alike", orders: Array(repeating: .resize(8, to: 64), count: 20), isTable: false),
        Orders(
            name: "outputs freed again", orders: Array(repeating: .outputThenNothing(64), count: 20), isTable: false),
        Orders(name: "the last differs", orders: Array(repeating: .output(8), count: 9) + [.output(16)], isTable: true),
        Orders(
            name: "the first differs", orders: [.output(16)] + Array(repeating: .output(8), count: 9), isTable: true),
        Orders(name: "an empty one between", orders: [.output(8), .nothing, .output(8)], isTable: true),
        Orders(name: "the first is empty", orders: [.nothing, .output(8), .output(8)], isTable: true),
        Orders(name: "a failure between", orders: [.output(8), .code(5), .output(8)], isTable: true),
        Orders(name: "the first fails", orders: [.fail(-3), .output(8)], isTable: true),
        Orders(name: "all fail", orders: [.code(1), .fail(2), .code(-1)], isTable: true),
        Orders(name: "failed after output", orders: [.output(8), .outputThenFail(8, 9), .output(8)], isTable: true),
        Orders(name: "moved while growing", orders: [.output(3), .resize(3, to: 64), .output(3)], isTable: true),
    ]

    @Test(arguments: tables, Style.allCases)
    func everyItemIsToldAsItEnded(_ table: Orders, style: Style) throws {
        let bench = try Self.bench(style, table.orders)
        let reply = bench.run(count: table.orders.count)
        #expect(reply.done == table.orders.count)
        #expect((reply.flags == MAPB_REPLY_TABLE.rawValue) == table.isTable)
        #expect(reply.flags & ~MAPB_REPLY_TABLE.rawValue == 0)
        #expect(bench.ended(reply) == table.orders.enumerated().map { $1.wanted(UInt64($0)) })
        #expect(bench.region.outbox.pointee.current == 0)
    }

    @Test(arguments: Style.allCases)
    func indexesCountFromTheJobsFirstItem(style: Style) throws {
        let orders = Array(repeating: Order.output(4), count: 10)
        let bench = try Self.bench(style, orders, first: 1000)
        let reply = bench.run(first: 1003, count: 5)
        #expect(bench.ended(reply) == (1003..<1008).map { Order.output(4).wanted($0) })
    }

    @Test func aSetupOrTextOfOneItemDoesNotStickToTheNext() throws {
        let orders: [Order] = [.fail(7), .code(7), .fail(8), .output(4), .code(2)]
        let bench = try Self.bench(.perItem, orders)
        #expect(
            bench.ended(bench.run(count: 5)) == [
                .failed(7, "item 0"), .failed(7, ""), .failed(8, "item 2"), .ok([3, 3, 3, 3]), .failed(2, ""),
            ])
    }

    @Test(arguments: Style.allCases)
    func itemsAfterACancelAreNotBegun(style: Style) throws {
        let bench = try Self.bench(style, [.output(1), .output(1), .cancel, .output(1), .output(1)])
        let reply = bench.run(count: 5)
        #expect(reply.done == 3)
        #expect(reply.flags & MAPB_REPLY_STOPPED.rawValue != 0)
        #expect(bench.ended(reply) == [.ok([0]), .ok([1]), .ok([2])])
    }

    /// The job was cancelled while the range waited in the inbox: none of its items may count as done.
    @Test(arguments: Style.allCases)
    func noItemOfACancelledJobIsBegun(style: Style) throws {
        let bench = try Self.bench(style, Array(repeating: .output(1), count: 4))
        bench.jobRecord.pointee.cancel = 1
        let reply = bench.run(count: 4)
        #expect(reply.done == 0)
        #expect(reply.flags == MAPB_REPLY_STOPPED.rawValue)
    }

    @Test(arguments: Style.allCases)
    func aResultThatDoesNotFitStopsTheRange(style: Style) throws {
        let bench = try Self.bench(style, [.output(64), .output(64), .output(5 << 20), .output(64)])
        let reply = bench.run(count: 4)
        #expect(reply.done == 2)
        #expect(reply.flags & MAPB_REPLY_NO_MEMORY.rawValue != 0)
        #expect(bench.ended(reply) == [Order.output(64).wanted(0), Order.output(64).wanted(1)])
        // The rest of the range can be run with the next request.
        let next = bench.run(first: 3, count: 1)
        #expect(bench.ended(next) == [Order.output(64).wanted(3)])
    }

    @Test func aFunctionThatFailsForWantOfMemoryFailsWithItsOwnCode() throws {
        let bench = try Self.bench(.perItem, [.output(64)])
        let failing: mape_run_fn = { task, _, _, _ in mape_task_output(task, 5 << 20) == nil ? 42 : 0 }
        bench.worker.load(1, run: failing)
        #expect(bench.ended(bench.run(count: 1)) == [.failed(42, "")])
    }

    @Test func aTableThatDoesNotFitStopsTheRange() throws {
        // 1 MiB of output, and a table of 16 bytes for each of 70000 items.
        let bench = try Self.bench(
            .perItem, [.output(8), .code(1)] + Array(repeating: .nothing, count: 69_998), output: 1 << 20)
        let reply = bench.run(count: 70_000)
        #expect(reply.done == 1)
        #expect(reply.flags == MAPB_REPLY_NO_MEMORY.rawValue)
        #expect(bench.ended(reply) == [Order.output(8).wanted(0)])
    }

    @Test func cursorsAreToldAndRequestsMoveThem() throws {
        let bench = try Self.bench(.perItem, Array(repeating: .output(100), count: 10))
        let first = bench.run(count: 10)
        #expect(first.frontier_end == UInt64(MAPB_RESULTS_OFFSET) + 1000)
        #expect(first.hole_end == 0)
        let second = bench.run(count: 3) {
            $0.flags = MAPB_SET_HOLE.rawValue | MAPB_SET_FRONTIER.rawValue
            $0.hole_base = 1 << 20
            $0.hole_limit = 1 << 20 + 250
            $0.frontier_base = 40_000
        }
        #expect(second.hole_end == 1 << 20 + 200)
        #expect(bench.ended(second) == (0..<3).map { Order.output(100).wanted($0) })
        #expect(second.flags == MAPB_REPLY_TABLE.rawValue, "the third lies elsewhere")
        let third = bench.run(count: 1)
        #expect(third.frontier_end > second.frontier_end, "cursors stay where they are without a word of the host")
    }

    /// Random orders, random holes: what is told is what was ordered.
    @Test(arguments: seeds, Style.allCases)
    func randomRangesAreToldAsTheyEnded(seed: UInt64, style: Style) throws {
        var random = SeededRandom(seed)
        for _ in 0..<60 {
            let alike = Order.output(UInt32.random(in: 0...40, using: &random))
            let odd = [0, 5, 30, 100].randomElement(using: &random)!
            let orders = (0..<Int.random(in: 1...60, using: &random)).map { _ -> Order in
                guard random.chance(odd) else { return alike.size == 0 ? .nothing : alike }
                switch Int.random(in: 0..<6, using: &random) {
                case 0: return .output(UInt32.random(in: 1...200, using: &random))
                case 1: return .code(Int32.random(in: 1...100, using: &random))
                case 2: return .fail(Int32.random(in: 1...100, using: &random))
                case 3:
                    return .resize(
                        UInt32.random(in: 1...99, using: &random), to: UInt32.random(in: 1...99, using: &random))
                case 4: return .outputThenFail(UInt32.random(in: 1...99, using: &random), 3)
                default: return .nothing
                }
            }
            let bench = try Self.bench(style, orders, first: 500)
            let reply = bench.run(first: 500, count: orders.count) {
                guard random.chance(50) else { return }
                $0.flags = MAPB_SET_HOLE.rawValue
                $0.hole_base = 1 << 20 + UInt64.random(in: 0...63, using: &random)
                $0.hole_limit = $0.hole_base + UInt64.random(in: 0...3000, using: &random)
            }
            #expect(bench.ended(reply) == orders.enumerated().map { $1.wanted(500 + UInt64($0)) })
        }
    }
}
