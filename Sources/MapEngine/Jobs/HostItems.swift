// Items in memory of the host, and how they come into the input memory.

import CMapBridge

/// Items in memory of the host.
@safe struct HostItems {
    let base: UnsafeRawPointer
    let stride: UInt64
    /// Their stride in the input memory.
    let packed: UInt64
    let size: UInt64
    let target: UInt64
    /// A typed function's items in place of the above, of which `packed` is the sum.
    var columns: [HostColumn] = []

    /// What an item takes in the input memory.
    var bytesEach: UInt64 { columns.isEmpty ? min(size, packed) : packed }

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

/// Copies items piece by piece. Only the thread that submits them touches it. An object, because most jobs have none: their input is
/// copied at once.
final class Copying {
    private let items: HostItems
    private let total: UInt64
    /// Items that are in place, from the first on.
    private(set) var copied: UInt64
    private var moved = Moved()

    init(_ items: HostItems, from copied: UInt64, total: UInt64) {
        self.items = items
        self.copied = copied
        self.total = total
    }

    var isOver: Bool { copied == total }

    func copyPiece(into input: InputMemory) {
        let end = items.pieceEnd(from: copied, of: total)
        let began = moved.begin((end - copied) &* items.bytesEach)
        items.copy(copied, end, into: input)
        moved.end(began)
        copied = end
    }

    /// What was copied since the last call.
    func consumeMoved() -> Moved {
        defer { moved = Moved() }
        return moved
    }
}

/// Where a map's items are in the host.
@safe enum Items {
    case strided(UnsafeRawPointer?, count: UInt64, stride: UInt64, size: UInt64)
    case spans(UnsafePointer<mape_span>, count: UInt64)
}

/// A column in memory of the host.
@safe struct HostColumn {
    let base: UnsafeRawPointer
    let stride: Int
    let size: Int
    let target: UInt64

    func copy(_ first: UInt64, _ end: UInt64, into input: InputMemory) {
        let from = unsafe base + Int(first) * stride
        let to = unsafe UnsafeMutableRawPointer(input.base + Int(target) + Int(first) * size)
        let count = Int(end - first)
        if stride == size {
            unsafe to.copyMemory(from: from, byteCount: count * size)
            return
        }
        switch size {
        case 4: unsafe strided(from, to, count, as: UInt32.self)
        case 8: unsafe strided(from, to, count, as: UInt64.self)
        default:
            for i in 0..<count { unsafe (to + i * size).copyMemory(from: from + i * stride, byteCount: size) }
        }
    }

    private func strided<T: BitwiseCopyable>(
        _ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer, _ count: Int, as: T.Type
    ) {
        for i in 0..<count {
            unsafe to.storeBytes(of: (from + i * stride).loadUnaligned(as: T.self), toByteOffset: i * size, as: T.self)
        }
    }
}
