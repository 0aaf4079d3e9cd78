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
    private let path: String

    init(path: String, memory: Memory) throws {
        self.path = path
        self.memory = memory
        let bytes = unsafe memory.bytes
        func bad(_ why: String) -> Failure { Failure(.badData, "\(path): \(why)") }
        guard bytes.count >= 12, unsafe Array(bytes[0..<6]) == [0x93] + Array("NUMPY".utf8) else {
            throw bad("this is no .npy file")
        }
        let (version, minor) = unsafe (bytes[6], bytes[7])
        guard (1...3).contains(version), minor == 0 else {
            throw bad("version \(version).\(minor) of the format is not known; 1.0, 2.0 and 3.0 are")
        }
        let start = version == 1 ? 10 : 12
        let length =
            unsafe version == 1
            ? Int(bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self))
            : Int(bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        guard length <= bytes.count - start else { throw bad("the file ends inside its header") }
        offset = start + length
        let text = unsafe Array(bytes[start..<start + length])
        guard let header = NumpyHeader(text) else { throw bad("its header cannot be read: \(String(shown: text))") }
        guard let descriptor = header.descriptor else {
            throw bad("structured arrays are not read; save a field alone: numpy.save('x.npy', array['x'])")
        }
        let shape = header.shape
        guard shape.count == 1 || shape.count == 2 else {
            throw bad("it has \(shape.count) dimensions; one is read, or two for parameters that are arrays")
        }
        (rows, width) = (shape[0], shape.count == 2 ? shape[1] : nil)
        // Of a single row or column both orders are the same.
        if header.isFortranOrder, let width, rows > 1, width > 1 {
            throw bad("it is in Fortran order; save it in C order: numpy.ascontiguousarray")
        }
        let element = try NumpyFile.element(descriptor, bad)
        (type, elementSize, isWide) = (element.type, element.size, element.isWide)
        let (cells, tooMany) = rows.multipliedReportingOverflow(by: width ?? 1)
        let (needed, tooLarge) = cells.multipliedReportingOverflow(by: elementSize)
        // Also of elements without bytes there are not more than memory can hold.
        guard !tooMany, !tooLarge, needed <= bytes.count - offset, elementSize > 0 || cells < 1 << 31 else {
            throw bad(
                "the file is cut off: its \(rows) rows need more than the \(bytes.count - offset) bytes that are there")
        }
        if needed < bytes.count - offset {
            tell("\(path): \(bytes.count - offset - needed) bytes behind the array are not read")
        }
        if type == .bool, let odd = unsafe bytes[offset..<offset + needed].firstIndex(where: { $0 > 1 }) {
            let row = (odd - offset) / max(width ?? 1, 1)
            throw Failure(.badData, unsafe "\(path), row \(row): \(bytes[odd]) is no bool, which is 0 or 1")
        }
    }

    /// What a type descriptor such as `<f8` says.
    private static func element(_ descriptor: String, _ bad: (String) -> Failure) throws -> NumpyType {
        do throws(NumpyType.Problem) {
            let element = try NumpyType(descriptor)
            guard !element.isBigEndian else {
                throw .notRead(
                    "its elements are big-endian ('\(descriptor)'); convert them: array.astype(array.dtype.newbyteorder('='))"
                )
            }
            return element
        } catch {
            switch error {
            case .notRead(let why): throw bad(why)
            case .unknown:
                throw bad(
                    "elements of type '\(descriptor)' are not read; convert them to a number that C has: array.astype('float64')"
                )
            }
        }
    }

    /// The text in a place of this file: NumPy fills what is left behind it with NUL.
    func text(at row: Int) throws -> [UInt8] {
        let start = offset + row * elementSize
        let field = unsafe UnsafeRawBufferPointer(rebasing: memory.bytes[start..<start + elementSize])
        guard isWide else {
            let end = unsafe field.lastIndex { $0 != 0 }
            return unsafe Array(field[..<(end.map { $0 + 1 } ?? 0)])
        }
        var text: [UInt8] = []
        var zeros = 0
        for place in stride(from: 0, to: elementSize, by: 4) {
            let value = unsafe field.loadUnaligned(fromByteOffset: place, as: UInt32.self)
            if value == 0 {
                zeros += 1
                continue
            }
            guard let scalar = Unicode.Scalar(value) else {
                throw Failure(
                    .badData,
                    "\(path), row \(row): U+\(String(value, radix: 16, uppercase: true)) is no character; give texts that are no Unicode as bytes: array.astype('S')"
                )
            }
            text.append(contentsOf: repeatElement(0, count: zeros))
            zeros = 0
            text.append(contentsOf: scalar.utf8)
        }
        return text
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
