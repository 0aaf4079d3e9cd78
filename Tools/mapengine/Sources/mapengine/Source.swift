/// Where the values of an input come from, as given on the command line.
enum Source {
    case numpy(String)
    /// A file, and the columns of it, by name or number; none: its only one.
    case csv(String, [String])
    case standardInput
    /// One value, for all calls.
    case literal(String)

    init(_ word: String) {
        if word.hasPrefix("=") {
            self = .literal(String(word.dropFirst()))
        } else if word == "-" {
            self = .standardInput
        } else if word.hasSuffix(".npy") {
            self = .numpy(word)
        } else if word.hasSuffix(".csv") {
            self = .csv(word, [])
        } else if let colon = Source.lastSuffix(in: word) {
            let columns = word[word.index(after: colon)...].split(separator: ",", omittingEmptySubsequences: false)
            self = .csv(String(word[..<colon]), columns.map(String.init))
        } else {
            self = .literal(word)
        }
    }

    /// The colon of the last `.csv:`.
    private static func lastSuffix(in word: String) -> String.Index? {
        word.indices.last { word[$0] == ":" && word[..<$0].hasSuffix(".csv") }
    }
}

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
        let file = try NumpyFile(path: path)
        try refuseStructures(parameter)
        func mismatch(_ what: String) -> Failure {
            Failure(.prototype, "\(path) holds \(what), but \(signature.name) takes \(parameter.label)")
        }
        let shape = file.width.map { "rows of \($0) " } ?? ""
        if parameter.type == .string {
            guard file.type == .string, file.width == nil else { throw mismatch("\(shape)\(file.type.numpyName)") }
            return try texts((0..<file.rows).map { file.text(at: $0) }, path, parameter, isOne: false)
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
                throw Failure(
                    .badData,
                    unsafe "\(path), row \(cell / width): \(file.type.text(element)) does not fit into \(parameter.label)"
                )
            }
        }
        return try packed(bytes, width, rows: file.rows, path, parameter)
    }

    private func csv(_ path: String, _ names: [String], _ parameter: Parameter) throws -> InputColumn {
        var builder = try ColumnBuilder(parameter, names.isEmpty ? path : "\(path):\(names.joined(separator: ","))")
        var places: [Int]?
        let memory = try Memory(file: path)
        try TextTable.readCSV(memory, path: path) { line, fields in
            let chosen: [Int]
            if let places {
                chosen = places
            } else {
                let isHeader = fields.contains { Double(trimmed($0)) == nil }
                chosen = try choose(names, from: fields, isHeader: isHeader, path)
                places = chosen
                if isHeader { return }
            }
            try builder.append(chosen, of: fields, "\(path), line \(line)")
        }
        return try finish(builder)
    }

    /// Which fields of a row are wanted.
    private func choose(_ names: [String], from fields: [Substring], isHeader: Bool, _ path: String) throws -> [Int] {
        let known = isHeader ? "; it has: " + fields.map { trimmed($0) }.joined(separator: ", ") : ""
        if names.isEmpty {
            guard fields.count == 1 else {
                throw Failure(
                    .badData,
                    "\(path) has \(fields.count) columns: say which, by name or number, as in \(path):1\(known)")
            }
            return [0]
        }
        return try names.map { name in
            if isHeader, let place = fields.firstIndex(where: { trimmed($0) == name }) { return place }
            guard let number = Int(name), (1...fields.count).contains(number) else {
                throw Failure(
                    .badData,
                    "\(path) has no column '\(name)'"
                        + (isHeader ? known : "; it has no line of names, and \(fields.count) columns"))
            }
            return number - 1
        }
    }

    private func standardInput(_ parameters: [Parameter]) throws -> [InputColumn] {
        var builders = try parameters.map { try ColumnBuilder($0, "standard input") }
        let widths = builders.map(\.fields)
        let total = widths.reduce(0, +)
        let memory = try Memory(file: "-")
        try TextTable.readWords(memory) { line, words in
            let place = "standard input, line \(line)"
            guard words.count == total else {
                throw Failure(.badData, "\(place): \(words.count) words, where \(total) are needed")
            }
            var first = 0
            for index in builders.indices {
                try builders[index].append(Array(first..<first + widths[index]), of: words, place)
                first += widths[index]
            }
        }
        return try builders.map(finish)
    }

    private func literal(_ text: String, _ parameter: Parameter) throws -> InputColumn {
        var builder = try ColumnBuilder(parameter, "'\(text)'", isLiteral: true)
        let words = builder.isList ? text.split(separator: ",", omittingEmptySubsequences: false) : [text[...]]
        try builder.append(Array(words.indices), of: words, "the value '\(text)'")
        return try finish(builder)
    }

    // MARK: Making columns

    private func finish(_ builder: ColumnBuilder) throws -> InputColumn {
        if builder.parameter.type == .string {
            return try texts(builder.texts, builder.name, builder.parameter, isOne: builder.isLiteral)
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

    private func texts(
        _ texts: [[UInt8]], _ name: String, _ parameter: Parameter, isOne: Bool
    ) throws -> InputColumn {
        let blob = try Memory(size: texts.reduce(0) { $0 + $1.count + 1 })
        let pointers = try Memory(size: texts.count * MemoryLayout<UInt>.size)
        var place = 0
        let target = unsafe blob.mutableBytes
        for (index, text) in texts.enumerated() {
            guard !text.contains(0) else {
                throw Failure(.badData, "\(name), row \(index): a NUL stands inside the text")
            }
            unsafe pointers.mutableBytes.storeBytes(
                of: UInt(bitPattern: target.baseAddress! + place), toByteOffset: index * MemoryLayout<UInt>.size,
                as: UInt.self)
            for byte in text {
                unsafe target[place] = byte
                place += 1
            }
            place += 1
        }
        return InputColumn(
            memory: pointers, offset: 0, stride: isOne ? 0 : MemoryLayout<UInt>.size, size: 0,
            rows: isOne ? nil : texts.count,
            name: name, texts: blob)
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
