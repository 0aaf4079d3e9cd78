import CMapEngine
import Glibc

/// Where results go.
enum Sink {
    case numpy(String)
    case csv(String)
    case standardOutput
    case none

    init(_ word: String) throws {
        if word == "-" {
            self = .standardOutput
        } else if word == "none" {
            self = .none
        } else if word.hasSuffix(".npy") {
            self = .numpy(word)
        } else if word.hasSuffix(".csv") {
            self = .csv(word)
        } else {
            throw Failure(.usage, "--output: '\(word)' is neither a .npy nor a .csv file, nor '-' or 'none'")
        }
    }

    var isText: Bool {
        switch self {
        case .csv, .standardOutput: true
        case .numpy, .none: false
        }
    }

    /// The sinks of a function's outputs, as given: one for all, or one for each.
    static func all(_ words: [String], for signature: Signature) throws -> [Sink] {
        let sinks = try (words.isEmpty ? ["-"] : words).map(Sink.init)
        for (index, output) in signature.outputs.enumerated() where !output.type.hasText && output.type != .structure {
            guard !sinks[sinks.count == 1 ? 0 : min(index, sinks.count - 1)].isText else {
                throw Failure(.prototype, "\(output.label) can be written to .npy files only")
            }
        }
        let count = signature.outputs.count
        if sinks.count == 1, count != 1 {
            if case .numpy(let path) = sinks[0] {
                let names = signature.outputs.map(\.name).joined(separator: ", ")
                throw Failure(
                    .usage,
                    "\(signature.name) has \(count) outputs (\(names)), and \(path) can hold one; give --output for each, or one .csv"
                )
            }
            return sinks
        }
        guard sinks.count == count || sinks.count == 1 else {
            throw Failure(.usage, "\(signature.name) has \(count) outputs, and --output was given \(sinks.count) times")
        }
        return sinks
    }

    /// Writes columns. `missing` holds the rows whose calls gave nothing, for which nothing stands that could be a result.
    func write(_ columns: [OutputColumn], missing: Set<Int>, to writer: ByteWriter) throws {
        switch self {
        case .none: return
        case .numpy: try Sink.writeArray(columns[0], to: writer)
        case .csv:
            let names = columns.flatMap(\.names)
            try Sink.writeCSV(names.map(\.utf8), to: writer)
            unsafe try Sink.writeRows(columns, missing, missingText: "", separator: UInt8(ascii: ","), to: writer) {
                field in
                unsafe writer.append(quoted: field, isAlone: names.count == 1)
            }
        case .standardOutput:
            unsafe try Sink.writeRows(columns, missing, missingText: "nan", separator: UInt8(ascii: " "), to: writer) {
                field in
                unsafe writer.append(field)
            }
        }
    }

    private static func writeArray(_ column: OutputColumn, to writer: ByteWriter) throws {
        let parameter = column.parameter
        writer.append(
            parameter.isTextOutput
                ? NumpyFile.header(descriptor: "|S\(column.size)", shape: [column.rows])
                : NumpyFile.header(
                    descriptor: parameter.type.stored.descriptor,
                    shape: parameter.isArray ? [column.rows, column.width] : [column.rows]))
        unsafe try writer.write(through: column.memory.bytes)
    }

    private static func writeRows(
        _ columns: [OutputColumn], _ missing: Set<Int>, missingText: String, separator: UInt8, to writer: ByteWriter,
        field: (UnsafeRawBufferPointer) -> Void
    ) throws {
        guard let count = columns.first?.rows else { return }
        var missingText = missingText
        for row in 0..<count {
            let isMissing = !missing.isEmpty && missing.contains(row)
            var isFirst = true
            for column in columns {
                unsafe column.fields(row) { text in
                    if !isFirst { writer.append(separator) }
                    isFirst = false
                    if isMissing {
                        missingText.withUTF8 { unsafe field(UnsafeRawBufferPointer($0)) }
                    } else {
                        unsafe field(text)
                    }
                }
            }
            try writer.endRow()
        }
    }

    /// A row of CSV.
    static func writeCSV(_ fields: [some Collection<UInt8>], to writer: ByteWriter) throws {
        for (index, field) in fields.enumerated() {
            if index > 0 { writer.append(UInt8(ascii: ",")) }
            writer.append(quoted: field, isAlone: fields.count == 1)
        }
        try writer.endRow()
    }
}

/// All that a run writes. Files are looked at before it begins, and change when all of them have been written.
struct ResultWriter {
    private let sinks: [(sink: Sink, file: OutputFile?)]
    private let failures: OutputFile?

    init(_ sinks: [Sink], failures: String?) throws {
        var known: [FileIdentity: String] = [:]
        func note(_ identity: FileIdentity?, _ name: String) throws {
            guard let identity else { return }
            if let other = known.updateValue(name, forKey: identity) {
                throw Failure(.usage, "\(other) and \(name) are the same file: each output needs one of its own")
            }
        }
        self.sinks = try sinks.map { sink in
            switch sink {
            case .none: return (sink, nil)
            case .standardOutput:
                try note(FileIdentity(descriptor: STDOUT_FILENO), "standard output")
                return (sink, nil)
            case .numpy(let path), .csv(let path):
                let file = try OutputFile(path)
                try note(file.identity, path)
                return (sink, file)
            }
        }
        self.failures = try failures.map(OutputFile.init)
        if let failures, let file = self.failures { try note(file.identity, failures) }
    }

    /// - Parameter keepsFiller: calls that gave nothing are written as others are.
    func write(_ results: Results, keepsFiller: Bool) throws {
        let missing = keepsFiller ? [] : Set(results.failures.map(\.row))
        var contents: [(file: OutputFile?, write: (ByteWriter) throws -> Void)] = []
        for (index, (sink, file)) in sinks.enumerated() {
            let columns = sinks.count == 1 ? results.columns : [results.columns[index]]
            if case .none = sink { continue }
            guard !columns.isEmpty || sink.isText else { continue }
            contents.append((file, { try sink.write(columns, missing: missing, to: $0) }))
        }
        if let failures { contents.append((failures, results.writeFailures)) }
        for (file, content) in contents { if let file, !file.isStream { try file.prepare(content) } }
        for (file, _) in contents { try file?.commit() }
        do {
            for (file, content) in contents {
                guard let file else {
                    let writer = ByteWriter(STDOUT_FILENO, "to standard output")
                    try content(writer)
                    try writer.finish()
                    continue
                }
                if file.isStream { try file.stream(content) }
            }
        } catch let interrupted as Interrupted {
            throw Interrupted(signal: interrupted.signal, what: "interrupted while it wrote results")
        }
    }
}
