// The input side of a stream: a ring of spans in the input memory, and blocks that items are packed into.
//
// Item i's span is number i & mask of the ring. A place is used again when its item has ended, so no more than `capacity` items
// lie between the lowest that has not ended and the next.

import CMapBridge

@safe final class Stream {
    private let input: InputMemory
    private let spans: UInt64
    let capacity: UInt64
    private var isFinished = false
    /// Per place of the ring. Plain memory, because it is written for every item.
    private let places: UnsafeMutablePointer<Place>
    /// Blocks by number: every item that has not ended lies in one, so there are no more of them than places, and the current one.
    private let blocks: UnsafeMutablePointer<Packed>
    private var blockCount = 0
    private var freeBlocks: [Int] = []
    private var current = -1
    /// No item below has still to end.
    private var low: UInt64 = 0

    private struct Place {
        /// Which block holds the item's bytes; -1: none.
        var block: Int32
        var hasEnded: Bool
    }

    /// A block and what is used of it. Without a block its count is 0.
    private struct Packed {
        var block: Block
        var used: UInt64
        var live: Int
    }

    var finished: Bool { isFinished }
    func finish() { isFinished = true }

    /// - record: starts with a mapb_job, then `capacity` (a power of two) spans.
    init(input: InputMemory, record: Block, capacity: UInt64) {
        self.input = input
        self.capacity = capacity
        spans = record.offset + UInt64(MemoryLayout<mapb_job>.size)
        unsafe places = .allocate(capacity: Int(capacity))
        unsafe places.initialize(repeating: Place(block: -1, hasEnded: false), count: Int(capacity))
        unsafe blocks = .allocate(capacity: Int(capacity) + 1)
    }

    deinit {
        unsafe places.deallocate()
        unsafe blocks.deallocate()
    }

    /// True when item `index` has a place in the ring.
    func hasPlace(for index: UInt64) -> Bool { index - low < capacity }

    /// Copies an item in.
    func put(_ index: UInt64, _ bytes: UnsafeRawPointer?, _ size: UInt64) throws(MapError) {
        var span = mapb_span(offset: 0, size: size)
        var number = -1
        if size > 0, let bytes = unsafe bytes {
            if let inside = unsafe input.offset(of: bytes) {
                span.offset = inside
            } else {
                number = try block(for: size)
                let packed = unsafe blocks + number
                span.offset = unsafe packed.pointee.block.offset + packed.pointee.used
                unsafe input.copy(bytes, Int(size), to: span.offset)
                unsafe packed.pointee.used += (size + 15) & ~15
                unsafe packed.pointee.live += 1
            }
        }
        let at = Int(index & (capacity - 1))
        unsafe input.at(spans, as: mapb_span.self)[at] = span
        unsafe places[at] = Place(block: Int32(number), hasEnded: false)
    }

    /// The number of a block with room.
    private func block(for size: UInt64) throws(MapError) -> Int {
        let rounded = (size + 15) & ~15
        if current >= 0 {
            let packed = unsafe blocks[current]
            if rounded <= packed.block.count - packed.used { return current }
        }
        let fresh = try input.take(max(Policy.streamBlock, rounded))
        if current >= 0, unsafe blocks[current].live == 0 { free(current) }
        current = freeBlocks.popLast() ?? blockCount
        if current == blockCount { blockCount += 1 }
        unsafe (blocks + current).initialize(to: Packed(block: fresh, used: 0, live: 0))
        return current
    }

    private func free(_ number: Int) {
        unsafe input.give(blocks[number].block)
        unsafe blocks[number].block.count = 0
        freeBlocks.append(number)
    }

    func itemsEnded(first: UInt64, count: UInt64) {
        let mask = capacity - 1
        for index in first..<(first + count) {
            let place = unsafe places + Int(index & mask)
            unsafe place.pointee.hasEnded = true
            let number = unsafe Int(place.pointee.block)
            if number < 0 { continue }
            let packed = unsafe blocks + number
            unsafe packed.pointee.live -= 1
            if unsafe packed.pointee.live > 0 { continue }
            if number == current { unsafe packed.pointee.used = 0 } else { free(number) }
        }
        var next = low
        while unsafe places[Int(next & mask)].hasEnded {
            unsafe places[Int(next & mask)].hasEnded = false
            next += 1
        }
        low = next
    }

    /// Gives back all blocks; the stream is over.
    func close() {
        for number in 0..<blockCount where unsafe blocks[number].block.count > 0 {
            unsafe input.give(blocks[number].block)
        }
        blockCount = 0
        freeBlocks = []
        current = -1
    }
}
