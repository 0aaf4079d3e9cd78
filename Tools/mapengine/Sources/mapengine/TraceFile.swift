import Glibc

/// A file that `mapengine report` can show: JSON as a whole, with events and a summary of the schema that the page reads. What is in them
/// the page looks at; that it is JSON is checked here, where a message can say the line.
@safe
struct TraceFile {
    static let schema = 1
    /// Browsers hold a text of twice that; what is larger would be looked at by nobody.
    static let largest = 256 << 20

    let name: String
    private let memory: Memory
    private var at = 0

    private var bytes: UnsafeRawBufferPointer { unsafe memory.bytes }

    init(_ path: String) throws {
        name = path == "-" ? "standard input" : path
        memory = try Memory(file: path)
        guard memory.size <= TraceFile.largest else {
            throw Failure(
                .badData,
                "\(name) has \(memory.size / 1_000_000) MB, and a report holds \(TraceFile.largest / 1_000_000) MB at most; trace a shorter time, or open the trace in ui.perfetto.dev"
            )
        }
        try check()
    }

    /// Writes it so that it can stand in a page: `<`, which JSON has only inside of texts, would end or hide what follows.
    func write(to writer: ByteWriter) throws {
        let less = UInt8(ascii: "<"), escaped = Array("\\u003c".utf8)
        var from = 0
        while from < memory.size {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[from...].prefix(1 << 20))
            let found = unsafe memchr(rest.baseAddress!, Int32(less), rest.count)
            let count = unsafe found.map { unsafe UnsafeRawPointer($0) - rest.baseAddress! } ?? rest.count
            // Long stretches go as they are, short ones are put together.
            if count >= 4096 {
                unsafe try writer.write(through: UnsafeRawBufferPointer(rebasing: rest[..<count]))
            } else {
                unsafe writer.append(rest[..<count])
            }
            from += count
            if unsafe found != nil {
                writer.append(escaped)
                from += 1
            }
        }
    }

    // MARK: Is it a trace?

    private mutating func check() throws {
        skipBlanks()
        guard at < memory.size else { throw Failure(.badData, "\(name) is empty: no trace was written to it") }
        guard peek() == UInt8(ascii: "{") else { throw noTrace("it does not begin with '{'") }
        var hasEvents = false
        var hasSummary = false
        var found: Double?
        try object { file, key in
            let isList = file.peek() == UInt8(ascii: "[")
            let isObject = file.peek() == UInt8(ascii: "{")
            if key == "traceEvents", isList { hasEvents = true }
            guard key == "mapengine", isObject else { return try file.value(depth: 1) }
            hasSummary = true
            try file.object { file, key in
                let begin = file.at
                try file.value(depth: 2)
                if key == "schema" {
                    found = unsafe Double(String(decoding: file.bytes[begin..<file.at], as: UTF8.self))
                }
            }
        }
        skipBlanks()
        guard at == memory.size else { throw wrong("something stands behind the trace's end") }
        guard hasEvents else { throw noTrace("it has no \"traceEvents\"") }
        guard hasSummary else {
            throw noTrace("it has no summary \"mapengine\"; ui.perfetto.dev shows traces of any program")
        }
        guard found == Double(TraceFile.schema) else {
            let text = found.map { "schema \($0 == $0.rounded() && abs($0) < 1e9 ? String(Int($0)) : String($0))" }
            throw Failure(
                .badData,
                "\(name) has \(text ?? "no schema"), and this mapengine reads schema \(TraceFile.schema); use the version that wrote it"
            )
        }
    }

    private func noTrace(_ why: String) -> Failure { Failure(.badData, "\(name) is no trace of MapEngine: \(why)") }

    /// What is wrong where the reading stopped. A file that ends too early is said to be cut off.
    private func wrong(_ what: String) -> Failure {
        let place = min(at, memory.size)
        let line = unsafe bytes[..<place].reduce(into: 1) { $0 += $1 == 0x0A ? 1 : 0 }
        return Failure(
            .badData,
            at >= memory.size
                ? "\(name) is cut off in line \(line): the trace was not written to its end"
                : "\(name), line \(line): \(what)")
    }

    // MARK: JSON (RFC 8259), without making anything of it

    private func peek() -> UInt8? { at < memory.size ? unsafe bytes[at] : nil }

    private mutating func skipBlanks() {
        while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { at += 1 }
    }

    private mutating func expect(_ byte: UInt8) throws {
        guard peek() == byte else { throw wrong("'\(Character(Unicode.Scalar(byte)))' is missing") }
        at += 1
    }

    private mutating func object(_ member: (inout TraceFile, String) throws -> Void) throws {
        try expect(UInt8(ascii: "{"))
        skipBlanks()
        if peek() == UInt8(ascii: "}") { return at += 1 }
        while true {
            skipBlanks()
            let begin = at
            try string()
            // Keys of others are not made into texts.
            let isShort = at - begin <= 16
            let key = isShort ? unsafe String(decoding: bytes[(begin + 1)..<(at - 1)], as: UTF8.self) : ""
            skipBlanks()
            try expect(UInt8(ascii: ":"))
            skipBlanks()
            try member(&self, key)
            skipBlanks()
            guard peek() == UInt8(ascii: ",") else { return try expect(UInt8(ascii: "}")) }
            at += 1
        }
    }

    private mutating func value(depth: Int) throws {
        guard depth < 64 else { throw wrong("it is nested too deeply") }
        switch peek() {
        case UInt8(ascii: "{"):
            at += 1
            try members(end: UInt8(ascii: "}"), depth: depth)
        case UInt8(ascii: "["):
            at += 1
            try members(end: UInt8(ascii: "]"), depth: depth)
        case UInt8(ascii: "\""): try string()
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        default: try number()
        }
    }

    /// The rest of an object or of a list.
    private mutating func members(end: UInt8, depth: Int) throws {
        skipBlanks()
        if peek() == end { return at += 1 }
        while true {
            skipBlanks()
            if end == UInt8(ascii: "}") {
                try string()
                skipBlanks()
                try expect(UInt8(ascii: ":"))
                skipBlanks()
            }
            try value(depth: depth + 1)
            skipBlanks()
            guard peek() == UInt8(ascii: ",") else { return try expect(end) }
            at += 1
        }
    }

    private mutating func string() throws {
        try expect(UInt8(ascii: "\""))
        while let byte = peek() {
            at += 1
            if byte == UInt8(ascii: "\"") { return }
            guard byte >= 0x20 else { throw wrong("a text has a control character") }
            guard byte == UInt8(ascii: "\\") else { continue }
            guard let escape = peek() else { break }
            at += 1
            if escape == UInt8(ascii: "u") {
                for _ in 0..<4 {
                    guard let digit = peek() else { throw wrong("") }
                    guard isHexDigit(digit) else { throw wrong("an escape in a text is wrong") }
                    at += 1
                }
            } else if !"\"\\/bfnrt".utf8.contains(escape) {
                throw wrong("an escape in a text is wrong")
            }
        }
        throw wrong("a text does not end")
    }

    private func isDigit(_ byte: UInt8?) -> Bool {
        guard let byte else { return false }
        return byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }

    private func isHexDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "f"))
    }

    private mutating func word(_ word: String) throws {
        for byte in word.utf8 {
            guard peek() == byte else { throw wrong("this is no JSON") }
            at += 1
        }
    }

    private mutating func number() throws {
        if peek() == UInt8(ascii: "-") { at += 1 }
        if peek() == UInt8(ascii: "0") { at += 1 } else { try digits() }
        if peek() == UInt8(ascii: ".") {
            at += 1
            try digits()
        }
        if let byte = peek(), byte | 0x20 == UInt8(ascii: "e") {
            at += 1
            if peek() == UInt8(ascii: "+") || peek() == UInt8(ascii: "-") { at += 1 }
            try digits()
        }
    }

    private mutating func digits() throws {
        guard isDigit(peek()) else { throw wrong("this is no JSON") }
        while isDigit(peek()) { at += 1 }
    }
}
