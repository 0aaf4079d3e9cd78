import Glibc

// What users give (words of the command line, names of files, fields of their data) is bytes, in whatever encoding; a String cannot
// hold those that are no UTF-8, and compares and splits by characters, of which a combining mark makes another. So each byte
// above 127 stands in a String of ours as one scalar of its own, from the last private plane, and is a byte again when it leaves.

/// What is added to a byte above 127.
private let plane: UInt32 = 0x100000

extension String {
    /// Bytes, as they are.
    init(raw bytes: some Sequence<UInt8>) {
        var scalars = UnicodeScalarView()
        for byte in bytes { scalars.append(String.scalar(of: byte)) }
        self.init(scalars)
    }

    /// A text of C, as it is; empty for NULL.
    init(raw text: UnsafePointer<CChar>?) {
        guard let text = unsafe text else {
            self = ""
            return
        }
        unsafe self.init(raw: UnsafeRawBufferPointer(start: text, count: strlen(text)))
    }

    private static func scalar(of byte: UInt8) -> Unicode.Scalar {
        byte < 0x80 ? Unicode.Scalar(byte) : Unicode.Scalar(plane + UInt32(byte)) ?? "?"
    }

    /// The bytes that it was made of. What was written in the source of this program is UTF-8.
    var raw: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(utf8.count)
        for scalar in unicodeScalars {
            if scalar.value >= plane + 0x80, scalar.value <= plane + 0xFF {
                bytes.append(UInt8(scalar.value - plane))
            } else {
                bytes.append(contentsOf: scalar.utf8)
            }
        }
        return bytes
    }

    /// For C.
    func withRaw<T>(_ body: (UnsafePointer<CChar>) throws -> T) rethrows -> T {
        try unsafe (raw + [0]).withUnsafeBytes { bytes in
            try unsafe body(bytes.baseAddress!.assumingMemoryBound(to: CChar.self))
        }
    }

    /// Bytes as a message shows them: at most 60 of them, and those that would harm a terminal as `\x00`.
    init(shown bytes: some Collection<UInt8>) {
        self = ""
        for byte in bytes.prefix(60) {
            if byte < 0x20 || byte == 0x7F {
                self += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            } else {
                unicodeScalars.append(String.scalar(of: byte))
            }
        }
        if bytes.count > 60 { self += "..." }
    }
}

/// Words of the command line as they were given.
func givenWords() -> [String] {
    (0..<Int(CommandLine.argc)).dropFirst().map { unsafe String(raw: CommandLine.unsafeArgv[$0]) }
}
