// What a zygote prints to its standard error: the end of it is kept for messages.
//
//   zygote's program ──pipe──► engine thread ──► `last`, for the message of a zygote that cannot start
//                                           └──► the host's own standard error; or events, where output is captured
//
// The host's standard error is sent along (MAPB_CONTROL_STDERR), and becomes the zygote's own when that begins; the pipe ends then. Where
// output is captured it stays. The engine thread alone uses this.

import CMapBridge

final class ZygoteErrors {
    private let pipe: Descriptor
    /// Where it is copied to, unless it is captured.
    private let screen: Descriptor
    private let isCaptured: Bool
    private(set) var last: [UInt8] = []
    /// The bytes of a character whose others have not come yet, of captured text.
    private var partial: [UInt8] = []
    private(set) var hasEnded = false

    var file: Int32 { pipe.number }

    init(pipe: consuming Descriptor, screen: consuming Descriptor, isCaptured: Bool) {
        self.pipe = pipe
        self.screen = screen
        self.isCaptured = isCaptured
    }

    /// Reads what is there. Returns what is to be told to the host, whole characters.
    func read() -> [UInt8] {
        var text = partial
        partial = []
        var bytes = [UInt8](repeating: 0, count: 65536)
        // Bounded: who prints without end does not keep the reader.
        for _ in 0..<16 where !hasEnded {
            let got = Files.read(file, &bytes)
            if got == -Int(SystemError.again) { break }
            if got <= 0 {
                hasEnded = true
                break
            }
            keep(bytes[..<got])
            if isCaptured {
                text += bytes[..<got]
            } else {
                unsafe mapb_write_what_goes(screen.number, bytes, UInt64(got))
            }
        }
        let whole = hasEnded ? text.count : wholeCharacters(text)
        partial = Array(text[whole...])
        return Array(text[..<whole])
    }

    private func keep(_ more: ArraySlice<UInt8>) {
        last += more.suffix(Policy.zygoteText)
        if last.count > Policy.zygoteText { last.removeFirst(last.count - Policy.zygoteText) }
    }

    /// For a message: lines as they came, other bytes than UTF-8 replaced; "" when nothing was printed.
    var quoted: String { Self.quoted(last) }

    static func quoted(_ bytes: [UInt8]) -> String {
        // What was cut may begin inside a character.
        let isCut = bytes.count >= Policy.zygoteText
        let whole = isCut ? bytes.drop { $0 & 0xc0 == 0x80 } : bytes[...]
        let ends = whole.reversed().drop { $0 == UInt8(ascii: "\n") || $0 == 0 }.reversed()
        if ends.isEmpty { return "" }
        let text = String(decoding: ends.map { $0 == 0 ? UInt8(ascii: "?") : $0 }, as: UTF8.self)
        return "; the last that it printed to standard error:\n" + (isCut ? "..." : "") + text
    }
}
