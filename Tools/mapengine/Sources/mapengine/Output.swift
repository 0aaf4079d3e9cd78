import CMapEngine
import Glibc

/// The results of one output: a place per call.
struct OutputColumn {
    let parameter: Parameter
    let rows: Int
    /// Elements per call.
    let width: Int
    let memory: Memory

    /// Bytes per call.
    var size: Int { width * parameter.type.stored.size }

    /// Places of calls that give nothing keep what they are filled with here.
    init(_ parameter: Parameter, rows: Int, width: Int, filler: String?) throws {
        try refuseStructures(parameter)
        self.parameter = parameter
        self.rows = rows
        self.width = width
        let (size, overflow) = rows.multipliedReportingOverflow(by: width * parameter.type.stored.size)
        guard !overflow else { throw Failure(.pool, "the results of \(rows) calls are larger than memory") }
        memory = try Memory(size: size)
        guard !parameter.isTextOutput else { return }
        var element: [UInt8] = parameter.type.stored.missing
        if let filler {
            element.removeAll()
            guard parameter.type.append(filler[...], to: &element) else {
                throw Failure(
                    .usage, "--fail-value: '\(filler)' is no \(parameter.type.numpyName), which \(parameter.label) is")
            }
        }
        guard element.contains(where: { $0 != 0 }) else { return }
        let bytes = unsafe memory.mutableBytes
        for cell in 0..<rows * width {
            for (index, byte) in element.enumerated() { unsafe bytes[cell * element.count + index] = byte }
        }
    }

    /// The texts of a row, one per element.
    func texts(_ row: Int) -> [String] {
        let bytes = unsafe memory.bytes
        let start = row * size
        if parameter.isTextOutput {
            let place = unsafe bytes[start..<start + size]
            return unsafe [String(decoding: place.prefix { $0 != 0 }, as: UTF8.self)]
        }
        let element = parameter.type.stored.size
        return (0..<width).map { index in
            let first = start + index * element
            return unsafe parameter.type.text(UnsafeRawBufferPointer(rebasing: bytes[first..<first + element]))
        }
    }

    /// Names of its columns in a text.
    var names: [String] {
        width == 1 || parameter.isTextOutput ? [parameter.name] : (0..<width).map { "\(parameter.name)_\($0)" }
    }
}

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

    private var isText: Bool {
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

    /// Writes columns. `missing` holds the rows whose calls gave nothing.
    func write(_ columns: [OutputColumn], missing: Set<Int>, keepsFiller: Bool) throws {
        switch self {
        case .none: return
        case .numpy(let path):
            let column = columns[0]
            try OutputFile.write(path) { descriptor in
                let parameter = column.parameter
                let header =
                    parameter.isTextOutput
                    ? NumpyFile.header(descriptor: "|S\(column.size)", shape: [column.rows])
                    : NumpyFile.header(
                        descriptor: parameter.type.stored.descriptor,
                        shape: parameter.isArray ? [column.rows, column.width] : [column.rows])
                guard unsafe header.withUnsafeBytes({ unsafe writeAll($0, to: descriptor) }) else { return false }
                return unsafe writeAll(column.memory.bytes, to: descriptor)
            }
        case .csv(let path):
            try OutputFile.write(path) { descriptor in
                writeAll(columns.flatMap(\.names).map(Sink.quoted).joined(separator: ",") + "\n", to: descriptor)
                    && Sink.rows(columns, to: descriptor) { row, field in
                        missing.contains(row) && !keepsFiller ? "" : Sink.quoted(field)
                    } separator: {
                        ","
                    }
            }
        case .standardOutput:
            guard !columns.isEmpty else { return }
            let done = Sink.rows(columns, to: STDOUT_FILENO) { row, field in
                missing.contains(row) && !keepsFiller ? "nan" : field
            } separator: {
                " "
            }
            guard done else { throw Failure(.cannotWrite, "cannot write to standard output: \(systemError())") }
        }
    }

    private static func rows(
        _ columns: [OutputColumn], to descriptor: Int32, field: (Int, String) -> String, separator: () -> String
    ) -> Bool {
        guard let count = columns.first?.rows else { return true }
        var block = ""
        for row in 0..<count {
            block += columns.flatMap { $0.texts(row).map { field(row, $0) } }.joined(separator: separator())
            block += "\n"
            if block.utf8.count > 1 << 16 {
                guard writeAll(block, to: descriptor) else { return false }
                block.removeAll(keepingCapacity: true)
            }
        }
        return writeAll(block, to: descriptor)
    }

    /// A field of CSV.
    static func quoted(_ field: String) -> String {
        guard field.utf8.contains(where: { $0 == 0x22 || $0 == 0x2C || $0 == 0x0A || $0 == 0x0D }) else { return field }
        var text = "\""
        for character in field.unicodeScalars { text += character == "\"" ? "\"\"" : String(character) }
        return text + "\""
    }
}

/// Files that are there as a whole or not at all.
enum OutputFile {
    /// Makes a file; it takes the place of one that is there when all is written. What is no regular file is written to as it is.
    static func write(_ path: String, _ content: (Int32) -> Bool) throws {
        func failure() -> Failure { Failure(.cannotWrite, "cannot write \(path): \(systemError())") }
        var status = stat()
        let exists = unsafe stat(path, &status) == 0
        if exists && status.st_mode & S_IFMT != S_IFREG {
            let descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw failure() }
            defer { close(descriptor) }
            guard content(descriptor) else { throw failure() }
            return
        }
        // A link stays, and what it leads to is replaced.
        let target = exists ? followed(path) : path
        let temporary = "\(target).\(getpid()).part"
        let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw failure() }
        guard content(descriptor), close(descriptor) == 0, unsafe rename(temporary, target) == 0 else {
            let failed = failure()
            unsafe unlink(temporary)
            throw failed
        }
    }

    private static func followed(_ path: String) -> String {
        guard let real = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }
}
