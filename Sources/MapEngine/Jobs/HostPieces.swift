// Items of several pieces, as the host describes them, and how they lie in the input memory.
//
//   line 0 │ line 1 │ ... │ piece 0, at a multiple of 64 │ piece 1 │ ...
//
// A line says where a piece is: here, when it is copied, or in a mape_buffer. The item's span leads to the lines.

import CMapBridge

/// What the host has described is read once: a thread of the host that changes it meanwhile changes nothing here.
struct HostPieces {
    @safe private struct Piece {
        let data: UnsafeRawPointer?
        let size: UInt64
        /// Where in the input memory it lies already; nil: it is copied.
        let inside: UInt64?
    }

    struct Item {
        /// Its pieces among all.
        fileprivate let first: Int
        let count: Int
        /// What its lines and copied pieces take.
        let bytes: UInt64
    }

    private var pieces: [Piece] = []
    private(set) var items: [Item] = []

    /// Nothing is larger than this, so that sums do not overflow.
    private static let largest: UInt64 = 1 << 60

    static func rounded(_ size: UInt64) -> UInt64 { (size + 63) & ~63 }

    mutating func removeAll() {
        pieces.removeAll(keepingCapacity: true)
        items.removeAll(keepingCapacity: true)
    }

    /// Adds an item, or throws what is wrong with it. `array[index]` is what the host calls it.
    mutating func read(
        _ item: mape_pieces, _ array: StaticString, _ index: Int, _ input: InputMemory
    ) throws(MapError) {
        func name(_ field: String) -> String { "\(array)[\(index)].\(field)" }
        guard item.count >= 0, UInt64(item.count) < Self.largest / 64 else {
            throw MapError(MAPE_E_OVERFLOW, "\(name("count")) is more than memory can hold")
        }
        guard unsafe item.pieces != nil || item.count == 0 else {
            throw .argument(name("pieces"), "is NULL, but its count is \(item.count)")
        }
        try unsafe checkRange(
            UnsafeRawPointer(item.pieces), UInt64(item.count) * UInt64(MemoryLayout<mape_span>.stride),
            name("count (\(item.count))"))
        let first = pieces.count
        var bytes = Self.rounded(UInt64(item.count) * SpanTable.line)
        do throws(MapError) {
            for k in 0..<item.count {
                let span = unsafe item.pieces[k]
                func piece(_ field: String) -> String { name("pieces[\(k)].\(field)") }
                // More than half of an address space arrives as a negative number.
                guard span.size >= 0 else {
                    throw MapError(MAPE_E_OVERFLOW, "\(piece("size")) is more than memory can hold")
                }
                let size = UInt64(span.size)
                guard unsafe span.data != nil || size == 0 else {
                    throw .argument(piece("data"), "is NULL, but its size is \(size)")
                }
                try unsafe checkRange(span.data, size, piece("size (\(size))"))
                var inside: UInt64?
                if let data = unsafe span.data, size > 0 { inside = input.offset(of: data) }
                if inside == nil { bytes += Self.rounded(min(size, Self.largest)) }
                guard bytes <= Self.largest else {
                    throw MapError(
                        MAPE_E_OVERFLOW, "\(name("pieces")): their sizes together are more than memory can hold")
                }
                unsafe pieces.append(Piece(data: span.data, size: size, inside: inside))
            }
        } catch {
            pieces.removeLast(pieces.count - first)
            throw error
        }
        items.append(Item(first: first, count: item.count, bytes: bytes))
    }

    /// Calls `body` with the pieces of an item that lie in the input memory: which of the item's, where, and how large.
    func eachInside(
        _ item: Item, _ body: (Int, UInt64, UInt64) throws(MapError) -> Void
    ) throws(MapError) {
        for k in 0..<item.count {
            let piece = pieces[item.first + k]
            if let inside = piece.inside { try body(k, inside, piece.size) }
        }
    }

    /// Writes an item's lines to a block's place, a multiple of 64, and copies its pieces behind them.
    func write(_ item: Item, to place: UInt64, into input: InputMemory) {
        let lines = SpanTable(input, at: place)
        var at = place + Self.rounded(UInt64(item.count) * SpanTable.line)
        for k in 0..<item.count {
            let piece = pieces[item.first + k]
            lines[UInt64(k)] = Extent(offset: piece.inside ?? at, count: piece.size)
            guard piece.inside == nil else { continue }
            if let data = unsafe piece.data, piece.size > 0 { unsafe input.copy(data, Int(piece.size), to: at) }
            at += Self.rounded(piece.size)
        }
    }

    /// The span that leads to an item's lines.
    static func span(_ item: Item, at place: UInt64) -> Extent {
        Extent(offset: place, count: MAPB_PIECES | UInt64(item.count))
    }
}
