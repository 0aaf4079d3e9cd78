import CPools
import Glibc

/// Memory of another process, read from where it is. What it says may be anything, and change while it is read: each read is a copy, and one
/// that passes the end is nil.
final class SharedFile {
    /// Why memory is not looked at.
    enum Refusal: Error {
        case gone
        /// No memory that pools make: it could be cut while it is read, or is another user's.
        case notSealed
    }

    private let number: Int32
    let device: UInt64
    let inode: UInt64
    let size: UInt64

    /// - file: a descriptor of that process.
    init(process: Int32, file: Int32) throws(Refusal) {
        var found = pools_file()
        let number = unsafe pools_open(process, file, &found)
        guard number >= 0 else { throw number == -ESTALE ? .notSealed : .gone }
        self.number = number
        (device, inode, size) = (found.device, found.inode, found.size)
    }

    deinit { close(number) }

    /// Bytes that have pages.
    var used: UInt64 {
        var found = pools_file()
        return unsafe pools_look(number, &found) == 0 ? found.used : 0
    }

    /// A structure of C, whose every pattern of bits is a value.
    func read<T: BitwiseCopyable>(_ start: T, at offset: UInt64) -> T? {
        var value = start
        guard offset <= size, UInt64(MemoryLayout<T>.size) <= size - offset,
            unsafe pools_read(number, &value, MemoryLayout<T>.size, offset) == 0
        else { return nil }
        return value
    }

    func word(at offset: UInt64) -> UInt64? { read(UInt64(0), at: offset) }

    /// A text that ends with NUL, or is cut.
    func text(at offset: UInt64, most: Int) -> String? {
        guard offset < size else { return nil }
        let count = Int(min(UInt64(most), size - offset))
        var bytes = [UInt8](repeating: 0, count: count)
        guard unsafe pools_read(number, &bytes, count, offset) == 0 else { return nil }
        return shown(bytes.prefix { $0 != 0 })
    }
}

/// A text of another process, without what a terminal would take for a command.
func shown(_ bytes: some Sequence<UInt8>) -> String {
    var text = String.UnicodeScalarView()
    for scalar in String(decoding: Array(bytes), as: UTF8.self).unicodeScalars {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned:
            text.append("\u{FFFD}")
        default: text.append(scalar)
        }
    }
    return String(text)
}

/// The same of an array of C.
func shown<T>(fixed array: T) -> String {
    unsafe withUnsafeBytes(of: array) { bytes in unsafe shown(Array(bytes).prefix { $0 != 0 }) }
}
