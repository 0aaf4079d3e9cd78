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
    private let names = Guarded(NameNumbers())
    /// Held while a free stretch is out of the arena and its pages are returned to the system.
    private let trimLock = Lock()

    private struct Arena {
        var extents: Extents
        /// Bytes that are free but may still have pages.
        var warm: UInt64 = 0
        /// What lies behind was never in use, or has been returned: it has no pages.
        var touched: UInt64 = 0
        var used: UInt64 = 0
        var isTrimming = false
    }

    var base: UnsafeMutablePointer<UInt8> { unsafe memory.base }
    var size: UInt64 { memory.size }
    var file: Int32 { readOnly.number }
    var head: UnsafeMutablePointer<mapb_pool_head> {
        unsafe UnsafeMutableRawPointer(memory.base).assumingMemoryBound(to: mapb_pool_head.self)
    }

    /// Behind the inboxes of all workers that a pool may ever have, and the table of names: what it never has is address space, and no
    /// memory.
    static let arenaStart = UInt64(MAPB_ARENA_OFFSET)

    /// What a job's record takes.
    let recordBytes: UInt64

    /// - reserve: for the arena. hasLanes: jobs have records for lanes as well.
    init(reserve: UInt64, hasLanes: Bool = false) throws(MapError) {
        let arenaStart = Self.arenaStart
        recordBytes = JobRecord.bytes + (hasLanes ? JobRecord.bytesForLanes : 0)
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
        if zeroed { unsafe (base + Int(offset)).update(repeating: 0, count: Int(rounded)) }
        return block
    }

    private func find(_ count: UInt64, _ alignment: UInt64) -> UInt64? {
        while true {
            let (found, mayCome) = arena.with { arena in
                if let offset = arena.extents.allocate(count, alignment: alignment) {
                    arena.used += count
                    // The part that lies behind `touched` was not warm.
                    let end = offset + count
                    let reused = end <= arena.touched ? count : arena.touched > offset ? arena.touched - offset : 0
                    arena.touched = max(arena.touched, end)
                    arena.warm = arena.warm > reused ? arena.warm - reused : 0
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

    func free(_ block: Block) {
        arena.with { arena in
            arena.used -= block.count
            arena.extents.free(block)
            arena.warm += block.count
        }
    }

    /// How much free memory keeps its pages for good.
    private var kept: UInt64 { min(Policy.warmInput, mostWarm) }
    /// How much of it has pages at any time.
    private var mostWarm: UInt64 { (size - Self.arenaStart) / Policy.warmShare }

    /// Whether more pages lie idle than are worth keeping.
    var hasExcess: Bool { arena.with { $0.warm } > kept }

    /// Whether more lie idle than may, be it for a second.
    var hasTooMuch: Bool { arena.with { $0.warm } > mostWarm }

    /// Returns pages of free memory to the system, piece by piece, and keeps the lowest, which are used first. Without the pool's lock,
    /// because it takes long.
    func trim() {
        let (free, touched) = arena.with { arena in
            arena.warm = min(arena.warm, kept)
            return (arena.extents.free, arena.touched)
        }
        var left = kept
        var excess: [Extent] = []
        for extent in free where extent.offset < touched {
            let count = min(extent.end, touched) - extent.offset
            let staying = count < Policy.returnLeast ? count : min(count, left)
            left -= min(left, staying)
            if staying < count { excess.append(Extent(offset: extent.offset + staying, count: count - staying)) }
        }
        // From the end, so that `touched` moves back.
        for extent in excess.reversed() {
            var end = extent.end
            while end > extent.offset {
                let count = min(end - extent.offset, Policy.trimPiece)
                trim(Extent(offset: end - count, count: count))
                end -= count
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
            if arena.touched == piece.end { arena.touched = piece.offset }
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

    // MARK: - What the pool says of itself

    /// Its figures.
    var figures: UnsafeMutablePointer<mapb_figures> {
        unsafe UnsafeMutableRawPointer(memory.base + Int(MAPB_FIGURES_OFFSET)).assumingMemoryBound(
            to: mapb_figures.self)
    }

    private struct NameNumbers {
        var next: UInt32 = 1
        var free: [UInt32] = []
    }

    /// Stores a name where others look for it. Nil: there is no room.
    func show(name: UserText) -> (number: UInt32, block: Block)? {
        let bytes = UserText(bytes: name.bytes.prefix(Int(MAPB_SHOWN_NAME) - 1))
        guard let block = try? allocate(text: bytes) else { return nil }
        let number = names.with { names -> UInt32 in
            if let number = names.free.popLast() { return number }
            guard names.next < MAPB_SHOWN_NAMES else { return 0 }
            names.next += 1
            return names.next - 1
        }
        guard number != 0 else {
            free(block)
            return nil
        }
        unsafe mapb_store(at(InputMemory.place(ofName: number), as: UInt64.self), block.offset)
        return (number, block)
    }

    func hide(name number: UInt32, _ block: Block) {
        unsafe mapb_store(at(InputMemory.place(ofName: number), as: UInt64.self), 0)
        free(block)
        names.with { $0.free.append(number) }
    }

    private static func place(ofName number: UInt32) -> UInt64 { UInt64(MAPB_NAMES_OFFSET) + UInt64(number) * 8 }

    // MARK: - The head: mapb_pool_head

    /// How many times an idle worker spins before it sleeps.
    func setSpin(_ looks: UInt32) { unsafe head.pointee.spin = looks }
    /// Processor of the thread that waits for replies, plus 1; 0: none.
    func setWaiter(_ waiter: UInt32) { unsafe mapb_store32(&head.pointee.waiter, waiter) }
    /// Whether workers write when they were on what: a trace goes on.
    func setTimed(_ isTimed: Bool) { unsafe mapb_store32(&head.pointee.timed, isTimed ? 1 : 0) }
    /// The same, for threads without the pool's lock: it may have changed by now.
    var isTimed: Bool { unsafe mapb_peek32(&head.pointee.timed) != 0 }
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
