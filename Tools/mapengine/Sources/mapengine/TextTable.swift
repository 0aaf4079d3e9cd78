/// Fields of a text: CSV as RFC 4180 has it, or columns separated by blanks.
enum TextTable {
    /// Reads CSV. Calls `row` with the line it begins at and its fields; empty lines are passed over.
    static func readCSV(_ memory: Memory, path: String, row: (Int, [Substring]) throws -> Void) throws {
        var fields: [Substring] = []
        var line = 1
        var index = 0
        let bytes = unsafe memory.bytes
        if bytes.count >= 3, unsafe bytes[0] == 0xEF, unsafe bytes[1] == 0xBB, unsafe bytes[2] == 0xBF { index = 3 }
        while index < bytes.count {
            let began = line
            fields.removeAll(keepingCapacity: true)
            var isEmptyLine = true
            fieldLoop: while true {
                if index < bytes.count, unsafe bytes[index] == quote {
                    isEmptyLine = false
                    unsafe fields.append(try quoted(bytes, &index, &line, path))
                } else {
                    let start = index
                    while index < bytes.count, unsafe !isEnd(bytes[index]) { index += 1 }
                    if index > start { isEmptyLine = false }
                    unsafe fields.append(Substring(decoding: bytes[start..<index], as: UTF8.self))
                }
                guard index < bytes.count else { break fieldLoop }
                switch unsafe bytes[index] {
                case comma:
                    index += 1
                    isEmptyLine = false
                case carriageReturn:
                    index += 1
                    if index < bytes.count, unsafe bytes[index] == newline { index += 1 }
                    line += 1
                    break fieldLoop
                case newline:
                    index += 1
                    line += 1
                    break fieldLoop
                default:
                    throw Failure(.badData, "\(path), line \(line): a comma is missing behind a quoted field")
                }
            }
            if !isEmptyLine { try row(began, fields) }
        }
    }

    /// Reads lines of words. Empty lines, and those that begin with `#`, are passed over.
    static func readWords(_ memory: Memory, row: (Int, [Substring]) throws -> Void) throws {
        var line = 0
        let bytes = unsafe memory.bytes
        var index = 0
        while index < bytes.count {
            let start = index
            while index < bytes.count, unsafe bytes[index] != newline { index += 1 }
            line += 1
            let text = unsafe Substring(decoding: bytes[start..<index], as: UTF8.self)
            index += 1
            let words = text.split { $0 == " " || $0 == "\t" || $0 == "\r" }
            if let first = words.first, !first.hasPrefix("#") { try row(line, words) }
        }
    }

    /// A field in quotes, in which two quotes stand for one.
    private static func quoted(
        _ bytes: UnsafeRawBufferPointer, _ index: inout Int, _ line: inout Int, _ path: String
    ) throws -> Substring {
        let began = line
        var text: [UInt8] = []
        index += 1
        while index < bytes.count {
            let byte = unsafe bytes[index]
            index += 1
            if byte == quote {
                guard index < bytes.count, unsafe bytes[index] == quote else {
                    return Substring(decoding: text, as: UTF8.self)
                }
                index += 1
            }
            if byte == newline { line += 1 }
            text.append(byte)
        }
        throw Failure(.badData, "\(path), line \(began): a quoted field has no end")
    }

    private static func isEnd(_ byte: UInt8) -> Bool { byte == comma || byte == newline || byte == carriageReturn }

    private static let quote = UInt8(ascii: "\"")
    private static let comma = UInt8(ascii: ",")
    private static let newline = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")
}
