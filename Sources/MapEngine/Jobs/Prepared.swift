// A job's input on its way into the input memory.

import CMapBridge

/// Items in memory of the host that are still to be copied.
@safe struct HostItems {
    let base: UnsafeRawPointer
    let stride: UInt64
    /// Their stride in the input memory.
    let packed: UInt64
    let size: UInt64
    let target: UInt64
    /// A typed function's items in place of the above, of which `packed` is the sum.
    var columns: [HostColumn] = []

    /// Where the piece ends that begins with an item.
    func pieceEnd(from first: UInt64, of total: UInt64) -> UInt64 {
        min(total, first + max(1, Policy.copyPiece / max(1, packed)))
    }

    /// Copies items `first` to `end`. Items that overlap in the host overlap in the arena.
    func copy(_ first: UInt64, _ end: UInt64, into input: InputMemory) {
        guard first < end else { return }
        if !columns.isEmpty {
            for column in columns { column.copy(first, end, into: input) }
            return
        }
        if packed == stride {
            let bytes = (end - 1 - first) * stride + size
            unsafe input.copy(base + Int(first * stride), Int(bytes), to: target + first * packed)
            return
        }
        for i in first..<end { unsafe input.copy(base + Int(i * stride), Int(size), to: target + i * packed) }
    }
}

/// Where a map's items are in the host.
@safe enum Items {
    case strided(UnsafeRawPointer?, count: UInt64, stride: UInt64, size: UInt64)
    case spans(UnsafePointer<mape_span>, count: UInt64)
}

/// A job's input before there is a job: a block with its record, the buffers that items lie in, and what is still to be copied.
struct Prepared {
    let block: Block
    let total: UInt64
    var record = mapb_job()
    /// Each retained once.
    var used = UsedBuffers()
    var copying: HostItems?
    /// Items that are in place.
    var ready: UInt64 = 0

    init(block: Block, total: UInt64) {
        self.block = block
        self.total = total
    }

    /// Copies the first piece; `copying` is what is left.
    mutating func copyFirst(into input: InputMemory) {
        guard let copying else { return }
        ready = copying.pieceEnd(from: 0, of: total)
        copying.copy(0, ready, into: input)
        if ready == total { self.copying = nil }
    }
}
