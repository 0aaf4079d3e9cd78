// Numbers and bytes in messages: little-endian, nothing aligned. The reader checks each length before it reads.

/// Reads bytes of which nothing is known. Whoever makes it keeps the bytes as long as it lives.
@safe public struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    public private(set) var position = 0

    public init(_ bytes: UnsafeRawBufferPointer) { unsafe self.bytes = bytes }

    public var left: Int { unsafe bytes.count - position }
    public var isAtEnd: Bool { left == 0 }

    private mutating func number<N: FixedWidthInteger>(_ type: N.Type) -> N? {
        guard left >= MemoryLayout<N>.size else { return nil }
        defer { position += MemoryLayout<N>.size }
        return unsafe N(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: N.self))
    }

    public mutating func u8() -> UInt8? { number(UInt8.self) }
    public mutating func u16() -> UInt16? { number(UInt16.self) }
    public mutating func u32() -> UInt32? { number(UInt32.self) }
    public mutating func i32() -> Int32? { number(Int32.self) }
    public mutating func u64() -> UInt64? { number(UInt64.self) }
    public mutating func i64() -> Int64? { number(Int64.self) }

    /// So many bytes, from here.
    public mutating func take(_ count: UInt64) -> UnsafeRawBufferPointer? {
        guard count <= UInt64(left) else { return nil }
        defer { position += Int(count) }
        return unsafe UnsafeRawBufferPointer(rebasing: bytes[position..<position + Int(count)])
    }

    public mutating func array(_ count: UInt64) -> [UInt8]? {
        guard let taken = unsafe take(count) else { return nil }
        return unsafe [UInt8](taken)
    }

    /// Goes on so many bytes later.
    public mutating func skip(_ count: UInt64) -> Bool {
        guard count <= UInt64(left) else { return false }
        position += Int(count)
        return true
    }
}

public struct ByteWriter {
    public private(set) var bytes: [UInt8] = []

    public init(capacity: Int = 128) { bytes.reserveCapacity(capacity) }

    public mutating func put<N: FixedWidthInteger>(_ number: N) {
        unsafe withUnsafeBytes(of: number.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    }

    public mutating func put(_ more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }
    public mutating func put(_ more: UnsafeRawBufferPointer) { unsafe bytes.append(contentsOf: more) }
}

/// SHA-256: what blobs and modules are known by.
public struct Hash: Hashable, Sendable, CustomStringConvertible {
    public let bytes: [UInt8]

    /// Stands for nothing.
    public static let none = Hash(bytes: [UInt8](repeating: 0, count: 32))

    private init(bytes: [UInt8]) { self.bytes = bytes }

    public init?(_ bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.bytes = bytes
    }

    public init?(hex: String) {
        let digits = Array(hex.utf8)
        guard digits.count == 64 else { return nil }
        var made: [UInt8] = []
        for i in stride(from: 0, to: 64, by: 2) {
            guard let high = Hash.value(digits[i]), let low = Hash.value(digits[i + 1]) else { return nil }
            made.append(high << 4 | low)
        }
        bytes = made
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 48...57: digit - 48
        case 97...102: digit - 87
        default: nil
        }
    }

    public var description: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// As messages for people have it.
    public var short: String { String(description.prefix(12)) }
}
