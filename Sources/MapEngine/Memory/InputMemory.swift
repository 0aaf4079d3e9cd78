// The pool's input memory: doorbell, inboxes, and the arena with inputs, records and globals. The host alone writes it.
//
// It has a lock of its own, held for a search through what is free and never while bytes move: so blocks are allocated, filled and freed
// with and without the pool's lock.

import CMapBridge

/// A stretch of the arena.
typealias Block = Extent

@safe final class InputMemory: Sendable {
    private let memory: SharedMemory
    /// For the workers: read-only.
    private let readOnly: Descriptor
    private let arena: Guarded<Arena>
    /// Held while a free stretch is out of the arena and its pages are returned to the system.
    private let trimLock = Lock()

    private struct Arena {
        var extents: Extents
        /// Bytes that are free but may still have pages.
        var warm: UInt64 = 0
        var used: UInt64 = 0
        var isTrimming = false
    }

    var base: UnsafeMutablePointer<UInt8> { unsafe memory.base }
    var size: UInt64 { memory.size }
    var file: Int32 { readOnly.number }
    var head: UnsafeMutablePointer<mapb_pool_head> {
        unsafe UnsafeMutableRawPointer(memory.base).assumingMemoryBound(to: mapb_pool_head.self)
    }

    /// Behind the inboxes of all workers that a pool may ever have: those that it never has are address space, and no memory.
    static let arenaStart = 4096 + UInt64(MAPB_MAX_WORKERS) * UInt64(MAPB_INBOX_BYTES)

    /// - reserve: for the arena.
    init(reserve: UInt64) throws(MapError) {
        let arenaStart = Self.arenaStart
        memory = try SharedMemory(
            name: "mapengine-input", size: arenaStart + max(reserve, Policy.leastReserve),
            least: arenaStart + Policy.leastReserve)
        readOnly = try Descriptor(
            checking: mapb_shared_reader(memory.fileNumber), MAPB_NAME_SHARED_READER)
        arena = Guarded(Arena(extents: Extents(Extent(offset: arenaStart, count: memory.size - arenaStart))))
        unsafe head.pointee.protocol = MAPB_PROTOCOL
    }

    /// Allocates `count` bytes, at least 1. They are zero only when `zeroed`.
    func allocate(_ count: UInt64, alignment: UInt64 = 64, zeroed: Bool = false) throws(MapError) -> Block {
        let rounded = (max(count, 1) + 63) & ~63
        guard count <= memory.size, let offset = find(rounded, alignment) else {
            throw MapError(
                MAPE_E_MEMORY,
                "the pool's input memory has no \(count) bytes left (\(used) of \(memory.size) in use): release jobs and buffers, or set config.input_reserve higher"
            )
        }
        let block = Block(offset: offset, count: rounded)
        if zeroed { clear(block) }
        return block
    }

    private func find(_ count: UInt64, _ alignment: UInt64) -> UInt64? {
        while true {
            let (found, mayCome) = arena.with { arena in
                if let offset = arena.extents.allocate(count, alignment: alignment) {
                    arena.used += count
                    arena.warm = arena.warm > count ? arena.warm - count : 0
                    return (offset as UInt64?, false)
                }
                return (nil, arena.isTrimming)
            }
            // What is missing may be what is being trimmed.
            if found != nil || !mayCome { return found }
            trimLock.lock()
            trimLock.unlock()
        }
    }

    /// Bytes in blocks.
    var used: UInt64 { arena.with { $0.used } }

    private func clear(_ block: Block) {
        // Fresh pages are zero: the pages of a large block are returned to the system first, which costs less than
        // writing zeros.
        if block.count >= Policy.returnLeast {
            memory.returnPages(block.offset, block.count)
            let start = (block.offset + 4095) & ~4095
            let end = block.end & ~4095
            unsafe (base + Int(block.offset)).update(repeating: 0, count: Int(start - block.offset))
            unsafe (base + Int(end)).update(repeating: 0, count: Int(block.end - end))
        } else {
            unsafe (base + Int(block.offset)).update(repeating: 0, count: Int(block.count))
        }
    }

    func free(_ block: Block) {
        arena.with { arena in
            arena.used -= block.count
            arena.extents.free(block)
            arena.warm += block.count
        }
    }

    /// Whether more pages lie idle than are worth keeping.
    var hasExcess: Bool { arena.with { $0.warm > Policy.warmInput } }

    /// Returns the pages of free memory to the system, piece by piece. Without the pool's lock, because it takes long.
    func trim() {
        let free = arena.with { arena in
            arena.warm = 0
            return arena.extents.free
        }
        for extent in free where extent.count >= Policy.returnLeast {
            var start = extent.offset
            while start < extent.end {
                let piece = Extent(offset: start, count: min(extent.end - start, Policy.trimPiece))
                trim(piece)
                start = piece.end
            }
        }
    }

    /// The same for one stretch, unless some of it is used again.
    private func trim(_ piece: Extent) {
        trimLock.lock()
        defer { trimLock.unlock() }
        let isFree = arena.with { arena in
            arena.isTrimming = arena.extents.allocate(piece)
            return arena.isTrimming
        }
        guard isFree else { return }
        memory.returnPages(piece.offset, piece.count)
        arena.with { arena in
            arena.extents.free(piece)
            arena.isTrimming = false
        }
    }

    /// Writes a record to a place in the arena.
    func store<T: BitwiseCopyable>(_ record: T, at offset: UInt64) { unsafe at(offset, as: T.self).pointee = record }

    /// Reads a record.
    func load<T: BitwiseCopyable>(_ type: T.Type, at offset: UInt64) -> T { unsafe at(offset, as: type).pointee }

    /// Typed access to a place in the arena. What lies behind the first is the caller's to keep within a block.
    func at<T>(_ offset: UInt64, as type: T.Type) -> UnsafeMutablePointer<T> {
        precondition(offset <= size && UInt64(MemoryLayout<T>.size) <= size - offset)
        return unsafe UnsafeMutableRawPointer(base + Int(offset)).assumingMemoryBound(to: type)
    }

    func inbox(_ worker: Int) -> Inbox {
        precondition(worker >= 0 && worker < Int(MAPB_MAX_WORKERS))
        return unsafe Inbox(mapb_inbox_of(base, UInt32(worker)))
    }

    /// What lies in a block, or in a part of it.
    func copyBytes(_ extent: Extent) -> [UInt8] {
        precondition(extent.offset <= size && extent.count <= size - extent.offset)
        return unsafe Array(UnsafeBufferPointer(start: base + Int(extent.offset), count: Int(extent.count)))
    }

    /// Copies bytes of the host into the input memory.
    func copy(_ bytes: UnsafeRawPointer, _ count: Int, to offset: UInt64) {
        unsafe UnsafeMutableRawPointer(base + Int(offset)).copyMemory(from: bytes, byteCount: count)
    }

    // MARK: - The head: mapb_pool_head

    /// How many times an idle worker spins before it sleeps.
    func setSpin(_ looks: UInt32) { unsafe head.pointee.spin = looks }
    /// Processor of the thread that waits for replies, plus 1; 0: none.
    func setWaiter(_ waiter: UInt32) { unsafe mapb_store32(&head.pointee.waiter, waiter) }
    /// Whom a worker wakes after a reply, and in which epoch.
    func setDoorbell(_ doorbell: UInt64) { unsafe mapb_store(&head.pointee.doorbell, doorbell) }

    /// Allocates a block for a text, ended with NUL, and copies it.
    func allocate(text: UserText) throws(MapError) -> Block {
        let bytes = text.bytes
        let block = try allocate(UInt64(bytes.count) + 1)
        for (i, byte) in bytes.enumerated() { unsafe base[Int(block.offset) + i] = byte }
        unsafe base[Int(block.offset) + bytes.count] = 0
        return block
    }

    /// Its addresses in the host.
    var range: Range<UInt> { unsafe UInt(bitPattern: base)..<(UInt(bitPattern: base) + UInt(memory.size)) }

    /// The offset of a host address inside this memory. Safe: the address is a number to it.
    @safe func offset(of address: UnsafeRawPointer) -> UInt64? {
        let distance = unsafe UInt(bitPattern: address) &- UInt(bitPattern: base)
        return distance < memory.size ? UInt64(distance) : nil
    }
}
