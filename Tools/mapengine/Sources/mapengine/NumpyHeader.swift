/// The dictionary at the head of a .npy file: `{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }`, with these keys and no others.
struct NumpyHeader {
    /// The type's name; nil: it is no single type.
    let descriptor: String?
    let isFortranOrder: Bool
    let shape: [Int]

    init?(_ bytes: [UInt8]) {
        guard case .dictionary(let pairs)? = PythonLiteral(bytes) else { return nil }
        var values: [String: PythonLiteral] = [:]
        for (key, value) in pairs {
            guard case .text(let name) = key else { return nil }
            values[String(raw: name)] = value
        }
        guard values.count == 3, case .truth(let isFortranOrder)? = values["fortran_order"],
            case .tuple(let sizes)? = values["shape"]
        else { return nil }
        switch values["descr"] {
        case .text(let name): descriptor = String(raw: name)
        case .list, .tuple: descriptor = nil
        default: return nil
        }
        self.isFortranOrder = isFortranOrder
        var shape: [Int] = []
        for size in sizes {
            guard case .integer(let size) = size else { return nil }
            shape.append(size)
        }
        self.shape = shape
    }
}

/// What the elements of an array are.
struct NumpyType {
    let type: ElementType
    /// Bytes of an element: the type's, or a text's place.
    let size: Int
    /// The text's characters have four bytes each, as Python's.
    var isWide = false
    /// Most significant byte first.
    var isBigEndian = false

    enum Problem: Error {
        case unknown
        /// NumPy knows it, and this is why it is not read.
        case notRead(String)
    }

    /// From a name that NumPy's `dtype` knows: `<f8`, `f8`, `float64`, `d` and so on.
    init(_ name: String) throws(Problem) {
        if let code = NumpyType.names[name] {
            try self.init(order: nil, code)
            return
        }
        guard let first = name.first else { throw .unknown }
        let hasOrder = "<>=|".contains(first)
        try self.init(order: hasOrder ? first : nil, hasOrder ? String(name.dropFirst()) : name)
    }

    /// From a letter, and a size in most cases.
    private init(order: Character?, _ code: String) throws(Problem) {
        guard let kind = code.first else { throw .unknown }
        let digits = code.dropFirst()
        guard digits.allSatisfy({ ("0"..."9").contains($0) }) else {
            throw "Mm".contains(kind) && digits.last == "]" ? .notRead(NumpyType.times) : .unknown
        }
        if code == "c" {
            (type, size) = (.string, 1)
            return
        }
        if kind == "S" || kind == "U" || kind == "a" {
            let length = digits.isEmpty ? 0 : Int(digits) ?? -1
            guard (0...1 << 32).contains(length) else { throw .unknown }
            (type, size, isWide) = (.string, kind == "U" ? 4 * length : length, kind == "U")
            isBigEndian = order == ">" && isWide
            return
        }
        let full = digits.isEmpty ? NumpyType.letters[kind] ?? code : "\(kind)\(Int(digits) ?? 0)"
        switch full {
        case "f2": throw .notRead("float16 is no type that C has everywhere; convert it: array.astype('float32')")
        case "M", "m", "M8", "m8": throw .notRead(NumpyType.times)
        case "O", "O8": throw .notRead("it holds Python objects, which only Python can read")
        default:
            guard !digits.isEmpty || NumpyType.letters[kind] != nil,
                let type = ElementType.readable.first(where: { $0.descriptor.dropFirst() == full })
            else { throw .unknown }
            (self.type, size) = (type, type.size)
            isBigEndian = order == ">" && size > 1
        }
    }

    private static let times = "dates and times are not read; give them as numbers: array.view('int64')"

    /// Letters that say a type by themselves.
    private static let letters: [Character: String] = {
        let long = MemoryLayout<CLong>.size
        return [
            "?": "b1", "b": "i1", "B": "u1", "h": "i2", "H": "u2", "i": "i4", "I": "u4", "l": "i\(long)",
            "L": "u\(long)",
            "q": "i8", "Q": "u8", "n": "i\(long)", "N": "u\(long)", "p": "i\(long)", "P": "u\(long)", "e": "f2",
            "f": "f4",
            "d": "f8", "g": "f16", "F": "c8", "D": "c16", "G": "c32",
        ]
    }()

    /// Names without a byte order.
    private static let names: [String: String] = [
        "bool": "?", "bool_": "?", "int8": "b", "byte": "b", "uint8": "B", "ubyte": "B", "int16": "h", "short": "h",
        "uint16": "H", "ushort": "H", "int32": "i", "intc": "i", "uint32": "I", "uintc": "I", "int64": "q",
        "longlong": "q",
        "uint64": "Q", "ulonglong": "Q", "int": "l", "int_": "l", "long": "l", "uint": "L", "ulong": "L", "intp": "p",
        "uintp": "P", "half": "e", "float16": "e", "float32": "f", "single": "f", "float": "d", "float64": "d",
        "double": "d",
        "longdouble": "g", "float128": "g", "complex64": "F", "csingle": "F", "complex": "D", "complex128": "D",
        "cdouble": "D", "clongdouble": "G", "complex256": "G", "str": "U", "str_": "U", "bytes": "S", "bytes_": "S",
        "object": "O", "object_": "O", "datetime64": "M", "timedelta64": "m",
    ]
}
