// One worker process's output memory, as the host sees it.
//
// The worker bumps two cursors, in a hole and at the frontier (see Worker/WorkerOutput.swift). The host follows them
// from reply to reply: a range may have used what lies between a cursor's last place and the place in the reply; the
// host believes nothing else. A region lives until its worker has died and no result lies in it any more.

import CMapBridge

/// The parts of a region that one range has used.
struct Used {
    var hole: Extent
    var frontier: Extent

    /// Bytes of both parts.
    var count: UInt64 { hole.count &+ frontier.count }

    /// True when [offset, offset + count) lies in one of the parts.
    func contains(_ offset: UInt64, _ count: UInt64) -> Bool {
        func inside(_ part: Extent) -> Bool {
            offset >= part.offset && count <= part.count && offset - part.offset <= part.count - count
        }
        return inside(hole) || inside(frontier)
    }

    /// True when what `next` used begins where this ends.
    func joins(_ next: Used) -> Bool {
        (next.hole.count == 0 || hole.end == next.hole.offset)
            && (next.frontier.count == 0 || frontier.end == next.frontier.offset)
    }
}

/// Figures of all output memories of a pool together. Guarded by the pool's lock.
@safe final class OutputFigures {
    /// All bytes that results ever got, less those that were freed.
    fileprivate var held: UInt64 = 0
    /// Bytes that were unmapped with their memory. Counted without the lock, by the thread that releases the last
    /// result of a memory.
    private let released = Word64()
    /// Memories of living workers with more idle pages than are worth keeping.
    fileprivate var excesses = 0

    /// Bytes that results hold.
    var live: UInt64 { held - released.loaded }
    var hasExcess: Bool { excesses > 0 }
    fileprivate func countReleased(_ bytes: UInt64) { released.add(bytes) }
}

@safe final class OutputRegion {
    private var memory: SharedMemory
    private var extents = Extents()
    private var hole = Extent(offset: 0, count: 0)
    private var frontier: UInt64
    private var warm: UInt64 = 0 {
        didSet {
            let isMore = warm > Policy.warmOutput
            if isMore != (oldValue > Policy.warmOutput) && !isRetired { figures.excesses += isMore ? 1 : -1 }
        }
    }
    private let figures: OutputFigures
    private var isRetired = false
    /// The highest frontier since the last trim.
    private var highest: UInt64
    /// Bytes that results hold.
    private(set) var live: UInt64 = 0
    /// A hole that was granted with a request and not yet confirmed by its reply.
    private var granted: (ticket: UInt64, hole: Extent)?

    /// For a worker in this process. The host reads by what is at the end of this file.
    var base: UnsafeMutablePointer<UInt8> { unsafe memory.base }
    /// Up to where results may lie; behind them is the report.
    var size: UInt64 { memory.size - UInt64(MAPB_REPORT_BYTES) }
    /// Bytes of the whole memory.
    var mapped: UInt64 { memory.size }
    /// Gives up ownership of the memfd: the caller closes it. Otherwise a pool of many workers would hold a descriptor
    /// for each.
    func releaseFile() -> Int32 { memory.releaseFile() }
    var outbox: Outbox { unsafe Outbox(UnsafeMutableRawPointer(memory.base).assumingMemoryBound(to: mapb_outbox.self)) }

    /// Where a stretch is. Nil: it does not lie in here.
    @inline(__always) func bytes(_ offset: UInt64, _ count: UInt64) -> UnsafeRawPointer? {
        guard offset <= size, count <= size - offset else { return nil }
        return unsafe UnsafeRawPointer(base + Int(offset))
    }

    /// The bytes of a stretch, as they are now; none when it does not lie in here.
    func copy(_ offset: UInt64, _ count: UInt64) -> [UInt8] {
        guard count > 0, offset <= size, count <= size - offset else { return [] }
        return unsafe Array(UnsafeBufferPointer(start: base + Int(offset), count: Int(count)))
    }

    /// - figures: the figures of its pool. leftovers: unmaps it in the end; nil: the thread that releases it last does.
    init(reserve: UInt64, figures: OutputFigures = OutputFigures(), leftovers: Leftovers? = nil) throws(MapError) {
        self.figures = figures
        memory = try SharedMemory(
            name: "mapengine-output", size: reserve + UInt64(MAPB_REPORT_BYTES),
            least: Policy.leastReserve + UInt64(MAPB_REPORT_BYTES), leftovers: leftovers)
        frontier = UInt64(MAPB_RESULTS_OFFSET)
        highest = frontier
    }

    deinit { figures.countReleased(live) }

    /// Called when its worker has ended: only results keep it alive.
    func retire() {
        if hasExcess && !isRetired { figures.excesses -= 1 }
        isRetired = true
    }

    /// Sets in the next request where the worker allocates results.
    /// - idle: the worker has no request in flight, so both cursors may be moved.
    func placeOutput(_ request: inout mapb_request, ticket: UInt64, idle: Bool) {
        if idle { confirmGrant() }
        if idle && (frontier > UInt64(MAPB_RESULTS_OFFSET) || hole.count > 0) {
            // With nothing in flight, the frontier moves back over free stretches at the end.
            extents.free(hole)
            hole = Extent(offset: 0, count: 0)
            if let last = extents.removeLast(endingAt: frontier) { frontier = last.offset }
            request.flags |= MAPB_SET_FRONTIER.rawValue | MAPB_SET_HOLE.rawValue
            request.frontier_base = frontier
            request.hole_base = 0
            request.hole_limit = 0
        }
        if granted == nil, hole.count < Policy.holeLeast / 4, let found = extents.allocateWhole(least: Policy.holeLeast)
        {
            request.flags |= MAPB_SET_HOLE.rawValue
            request.hole_base = found.offset
            request.hole_limit = found.end
            granted = (ticket, found)
        }
    }

    private func confirmGrant() {
        if let granted {
            extents.free(hole)
            hole = granted.hole
            self.granted = nil
        }
    }

    /// Whether ranges should be held back until the worker is idle, so that the frontier can move back.
    var isStretched: Bool { frontier > size / 2 && extents.total > size / 4 }

    /// Checks and follows the cursors of a reply. Returns what the range may have used; nil when the cursors cannot be
    /// right.
    func advance(ticket: UInt64, holeEnd: UInt64, frontierEnd: UInt64) -> Used? {
        var hole = self.hole
        let switches = granted?.ticket == ticket
        if switches { hole = granted!.hole }
        // Without a hole any cursor in it is right.
        let holeValid = hole.count == 0 ? true : holeEnd >= hole.offset && holeEnd <= hole.end
        guard holeValid, frontierEnd >= frontier, frontierEnd <= size else { return nil }
        if switches {
            extents.free(self.hole)
            granted = nil
        }
        let usedHole = hole.count == 0 ? 0 : holeEnd - hole.offset
        let used = Used(
            hole: Extent(offset: hole.offset, count: usedHole),
            frontier: Extent(offset: frontier, count: frontierEnd - frontier))
        self.hole = Extent(offset: hole.offset + usedHole, count: hole.count - usedHole)
        frontier = frontierEnd
        let count = used.hole.count + used.frontier.count
        live += count
        figures.held += count
        warm = warm > count ? warm - count : 0
        highest = max(highest, frontier)
        return used
    }

    /// Frees what a range has used.
    func free(_ used: Used) {
        let count = used.hole.count + used.frontier.count
        live -= count
        figures.held -= count
        extents.free(used.hole)
        extents.free(used.frontier)
        warm += count
    }

    /// Whether more pages lie idle than are worth keeping.
    var hasExcess: Bool { warm > Policy.warmOutput }

    /// Returns the free stretches that may have pages. Until they are returned to the system its worker must get no
    /// work.
    func beginTrim() -> [Extent] {
        var free = extents.free.filter { $0.count >= Policy.returnLeast }
        free.append(Extent(offset: frontier, count: highest - frontier))
        highest = frontier
        warm = 0
        return free
    }

    /// Returns pages to the system. Without the pool's lock.
    func returnPages(_ free: [Extent]) {
        for extent in free { memory.returnPages(extent.offset, extent.count) }
    }
}

// MARK: - Reading

/// Bytes of the worker's, which may be anything, and change while they are read. Here alone is an offset turned into an address, and none
/// that lies outside is: those that a reply tells were held against what its range has used before (Used), so that this never ends the
/// host for what a worker has written.
extension OutputRegion {
    /// Where bytes lie, for C and for the host, as long as the region lives.
    func address(of offset: UInt64, _ count: UInt64) -> UnsafeRawPointer {
        // Nobody has looked where a result of no bytes is said to lie.
        if count == 0 { return unsafe UnsafeRawPointer(base) }
        precondition(offset <= size && count <= size - offset)
        return unsafe UnsafeRawPointer(base + Int(offset))
    }

    func copyBytes(at offset: UInt64, count: UInt64) -> [UInt8] {
        unsafe Array(UnsafeRawBufferPointer(start: address(of: offset, count), count: Int(count)))
    }

    /// A word, read once.
    @inline(__always)
    func word(at offset: UInt64) -> UInt64 {
        unsafe mapb_peek(address(of: offset, 8).assumingMemoryBound(to: UInt64.self))
    }

    /// A line of a reply's table, each word of it read once.
    @inline(__always)
    func line(_ i: UInt64, of table: UInt64) -> mapb_entry {
        let at = table + i * UInt64(MemoryLayout<mapb_entry>.stride)
        return mapb_entry(where: word(at: at), size: word(at: at + 8))
    }

    /// What the descriptor of mape_task_report_fd has written to, without the zeros at its end.
    var report: [UInt8] {
        let bytes = unsafe Array(UnsafeBufferPointer(start: base + Int(size), count: Int(MAPB_REPORT_BYTES)))
        return Array(bytes[..<(bytes.lastIndex { $0 != 0 }.map { $0 + 1 } ?? 0)])
    }

    /// A request's reply, each word of it read once.
    @inline(__always)
    func reply(_ ticket: UInt64) -> mapb_reply { unsafe mapb_read_reply(mapb_reply_at(base, ticket)) }
}

extension OutputRegion {
    /// When its worker was on a request, each word read once. Nil: it has not said so of this one.
    func times(_ ticket: UInt64) -> mapb_times? {
        let times = unsafe mapb_read_times(mapb_times_at(base, ticket))
        return times.ticket == UInt32(truncatingIfNeeded: ticket) ? times : nil
    }
}

extension RawSpan {
    /// A number, whatever the bytes are.
    @inline(__always)
    func load<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, at offset: Int) -> T {
        unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: type)
    }
}

extension [UInt8] {
    /// The same of a copy.
    func load<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, at offset: Int) -> T {
        unsafe span.bytes.load(type, at: offset)
    }
}
