#if arch(x86_64)
    /// C's long double here.
    typealias LongDouble = Float80
#else
    /// C's long double has 128 bits here, which Swift has no type for: it is read from and written to .npy files alone.
    typealias LongDouble = Double
#endif

/// Numbers as bytes and as texts.
extension ElementType {
    var hasText: Bool {
        #if arch(x86_64)
            self != .structure
        #else
            self != .structure && self != .longDouble && self != .complexLongDouble
        #endif
    }

    /// Appends the bytes of the number that the text is. False when it is none of this type.
    func append(_ text: Substring, to bytes: inout [UInt8]) -> Bool {
        switch self {
        case .bool:
            switch text {
            case "0", "false", "False": bytes.append(0)
            case "1", "true", "True": bytes.append(1)
            default: return false
            }
            return true
        case .int8: return put(Int8(text), &bytes)
        case .uint8, .byte: return put(UInt8(text), &bytes)
        case .int16: return put(Int16(text), &bytes)
        case .uint16: return put(UInt16(text), &bytes)
        case .int32: return put(Int32(text), &bytes)
        case .uint32: return put(UInt32(text), &bytes)
        case .int64: return put(Int64(text), &bytes)
        case .uint64: return put(UInt64(text), &bytes)
        case .float: return put(Float(text), &bytes)
        case .double: return put(Double(text), &bytes)
        case .longDouble: return hasText && put(LongDouble(text), &bytes)
        case .complexFloat, .complexDouble, .complexLongDouble, .structure, .string: return false
        }
    }

    /// The element as a text that reads back as the same number.
    func text(_ bytes: UnsafeRawBufferPointer) -> String {
        switch self {
        case .bool, .uint8, .byte: return unsafe get(UInt8.self, bytes).description
        case .int8: return unsafe get(Int8.self, bytes).description
        case .int16: return unsafe get(Int16.self, bytes).description
        case .uint16: return unsafe get(UInt16.self, bytes).description
        case .int32: return unsafe get(Int32.self, bytes).description
        case .uint32: return unsafe get(UInt32.self, bytes).description
        case .int64: return unsafe get(Int64.self, bytes).description
        case .uint64: return unsafe get(UInt64.self, bytes).description
        case .float: return unsafe get(Float.self, bytes).description
        case .double: return unsafe get(Double.self, bytes).description
        case .longDouble: return unsafe get(LongDouble.self, bytes).description
        case .complexFloat: return unsafe complex(.float, bytes)
        case .complexDouble: return unsafe complex(.double, bytes)
        case .complexLongDouble: return unsafe complex(.longDouble, bytes)
        case .structure, .string: return ""
        }
    }

    private func complex(_ part: ElementType, _ bytes: UnsafeRawBufferPointer) -> String {
        let real = unsafe part.text(UnsafeRawBufferPointer(rebasing: bytes[0..<part.size]))
        let imaginary = unsafe part.text(UnsafeRawBufferPointer(rebasing: bytes[part.size..<2 * part.size]))
        return imaginary.hasPrefix("-") ? "\(real)\(imaginary)j" : "\(real)+\(imaginary)j"
    }

    /// Appends an element of this type, converted to another as C does. False when it does not fit, or cannot be converted.
    func append(_ element: UnsafeRawBufferPointer, as other: ElementType, to bytes: inout [UInt8]) -> Bool {
        switch self {
        case .bool, .uint8, .byte: unsafe other.append(integer: get(UInt8.self, element), to: &bytes)
        case .int8: unsafe other.append(integer: get(Int8.self, element), to: &bytes)
        case .int16: unsafe other.append(integer: get(Int16.self, element), to: &bytes)
        case .uint16: unsafe other.append(integer: get(UInt16.self, element), to: &bytes)
        case .int32: unsafe other.append(integer: get(Int32.self, element), to: &bytes)
        case .uint32: unsafe other.append(integer: get(UInt32.self, element), to: &bytes)
        case .int64: unsafe other.append(integer: get(Int64.self, element), to: &bytes)
        case .uint64: unsafe other.append(integer: get(UInt64.self, element), to: &bytes)
        case .float: unsafe other.append(real: get(Float.self, element), to: &bytes)
        case .double: unsafe other.append(real: get(Double.self, element), to: &bytes)
        case .longDouble: unsafe hasText && other.append(real: get(LongDouble.self, element), to: &bytes)
        case .complexFloat, .complexDouble, .complexLongDouble, .structure, .string: false
        }
    }

    private func append<T: BinaryInteger>(integer: T, to bytes: inout [UInt8]) -> Bool {
        switch self {
        case .bool: put(UInt8(integer == 0 ? 0 : 1), &bytes)
        case .int8: put(Int8(exactly: integer), &bytes)
        case .uint8, .byte: put(UInt8(exactly: integer), &bytes)
        case .int16: put(Int16(exactly: integer), &bytes)
        case .uint16: put(UInt16(exactly: integer), &bytes)
        case .int32: put(Int32(exactly: integer), &bytes)
        case .uint32: put(UInt32(exactly: integer), &bytes)
        case .int64: put(Int64(exactly: integer), &bytes)
        case .uint64: put(UInt64(exactly: integer), &bytes)
        case .float: put(Float(integer), &bytes)
        case .double: put(Double(integer), &bytes)
        case .longDouble: hasText && put(LongDouble(integer), &bytes)
        case .complexFloat, .complexDouble, .complexLongDouble, .structure, .string: false
        }
    }

    private func append<T: BinaryFloatingPoint>(real: T, to bytes: inout [UInt8]) -> Bool {
        let whole = real.rounded(.towardZero)
        switch self {
        case .bool: return put(UInt8(real == 0 ? 0 : 1), &bytes)
        case .int8: return put(Int8(exactly: whole), &bytes)
        case .uint8, .byte: return put(UInt8(exactly: whole), &bytes)
        case .int16: return put(Int16(exactly: whole), &bytes)
        case .uint16: return put(UInt16(exactly: whole), &bytes)
        case .int32: return put(Int32(exactly: whole), &bytes)
        case .uint32: return put(UInt32(exactly: whole), &bytes)
        case .int64: return put(Int64(exactly: whole), &bytes)
        case .uint64: return put(UInt64(exactly: whole), &bytes)
        case .float: return put(Float(real), &bytes)
        case .double: return put(Double(real), &bytes)
        case .longDouble: return hasText && put(LongDouble(real), &bytes)
        case .complexFloat, .complexDouble, .complexLongDouble, .structure, .string: return false
        }
    }

    /// What stands in the place of a call that gave nothing: NaN, or zeros.
    var missing: [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .float: _ = put(Float.nan, &bytes)
        case .double: _ = put(Double.nan, &bytes)
        case .complexFloat: _ = put(Float.nan, &bytes) && put(Float.nan, &bytes)
        case .complexDouble: _ = put(Double.nan, &bytes) && put(Double.nan, &bytes)
        case .longDouble where hasText: _ = put(LongDouble.nan, &bytes)
        case .complexLongDouble where hasText: _ = put(LongDouble.nan, &bytes) && put(LongDouble.nan, &bytes)
        default: bytes = Array(repeating: 0, count: size)
        }
        return bytes
    }
}

/// Appends a value's bytes; false when there is none.
private func put<T: BitwiseCopyable>(_ value: T?, _ bytes: inout [UInt8]) -> Bool {
    guard let value else { return false }
    unsafe withUnsafeBytes(of: value) { unsafe bytes.append(contentsOf: $0) }
    return true
}

private func get<T: BitwiseCopyable>(_ type: T.Type, _ bytes: UnsafeRawBufferPointer) -> T {
    unsafe bytes.loadUnaligned(as: type)
}
