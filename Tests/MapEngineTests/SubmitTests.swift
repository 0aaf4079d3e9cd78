// How items get into the input memory.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct SubmitTests {
    static func record(_ local: LocalPool, _ job: Job) -> mapb_job {
        local.core.input.at(job.input.record.offset, as: mapb_job.self).pointee
    }

    /// Submits without giving anything to workers.
    static func submit(_ local: LocalPool, _ items: Items) throws -> Job {
        let job = try local.make(JobConfig(), try local.pool.prepare(items))
        while local.pool.fill(job) {}
        return job
    }

    static func submit(_ local: LocalPool, spans: [mape_span], count: UInt64? = nil) throws -> Job {
        try spans.withUnsafeBufferPointer {
            try submit(local, .spans($0.baseAddress!, count: count ?? UInt64(spans.count)))
        }
    }

    static func buffer(_ local: LocalPool, _ size: UInt64) throws -> Buffer {
        let buffer = Buffer(block: try local.core.input.allocate(size, alignment: 4096), size: size)
        local.core.registry.buffers[999] = buffer
        return buffer
    }

    @Test(arguments: [(8, 8), (8, 24), (3, 7), (1, 4096), (16, 16)] as [(UInt64, UInt64)])
    func stridedItemsAreCopiedOneByOne(size: UInt64, stride: UInt64) throws {
        let local = try LocalPool()
        let count: UInt64 = 20
        let host = (0..<(stride * count)).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let job = try host.withUnsafeBytes {
            try Self.submit(local, .strided($0.baseAddress, count: count, stride: stride, size: size))
        }
        let record = Self.record(local, job)
        #expect(record.size == size && record.spans == 0 && record.stride >= size)
        for i in 0..<count {
            let at = local.core.input.base + Int(record.base + i * record.stride)
            #expect(
                Array(UnsafeBufferPointer(start: at, count: Int(size)))
                    == Array(host[Int(i * stride)..<Int(i * stride + size)]))
        }
    }

    @Test func inputIsCopiedInPiecesAndGivenOutAsItComes() throws {
        let local = try LocalPool()
        let size = Int(Policy.copyPiece) / 4
        let host = (0..<(10 * size)).map { UInt8(truncatingIfNeeded: $0 / size) }
        try host.withUnsafeBytes {
            let items = Items.strided($0.baseAddress, count: 10, stride: UInt64(size), size: UInt64(size))
            let job = try local.make(JobConfig(), try local.pool.prepare(items))
            var ready: [UInt64] = []
            repeat { ready.append(job.unstarted.ready) } while local.pool.fill(job)
            #expect(ready == [4, 8])
            #expect(job.unstarted.ready == 10)
            let record = Self.record(local, job)
            for i in 0..<10 { #expect(local.core.input.base[Int(record.base) + i * size] == UInt8(i)) }
        }
    }

    @Test func aCancelledJobIsCopiedNoFurther() throws {
        let local = try LocalPool()
        let size = Int(Policy.copyPiece)
        let host = [UInt8](repeating: 1, count: 3 * size)
        try host.withUnsafeBytes {
            let items = Items.strided($0.baseAddress, count: 3, stride: UInt64(size), size: UInt64(size))
            let job = try local.make(JobConfig(), try local.pool.prepare(items))
            local.pool.core.with {
                $0.end(job, Outcome(MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, "enough"), now: mapb_clock())
            }
            #expect(!local.pool.fill(job))
            #expect(job.unstarted.ready == 1)
            #expect(job.tally[MAPE_ITEM_CANCELLED] + job.tally.running == 3)
        }
    }

    /// Its input is freed as soon as its items have ended: nothing may be written there any more.
    @Test func aJobOfAFunctionThatCannotRunIsCopiedNoFurther() throws {
        let local = try LocalPool()
        local.function.fail(Outcome(MAPE_ITEM_FAILED, MAPE_CAUSE_SETUP, code: 1, "no"))
        let size = Int(Policy.copyPiece)
        let used = local.core.input.used
        let host = [UInt8](repeating: 1, count: 3 * size)
        try host.withUnsafeBytes {
            let items = Items.strided($0.baseAddress, count: 3, stride: UInt64(size), size: UInt64(size))
            let job = try local.make(JobConfig(), try local.pool.prepare(items))
            local.core.followUp()
            #expect(job.isDone)
            #expect(local.core.input.used == used)
            #expect(!local.pool.fill(job))
        }
    }

    @Test func aStreamKeepsABufferThatItsItemsLieIn() throws {
        let local = try LocalPool()
        let used = local.core.input.used
        let buffer = try Self.buffer(local, 4096)
        let job = try local.make(JobConfig(), .ofStream)
        let base = UnsafeRawPointer(local.core.input.base + Int(buffer.block.offset))
        let spans = [mape_span(data: base, size: 8), mape_span(data: base + 8, size: 8)]
        let (accepted, wrong) = local.pool.push(job, job.stream!, spans, 2)
        #expect(accepted == 2 && wrong == nil)
        let held = local.core.input.used
        local.core.registry.buffers[999] = nil
        local.pool.core.with { $0.release(buffer) }
        #expect(local.core.input.used == held)
        local.pool.core.with {
            $0.end(job, Outcome(MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, "enough"), now: mapb_clock())
        }
        try local.settle()
        #expect(job.isDone)
        #expect(local.core.input.used == used)
    }

    @Test func itemsInABufferStayWhereTheyAre() throws {
        let local = try LocalPool()
        let buffer = try Self.buffer(local, 4096)
        let before = local.core.input.used
        let base = local.core.input.base + Int(buffer.block.offset)
        let job = try Self.submit(local, .strided(base + 64, count: 10, stride: 100, size: 50))
        let record = Self.record(local, job)
        #expect(record.base == buffer.block.offset + 64 && record.stride == 100 && record.size == 50)
        #expect(local.core.input.used - before < 200)
        #expect(job.input.buffers.count == 1 && job.input.buffers[0] === buffer)
    }

    @Test(arguments: [(0, 4097), (1, 4096), (4095, 2), (4096, 1)])
    func itemsPartlyOutsideABufferAreRefused(start: Int, size: Int) throws {
        let local = try LocalPool()
        let buffer = try Self.buffer(local, 4096)
        let before = local.core.input.used
        let base = local.core.input.base + Int(buffer.block.offset) + start
        let strided = mapError {
            try Self.submit(local, .strided(base, count: 1, stride: UInt64(size), size: UInt64(size)))
        }
        #expect(strided?.status == MAPE_E_ARGUMENT.rawValue && strided?.message.hasPrefix("items.base ") == true)
        let span = mape_span(data: UnsafeRawPointer(base), size: size)
        let spans = mapError { try Self.submit(local, spans: [span]) }
        #expect(spans?.status == MAPE_E_ARGUMENT.rawValue && spans?.message.hasPrefix("items.spans[0].data ") == true)
        #expect(local.core.input.used == before)
    }

    @Test func spansAreCopiedAlignedAndThoseInBuffersAreNot() throws {
        let local = try LocalPool()
        let buffer = try Self.buffer(local, 4096)
        let inside = local.core.input.base + Int(buffer.block.offset) + 10
        let texts: [[UInt8]] = [[1, 2, 3], [], Array(repeating: 9, count: 100)]
        let job = try texts[0].withUnsafeBytes { a in
            try texts[2].withUnsafeBytes { c in
                let spans = [
                    mape_span(data: a.baseAddress, size: 3), mape_span(data: nil, size: 0),
                    mape_span(data: UnsafeRawPointer(inside), size: 20), mape_span(data: c.baseAddress, size: 100),
                ]
                return try Self.submit(local, spans: spans)
            }
        }
        let record = Self.record(local, job)
        #expect(record.stride == .max)
        let lines = local.core.input.at(record.spans, as: mapb_span.self)
        #expect((0..<4).map { lines[$0].size } == [3, 0, 20, 100])
        #expect(lines[2].offset == buffer.block.offset + 10)
        for (line, text) in [(0, texts[0]), (3, texts[2])] {
            #expect(lines[line].offset % 16 == 0)
            let at = local.core.input.base + Int(lines[line].offset)
            #expect(Array(UnsafeBufferPointer(start: at, count: text.count)) == text)
        }
    }

    @Test(
        arguments: [
            (UInt64.max, 8, 8), (1 << 62, 8, 8), (3, 1 << 63, 8), (2, UInt64.max, 1), (1 << 40, 0, 1 << 40),
        ] as [(UInt64, UInt64, UInt64)])
    func countsAndSizesBeyondMemoryAreRefused(count: UInt64, stride: UInt64, size: UInt64) throws {
        let local = try LocalPool()
        let before = local.core.input.used
        var byte: UInt64 = 0
        let error = withUnsafeBytes(of: &byte) { bytes in
            mapError { try Self.submit(local, .strided(bytes.baseAddress, count: count, stride: stride, size: size)) }
        }
        #expect(error?.status == MAPE_E_OVERFLOW.rawValue || error?.status == MAPE_E_MEMORY.rawValue)
        #expect(local.core.input.used == before)
    }

    /// Refused before the first span is read.
    @Test(arguments: [UInt64.max, 1 << 60, 1 << 56])
    func moreSpansThanMemoryHoldsAreRefused(count: UInt64) throws {
        let local = try LocalPool()
        let error = mapError { try Self.submit(local, spans: [mape_span(data: nil, size: 0)], count: count) }
        #expect(error?.status == MAPE_E_OVERFLOW.rawValue)
    }

    @Test func aSpanWithoutBytesIsRefused() throws {
        let local = try LocalPool()
        let spans = [mape_span(data: nil, size: 0), mape_span(data: nil, size: 5)]
        let error = mapError { try Self.submit(local, spans: spans) }
        #expect(error?.status == MAPE_E_ARGUMENT.rawValue && error?.message.hasPrefix("items.spans[1].data ") == true)
    }

    /// In a process of its own, since it must not trap.
    @Test func aSpanBeyondHalfAnAddressSpaceIsRefused() async {
        await #expect(processExitsWith: .success) {
            let local = try LocalPool()
            var byte: UInt8 = 0
            let span = withUnsafePointer(to: &byte) { mape_span(data: UnsafeRawPointer($0), size: -1) }
            guard mapError({ try SubmitTests.submit(local, spans: [span]) }) != nil else { throw Accepted() }
        }
    }
}
