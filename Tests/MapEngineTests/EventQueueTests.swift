// The queue of what the host has still to hear. It cannot be copied, so that what is expected of it is read before it is compared.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct EventQueueTests {
    static func message(_ count: Int, lost: UInt32 = 0) -> PoolMessage {
        PoolMessage(
            isLog: true, code: 1, worker: 0, text: CText(array: [UInt8](repeating: 0x61, count: count)), lost: lost)
    }

    /// A job with `count` items to deliver.
    static func jobWithEvents(_ count: UInt64 = 1) throws -> Job {
        let job = try bareJob(count, delivering(MAPE_DELIVER_ITEMS))
        _ = job.nextRange(count)
        job.end(Segment(first: 0, count: count, outcome: .crashed()), ok: 0, failed: 0, now: 0)
        return job
    }

    @Test func aNoticeIsGivenOnceWhenTheQueueFills() throws {
        var queue = EventQueue()
        var notices: [Bool] = [queue.consumeNotice()]
        queue.add(message: Self.message(1))
        notices.append(queue.consumeNotice())
        queue.add(message: Self.message(1))
        queue.enqueue(try Self.jobWithEvents())
        notices.append(queue.consumeNotice())
        #expect(notices == [false, true, false])
    }

    @Test func aNoticeIsGivenAgainAfterTheQueueWasEmpty() throws {
        var queue = EventQueue()
        var notices: [Bool] = []
        for _ in 0..<3 {
            queue.add(message: Self.message(1))
            notices.append(queue.consumeNotice())
            _ = queue.nextMessage()
        }
        #expect(notices == [true, true, true])
    }

    @Test func noNoticeIsGivenOfWhatIsGoneAgain() throws {
        var queue = EventQueue()
        let job = try Self.jobWithEvents()
        queue.enqueue(job)
        queue.dequeue(job)
        let notice = queue.consumeNotice()
        #expect(!notice)
    }

    @Test func theDescriptorIsReadableExactlyWhileThereAreEvents() throws {
        var queue = EventQueue()
        let fd = try queue.descriptor()
        let again = try queue.descriptor()
        #expect(fd == again)
        #expect(!isReadable(fd))
        queue.add(message: Self.message(1))
        queue.add(message: Self.message(1))
        #expect(isReadable(fd))
        _ = queue.nextMessage()
        #expect(isReadable(fd))
        let job = try Self.jobWithEvents()
        queue.enqueue(job)
        _ = queue.nextMessage()
        #expect(isReadable(fd))
        queue.dequeue(job)
        #expect(!isReadable(fd))
        _ = queue.nextMessage()
        #expect(!isReadable(fd))
        queue.enqueue(job)
        #expect(isReadable(fd))
    }

    @Test func aDescriptorThatIsMadeLateKnowsOfEarlierEvents() throws {
        var queue = EventQueue()
        queue.add(message: Self.message(1))
        let fd = try queue.descriptor()
        #expect(isReadable(fd))
        _ = queue.nextMessage()
        #expect(!isReadable(fd))
    }

    @Test func aJobIsQueuedOnce() throws {
        var queue = EventQueue()
        let job = try Self.jobWithEvents()
        queue.enqueue(job)
        queue.enqueue(job)
        queue.dequeue(job)
        let isEmpty = queue.isEmpty
        #expect(isEmpty)
        #expect(!job.delivery.isQueued)
    }

    @Test func jobsTakeTurns() throws {
        var queue = EventQueue()
        let jobs = [try Self.jobWithEvents(), try Self.jobWithEvents(), try Self.jobWithEvents()]
        for job in jobs { queue.enqueue(job) }
        for i in 0..<7 {
            let first = queue.firstJob
            #expect(first === jobs[i % 3])
            queue.rotate()
        }
    }

    @Test func aJobThatHasNothingLeftLeavesTheQueue() throws {
        var queue = EventQueue()
        let fd = try queue.descriptor()
        let job = try Self.jobWithEvents()
        queue.enqueue(job)
        _ = job.deliverAll()
        queue.rotate()
        let isEmpty = queue.isEmpty
        #expect(isEmpty)
        #expect(!job.delivery.isQueued)
        #expect(!isReadable(fd))
    }

    @Test func messagesComeInOrderWithTheirText() {
        var queue = EventQueue()
        for i in 0..<5 {
            queue.add(message: PoolMessage(isLog: false, code: 1, worker: Int32(i), text: CText("text \(i)")))
        }
        for i in 0..<5 {
            let message = queue.nextMessage()
            #expect(message?.worker == Int32(i))
            #expect(message.map { String(cString: $0.text.bytes) } == "text \(i)")
            #expect(message?.lost == 0)
        }
        let none = queue.nextMessage() == nil
        #expect(none)
    }

    @Test func beyondTheBoundTheOldestGoAndTheirBytesAreCounted() {
        var queue = EventQueue()
        let size = 1000
        let sent = 3000
        for _ in 0..<sent { queue.add(message: Self.message(size)) }
        let kept = queue.messageCount
        #expect(kept * size <= Policy.messageBytes)
        #expect(kept * (size + 64) > Policy.messageBytes - size - 64)
        let first = queue.nextMessage()
        #expect(first?.lost == UInt32((sent - kept) * size))
        let second = queue.nextMessage()
        #expect(second?.lost == 0)
    }

    @Test func aMessageLargerThanTheBoundIsKeptAlone() {
        var queue = EventQueue()
        queue.add(message: Self.message(100))
        queue.add(message: Self.message(2 << 20))
        let count = queue.messageCount
        #expect(count == 1)
        let message = queue.nextMessage()
        #expect(message?.text.count == 2 << 20)
        #expect(message?.lost == 100)
    }

    @Test func bytesThatAreTakenMakeRoom() {
        var queue = EventQueue()
        for _ in 0..<20_000 {
            queue.add(message: Self.message(1000))
            let message = queue.nextMessage()
            #expect(message?.lost == 0)
        }
    }

    @Test func whatAWorkerHadLostIsToldWithItsMessage() {
        var queue = EventQueue()
        queue.add(message: Self.message(10, lost: 500))
        let message = queue.nextMessage()
        #expect(message?.lost == 500)
    }

    /// Nothing that was lost is forgotten, also when the message that would have told of it is lost itself.
    @Test(arguments: seeds)
    func everyByteIsEitherDeliveredOrCountedAsLost(seed: UInt64) {
        var random = SeededRandom(seed)
        var queue = EventQueue()
        var sent: UInt64 = 0
        var got: UInt64 = 0
        for _ in 0..<3000 {
            let count = Int.random(in: 0...5000, using: &random)
            let lost = random.chance(5) ? UInt32.random(in: 0...300, using: &random) : 0
            queue.add(message: Self.message(count, lost: lost))
            sent += UInt64(count) + UInt64(lost)
            if random.chance(20), let message = queue.nextMessage() {
                got += UInt64(message.text.count) + UInt64(message.lost)
            }
        }
        while let message = queue.nextMessage() { got += UInt64(message.text.count) + UInt64(message.lost) }
        #expect(got == sent)
    }
}
