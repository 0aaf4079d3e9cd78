// What a fuzzer's input is read with: when it is over, everything is 0.

struct Bytes {
    private let bytes: [UInt8]
    private var at = 0

    init(_ start: UnsafePointer<UInt8>?, _ count: Int) {
        bytes = Array(UnsafeBufferPointer(start: start, count: count))
    }

    var isEmpty: Bool { at >= bytes.count }

    mutating func byte() -> UInt8 {
        guard at < bytes.count else { return 0 }
        at += 1
        return bytes[at - 1]
    }

    mutating func below(_ limit: UInt64) -> UInt64 { limit == 0 ? 0 : UInt64(byte()) % limit }

    mutating func word() -> UInt64 { (0..<8).reduce(0) { word, _ in word << 8 | UInt64(byte()) } }

    mutating func take(_ count: Int) -> [UInt8] { (0..<count).map { _ in byte() } }

    /// A number at which checks go wrong, or any.
    mutating func edge(_ size: UInt64, _ used: UInt64) -> UInt64 {
        switch byte() % 16 {
        case 0: 0
        case 1: 1
        case 2: UInt64.max
        case 3: size
        case 4: size &- UInt64(byte())
        case 5: used
        case 6: used &+ UInt64(byte())
        case 7: used &- UInt64(byte())
        case 8: 32768
        case 9: 32768 &+ UInt64(byte()) &* 8
        case 10: 1 << 32
        case 11: 1 << 63
        case 12: UInt64.max / UInt64(max(1, byte()))
        case 13: UInt64(byte())
        default: word()
        }
    }
}
