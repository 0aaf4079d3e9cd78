// A part of a job's items on its way to a node: an entry of the stream `work`, with the head as `h` and the items' bytes as `p`.

/// How the bytes of several items lie side by side.
public enum ItemLayout: UInt8, Sendable {
    /// All have `itemSize` bytes.
    case even = 0
    /// A u64 with the size of each, then the items.
    case sizes = 1
    /// A u32 with the count of pieces of each item, then a u64 with the size of each piece, then the pieces.
    case pieces = 2
    /// Inputs of a typed function: per column a u64 size and a u8 kind (ColumnKind); then what its kind says.
    case columns = 3
}

public enum ColumnKind: UInt8, Sendable {
    /// `size` bytes for each item.
    case even = 0
    /// `size` bytes for all of them.
    case shared = 1
    /// A u64 per item, its bytes, 2^64 - 1: NULL; then these.
    case pointed = 2
    /// One u64, and its bytes for all items.
    case pointedShared = 3
}

public struct WorkHead: Equatable, Sendable {
    public static let version: UInt16 = 1
    public static let bytes = 128
    /// What one message may hold. A single item may be larger.
    public static let mostItems: UInt32 = 1 << 20

    public var serial: UInt64 = 0
    public var function: UInt64 = 0
    public var job: UInt64 = 0
    /// Index in the job of the first item.
    public var first: UInt64 = 0
    public var count: UInt32 = 0
    /// Items per range, as the job's chunk says; 0: any.
    public var step: UInt32 = 0
    public var attempts: UInt32 = 1
    public var layout = ItemLayout.even
    public var itemTimeout: Int64 = 0
    public var itemSize: UInt64 = 0
    public var globals = Hash.none
    public var data = Hash.none

    public init() {}

    public func encoded() -> [UInt8] {
        var out = ByteWriter(capacity: Self.bytes)
        out.put(Self.version)
        out.put(layout.rawValue)
        out.put(UInt8(0))
        out.put(count)
        out.put(serial)
        out.put(function)
        out.put(job)
        out.put(first)
        out.put(step)
        out.put(attempts)
        out.put(itemTimeout)
        out.put(itemSize)
        out.put(globals.bytes)
        out.put(data.bytes)
        return out.bytes
    }

    /// Nil: it is no such head.
    public init?(_ raw: UnsafeRawBufferPointer) {
        guard raw.count == Self.bytes else { return nil }
        var bytes = unsafe ByteReader(raw)
        guard bytes.u16() == Self.version, let kind = bytes.u8(), let layout = ItemLayout(rawValue: kind),
            bytes.u8() == 0,
            let count = bytes.u32(), count > 0, count <= Self.mostItems, let serial = bytes.u64(),
            let function = bytes.u64(), let job = bytes.u64(), let first = bytes.u64(), let step = bytes.u32(),
            let attempts = bytes.u32(), attempts > 0, let itemTimeout = bytes.i64(), let itemSize = bytes.u64(),
            let globals = bytes.array(32).flatMap({ Hash($0) }), let data = bytes.array(32).flatMap({ Hash($0) }),
            !first.addingReportingOverflow(UInt64(count)).overflow, itemTimeout >= 0
        else { return nil }
        self.layout = layout
        self.count = count
        self.serial = serial
        self.function = function
        self.job = job
        self.first = first
        self.step = step
        self.attempts = attempts
        self.itemTimeout = itemTimeout
        self.itemSize = itemSize
        self.globals = globals
        self.data = data
    }
}

/// Where something lies in a message's bytes.
public struct Place: Equatable, Sendable {
    public let offset: Int
    public let size: Int

    public init(offset: Int, size: Int) {
        self.offset = offset
        self.size = size
    }
}

/// A message's items, found and checked: every place lies within the bytes, and nothing is left over.
public enum WorkItems: Equatable, Sendable {
    case even(size: Int)
    case spans([Place])
    case pieces([[Place]])
    case columns([Column])

    public struct Column: Equatable, Sendable {
        public let kind: ColumnKind
        public let size: UInt64
        /// Of even and shared ones: the values.
        public let values: Place
        /// Of pointed ones: nil is NULL.
        public let pointed: [Place?]
    }

    /// Nil: head and bytes do not fit.
    public init?(_ head: WorkHead, _ raw: UnsafeRawBufferPointer) {
        var bytes = unsafe ByteReader(raw)
        let count = UInt64(head.count)
        switch head.layout {
        case .even:
            let (size, over) = head.itemSize.multipliedReportingOverflow(by: count)
            guard !over, size == UInt64(bytes.left) else { return nil }
            self = .even(size: Int(head.itemSize))
        case .sizes:
            guard let sizes = Self.sizes(count, &bytes), let places = Self.places(sizes, &bytes), bytes.isAtEnd else {
                return nil
            }
            self = .spans(places)
        case .pieces:
            guard count * 4 <= UInt64(bytes.left) else { return nil }
            var counts: [UInt32] = []
            var total: UInt64 = 0
            for _ in 0..<count {
                guard let one = bytes.u32() else { return nil }
                counts.append(one)
                total += UInt64(one)
            }
            guard let sizes = Self.sizes(total, &bytes), let places = Self.places(sizes, &bytes), bytes.isAtEnd else {
                return nil
            }
            var all: [[Place]] = []
            var at = 0
            for one in counts {
                all.append(Array(places[at..<at + Int(one)]))
                at += Int(one)
            }
            self = .pieces(all)
        case .columns:
            guard let found = Self.columns(count, &bytes), bytes.isAtEnd else { return nil }
            self = .columns(found)
        }
    }

    private static func sizes(_ count: UInt64, _ bytes: inout ByteReader) -> [UInt64]? {
        let (size, over) = count.multipliedReportingOverflow(by: 8)
        guard !over, size <= UInt64(bytes.left) else { return nil }
        var sizes: [UInt64] = []
        sizes.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard let one = bytes.u64() else { return nil }
            sizes.append(one)
        }
        return sizes
    }

    private static func places(_ sizes: [UInt64], _ bytes: inout ByteReader) -> [Place]? {
        var places: [Place] = []
        places.reserveCapacity(sizes.count)
        for size in sizes {
            let offset = bytes.position
            guard bytes.skip(size) else { return nil }
            places.append(Place(offset: offset, size: Int(size)))
        }
        return places
    }

    private static func columns(_ count: UInt64, _ bytes: inout ByteReader) -> [Column]? {
        guard let columns = bytes.u32(), columns <= 1024 else { return nil }
        var found: [Column] = []
        for _ in 0..<columns {
            guard let size = bytes.u64(), let number = bytes.u8(), let kind = ColumnKind(rawValue: number) else {
                return nil
            }
            let here = bytes.position
            switch kind {
            case .even, .shared:
                let (all, over) = size.multipliedReportingOverflow(by: kind == .even ? count : 1)
                guard !over, bytes.skip(all) else { return nil }
                found.append(Column(kind: kind, size: size, values: Place(offset: here, size: Int(all)), pointed: []))
            case .pointed, .pointedShared:
                guard let sizes = sizes(kind == .pointed ? count : 1, &bytes) else { return nil }
                var pointed: [Place?] = []
                for one in sizes {
                    let offset = bytes.position
                    if one == .max {
                        pointed.append(nil)
                        continue
                    }
                    guard bytes.skip(one) else { return nil }
                    pointed.append(Place(offset: offset, size: Int(one)))
                }
                found.append(Column(kind: kind, size: size, values: Place(offset: here, size: 0), pointed: pointed))
            }
        }
        return found
    }
}
