// The input side of a stream: a ring of spans in the input memory, and blocks that items are packed into.
//
// Item i's span is number i & mask of the ring. A place is used again when its item has ended, so no more than `capacity` items
// lie between the lowest that has not ended and the next. Places are given under the pool's lock (Core+Streams), bytes are copied
// without it (Pool+Streams).

import CMapBridge

@safe final class Stream {
    private let input: InputMemory
    private let spans: SpanTable
    let capacity: UInt64
    private var isFinished = false
    /// Of the items that were given places since `consumeMoved`.
    private var moved = Moved()
    /// Per place of the ring. Plain memory, because it is written for every item.
    private let places: UnsafeMutablePointer<Place>
    /// Blocks by number: every item that has not ended lies in one, so there are no more of them than places, and the current one.
    private let blocks: UnsafeMutablePointer<Packed>
    private var blockCount = 0
    private var freeBlocks: [Int] = []
    private var current = -1
    /// All items below this index have ended.
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

    /// Blocks of which every item has ended while bytes were copied.
    private var emptied: [Int] = []
    private var isCopying = false
    /// Held by the thread that pushes. While it holds this it waits for nothing of the pool except the pool's lock.
    let pushing = Lock()
    /// Made when first used, by whoever holds `pushing`.
    private(set) lazy var scratch = PushScratch()

    var finished: Bool { isFinished }
    func finish() { isFinished = true }

    /// - record: starts with a JobRecord, then `capacity` (a power of two) spans.
    init(input: InputMemory, record: Block, capacity: UInt64) {
        self.input = input
        self.capacity = capacity
        spans = SpanTable(input, at: record.offset + input.recordBytes)
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

    /// Assigns places to items while the current block has room for them. Returns how many.
    func placePacked(_ scratch: PushScratch, _ from: Int, _ to: Int, at first: UInt64) -> Int {
        guard current >= 0 else { return 0 }
        let packed = unsafe blocks + current
        // All in locals: whatever is written could else have changed them.
        let block = unsafe packed.pointee.block
        let lines = spans
        let places = unsafe self.places
        let items = unsafe scratch.spans
        let targets = unsafe scratch.targets
        let mask = capacity - 1
        let own = input.range
        // Nothing that goes into a block passes the end of the addresses from below here; what lies beyond is judged item by item.
        let far = UInt(mapb_common_end) - UInt(block.count)
        let place = Place(block: Int32(current), hasEnded: false)
        var used = unsafe packed.pointee.used
        var done = 0
        while from + done < to {
            let item = unsafe items[from + done]
            let size = UInt64(bitPattern: Int64(item.size))
            guard let data = unsafe item.data, size > 0, size <= block.count else { break }
            guard UInt(bitPattern: data) < far else { break }
            let rounded = (size + 15) & ~15
            guard rounded <= block.count - used, !own.contains(UInt(bitPattern: data)) else { break }
            let at = Int((first &+ UInt64(done)) & mask)
            unsafe targets[from + done] = block.offset &+ used
            lines[UInt64(at)] = Extent(offset: block.offset &+ used, count: size)
            unsafe places[at] = place
            used &+= rounded
            done &+= 1
        }
        unsafe moved.copied &+= used &- packed.pointee.used
        unsafe packed.pointee.used = used
        unsafe packed.pointee.live += done
        return done
    }

    /// A piece of an item is read where it lies.
    func share(_ bytes: UInt64) { moved.shared &+= bytes }

    func consumeMoved() -> Moved {
        defer { moved = Moved() }
        return moved
    }

    /// Assigns a place to an item, or notes where in the input memory it lies. Returns where its bytes go;
    /// PushScratch.nowhere when there are none to copy.
    func place(_ index: UInt64, _ bytes: UnsafeRawPointer?, _ size: UInt64) throws(MapError) -> UInt64 {
        var span = Extent(offset: 0, count: size)
        var number = -1
        var target = PushScratch.nowhere
        if size > 0, let bytes = unsafe bytes {
            if let inside = input.offset(of: bytes) {
                span.offset = inside
                moved.shared &+= size
            } else {
                number = try block(for: size)
                let packed = unsafe blocks + number
                span.offset = unsafe packed.pointee.block.offset + packed.pointee.used
                target = span.offset
                moved.copied &+= (size + 15) & ~15
                unsafe packed.pointee.used += (size + 15) & ~15
                unsafe packed.pointee.live += 1
            }
        }
        let at = Int(index & (capacity - 1))
        spans[UInt64(at)] = span
        unsafe places[at] = Place(block: Int32(number), hasEnded: false)
        return target
    }

    /// Assigns a place to an item of several pieces. Returns where its lines go, and behind them its bytes.
    func place(_ index: UInt64, _ item: HostPieces.Item) throws(MapError) -> UInt64 {
        // Blocks are packed by 16 bytes, lines and pieces by 64.
        let number = try block(for: item.bytes + 48)
        let packed = unsafe blocks + number
        moved.copied &+= item.bytes
        let offset = unsafe HostPieces.rounded(packed.pointee.block.offset + packed.pointee.used)
        unsafe packed.pointee.used = offset + item.bytes - packed.pointee.block.offset
        unsafe packed.pointee.live += 1
        let at = Int(index & (capacity - 1))
        spans[UInt64(at)] = HostPieces.span(item, at: offset)
        unsafe places[at] = Place(block: Int32(number), hasEnded: false)
        return offset
    }

    // MARK: - While bytes are copied without the lock

    /// Holds the block that an item lies in, until `release`. Nil: it lies in none.
    func hold(_ index: UInt64) -> Int? {
        let number = unsafe Int(places[Int(index & (capacity - 1))].block)
        guard number >= 0 else { return nil }
        unsafe blocks[number].live += 1
        return number
    }

    func release(_ number: Int) { leave(number, 1) }

    /// From now on no block is freed or begun anew: a thread writes into some of them.
    func beginCopying() { isCopying = true }

    func endCopying() {
        isCopying = false
        for number in emptied where unsafe blocks[number].live == 0 && blocks[number].block.count > 0 { empty(number) }
        emptied.removeAll(keepingCapacity: true)
    }

    /// The number of a block with room.
    private func block(for size: UInt64) throws(MapError) -> Int {
        let rounded = (size + 15) & ~15
        if current >= 0 {
            let packed = unsafe blocks[current]
            if rounded <= packed.block.count - packed.used { return current }
        }
        let fresh = try input.allocate(max(Policy.streamBlock, rounded))
        if current >= 0, unsafe blocks[current].live == 0 { free(current) }
        current = freeBlocks.popLast() ?? blockCount
        if current == blockCount { blockCount += 1 }
        unsafe (blocks + current).initialize(to: Packed(block: fresh, used: 0, live: 0))
        return current
    }

    private func free(_ number: Int) {
        unsafe input.free(blocks[number].block)
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

    /// Called when this many items of a block have ended.
    private func leave(_ number: Int, _ count: Int) {
        let packed = unsafe blocks + number
        unsafe packed.pointee.live -= count
        if unsafe packed.pointee.live > 0 { return }
        if isCopying { emptied.append(number) } else { empty(number) }
    }

    private func empty(_ number: Int) {
        if number == current { unsafe blocks[number].used = 0 } else { free(number) }
    }

    /// Frees all blocks; the stream is over.
    func close() {
        for number in 0..<blockCount where unsafe blocks[number].block.count > 0 {
            unsafe input.free(blocks[number].block)
        }
        blockCount = 0
        freeBlocks = []
        current = -1
    }
}

/// What a push works with: the host's spans as they were read, where their bytes go, and those that are few.
@safe final class PushScratch {
    static let nowhere = UInt64.max

    let spans: UnsafeMutablePointer<mape_span>
    let targets: UnsafeMutablePointer<UInt64>
    private let staged: UnsafeMutableRawPointer
    /// Items that there will be room for, as it was before: so that few are read in vain.
    private(set) var expected = Policy.pushedAtOnce

    init() {
        unsafe spans = .allocate(capacity: Policy.pushedAtOnce)
        unsafe targets = .allocate(capacity: Policy.pushedAtOnce)
        unsafe staged = .allocate(byteCount: Policy.stagedBytes, alignment: 16)
    }

    deinit {
        unsafe spans.deallocate()
        unsafe targets.deallocate()
        unsafe staged.deallocate()
    }

    func expect(after taken: Int, of some: Int) {
        let next = taken < some ? max(64, taken + taken / 4) : max(expected, some * 2)
        expected = min(Policy.pushedAtOnce, next)
    }

    /// Reads spans of the host, and their bytes when those are few. True: all are staged.
    func read(_ items: UnsafePointer<mape_span>, _ count: Int, _ input: InputMemory) -> Bool {
        // All in locals: whatever is written could else have changed them.
        let spans = unsafe self.spans
        let staged = unsafe self.staged
        let own = input.range
        // What may pass the end of the addresses is judged before it is read: Pool.place.
        let far = UInt(mapb_common_end) - UInt(Policy.stagedBytes)
        unsafe spans.update(from: items, count: count)
        var at = 0
        for i in 0..<count {
            let item = unsafe spans[i]
            let size = item.size
            // What lies in the input memory is read by workers, where it is.
            guard let data = unsafe item.data, size > 0, !own.contains(UInt(bitPattern: data)) else { continue }
            guard size <= Policy.stagedBytes - at, UInt(bitPattern: data) < far else { return false }
            if size == 8 {
                unsafe staged.storeBytes(of: data.loadUnaligned(as: UInt64.self), toByteOffset: at, as: UInt64.self)
            } else {
                unsafe (staged + at).copyMemory(from: data, byteCount: size)
            }
            at += (size + 7) & ~7
        }
        return true
    }

    /// Copies the bytes of the first items from where they are staged. Under the lock.
    func copyStaged(_ count: Int, _ input: InputMemory) {
        let base = unsafe UnsafeMutableRawPointer(input.base)
        let spans = unsafe self.spans
        let targets = unsafe self.targets
        let staged = unsafe self.staged
        var at = 0
        for i in 0..<count {
            let target = unsafe targets[i]
            if target == Self.nowhere { continue }
            let size = unsafe spans[i].size
            if size == 8 {
                unsafe (base + Int(target)).storeBytes(of: (staged + at).load(as: UInt64.self), as: UInt64.self)
            } else {
                unsafe (base + Int(target)).copyMemory(from: staged + at, byteCount: size)
            }
            at += (size + 7) & ~7
        }
    }

    /// Copies the bytes of the first items from the host's memory. Without the lock.
    func copy(_ count: Int, _ input: InputMemory) {
        for i in 0..<count {
            let item = unsafe spans[i]
            guard let data = unsafe item.data, item.size > 0, unsafe targets[i] != Self.nowhere else { continue }
            unsafe input.copy(data, item.size, to: targets[i])
        }
    }
}
