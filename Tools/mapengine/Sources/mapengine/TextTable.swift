/// Rows of fields in a text: CSV as RFC 4180 has it, or words between blanks. Bytes are what it works on: a field has those that stand
/// in the file. A line ends at LF, CR LF or CR.
enum TextTable {
    /// Reads CSV; `row` is called for each. Lines without anything are passed over where no row can look so: in files of several
    /// columns, and behind the last row.
    static func readCSV(_ memory: Memory, path: String, row: (borrowing Fields) throws -> Void) throws {
        var fields = Fields(source: path)
        var line = 1
        let bytes = unsafe memory.bytes
        var index = unsafe try begin(bytes, path)
        var hasOneColumn = false
        var emptyLine: Int?
        var count: Int?
        var hint = ""
        while index < bytes.count {
            fields.removeAll()
            fields.line = line
            if let end = unsafe lineEnd(bytes, index) {
                index = end
                emptyLine = emptyLine ?? line
                line += 1
                continue
            }
            if hasOneColumn, let emptyLine {
                throw Failure(
                    .badData,
                    "\(path), line \(emptyLine): it is empty; in a file of one column write \"\" for an empty field")
            }
            emptyLine = nil
            unsafe try readRow(bytes, &index, &line, &fields)
            if let count, fields.count != count {
                throw Failure(
                    .badData,
                    "\(path), line \(fields.line): it has \(fields.count) fields, where the first line has \(count)"
                        + hint)
            }
            if count == nil, fields.count == 1 { hint = separatorHint(fields[0]) }
            count = fields.count
            hasOneColumn = fields.count == 1
            try row(fields)
        }
    }

    /// Reads lines of words. Lines without any are passed over, and those that begin with `#`; where a text could begin so,
    /// they are refused.
    static func readWords(
        _ memory: Memory, source: String, beginsWithText: Bool, row: (borrowing Fields) throws -> Void
    ) throws {
        var fields = Fields(source: source)
        var line = 0
        let bytes = unsafe memory.bytes
        var index = unsafe try begin(bytes, source)
        while index < bytes.count {
            line += 1
            fields.removeAll()
            fields.line = line
            while index < bytes.count {
                let start = index
                while index < bytes.count, unsafe !isBlankOrEnd(bytes[index]) { index += 1 }
                if index > start {
                    unsafe fields.append(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
                    fields.endField()
                }
                if let end = unsafe lineEnd(bytes, index) {
                    index = end
                    break
                }
                index += 1
            }
            guard fields.count > 0 else { continue }
            if fields[0].first == UInt8(ascii: "#") {
                guard beginsWithText else { continue }
                throw Failure(
                    .badData,
                    "\(fields.place(0)): a text that begins with # cannot be told from a comment; give texts in a .csv file"
                )
            }
            try row(fields)
        }
    }

    // MARK: Parts of CSV

    private static func readRow(
        _ bytes: UnsafeRawBufferPointer, _ index: inout Int, _ line: inout Int, _ fields: inout Fields
    ) throws {
        while true {
            if index < bytes.count, unsafe bytes[index] == quote {
                unsafe try readQuoted(bytes, &index, &line, &fields)
            } else {
                let start = index
                while index < bytes.count, unsafe !isFieldEnd(bytes[index]) { index += 1 }
                unsafe try refuseQuoteBehindBlanks(bytes[start..<index], fields)
                unsafe fields.append(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
            }
            fields.endField()
            guard index < bytes.count else { return }
            if let end = unsafe lineEnd(bytes, index) {
                index = end
                line += 1
                return
            }
            guard unsafe bytes[index] == comma else {
                throw Failure(
                    .badData,
                    "\(fields.source), line \(line), column \(fields.count): something follows the closing quote")
            }
            index += 1
        }
    }

    /// A field in quotes, in which two quotes stand for one.
    private static func readQuoted(
        _ bytes: UnsafeRawBufferPointer, _ index: inout Int, _ line: inout Int, _ fields: inout Fields
    ) throws {
        let place = "\(fields.source), line \(line), column \(fields.count + 1)"
        index += 1
        while true {
            let start = index
            while index < bytes.count, unsafe bytes[index] != quote {
                if let end = unsafe lineEnd(bytes, index) {
                    line += 1
                    index = end
                } else {
                    index += 1
                }
            }
            guard index < bytes.count else { throw Failure(.badData, "\(place): a quoted field has no end") }
            index += 1
            let isDoubled = unsafe index < bytes.count && bytes[index] == quote
            unsafe fields.append(UnsafeRawBufferPointer(rebasing: bytes[start..<(isDoubled ? index : index - 1)]))
            guard isDoubled else { return }
            index += 1
        }
    }

    /// Some programs write blanks before a quoted field; others mean what they write. It is not guessed.
    private static func refuseQuoteBehindBlanks(_ field: Slice<UnsafeRawBufferPointer>, _ fields: Fields) throws {
        guard let first = unsafe field.first, NumberText.isBlank(first),
            unsafe field.first(where: { !NumberText.isBlank($0) }) == quote
        else { return }
        throw Failure(
            .badData,
            "\(fields.source), line \(fields.line), column \(fields.count + 1): a quote stands behind a blank; put the whole field into quotes"
        )
    }

    // MARK: Bytes

    /// Where the text begins: behind a byte order mark.
    private static func begin(_ bytes: UnsafeRawBufferPointer, _ source: String) throws -> Int {
        let mark = unsafe Array(bytes.prefix(4))
        let isUTF16 = mark.count > 3 && (mark.starts(with: [0xFF, 0xFE]) || mark.starts(with: [0xFE, 0xFF]))
        if isUTF16, mark[2] == 0 || mark[3] == 0 {
            throw Failure(.badData, "\(source) is UTF-16; save it as UTF-8")
        }
        return mark.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    }

    /// Where the next line begins, when one ends here.
    private static func lineEnd(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> Int? {
        guard index < bytes.count else { return nil }
        switch unsafe bytes[index] {
        case newline: return index + 1
        case carriageReturn:
            return unsafe index + 1 < bytes.count && bytes[index + 1] == newline ? index + 2 : index + 1
        default: return nil
        }
    }

    /// What to say of a line that should have had commas.
    static func separatorHint(_ field: ArraySlice<UInt8>) -> String {
        if field.contains(UInt8(ascii: ";")) { return "; fields are separated by commas here, not by ';'" }
        if field.contains(UInt8(ascii: "\t")) { return "; fields are separated by commas here, not by tabs" }
        return ""
    }

    private static func isFieldEnd(_ byte: UInt8) -> Bool { byte == comma || byte == newline || byte == carriageReturn }
    private static func isBlankOrEnd(_ byte: UInt8) -> Bool {
        NumberText.isBlank(byte) || byte == newline || byte == carriageReturn
    }

    private static let quote = UInt8(ascii: "\"")
    private static let comma = UInt8(ascii: ",")
    private static let newline = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")
}
