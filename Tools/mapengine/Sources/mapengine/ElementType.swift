import CMapEngine

/// The types of elements, with the numbers of the header's `enum mape_type`.
enum ElementType: UInt32 {
    case bool = 1
    case int8, uint8, int16, uint16, int32, uint32, int64, uint64
    case float, double, longDouble
    case complexFloat, complexDouble, complexLongDouble
    case structure, string, byte

    /// Bytes of an element; 1 for texts, whose length is told apart.
    var size: Int {
        switch self {
        case .bool, .int8, .uint8, .string, .byte, .structure: 1
        case .int16, .uint16: 2
        case .int32, .uint32, .float: 4
        case .int64, .uint64, .double, .complexFloat: 8
        case .longDouble, .complexDouble: 16
        case .complexLongDouble: 32
        }
    }

    /// NumPy's name for it, as in `numpy.dtype('float64')`.
    var numpyName: String {
        switch self {
        case .bool: "bool"
        case .int8: "int8"
        case .uint8, .byte: "uint8"
        case .int16: "int16"
        case .uint16: "uint16"
        case .int32: "int32"
        case .uint32: "uint32"
        case .int64: "int64"
        case .uint64: "uint64"
        case .float: "float32"
        case .double: "float64"
        case .longDouble: "longdouble"
        case .complexFloat: "complex64"
        case .complexDouble: "complex128"
        case .complexLongDouble: "clongdouble"
        case .structure: "structure"
        case .string: "text"
        }
    }

    /// How a .npy file's header names it, see numpy.lib.format.
    var descriptor: String {
        let kind =
            switch self {
            case .bool: "b"
            case .int8, .int16, .int32, .int64: "i"
            case .uint8, .uint16, .uint32, .uint64, .byte: "u"
            case .float, .double, .longDouble: "f"
            case .complexFloat, .complexDouble, .complexLongDouble: "c"
            case .string: "S"
            case .structure: "V"
            }
        return (size == 1 ? "|" : "<") + kind + String(size)
    }

    static let readable: [ElementType] = [
        .bool, .int8, .uint8, .int16, .uint16, .int32, .uint32, .int64, .uint64, .float, .double, .longDouble,
        .complexFloat, .complexDouble, .complexLongDouble,
    ]

    var isFloating: Bool {
        switch self {
        case .float, .double, .longDouble, .complexFloat, .complexDouble, .complexLongDouble: true
        default: false
        }
    }

    var isComplex: Bool {
        switch self {
        case .complexFloat, .complexDouble, .complexLongDouble: true
        default: false
        }
    }

    /// Bytes are unsigned numbers of 8 bits.
    var stored: ElementType { self == .byte ? .uint8 : self }
}
