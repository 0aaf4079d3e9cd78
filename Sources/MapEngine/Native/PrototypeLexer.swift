// The words of a prototype, each with its place, so that a message can point at it.

import CMapBridge

struct Token: Equatable {
    enum Kind: Equatable { case word, number, mark, end }

    let kind: Kind
    let text: String
    /// Bytes before it.
    let offset: Int

    /// For messages.
    var shown: String { kind == .end ? "the end" : "\"\(text)\"" }
}

struct PrototypeLexer {
    /// Longer texts are no prototypes.
    static let longest = 16384

    let bytes: [UInt8]
    private var at = 0

    init(_ text: String) throws(MapError) {
        bytes = Array(text.utf8)
        guard bytes.count <= Self.longest else {
            throw .argument(
                "function.prototype", "has \(bytes.count) bytes; at most \(Self.longest) are possible")
        }
    }

    /// All tokens; the last is the end.
    static func tokens(of text: String) throws(MapError) -> [Token] {
        var lexer = try PrototypeLexer(text)
        var tokens: [Token] = []
        while true {
            let token = try lexer.next()
            tokens.append(token)
            if token.kind == .end { return tokens }
        }
    }

    private mutating func next() throws(MapError) -> Token {
        try skipSpace()
        guard at < bytes.count else { return Token(kind: .end, text: "", offset: at) }
        let start = at
        let first = bytes[at]
        if isLetter(first) {
            while at < bytes.count, isLetter(bytes[at]) || isDigit(bytes[at]) { at += 1 }
            return token(.word, start)
        }
        if isDigit(first) {
            while at < bytes.count, isLetter(bytes[at]) || isDigit(bytes[at]) { at += 1 }
            return token(.number, start)
        }
        if first == UInt8(ascii: "."), bytes[at...].starts(with: "...".utf8) {
            at += 3
            return token(.mark, start)
        }
        if "(){}[],;*:=&".utf8.contains(first) {
            at += 1
            return token(.mark, start)
        }
        let shown =
            first > 0x20 && first < 0x7f ? "\"\(Character(UnicodeScalar(first)))\"" : "the byte \(first)"
        throw Self.error(in: bytes, at: start, "\(shown) has no meaning here")
    }

    private mutating func skipSpace() throws(MapError) {
        while at < bytes.count {
            if [0x20, 0x09, 0x0a, 0x0d].contains(bytes[at]) {
                at += 1
            } else if bytes[at...].starts(with: "/*".utf8) {
                let start = at
                at += 2
                while at < bytes.count, !bytes[at...].starts(with: "*/".utf8) { at += 1 }
                guard at < bytes.count else { throw Self.error(in: bytes, at: start, "the comment does not end") }
                at += 2
            } else {
                return
            }
        }
    }

    private func token(_ kind: Token.Kind, _ start: Int) -> Token {
        Token(kind: kind, text: String(decoding: bytes[start..<at], as: UTF8.self), offset: start)
    }

    private func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
    private func isLetter(_ byte: UInt8) -> Bool {
        byte == 0x5f || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a)
    }

    /// An error at a place of the text, reported as column (from 1) and, beyond the first line, line.
    static func error(in bytes: [UInt8], at offset: Int, _ what: String) -> MapError {
        let before = bytes[..<min(offset, bytes.count)]
        let line = before.count { $0 == 0x0a } + 1
        let start = before.lastIndex(of: 0x0a).map { $0 + 1 } ?? 0
        let place = line == 1 ? "column \(offset - start + 1)" : "line \(line), column \(offset - start + 1)"
        return MapError(MAPE_E_ARGUMENT, "function.prototype, \(place): \(what)")
    }
}
