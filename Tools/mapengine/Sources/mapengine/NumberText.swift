import Glibc

/// Numbers as people and programs write them: C's own spellings, in no locale, and nothing else. A text has to be read to its end.
enum NumberText {
    enum Problem: Error {
        case isNone
        /// A number, but one that the type cannot hold.
        case tooLarge, tooSmall, outOfRange
    }

    /// The bytes without blanks around them.
    static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var rest = text
        while let first = rest.first, isBlank(first) { rest = rest.dropFirst() }
        while let last = rest.last, isBlank(last) { rest = rest.dropLast() }
        return rest
    }

    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    // MARK: Integers

    /// An integer: digits with a sign or none.
    static func integer<T: FixedWidthInteger>(_ text: ArraySlice<UInt8>) -> Result<T, Problem> {
        var digits = text
        let isNegative = digits.first == minus
        if isNegative || digits.first == plus { digits = digits.dropFirst() }
        guard !digits.isEmpty, digits.allSatisfy(isDigit) else { return .failure(.isNone) }
        var value: T = 0
        for digit in digits {
            let (tens, tooLarge) = value.multipliedReportingOverflow(by: 10)
            let one = T(truncatingIfNeeded: digit - zero)
            let (sum, tooMany) = isNegative ? tens.subtractingReportingOverflow(one) : tens.addingReportingOverflow(one)
            guard !tooLarge, !tooMany else { return .failure(.outOfRange) }
            value = sum
        }
        return .success(value)
    }

    // MARK: Real numbers

    static func real<T: TextReal>(_ text: ArraySlice<UInt8>) -> Result<T, Problem> {
        guard let found = scan(text), found.end == text.endIndex else { return .failure(.isNone) }
        return value(text, found)
    }

    /// `1+2j`, `2j`, `1`, also in parentheses, as Python and NumPy write it.
    static func complex<T: TextReal>(_ text: ArraySlice<UInt8>) -> Result<(T, T), Problem> {
        var text = text
        if text.first == UInt8(ascii: "("), text.last == UInt8(ascii: ")"), text.count > 2 {
            text = text.dropFirst().dropLast()
        }
        guard let first = scan(text) else { return .failure(.isNone) }
        let isAlone = first.end == text.endIndex
        let isImaginary = first.end == text.endIndex - 1 && isUnit(text[first.end])
        if isAlone || isImaginary {
            return value(text, first).map { isAlone ? ($0, 0) : (0, $0) }
        }
        guard text[first.end] == plus || text[first.end] == minus, let second = scan(text[first.end...]),
            second.end == text.endIndex - 1, isUnit(text[second.end])
        else { return .failure(.isNone) }
        return value(text[..<first.end], first).flatMap { real in
            value(text[first.end..<second.end], second).map { (real, $0) }
        }
    }

    /// What a number at the start of a text is.
    private struct Found {
        /// Behind its last byte.
        var end: Int
        /// It is inf or nan.
        var isSpecial = false
        /// All its digits are 0.
        var isZero = true
    }

    private static func scan(_ text: ArraySlice<UInt8>) -> Found? {
        var place = text.startIndex
        let end = text.endIndex
        if place < end, text[place] == plus || text[place] == minus { place += 1 }
        for word in ["infinity", "inf", "nan"]
        where text[place...].prefix(word.utf8.count).elementsEqual(word.utf8, by: { $0 | 0x20 == $1 }) {
            return Found(end: place + word.utf8.count, isSpecial: true)
        }
        let isHex = place + 1 < end && text[place] == zero && text[place + 1] | 0x20 == UInt8(ascii: "x")
        if isHex { place += 2 }
        var found = Found(end: place)
        var digits = 0
        var hasPoint = false
        while place < end {
            let byte = text[place]
            if byte == point, !hasPoint {
                hasPoint = true
            } else if isDigit(byte) || (isHex && (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)) {
                digits += 1
                if byte != zero { found.isZero = false }
            } else {
                break
            }
            place += 1
        }
        guard digits > 0 else { return nil }
        found.end = place
        if place < end, text[place] | 0x20 == UInt8(ascii: isHex ? "p" : "e") {
            var exponent = place + 1
            if exponent < end, text[exponent] == plus || text[exponent] == minus { exponent += 1 }
            let first = exponent
            while exponent < end, isDigit(text[exponent]) { exponent += 1 }
            if exponent > first { found.end = exponent }
        }
        return found
    }

    /// The number that was found at the start of a text. libc rounds it to the nearest; this program stays in the locale C.
    private static func value<T: TextReal>(_ text: ArraySlice<UInt8>, _ found: Found) -> Result<T, Problem> {
        let bytes = text[..<found.end]
        let value = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { copy in
            for (index, byte) in bytes.enumerated() { unsafe copy[index] = CChar(bitPattern: byte) }
            unsafe copy[bytes.count] = 0
            return unsafe T.read(copy.baseAddress!)
        }
        if !found.isSpecial {
            if value.isInfinite { return .failure(.tooLarge) }
            if value == 0, !found.isZero { return .failure(.tooSmall) }
        }
        return .success(value)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= zero && byte <= zero + 9 }
    private static func isUnit(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "j") || byte == UInt8(ascii: "i") }
    private static let zero = UInt8(ascii: "0")
    private static let plus = UInt8(ascii: "+")
    private static let minus = UInt8(ascii: "-")
    private static let point = UInt8(ascii: ".")
}

/// A real number that libc reads.
protocol TextReal: BinaryFloatingPoint, BitwiseCopyable {
    static func read(_ text: UnsafePointer<CChar>) -> Self
}

extension Float: TextReal {
    static func read(_ text: UnsafePointer<CChar>) -> Float { unsafe strtof(text, nil) }
}

extension Double: TextReal {
    static func read(_ text: UnsafePointer<CChar>) -> Double { unsafe strtod(text, nil) }
}

#if arch(x86_64)
    extension Float80: TextReal {
        static func read(_ text: UnsafePointer<CChar>) -> Float80 { unsafe strtold(text, nil) }
    }
#endif
