import Glibc

/// A NumPy array file, as numpy.lib.format describes it: versions 1 to 3, one or two dimensions in C order.
struct NumpyFile {
    let type: ElementType
    /// Bytes of an element: the type's, or a text's place.
    let elementSize: Int
    /// The text's characters have four bytes each, as Python's.
    let isWide: Bool
    let rows: Int
    /// Elements per row; nil: the array has one dimension.
    let width: Int?
    let memory: Memory
    let offset: Int

    init(path: String) throws {
        memory = try Memory(file: path)
        let bytes = unsafe memory.bytes
        func bad(_ why: String) -> Failure { Failure(.badData, "\(path): \(why)") }
        guard bytes.count >= 12, unsafe Array(bytes[0..<6]) == [0x93] + Array("NUMPY".utf8) else {
            throw bad("this is no .npy file")
        }
        let version = unsafe bytes[6]
        guard (1...3).contains(version) else { throw bad("version \(version) of the format is not known; 1 to 3 are") }
        let start = version == 1 ? 10 : 12
        let length =
            unsafe version == 1
            ? Int(bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self))
            : Int(bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        guard length <= bytes.count - start else { throw bad("the file ends inside its header") }
        offset = start + length
        let header = unsafe String(decoding: bytes[start..<start + length], as: UTF8.self)
        guard let description = NumpyHeader(header) else { throw bad("its header cannot be read: \(header)") }
        guard let descriptor = description.descriptor else {
            throw bad("structured arrays are not read; save a field alone: numpy.save('x.npy', array['x'])")
        }
        switch description.shape.count {
        case 1:
            (rows, width) = (description.shape[0], nil)
        case 2:
            (rows, width) = (description.shape[0], description.shape[1])
        default:
            throw bad(
                "it has \(description.shape.count) dimensions; one is read, or two for parameters that are arrays")
        }
        if description.isFortranOrder && width != nil {
            throw bad("it is in Fortran order; save it in C order: numpy.ascontiguousarray")
        }
        (type, elementSize, isWide) = try NumpyFile.element(descriptor, bad)
        let (cells, tooMany) = rows.multipliedReportingOverflow(by: width ?? 1)
        let (needed, tooLarge) = cells.multipliedReportingOverflow(by: elementSize)
        guard !tooMany, !tooLarge, needed <= bytes.count - offset else {
            throw bad(
                "the file is cut off: its \(rows) rows need more than the \(bytes.count - offset) bytes that are there")
        }
    }

    /// What a type descriptor such as `<f8` says.
    private static func element(
        _ descriptor: String, _ bad: (String) -> Failure
    ) throws -> (ElementType, Int, Bool) {
        let order = descriptor.first
        let rest = descriptor.dropFirst()
        guard let kind = rest.first, let size = Int(rest.dropFirst()), (1...1 << 32).contains(size) else {
            throw bad("elements of type '\(descriptor)' are not read")
        }
        if order == ">" && size > 1 {
            throw bad(
                "its numbers are big-endian ('\(descriptor)'); convert them: array.astype(array.dtype.newbyteorder('='))"
            )
        }
        if kind == "S" { return (.string, size, false) }
        if kind == "U" { return (.string, 4 * size, true) }
        if let type = ElementType.readable.first(where: { $0.descriptor.dropFirst() == rest }) {
            return (type, size, false)
        }
        throw bad(
            "elements of type '\(descriptor)' are not read; convert them to a number that C has: array.astype('float64')"
        )
    }

    /// The text in a place of this file, up to its last character that is not NUL.
    func text(at place: Int) -> [UInt8] {
        let start = offset + place * elementSize
        let bytes = unsafe memory.bytes
        if !isWide {
            let field = unsafe bytes[start..<start + elementSize]
            return unsafe Array(field.prefix { $0 != 0 })
        }
        var text = String.UnicodeScalarView()
        for index in stride(from: start, to: start + elementSize, by: 4) {
            let scalar = unsafe bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self)
            if scalar == 0 { break }
            text.append(Unicode.Scalar(scalar) ?? "\u{FFFD}")
        }
        return Array(String(text).utf8)
    }

    /// The header of a file of version 1 that holds these elements; the data begins at a multiple of 64 bytes.
    static func header(descriptor: String, shape: [Int]) -> [UInt8] {
        let dimensions = shape.count == 1 ? "(\(shape[0]),)" : "(\(shape[0]), \(shape[1]))"
        var text = "{'descr': '\(descriptor)', 'fortran_order': False, 'shape': \(dimensions), }"
        text += String(repeating: " ", count: 63 - (10 + text.utf8.count) % 64) + "\n"
        let length = text.utf8.count
        return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 255), UInt8(length >> 8)] + Array(text.utf8)
    }
}

/// The header's Python dictionary: `{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }`.
private struct NumpyHeader {
    /// nil: it is no single type.
    var descriptor: String?
    var isFortranOrder = false
    var shape: [Int] = []

    init?(_ text: String) {
        guard let type = NumpyHeader.value("descr", in: text), let order = NumpyHeader.value("fortran_order", in: text),
            let sizes = NumpyHeader.value("shape", in: text)
        else { return nil }
        if let quote = type.first, quote == "'" || quote == "\"" {
            guard let end = type.dropFirst().firstIndex(of: quote) else { return nil }
            descriptor = String(type[type.index(after: type.startIndex)..<end])
        } else if type.first != "[" {
            return nil
        }
        switch true {
        case order.hasPrefix("True"): isFortranOrder = true
        case order.hasPrefix("False"): isFortranOrder = false
        default: return nil
        }
        guard sizes.first == "(", let end = sizes.firstIndex(of: ")") else { return nil }
        for part in sizes[sizes.index(after: sizes.startIndex)..<end].split(separator: ",") {
            // Python 2 wrote long integers as `3L`.
            let digits = part.filter { $0 != " " && $0 != "L" }
            if digits.isEmpty { continue }
            guard let size = Int(digits), size >= 0 else { return nil }
            shape.append(size)
        }
    }

    /// What follows a key.
    private static func value(_ key: String, in text: String) -> Substring? {
        for quote in ["'", "\""] {
            let word = quote + key + quote
            var rest = text[...]
            while let first = rest.firstIndex(of: Character(quote)) {
                rest = rest[first...]
                if rest.hasPrefix(word) {
                    let value = rest.dropFirst(word.count).drop { $0 == " " || $0 == ":" }
                    return value
                }
                rest = rest.dropFirst()
            }
        }
        return nil
    }
}
