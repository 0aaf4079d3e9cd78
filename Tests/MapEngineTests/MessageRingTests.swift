// The host's side of a worker's message ring, with rings that no honest worker writes.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct MessageRingTests {
    static func texts(_ core: Core) -> [PoolMessage] {
        var all: [PoolMessage] = []
        while let message = core.events.nextMessage() { all.append(message) }
        return all
    }

    @Test func textsArriveWithLevelAndWorker() throws {
        let local = try LocalPool(workers: 2)
        mape_task_log(local.processes[1].task, Int32(MAPE_LOG_WARNING.rawValue), "careful")
        mape_task_log(local.processes[1].task, 77, "beyond all levels")
        local.core.pump()
        _ = local.core.checkIdle(mapb_clock())
        let texts = Self.texts(local.core)
        #expect(texts.map { String(cString: $0.text.bytes) } == ["careful", "beyond all levels"])
        #expect(texts.map { $0.code } == [2, 3])
        #expect(texts.allSatisfy { $0.worker == 1 && $0.isLog && $0.lost == 0 })
    }

    @Test func whatHadNoRoomInTheRingIsToldWithTheNextText() throws {
        let local = try LocalPool()
        let task = local.processes[0].task
        for _ in 0..<20 { mape_task_log(task, 0, String(repeating: "x", count: 1000)) }
        local.core.pump()
        _ = local.core.checkIdle(mapb_clock())
        let first = Self.texts(local.core)
        #expect(first.count == 16)
        mape_task_log(task, 0, "after")
        local.core.pump()
        _ = local.core.checkIdle(mapb_clock())
        let lost = (first + Self.texts(local.core)).reduce(0) { $0 + Int($1.lost) }
        #expect(lost == 4000)
    }

    struct Broken: Sendable, CustomTestStringConvertible {
        let name: String
        let tail: UInt64
        let head: mapb_message_head
        var testDescription: String { name }
    }

    @Test(arguments: [
        Broken(name: "more than the ring holds", tail: 16385, head: mapb_message_head(size: 4, level: 0)),
        Broken(name: "the largest tail", tail: .max, head: mapb_message_head(size: 4, level: 0)),
        Broken(name: "a text longer than what was written", tail: 16, head: mapb_message_head(size: 9, level: 0)),
        Broken(name: "a text longer than any", tail: 8192, head: mapb_message_head(size: 1024, level: 0)),
        Broken(name: "the largest text", tail: 8192, head: mapb_message_head(size: .max, level: 0)),
        Broken(name: "half a head", tail: 4, head: mapb_message_head(size: 0, level: 0)),
    ])
    func aRingThatCannotBeIsSeen(_ broken: Broken) throws {
        let local = try LocalPool()
        let region = local.processes[0].region
        UnsafeMutableRawPointer(region.base + Int(MAPB_MESSAGES_OFFSET)).storeBytes(
            of: broken.head, as: mapb_message_head.self)
        mapb_store(&region.outbox.pointee.message_tail, broken.tail)
        local.core.pump()
        _ = local.core.checkIdle(mapb_clock())
        #expect(local.worker(0).state == .dying)
        // All that is heard of it is the pool's own message.
        #expect(Self.texts(local.core).allSatisfy { $0.worker == -1 })
    }

    @Test func aTailThatGoesBackIsSeen() throws {
        let local = try LocalPool()
        mape_task_log(local.processes[0].task, 0, "some text")
        local.core.pump()
        _ = local.core.checkIdle(mapb_clock())
        mapb_store(&local.processes[0].region.outbox.pointee.message_tail, 8)
        local.core.pump()
        _ = local.core.checkIdle(mapb_clock())
        #expect(local.worker(0).state == .dying)
    }

    @Test func aLossThatShrinksIsNoLoss() throws {
        let local = try LocalPool()
        let process = local.processes[0]
        mapb_store(&process.region.outbox.pointee.message_lost, 100)
        mape_task_log(process.task, 0, "a")
        local.core.pump()
        _ = local.core.checkIdle(mapb_clock())
        mapb_store(&process.region.outbox.pointee.message_lost, 50)
        mape_task_log(process.task, 0, "b")
        local.core.pump()
        _ = local.core.checkIdle(mapb_clock())
        #expect(Self.texts(local.core).map { $0.lost } == [100, 0])
    }
}
