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

    /// Appends the bytes of the number that the text is.
    func append(_ text: ArraySlice<UInt8>, to bytes: inout [UInt8]) throws(NumberText.Problem) {
        let text = NumberText.trimmed(text)
        switch self {
        case .bool:
            switch String(decoding: text, as: UTF8.self).lowercased() {
            case "0", "false": bytes.append(0)
            case "1", "true": bytes.append(1)
            default: throw .isNone
            }
        case .int8: try putInteger(Int8.self, text, &bytes)
        case .uint8, .byte: try putInteger(UInt8.self, text, &bytes)
        case .int16: try putInteger(Int16.self, text, &bytes)
        case .uint16: try putInteger(UInt16.self, text, &bytes)
        case .int32: try putInteger(Int32.self, text, &bytes)
        case .uint32: try putInteger(UInt32.self, text, &bytes)
        case .int64: try putInteger(Int64.self, text, &bytes)
        case .uint64: try putInteger(UInt64.self, text, &bytes)
        case .float: try putReal(Float.self, text, &bytes)
        case .double: try putReal(Double.self, text, &bytes)
        case .longDouble where hasText: try putReal(LongDouble.self, text, &bytes)
        case .complexFloat: try putComplex(Float.self, text, &bytes)
        case .complexDouble: try putComplex(Double.self, text, &bytes)
        case .complexLongDouble where hasText: try putComplex(LongDouble.self, text, &bytes)
        case .longDouble, .complexLongDouble, .structure, .string: throw .isNone
        }
    }

    /// What is wrong with a text, in words.
    func explain(_ text: ArraySlice<UInt8>, _ problem: NumberText.Problem) -> String {
        let trimmed = NumberText.trimmed(text)
        if trimmed.isEmpty { return "an empty field is no \(numpyName)" }
        let shown = "'\(String(shown: text))'"
        switch problem {
        case .isNone:
            let hint = trimmed.contains(UInt8(ascii: ",")) && isFloating ? "; decimals stand behind a point" : ""
            return "\(shown) is no \(numpyName)\(hint)"
        case .tooLarge: return "\(shown) is too large for a \(numpyName)"
        case .tooSmall: return "\(shown) is too small for a \(numpyName), in which it would be 0"
        case .outOfRange: return "\(shown) is out of the range of \(numpyName)"
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

    /// What stands in the place of a call that gave nothing: NaN, or zeros.
    var missing: [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .float: put(Float.nan, &bytes)
        case .double: put(Double.nan, &bytes)
        case .complexFloat: put((Float.nan, Float.nan), &bytes)
        case .complexDouble: put((Double.nan, Double.nan), &bytes)
        case .longDouble where hasText: put(LongDouble.nan, &bytes)
        case .complexLongDouble where hasText: put((LongDouble.nan, LongDouble.nan), &bytes)
        default: bytes = Array(repeating: 0, count: size)
        }
        return bytes
    }
}

/// Appends a value's bytes.
func put<T: BitwiseCopyable>(_ value: T, _ bytes: inout [UInt8]) {
    unsafe withUnsafeBytes(of: value) { unsafe bytes.append(contentsOf: $0) }
}

func get<T: BitwiseCopyable>(_ type: T.Type, _ bytes: UnsafeRawBufferPointer) -> T {
    unsafe bytes.loadUnaligned(as: type)
}

private func putInteger<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type, _ text: ArraySlice<UInt8>, _ bytes: inout [UInt8]
) throws(NumberText.Problem) {
    put(try (NumberText.integer(text) as Result<T, NumberText.Problem>).get(), &bytes)
}

private func putReal<T: TextReal>(
    _ type: T.Type, _ text: ArraySlice<UInt8>, _ bytes: inout [UInt8]
) throws(NumberText.Problem) {
    put(try (NumberText.real(text) as Result<T, NumberText.Problem>).get(), &bytes)
}

private func putComplex<T: TextReal>(
    _ type: T.Type, _ text: ArraySlice<UInt8>, _ bytes: inout [UInt8]
) throws(NumberText.Problem) {
    let value = try (NumberText.complex(text) as Result<(T, T), NumberText.Problem>).get()
    put(value.0, &bytes)
    put(value.1, &bytes)
}
