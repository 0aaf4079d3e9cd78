// The input side of a stream: a ring of spans in the input memory, and blocks that items are packed into.
//
// Item i's span is number i & mask of the ring. A place is used again when its item has ended, so no more than `capacity` items
// lie between the lowest that has not ended and the next.

import CMapBridge

final class Stream {
    private let input: InputMemory
    private let spans: UInt64
    let capacity: UInt64
    private var isFinished = false
    /// Which block holds an item's bytes; -1: none.
    private var blockOf: [Int32]
    private var hasEnded: [Bool]
    /// No item below has still to end.
    private var low: UInt64 = 0

    private struct Packed {
        var block: Block
        var used: UInt64
        var live: Int
    }
    private var blocks: [Packed?] = []
    private var freeBlocks: [Int] = []
    private var current = -1

    var finished: Bool { isFinished }
    func finish() { isFinished = true }

    /// - record: starts with a mapb_job, then `capacity` (a power of two) spans.
    init(input: InputMemory, record: Block, capacity: UInt64) {
        self.input = input
        self.capacity = capacity
        spans = record.offset + UInt64(MemoryLayout<mapb_job>.size)
        blockOf = Array(repeating: -1, count: Int(capacity))
        hasEnded = Array(repeating: false, count: Int(capacity))
    }

    /// True when item `index` has a place in the ring.
    func hasPlace(for index: UInt64) -> Bool { index - low < capacity }

    /// Copies an item in.
    func put(_ index: UInt64, _ bytes: UnsafeRawPointer?, _ size: UInt64) throws(MapError) {
        var span = mapb_span(offset: 0, size: size)
        var block: Int32 = -1
        if size > 0, let bytes = unsafe bytes {
            if let inside = unsafe input.offset(of: bytes) {
                span.offset = inside
            } else {
                let (number, offset) = try place(size)
                unsafe input.copy(bytes, Int(size), to: offset)
                span.offset = offset
                block = Int32(number)
            }
        }
        let at = Int(index & (capacity - 1))
        unsafe input.at(spans, as: mapb_span.self)[at] = span
        blockOf[at] = block
        hasEnded[at] = false
    }

    private func place(_ size: UInt64) throws(MapError) -> (Int, UInt64) {
        let rounded = (size + 15) & ~15
        if current >= 0, rounded <= blocks[current]!.block.count - blocks[current]!.used {
            let offset = blocks[current]!.block.offset + blocks[current]!.used
            blocks[current]!.used += rounded
            blocks[current]!.live += 1
            return (current, offset)
        }
        let block = try input.take(max(Policy.streamBlock, rounded))
        if current >= 0 && blocks[current]!.live == 0 { free(current) }
        let packed = Packed(block: block, used: rounded, live: 1)
        if let number = freeBlocks.popLast() {
            blocks[number] = packed
            current = number
        } else {
            blocks.append(packed)
            current = blocks.count - 1
        }
        return (current, block.offset)
    }

    private func free(_ number: Int) {
        input.give(blocks[number]!.block)
        blocks[number] = nil
        freeBlocks.append(number)
    }

    func itemsEnded(first: UInt64, count: UInt64) {
        for index in first..<(first + count) {
            let at = Int(index & (capacity - 1))
            hasEnded[at] = true
            let number = Int(blockOf[at])
            if number < 0 { continue }
            blocks[number]!.live -= 1
            if blocks[number]!.live > 0 { continue }
            if number == current { blocks[number]!.used = 0 } else { free(number) }
        }
        while hasEnded[Int(low & (capacity - 1))] {
            hasEnded[Int(low & (capacity - 1))] = false
            low += 1
        }
    }

    /// Gives back all blocks; the stream is over.
    func close() {
        for case let packed? in blocks { input.give(packed.block) }
        blocks = []
        current = -1
    }
}
