// A text of the host: bytes that end with a NUL in C, kept and handed on as they came.
//
// File names, environment variables and names of globals need not be UTF-8, and two of them that look the same need not
// be the same. A Swift String would repair the former and treat the latter as equal.

import CMapBridge

struct UserText: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral,
    ExpressibleByStringInterpolation
{
    let bytes: [UInt8]

    init(bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

    init(_ text: String) { bytes = Array(text.utf8) }

    init(stringLiteral text: String) { self.init(text) }

    /// The bytes before the NUL.
    init(_ text: UnsafePointer<CChar>) {
        let count = unsafe length(of: text)
        bytes = unsafe Array(UnsafeRawBufferPointer(start: text, count: count))
    }

    /// The same of an array that holds a NUL.
    init(array: [CChar]) { bytes = array.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) } }

    var isEmpty: Bool { bytes.isEmpty }

    /// For messages, which are UTF-8.
    var description: String { String(decoding: bytes, as: UTF8.self) }

    /// For C. The pointer is good inside `body`, which says so where it uses it.
    @safe func withCString<R, Failure: Error>(_ body: (UnsafePointer<CChar>) throws(Failure) -> R) throws(Failure) -> R
    {
        let text = CText(array: bytes)
        return try unsafe body(UnsafePointer(text.bytes))
    }

    static func + (a: UserText, b: UserText) -> UserText { UserText(bytes: a.bytes + b.bytes) }

    // MARK: - Paths

    /// Whether it names a file by folder and name, as for dlopen(3), and not by name alone.
    var hasFolder: Bool { bytes.contains(UInt8(ascii: "/")) }
    var isAbsolute: Bool { bytes.first == UInt8(ascii: "/") }

    /// The same file by a path from the root: the host may change its working directory before the path is used.
    func absolute(_ name: String) throws(MapError) -> UserText {
        if isEmpty { throw .argument(name, "is an empty text") }
        if isAbsolute { return self }
        let (current, why) = Files.currentFolder()
        guard why == 0 else {
            throw .argument(
                name,
                "is \"\(self)\", which is relative, and the working directory cannot be told: getcwd failed: \(SystemError.text(why))"
            )
        }
        return current.bytes.last == UInt8(ascii: "/") ? current + self : current + "/" + self
    }

    // MARK: - Environment

    /// What stands before the first "=".
    var variableName: ArraySlice<UInt8> { bytes.prefix { $0 != UInt8(ascii: "=") } }
}
