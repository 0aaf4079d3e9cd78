import Glibc

/// The values of one input.
struct InputColumn {
    let memory: Memory
    let offset: Int
    /// Bytes from one call's to the next's; 0: one for all.
    let stride: Int
    /// Bytes per call.
    let size: Int
    /// nil: one for all calls.
    let rows: Int?
    /// What messages call it.
    let name: String
    /// For texts: the bytes that the pointers in `memory` point to.
    var texts: Memory?
}

/// Reads inputs into columns of the types that a function takes.
struct InputReader {
    let signature: Signature
    /// Convert numbers of .npy files that are of another type.
    let casts: Bool
    /// What the first line of CSV files is.
    let firstLine: FirstLine?
    /// Files that were read; one that is a pipe can be read once.
    private let files = FileCache()

    init(signature: Signature, casts: Bool, firstLine: FirstLine?) {
        self.signature = signature
        self.casts = casts
        self.firstLine = firstLine
    }

    /// A column per input.
    func read(_ words: [String]) throws -> [InputColumn] {
        let sources = words.map(Source.init)
        let streams = sources.filter { if case .standardInput = $0 { true } else { false } }.count
        guard streams < 2 else {
            throw Failure(.usage, "'-' can be given once: it stands for all inputs that have no other source")
        }
        let streamed = signature.inputs.count - (sources.count - streams)
        guard streams == 1 ? streamed >= 1 : streamed == 0 else {
            let needed = signature.inputs.map(\.label).joined(separator: ", ")
            throw Failure(
                .usage,
                "\(signature.name) has \(signature.inputs.count) inputs: \(needed.isEmpty ? "none" : needed); \(sources.count) were given"
            )
        }
        var columns: [InputColumn] = []
        var next = signature.inputs[...]
        for source in sources {
            switch source {
            case .numpy(let path): columns.append(try numpy(path, next.removeFirst()))
            case .csv(let path, let names): columns.append(try csv(path, names, next.removeFirst()))
            case .literal(let text): columns.append(try literal(text, next.removeFirst()))
            case .standardInput:
                columns += try standardInput(Array(next.prefix(streamed)))
                next = next.dropFirst(streamed)
            }
        }
        return columns
    }

    // MARK: The kinds of sources

    private func numpy(_ path: String, _ parameter: Parameter) throws -> InputColumn {
        let file = try NumpyFile(path: path, memory: files.memory(of: path))
        try refuseStructures(parameter)
        func mismatch(_ what: String) -> Failure {
            Failure(.prototype, "\(path) holds \(what), but \(signature.name) takes \(parameter.label)")
        }
        let shape = file.width.map { "rows of \($0) " } ?? ""
        if parameter.type == .string {
            guard file.type == .string, file.width == nil else { throw mismatch("\(shape)\(file.type.numpyName)") }
            var builder = try ColumnBuilder(parameter, path)
            for row in 0..<file.rows { try builder.append(text: file.text(at: row)) { "\(path), row \(row)" } }
            return try texts(builder)
        }
        let wanted = parameter.type.stored
        guard file.type != .string else { throw mismatch("texts") }
        let width = try checkWidth(file.width, parameter, path)
        if file.type == wanted {
            let size = width * wanted.size
            return InputColumn(
                memory: file.memory, offset: file.offset, stride: size, size: size, rows: file.rows, name: path)
        }
        guard casts, !file.type.isComplex, !wanted.isComplex else {
            throw Failure(
                .prototype,
                "\(path) holds \(shape)\(file.type.numpyName), but \(signature.name) takes \(parameter.label), which is "
                    + "\(wanted.numpyName)" + (file.type.isComplex || wanted.isComplex ? "" : "; --cast converts"))
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(file.rows * width * wanted.size)
        let source = unsafe file.memory.bytes
        for cell in 0..<file.rows * width {
            let start = file.offset + cell * file.elementSize
            let element = unsafe UnsafeRawBufferPointer(rebasing: source[start..<start + file.elementSize])
            guard unsafe file.type.append(element, as: wanted, to: &bytes) else {
                let shown = unsafe file.type.text(element)
                throw Failure(
                    .badData,
                    "\(path), row \(cell / width): \(shown) does not fit into \(parameter.label), which is \(wanted.numpyName)"
                )
            }
        }
        return try packed(bytes, width, rows: file.rows, path, parameter)
    }

    private func csv(_ path: String, _ names: [String], _ parameter: Parameter) throws -> InputColumn {
        var builder = try ColumnBuilder(parameter, names.isEmpty ? path : "\(path):\(names.joined(separator: ","))")
        var columns: TableColumns?
        try TextTable.readCSV(files.memory(of: path), path: path) { fields in
            if let columns { return try builder.append(columns.places, of: fields) }
            let chosen = try TableColumns(names, firstLine: fields, is: firstLine, path: path)
            columns = chosen
            if chosen.firstIsRow { try builder.append(chosen.places, of: fields) }
        }
        guard columns != nil || (firstLine != .names && names.allSatisfy { Int($0) != nil }) else {
            throw Failure(.badData, "\(path) is empty: it has no line of names")
        }
        return try finish(builder)
    }

    private func standardInput(_ parameters: [Parameter]) throws -> [InputColumn] {
        var builders = try parameters.map { try ColumnBuilder($0, "standard input") }
        let widths = builders.map(\.fields)
        let total = widths.reduce(0, +)
        try TextTable.readWords(
            files.memory(of: "-"), source: "standard input", beginsWithText: parameters.first?.type == .string
        ) { words in
            guard words.count == total else {
                throw Failure(
                    .badData, "\(words.source), line \(words.line): \(words.count) words, where \(total) are needed")
            }
            var first = 0
            for index in builders.indices {
                try builders[index].append(first..<first + widths[index], of: words)
                first += widths[index]
            }
        }
        return try builders.map(finish)
    }

    private func literal(_ text: String, _ parameter: Parameter) throws -> InputColumn {
        var builder = try ColumnBuilder(parameter, "the value '\(text)'", isLiteral: true)
        let words =
            builder.isList ? text.split(separator: ",", omittingEmptySubsequences: false).map(String.init) : [text]
        var fields = Fields(source: builder.name)
        for word in words { fields.append(field: word.raw) }
        try builder.append(fields.indices, of: fields)
        return try finish(builder)
    }

    // MARK: Making columns

    private func finish(_ builder: ColumnBuilder) throws -> InputColumn {
        if builder.parameter.type == .string {
            return try texts(builder)
        }
        let width = try checkWidth(
            builder.parameter.isArray ? builder.width ?? builder.fields : nil, builder.parameter, builder.name)
        return try packed(
            builder.bytes, width, rows: builder.isLiteral ? nil : builder.rows, builder.name, builder.parameter)
    }

    private func packed(
        _ bytes: [UInt8], _ width: Int, rows: Int?, _ name: String, _ parameter: Parameter
    ) throws -> InputColumn {
        let size = width * parameter.type.stored.size
        return InputColumn(
            memory: try Memory(bytes), offset: 0, stride: rows == nil ? 0 : size, size: size, rows: rows, name: name)
    }

    /// Elements per row, held against what the parameter takes.
    private func checkWidth(_ width: Int?, _ parameter: Parameter, _ name: String) throws -> Int {
        guard parameter.isArray else {
            guard width == nil else {
                throw Failure(
                    .prototype,
                    "\(name) has rows of \(width!), but \(signature.name) takes one \(parameter.label) a call")
            }
            return 1
        }
        guard width != 0 else { throw Failure(.prototype, "\(name) has rows of no elements, for \(parameter.label)") }
        guard parameter.lengthParameter == nil else { return width ?? 1 }
        guard width ?? 1 == parameter.length else {
            throw Failure(
                .prototype,
                "\(name) has rows of \(width ?? 1), but \(signature.name) takes \(parameter.length) elements of \(parameter.label)"
            )
        }
        return width ?? 1
    }

    private func texts(_ builder: ColumnBuilder) throws -> InputColumn {
        let blob = try Memory(builder.bytes)
        let size = MemoryLayout<UInt>.size
        let pointers = try Memory(size: builder.starts.count * size)
        let base = unsafe UInt(bitPattern: blob.bytes.baseAddress)
        for (index, start) in builder.starts.enumerated() {
            unsafe pointers.mutableBytes.storeBytes(
                of: base + UInt(start), toByteOffset: index * size, as: UInt.self)
        }
        return InputColumn(
            memory: pointers, offset: 0, stride: builder.isLiteral ? 0 : size, size: 0,
            rows: builder.isLiteral ? nil : builder.starts.count, name: builder.name, texts: blob)
    }
}

/// Contents of files, whatever names they are given by.
private final class FileCache {
    private var memories: [FileIdentity: Memory] = [:]

    func memory(of path: String) throws -> Memory {
        var status = stat()
        let isThere =
            unsafe path == "-" ? fstat(STDIN_FILENO, &status) == 0 : path.withRaw { unsafe stat($0, &status) } == 0
        // What cannot be looked at cannot be read either, and reading it tells why.
        guard isThere else { return try Memory(file: path) }
        let identity = FileIdentity(status)
        if let memory = memories[identity] { return memory }
        let memory = try Memory(file: path)
        memories[identity] = memory
        return memory
    }
}

/// Structures have no form on the command line.
func refuseStructures(_ parameter: Parameter) throws {
    if parameter.type == .structure {
        throw Failure(
            .prototype,
            "\(parameter.label) is a structure, which the command line cannot pass; write a host in C, or in Python with ctypes"
        )
    }
}
