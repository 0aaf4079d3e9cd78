// Texts that were written by somebody else, made fit to be shown.

/// A text of bytes that are not trusted: invalid UTF-8, control characters, and characters that change how others are shown become
/// U+FFFD. Ends at the first NUL.
func printable(_ bytes: some Sequence<UInt8>) -> String {
    var text = String.UnicodeScalarView()
    for scalar in String(decoding: Array(bytes.prefix { $0 != 0 }), as: UTF8.self).unicodeScalars {
        text.append(isShown(scalar) ? scalar : "\u{FFFD}")
    }
    return String(text)
}

/// The lines of such bytes; NULs are left out, and so are empty lines at the end.
func printableLines(_ bytes: [UInt8]) -> [String] {
    var lines: [String] = []
    for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
        lines.append(printable(line.lazy.filter { $0 != 0 }))
    }
    while lines.last?.isEmpty == true { lines.removeLast() }
    return lines
}

/// Control characters (C0, DEL, C1), line and paragraph separators, marks that turn or hide text, and those without a character are not.
private func isShown(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0xAD, 0x061C, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF,
        0xFFF9...0xFFFB,
        0xE0000...0xE0FFF:
        return false
    default: return true
    }
}

/// 0x and lower-case digits.
func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

/// The last part of a path.
func fileName(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }
