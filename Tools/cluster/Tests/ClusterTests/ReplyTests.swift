import Testing

@testable import Cluster

/// A reply as one text, to compare.
private func shown(_ reply: Reply) -> String {
    if reply.isNil { return "nil" }
    if let error = reply.error { return "error \(error)" }
    if let integer = reply.integer { return "\(integer)" }
    if reply.isArray { return "[" + (0..<reply.count).map { reply[$0].map(shown) ?? "?" }.joined(separator: " ") + "]" }
    if let bytes = reply.bytes { return "\(bytes.count):" + String(decoding: bytes, as: UTF8.self) }
    return "status \(reply.text ?? "?")"
}

/// All replies in some bytes, which come in pieces of `step`.
private func replies(_ text: String, large: Int, step: Int) throws -> [String] {
    let reader = try #require(ReplyReader(large: large))
    let bytes = Array(text.utf8)
    var found: [String] = []
    for start in stride(from: 0, to: bytes.count, by: step) {
        let part = Array(bytes[start..<min(start + step, bytes.count)])
        try reader.feed(part, count: part.count)
        while let reply = try reader.next() { found.append(shown(reply)) }
    }
    return found
}

@Suite struct ReplyTests {
    static let stream =
        "+OK\r\n*3\r\n$5\r\nabcde\r\n*2\r\n$0\r\n\r\n$11\r\n$5\r\nx\r\n*1\r\n\r\n:7\r\n$-1\r\n-NOPERM no\r\n$7\r\n1234567\r\n*0\r\n*-1\r\n:-3\r\n"
    static let wanted = [
        "status OK", "[5:abcde [0: 11:$5\r\nx\r\n*1\r\n] 7]", "nil", "error NOPERM no", "7:1234567", "[]", "nil", "-3",
    ]

    /// What is in a string is not looked at, wherever it is cut, and whether it passes through hiredis or not.
    @Test(arguments: [1, 5, 6, 7, 12, 13, 4096]) func stringsOfAllSizesComeAsTheyWere(large: Int) throws {
        for step in 1...Self.stream.utf8.count {
            #expect(try replies(Self.stream, large: large, step: step) == Self.wanted)
        }
    }

    @Test(arguments: [
        "$05\r\nabcde\r\n", "$-2\r\n", "$5x\r\nabcde\r\n", "$\r\n", "$99999999999999999999\r\n", "$2000000000\r\n",
        "$1111111111111111", "!5\r\nabcde\r\n", "=7\r\ntxt:abc\r\n", "_\r\n", "$5\r\nabcdefg", "$5\r\nabcde\n\r",
        "\r\n", "\0",
    ]) func whatIsNoReplyIsRefused(text: String) throws {
        for large in [1, 4096] {
            for step in [1, 3, 100] {
                #expect(throws: Refusal.self) { try replies("+OK\r\n" + text + "\r\n:1\r\n", large: large, step: step) }
            }
        }
    }

    /// A head is believed only so far: memory comes with the bytes.
    @Test func aStringLargerThanIsAllocatedAtOnceGrows() throws {
        let reader = try #require(ReplyReader())
        let part = [UInt8](repeating: 7, count: 1 << 20)
        let head = Array("*2\r\n$\(part.count * 130)\r\n".utf8)
        try reader.feed(head, count: head.count)
        for _ in 0..<130 {
            #expect(try reader.next() == nil)
            try reader.feed(part, count: part.count)
        }
        let tail = Array("\r\n:5\r\n".utf8)
        try reader.feed(tail, count: tail.count)
        let reply = try #require(try reader.next())
        #expect(reply[0]?.size == part.count * 130 && reply[1]?.integer == 5)
        #expect(unsafe reply[0]?.read { unsafe $0.first == 7 && $0.last == 7 } == true)
    }

    @Test func aReaderMayEndInTheMiddleOfAString() throws {
        let reader = try #require(ReplyReader(large: 4))
        let head = Array("*3\r\n$5\r\nabcde\r\n$500000000\r\nabc".utf8)
        try reader.feed(head, count: head.count)
        #expect(try reader.next() == nil)
    }
}
