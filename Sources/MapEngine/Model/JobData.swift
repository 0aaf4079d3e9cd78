// Data of a job: bytes that the host gives with its settings, and that workers read.
//
//   mapb_job ──data──► mapb_job_data ──at──► bytes, behind it; or in a mape_buffer

import CMapBridge

/// One for all jobs that have it: a proxy's calls share one. It frees its memory with the last of them.
final class JobData {
    /// The mapb_job_data, and behind it the bytes, unless they lie in a buffer.
    private let block: Block
    private let input: InputMemory
    let bytes: Extent
    /// Where the bytes lie; nil: in the block. Whoever made this object holds it, and each job that has it.
    let buffer: Buffer?

    /// Bytes are aligned as globals are.
    private static let head: UInt64 = 64

    /// Copies bytes of the host.
    init(copying data: UnsafeRawPointer, _ size: UInt64, to input: InputMemory) throws(MapError) {
        block = try input.allocate(Self.head + size)
        bytes = Extent(offset: block.offset + Self.head, count: size)
        buffer = nil
        self.input = input
        unsafe input.copy(data, Int(size), to: bytes.offset)
        write()
    }

    /// Bytes that lie in a buffer.
    init(_ bytes: Extent, in buffer: Buffer, _ input: InputMemory) throws(MapError) {
        block = try input.allocate(Self.head)
        self.bytes = bytes
        self.buffer = buffer
        self.input = input
        write()
    }

    private func write() { input.store(mapb_job_data(at: bytes.offset, size: bytes.count), at: offset) }

    deinit { input.free(block) }

    /// For a job's record.
    var offset: UInt64 { block.offset }
}
