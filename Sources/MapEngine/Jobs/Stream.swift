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

    /// How many items from number `index` on have a place in the ring.
    func room(from index: UInt64) -> UInt64 { index - low < capacity ? capacity - (index - low) : 0 }

    /// Copies items in as long as they need nothing but room in the current block. Returns how many.
    func putPacked(_ items: UnsafePointer<mape_span>, _ count: Int, at first: UInt64) -> Int {
        guard current >= 0 else { return 0 }
        let packed = unsafe blocks + current
        // All in locals: whatever is written could else have changed them.
        let block = unsafe packed.pointee.block
        let target = unsafe input.at(block.offset, as: UInt8.self)
        let lines = unsafe input.at(spans, as: mapb_span.self)
        let places = unsafe self.places
        let mask = capacity - 1
        let own = input.range
        // Nothing that goes into a block passes the end of the addresses from below here; what lies beyond is judged item by item.
        let far = UInt(mapb_common_end) - UInt(block.count)
        let place = Place(block: Int32(current), hasEnded: false)
        var used = unsafe packed.pointee.used
        var done = 0
        while done < count {
            let item = unsafe items[done]
            let size = unsafe UInt64(bitPattern: Int64(item.size))
            guard let data = unsafe item.data, size > 0, size <= block.count else { break }
            guard UInt(bitPattern: data) < far else { break }
            let rounded = (size + 15) & ~15
            guard rounded <= block.count - used, !own.contains(UInt(bitPattern: data)) else { break }
            let to = unsafe UnsafeMutableRawPointer(target + Int(used))
            if size == 8 {
                unsafe to.storeBytes(of: data.loadUnaligned(as: UInt64.self), as: UInt64.self)
            } else {
                unsafe to.copyMemory(from: data, byteCount: Int(size))
            }
            let at = Int((first &+ UInt64(done)) & mask)
            unsafe lines[at] = mapb_span(offset: block.offset &+ used, size: size)
            unsafe places[at] = place
            used &+= rounded
            done &+= 1
        }
        unsafe packed.pointee.used = used
        unsafe packed.pointee.live += done
        return done
    }

    /// Copies an item in, or notes where in the input memory it lies.
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
        let end = first + count
        let isLowest = first == low
        var index = first
        while index < end {
            // Those that lie in one block, together.
            let number = unsafe places[Int(index & mask)].block
            var run = 0
            while unsafe index < end && places[Int(index & mask)].block == number {
                if !isLowest { unsafe places[Int(index & mask)].hasEnded = true }
                index += 1
                run += 1
            }
            if number >= 0 { leave(Int(number), run) }
        }
        guard isLowest else { return }
        low = end
        while unsafe places[Int(low & mask)].hasEnded {
            unsafe places[Int(low & mask)].hasEnded = false
            low += 1
        }
    }

    /// So many items of a block have ended.
    private func leave(_ number: Int, _ count: Int) {
        let packed = unsafe blocks + number
        unsafe packed.pointee.live -= count
        if unsafe packed.pointee.live > 0 { return }
        if number == current { unsafe packed.pointee.used = 0 } else { free(number) }
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
