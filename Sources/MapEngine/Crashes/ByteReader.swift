// Reads what a crash file is made of. The file is untrusted: no more is read than is there.

import CMapBridge

/// Reads bytes from the front, as far as there are any.
struct ByteReader {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    static func wrong(_ what: String) -> MapError { MapError(MAPE_E_ARGUMENT, what) }

    mutating func read(_ count: UInt64) throws(MapError) -> ArraySlice<UInt8> {
        guard count <= UInt64(rest.count) else { throw Self.wrong("it ends in the middle of a section") }
        let taken = rest.prefix(Int(count))
        rest = rest.dropFirst(Int(count))
        return taken
    }

    mutating func number() throws(MapError) -> UInt64 {
        var number: UInt64 = 0
        for (i, byte) in try read(8).enumerated() { number |= UInt64(byte) << UInt64(8 * i) }
        return number
    }

    func end() throws(MapError) {
        guard rest.isEmpty else { throw Self.wrong("a section is longer than what it holds") }
    }

    /// A text that C will read: no NUL inside.
    static func text(_ bytes: ArraySlice<UInt8>) throws(MapError) -> UserText {
        guard !bytes.contains(0), bytes.count < 65536 else { throw wrong("a text in it is no text") }
        return UserText(bytes: bytes)
    }
}
