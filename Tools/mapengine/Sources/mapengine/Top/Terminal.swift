import CKernel
import Glibc

/// A terminal that a screen is drawn on, by the few sequences that all of them know. A few lines of ours: a library for it (ncurses) would be linked
/// in, with its data base of terminals, for what these do.
final class Terminal {
    enum Style {
        case plain, title, faint, bad, good, chosen
    }

    struct Line {
        var text: String
        var style = Style.plain
    }

    enum Key: Equatable {
        case sign(Character)
        case up, down, pageUp, pageDown, home, end, enter, escape
    }

    private let hasColours: Bool
    /// Whether it shows signs that are not ASCII.
    let isUnicode: Bool

    /// Nil: standard input or output is no terminal, or one that only prints.
    init?() {
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1, Terminal.variable("TERM") != "dumb",
            !Terminal.variable("TERM").isEmpty, terminal_begin() == 0
        else { return nil }
        hasColours = Terminal.variable("NO_COLOR").isEmpty
        let names = ["LC_ALL", "LC_CTYPE", "LANG"].map(Terminal.variable)
        let locale = names.first { !$0.isEmpty } ?? ""
        isUnicode = locale.lowercased().contains("utf-8") || locale.lowercased().contains("utf8")
        // The other screen, so that what was there comes back; no cursor.
        writeAll("\u{1B}[?1049h\u{1B}[?25l", to: STDOUT_FILENO)
    }

    deinit {
        writeAll("\u{1B}[?25h\u{1B}[?1049l", to: STDOUT_FILENO)
        terminal_end()
    }

    private static func variable(_ name: String) -> String {
        unsafe getenv(name).map { unsafe String(cString: $0) } ?? ""
    }

    var size: (columns: Int, rows: Int) {
        var (columns, rows): (Int32, Int32) = (80, 24)
        return unsafe terminal_size(&columns, &rows) == 0 ? (Int(columns), Int(rows)) : (80, 24)
    }

    /// Draws all of it anew; false: nobody sees it any more.
    func draw(_ lines: [Line]) -> Bool {
        let (columns, rows) = size
        var text = "\u{1B}[H"
        for (i, line) in lines.prefix(rows).enumerated() {
            let fitted = TopTable.fit(isUnicode ? line.text : ascii(line.text), columns)
            text += sequence(line.style) + fitted + "\u{1B}[K" + (line.style == .plain || !hasColours ? "" : "\u{1B}[m")
            if i < min(lines.count, rows) - 1 { text += "\r\n" }
        }
        return writeAll(text + "\u{1B}[J", to: STDOUT_FILENO)
    }

    private func sequence(_ style: Style) -> String {
        guard hasColours else { return "" }
        return switch style {
        case .plain: ""
        case .title: "\u{1B}[1m"
        case .faint: "\u{1B}[2m"
        case .bad: "\u{1B}[31m"
        case .good: "\u{1B}[32m"
        case .chosen: "\u{1B}[7m"
        }
    }

    private func ascii(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.isASCII ? $0 : "?" }))
    }

    /// The keys that come within so many milliseconds; nil: none will come any more.
    func keys(_ milliseconds: Int) -> [Key]? {
        var bytes = [CChar](repeating: 0, count: 64)
        let count = unsafe terminal_keys(&bytes, bytes.count, Int32(milliseconds))
        if count < 0 { return nil }
        return Terminal.keys(of: bytes.prefix(Int(count)).map { UInt8(bitPattern: $0) }[...])
    }

    /// A key that sends several bytes sends them at once.
    static func keys(of bytes: ArraySlice<UInt8>) -> [Key] {
        var (keys, rest): ([Key], ArraySlice<UInt8>) = ([], bytes)
        let sequences: [(String, Key)] = [
            ("\u{1B}[A", .up), ("\u{1B}OA", .up), ("\u{1B}[B", .down), ("\u{1B}OB", .down), ("\u{1B}[5~", .pageUp),
            ("\u{1B}[6~", .pageDown),
            ("\u{1B}[H", .home), ("\u{1B}[1~", .home), ("\u{1B}[F", .end), ("\u{1B}[4~", .end),
        ]
        while let first = rest.first {
            if let (text, key) = sequences.first(where: { rest.starts(with: Array($0.0.utf8)) }) {
                keys.append(key)
                rest = rest.dropFirst(text.utf8.count)
                continue
            }
            rest = rest.dropFirst()
            switch first {
            case 0x1B:
                keys.append(.escape)
                // What follows belongs to a key that is not known.
                if rest.first == UInt8(ascii: "[") || rest.first == UInt8(ascii: "O") {
                    keys.removeLast()
                    while let next = rest.first {
                        rest = rest.dropFirst()
                        if next != UInt8(ascii: "["), (0x40...0x7E).contains(next) { break }
                    }
                }
            case 0x0A, 0x0D: keys.append(.enter)
            case 0x20...0x7E: keys.append(.sign(Character(Unicode.Scalar(first))))
            default: break
            }
        }
        return keys
    }
}
