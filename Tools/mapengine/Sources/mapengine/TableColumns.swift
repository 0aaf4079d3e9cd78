/// What the first line of CSV files is; nil on the command line: it shows.
enum FirstLine {
    case names, row
}

/// The columns of a CSV file that an input takes, known with its first line.
struct TableColumns {
    /// Where they stand in each row.
    let places: [Int]
    /// The first line is a row.
    let firstIsRow: Bool

    /// - Parameters:
    ///   - wanted: names, or numbers from 1; none: the only column.
    init(_ wanted: [String], firstLine fields: borrowing Fields, is given: FirstLine?, path: String) throws {
        let texts = fields.indices.map { Array(NumberText.trimmed(fields[$0])) }
        let isNames = try given.map { $0 == .names } ?? TableColumns.holdsNames(texts, wanted, path)
        firstIsRow = !isNames
        var known = ""
        if isNames {
            known = "; it has: " + texts.prefix(20).map { String(shown: $0) }.joined(separator: ", ")
            if texts.count > 20 { known += " and \(texts.count - 20) more" }
        }
        guard !wanted.isEmpty else {
            guard texts.count == 1 else {
                throw Failure(
                    .badData,
                    "\(path) has \(texts.count) columns: say which, by name or number, as in \(path):1\(known)")
            }
            places = [0]
            return
        }
        places = try wanted.map { name in
            if isNames {
                let bytes = name.raw
                let found = texts.indices.filter { texts[$0] == bytes }
                guard found.count < 2 else {
                    let numbers = found.prefix(20).map { String($0 + 1) }.joined(separator: ", ")
                    throw Failure(
                        .badData, "\(path) has several columns '\(name)'; choose one by its number, of \(numbers)")
                }
                if let place = found.first { return place }
            }
            guard let number = Int(name), (1...texts.count).contains(number) else {
                let why =
                    isNames
                    ? known
                    : given == .row
                        ? ": --no-header says that there are no names; it has \(texts.count) columns"
                        : "; it has no line of names, and \(texts.count) columns"
                let hint = texts.count == 1 ? TextTable.separatorHint(texts[0][...]) : ""
                throw Failure(.badData, "\(path) has no column '\(name)'\(why)\(hint)")
            }
            return number - 1
        }
    }

    /// Numbers alone are a row. Texts that are no numbers, nor look like one that is misspelt, are names. What is neither is
    /// settled by a name that is asked for and stands there, and else not guessed.
    private static func holdsNames(_ texts: [[UInt8]], _ wanted: [String], _ path: String) throws -> Bool {
        let kinds = texts.map { kind($0[...]) }
        if kinds.allSatisfy({ $0 == .number }) { return false }
        if kinds.contains(.word), !kinds.contains(.number), !kinds.contains(.almost) { return true }
        if wanted.contains(where: { name in Int(name) == nil && !name.isEmpty && texts.contains(name.raw) }) {
            return true
        }
        let odd = zip(texts, kinds).first { $0.1 != .number }.map { String(shown: $0.0) } ?? ""
        let hint = texts.count == 1 ? TextTable.separatorHint(texts[0][...]) : ""
        throw Failure(
            .badData,
            "\(path), line 1: is it names or numbers? '\(odd)' is no number; say --header or --no-header\(hint)")
    }

    private enum Kind {
        case number, almost, word, empty
    }

    /// Values that programs write into columns of numbers, and that are no names.
    private static let values: Set<String> = [
        "true", "false", "True", "False", "TRUE", "FALSE", "NA", "N/A", "NULL", "null", "None",
    ]

    private static func kind(_ text: ArraySlice<UInt8>) -> Kind {
        guard let first = text.first else { return .empty }
        if values.contains(String(raw: text)) { return .almost }
        if case .success = NumberText.real(text) as Result<Double, NumberText.Problem> { return .number }
        if case .success = NumberText.complex(text) as Result<(Double, Double), NumberText.Problem> { return .number }
        return (0x30...0x39).contains(first) || [0x2B, 0x2D, 0x2E].contains(first) ? .almost : .word
    }
}
