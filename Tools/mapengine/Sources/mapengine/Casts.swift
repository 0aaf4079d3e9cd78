/// `--cast`: numbers of one type as numbers of another, as C converts them: real numbers lose what is behind the point as integers,
/// and digits as shorter real numbers. What C would make another number of is refused: beyond the range, an integer with more
/// digits than a real number holds, a number other than 0 that would be 0.
extension ElementType {
    /// Appends an element of this type, converted to another. False when that cannot hold it.
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
        case .bool: putHeld(UInt8(integer == 0 ? 0 : 1), &bytes)
        case .int8: putHeld(Int8(exactly: integer), &bytes)
        case .uint8, .byte: putHeld(UInt8(exactly: integer), &bytes)
        case .int16: putHeld(Int16(exactly: integer), &bytes)
        case .uint16: putHeld(UInt16(exactly: integer), &bytes)
        case .int32: putHeld(Int32(exactly: integer), &bytes)
        case .uint32: putHeld(UInt32(exactly: integer), &bytes)
        case .int64: putHeld(Int64(exactly: integer), &bytes)
        case .uint64: putHeld(UInt64(exactly: integer), &bytes)
        case .float: putHeld(Float(exactly: integer), &bytes)
        case .double: putHeld(Double(exactly: integer), &bytes)
        case .longDouble: hasText && putHeld(LongDouble(exactly: integer), &bytes)
        case .complexFloat, .complexDouble, .complexLongDouble, .structure, .string: false
        }
    }

    private func append<T: BinaryFloatingPoint>(real: T, to bytes: inout [UInt8]) -> Bool {
        let whole = real.rounded(.towardZero)
        switch self {
        case .bool: return putHeld(UInt8(real == 0 ? 0 : 1), &bytes)
        case .int8: return putHeld(Int8(exactly: whole), &bytes)
        case .uint8, .byte: return putHeld(UInt8(exactly: whole), &bytes)
        case .int16: return putHeld(Int16(exactly: whole), &bytes)
        case .uint16: return putHeld(UInt16(exactly: whole), &bytes)
        case .int32: return putHeld(Int32(exactly: whole), &bytes)
        case .uint32: return putHeld(UInt32(exactly: whole), &bytes)
        case .int64: return putHeld(Int64(exactly: whole), &bytes)
        case .uint64: return putHeld(UInt64(exactly: whole), &bytes)
        case .float: return putHeld(shortened(real, Float.self), &bytes)
        case .double: return putHeld(shortened(real, Double.self), &bytes)
        case .longDouble: return hasText && putHeld(shortened(real, LongDouble.self), &bytes)
        case .complexFloat, .complexDouble, .complexLongDouble, .structure, .string: return false
        }
    }
}

/// The nearest number of another type; nil when that is infinite or 0, and the number is not.
private func shortened<From: BinaryFloatingPoint, To: BinaryFloatingPoint>(_ real: From, _ type: To.Type) -> To? {
    let nearest = To(real)
    return nearest.isInfinite != real.isInfinite || nearest.isZero != real.isZero ? nil : nearest
}

/// Appends a value's bytes; false when there is none.
private func putHeld<T: BitwiseCopyable>(_ value: T?, _ bytes: inout [UInt8]) -> Bool {
    guard let value else { return false }
    put(value, &bytes)
    return true
}
