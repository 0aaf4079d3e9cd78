// JSON as bytes, written piece by piece.

import CMapBridge

struct JSONText {
    private(set) var bytes: [UInt8] = []
    /// Texts of C that were written before, by their address, with their quotes.
    private var known: [UInt: [UInt8]] = [:]

    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    mutating func add(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// `,"key":` and a number.
    mutating func add(_ key: StaticString, _ value: some BinaryInteger) {
        name(key)
        add(String(value))
    }

    mutating func add(_ key: StaticString, _ value: String) {
        name(key)
        bytes.append(contentsOf: Self.quoted(value))
    }

    /// A text that stays where it is as long as this is there.
    mutating func add(_ key: StaticString, _ value: UnsafePointer<CChar>) {
        name(key)
        let place = UInt(bitPattern: value)
        if let text = known[place] {
            bytes.append(contentsOf: text)
            return
        }
        let text = Self.quoted(unsafe Self.text(value))
        known[place] = text
        bytes.append(contentsOf: text)
    }

    /// Nanoseconds as microseconds.
    mutating func add(_ key: StaticString, microseconds: Int64) {
        name(key)
        let rest = String(microseconds % 1000)
        add(String(microseconds / 1000) + "." + String(repeating: "0", count: 3 - rest.utf8.count) + rest)
    }

    private mutating func name(_ key: StaticString) {
        if let last = bytes.last, last != UInt8(ascii: "{") { bytes.append(UInt8(ascii: ",")) }
        add("\"\(key)\":")
    }

    /// Lines of bytes that need not be UTF-8.
    static func text(_ bytes: UnsafePointer<CChar>) -> String {
        printableLines(unsafe UserText(bytes).bytes).joined(separator: "\n")
    }

    /// - text: has no control character but line feeds.
    static func quoted(_ text: String) -> [UInt8] {
        var bytes = [UInt8(ascii: "\"")]
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
        return bytes
    }
}
