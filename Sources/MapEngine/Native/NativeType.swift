// The types of a typed function's inputs and outputs, with their sizes in C on this machine.

import CMapBridge

/// A number, a structure, or the byte of `void *data [size]`.
final class NativeType: Sendable {
    struct Member: Sendable {
        let name: String
        let type: NativeType
        /// Elements of an array; 1 for a single one.
        let count: UInt64
        let isArray: Bool
    }

    let kind: mape_type
    let size: UInt64
    let alignment: UInt64
    let members: [Member]
    /// As C has it.
    let spelling: String

    init(_ kind: mape_type, size: Int, alignment: Int, _ spelling: String) {
        self.kind = kind
        self.size = UInt64(size)
        self.alignment = UInt64(alignment)
        self.spelling = spelling
        members = []
    }

    /// A structure, laid out as C does it (System V ABI, "Aggregates and Unions").
    init(members: [Member]) {
        kind = MAPE_TYPE_STRUCT
        var end: UInt64 = 0
        var strictest: UInt64 = 1
        for member in members {
            end = aligned(end, member.type.alignment) + member.type.size * member.count
            strictest = max(strictest, member.type.alignment)
        }
        size = aligned(end, strictest)
        alignment = strictest
        self.members = members
        spelling =
            "{"
            + members.map { "\($0.type.spelling) \($0.name)" + ($0.isArray ? "[\($0.count)]" : "") + ";" }
            .joined(separator: " ") + "}"
    }

    var isInteger: Bool { kind.rawValue >= MAPE_TYPE_INT8.rawValue && kind.rawValue <= MAPE_TYPE_UINT64.rawValue }

    /// Types that C passes as larger ones behind the dots of a variadic function, and as which.
    var promoted: String? {
        switch kind {
        case MAPE_TYPE_FLOAT: "double"
        case MAPE_TYPE_BOOL, MAPE_TYPE_INT8, MAPE_TYPE_UINT8, MAPE_TYPE_INT16, MAPE_TYPE_UINT16: "int"
        default: nil
        }
    }

    static let bool = NativeType(MAPE_TYPE_BOOL, size: 1, alignment: 1, "_Bool")
    static let float = NativeType(MAPE_TYPE_FLOAT, size: 4, alignment: 4, "float")
    static let double = NativeType(MAPE_TYPE_DOUBLE, size: 8, alignment: 8, "double")
    static let longDouble = NativeType(MAPE_TYPE_LONG_DOUBLE, size: 16, alignment: 16, "long double")
    static let complexFloat = NativeType(MAPE_TYPE_COMPLEX_FLOAT, size: 8, alignment: 4, "float _Complex")
    static let complexDouble = NativeType(MAPE_TYPE_COMPLEX_DOUBLE, size: 16, alignment: 8, "double _Complex")
    static let complexLongDouble = NativeType(
        MAPE_TYPE_COMPLEX_LONG_DOUBLE, size: 32, alignment: 16, "long double _Complex")
    static let byte = NativeType(MAPE_TYPE_BYTE, size: 1, alignment: 1, "void")

    /// An integer of 8, 16, 32 or 64 bits.
    static func integer(_ bits: Int, signed: Bool, _ spelling: String) -> NativeType {
        let kind =
            switch bits {
            case 8: signed ? MAPE_TYPE_INT8 : MAPE_TYPE_UINT8
            case 16: signed ? MAPE_TYPE_INT16 : MAPE_TYPE_UINT16
            case 32: signed ? MAPE_TYPE_INT32 : MAPE_TYPE_UINT32
            default: signed ? MAPE_TYPE_INT64 : MAPE_TYPE_UINT64
            }
        return NativeType(kind, size: bits / 8, alignment: bits / 8, spelling)
    }

    /// Whether `char` is signed here.
    static let charIsSigned = CChar.min < 0

    /// Numbers that C's headers have names for, as they are on this machine: host_native_names.c.
    static let named: [String: NativeType] = {
        var types: [String: NativeType] = ["bool": bool]
        var count: UInt32 = 0
        let first = unsafe mapb_type_names(&count)
        for i in 0..<Int(count) {
            let name = unsafe first![i]
            let text = unsafe String(cString: name.name)
            types[text] = integer(Int(name.size) * 8, signed: name.is_signed != 0, text)
        }
        return types
    }()

    /// Whether C takes both for one type, so that a name can be declared for each. A structure is only what it is itself.
    func isSame(as other: NativeType) -> Bool {
        if self === other { return true }
        return kind == other.kind && kind != MAPE_TYPE_STRUCT && (self === Self.plainChar) == (other === Self.plainChar)
    }
}

/// The next multiple of an alignment.
func aligned(_ offset: UInt64, _ alignment: UInt64) -> UInt64 { (offset + alignment - 1) / alignment * alignment }

extension mape_type {
    /// For messages.
    var text: String {
        switch self {
        case MAPE_TYPE_BOOL: "_Bool"
        case MAPE_TYPE_INT8: "int8"
        case MAPE_TYPE_UINT8: "uint8"
        case MAPE_TYPE_INT16: "int16"
        case MAPE_TYPE_UINT16: "uint16"
        case MAPE_TYPE_INT32: "int32"
        case MAPE_TYPE_UINT32: "uint32"
        case MAPE_TYPE_INT64: "int64"
        case MAPE_TYPE_UINT64: "uint64"
        case MAPE_TYPE_FLOAT: "float"
        case MAPE_TYPE_DOUBLE: "double"
        case MAPE_TYPE_LONG_DOUBLE: "long double"
        case MAPE_TYPE_COMPLEX_FLOAT: "float _Complex"
        case MAPE_TYPE_COMPLEX_DOUBLE: "double _Complex"
        case MAPE_TYPE_COMPLEX_LONG_DOUBLE: "long double _Complex"
        case MAPE_TYPE_STRUCT: "structure"
        case MAPE_TYPE_STRING: "text"
        case MAPE_TYPE_BYTE: "byte"
        default: "type \(rawValue)"
        }
    }
}

/// An integer of a type, or nil when it is negative.
func integer(at place: UnsafeRawPointer, _ kind: mape_type) -> UInt64? {
    func read<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> UInt64? {
        UInt64(exactly: unsafe place.loadUnaligned(as: type))
    }
    return switch kind {
    case MAPE_TYPE_INT8: read(Int8.self)
    case MAPE_TYPE_UINT8: read(UInt8.self)
    case MAPE_TYPE_INT16: read(Int16.self)
    case MAPE_TYPE_UINT16: read(UInt16.self)
    case MAPE_TYPE_INT32: read(Int32.self)
    case MAPE_TYPE_UINT32: read(UInt32.self)
    case MAPE_TYPE_INT64: read(Int64.self)
    default: read(UInt64.self)
    }
}
