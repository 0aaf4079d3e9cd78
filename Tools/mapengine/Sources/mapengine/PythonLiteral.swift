/// A Python literal, as far as headers of .npy files hold them: NumPy reads these with `ast.literal_eval`.
indirect enum PythonLiteral {
    case text([UInt8])
    case integer(Int)
    case truth(Bool)
    case tuple([PythonLiteral])
    case list([PythonLiteral])
    case dictionary([(PythonLiteral, PythonLiteral)])

    /// nil: the bytes are none, or of a kind that is not read.
    init?(_ bytes: [UInt8]) {
        var parser = Parser(bytes)
        guard let value = parser.value(), parser.isAtEnd() else { return nil }
        self = value
    }

    private struct Parser {
        private let bytes: [UInt8]
        private var place = 0
        private var depth = 0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        private var next: UInt8? { place < bytes.count ? bytes[place] : nil }

        private mutating func skipBlanks() {
            while let byte = next {
                if [0x20, 0x09, 0x0A, 0x0C, 0x0D].contains(byte) {
                    place += 1
                } else if byte == UInt8(ascii: "#") {
                    while let byte = next, byte != 0x0A { _ = byte; place += 1 }
                } else {
                    return
                }
            }
        }

        private mutating func take(_ text: StaticString) -> Bool {
            skipBlanks()
            let word = Array("\(text)".utf8)
            guard bytes[place...].starts(with: word) else { return false }
            place += word.count
            return true
        }

        mutating func isAtEnd() -> Bool {
            skipBlanks()
            return next == nil
        }

        mutating func value() -> PythonLiteral? {
            depth += 1
            defer { depth -= 1 }
            guard depth < 20 else { return nil }
            if take("{") { return dictionary() }
            if take("[") { return values(until: "]").map { .list($0.items) } }
            if take("(") {
                // What stands alone in parentheses without a comma is itself.
                guard let found = values(until: ")") else { return nil }
                return found.items.count == 1 && !found.endsWithComma ? found.items[0] : .tuple(found.items)
            }
            skipBlanks()
            guard let byte = next else { return nil }
            if isDigit(byte) { return integer() }
            if let text = text() { return .text(text) }
            if word("True") { return .truth(true) }
            if word("False") { return .truth(false) }
            return nil
        }

        private mutating func word(_ text: StaticString) -> Bool {
            let start = place
            guard take(text) else { return false }
            if let byte = next, isLetter(byte) || isDigit(byte) || byte >= 0x80 {
                place = start
                return false
            }
            return true
        }

        private mutating func values(until end: StaticString) -> (items: [PythonLiteral], endsWithComma: Bool)? {
            var items: [PythonLiteral] = []
            var hasComma = true
            while !take(end) {
                guard hasComma, let value = value() else { return nil }
                items.append(value)
                hasComma = take(",")
            }
            return (items, hasComma && !items.isEmpty)
        }

        private mutating func dictionary() -> PythonLiteral? {
            var pairs: [(PythonLiteral, PythonLiteral)] = []
            var hasComma = true
            while !take("}") {
                guard hasComma, let key = value(), take(":"), let value = value() else { return nil }
                pairs.append((key, value))
                hasComma = take(",")
            }
            return .dictionary(pairs)
        }

        /// Digits, with Python 2's `L` behind them or not.
        private mutating func integer() -> PythonLiteral? {
            let start = place
            while let byte = next, isDigit(byte) || isLetter(byte) { place += 1 }
            var word = String(decoding: bytes[start..<place], as: UTF8.self)
            if word.hasSuffix("L") { word.removeLast() }
            for (prefix, radix) in [("0x", 16), ("0X", 16), ("0o", 8), ("0b", 2)] where word.hasPrefix(prefix) {
                return Int(word.dropFirst(2), radix: radix).map { .integer($0) }
            }
            guard word.first != "0" || word.allSatisfy({ $0 == "0" }) else { return nil }
            return Int(word).map { .integer($0) }
        }

        /// Texts that follow one another are one.
        private mutating func text() -> [UInt8]? {
            var all: [UInt8]?
            while let part = oneText() { all = (all ?? []) + part }
            return all
        }

        private mutating func oneText() -> [UInt8]? {
            skipBlanks()
            var start = place
            var isRaw = false
            if start < bytes.count, [UInt8(ascii: "u"), UInt8(ascii: "U")].contains(bytes[start]) {
                start += 1
            } else if start < bytes.count, [UInt8(ascii: "r"), UInt8(ascii: "R")].contains(bytes[start]) {
                isRaw = true
                start += 1
            }
            guard start < bytes.count, [UInt8(ascii: "'"), UInt8(ascii: "\"")].contains(bytes[start]) else {
                return nil
            }
            let quote = bytes[start]
            place = start + 1
            var text: [UInt8] = []
            while let byte = next, byte != 0x0A {
                place += 1
                if byte == quote { return text }
                guard byte == UInt8(ascii: "\\"), !isRaw else {
                    text.append(byte)
                    continue
                }
                guard let escaped = escape() else { return nil }
                text.append(escaped)
            }
            return nil
        }

        private mutating func escape() -> UInt8? {
            guard let byte = next else { return nil }
            place += 1
            switch byte {
            case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): return byte
            case UInt8(ascii: "x"):
                guard place + 2 <= bytes.count else { return nil }
                let digits = bytes[place..<place + 2]
                guard digits.allSatisfy({ isDigit($0) || isLetter($0) }) else { return nil }
                place += 2
                return UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            default: return nil
            }
        }

        private func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
        private func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) || byte == 0x5F }
    }
}
