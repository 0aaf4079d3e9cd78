// Texts of the host as bytes, and texts cut between characters.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct TextTests {
    /// Bytes, and how many of them are whole.
    static let cuts: [([UInt8], Int)] = [
        ([], 0), ([0x61], 1), ([0x61, 0x62], 2),
        ([0xc3], 0), ([0x61, 0xc3], 1), ([0xc3, 0xa9], 2), ([0xc3, 0xa9, 0xc3], 2),
        ([0xe2], 0), ([0xe2, 0x82], 0), ([0xe2, 0x82, 0xac], 3), ([0x61, 0xe2, 0x82], 1),
        ([0xf0], 0), ([0xf0, 0x9f], 0), ([0xf0, 0x9f, 0x98], 0), ([0xf0, 0x9f, 0x98, 0x80], 4),
        ([0x61, 0xf0, 0x9f, 0x98], 1),
        // No UTF-8: stays.
        ([0x80], 1), ([0x61, 0x80, 0x80], 3), ([0x80, 0x80, 0x80, 0x80], 4), ([0xff], 1), ([0xfe, 0xff], 2),
        ([0xc0], 1),
        ([0xc1], 1), ([0xf5, 0x80], 2), ([0xc3, 0xa9, 0x80], 3), ([0xe9, 0x61], 2),
    ]

    @Test(arguments: cuts) func whatIsWhole(bytes: [UInt8], whole: Int) { #expect(wholeCharacters(bytes) == whole) }

    /// Cut at each place, a text is what whole characters of it fit.
    @Test func cutsFallBetweenCharacters() {
        let text = "a\u{e9}\u{20ac}\u{1f600}z\u{10ffff}\u{7ff}\u{800}"
        let bytes = Array(text.utf8)
        var ends: [Int] = [0]
        for scalar in text.unicodeScalars { ends.append(ends.last! + scalar.utf8.count) }
        let c = CText(text)
        for limit in 0...bytes.count + 3 {
            let best = ends.last { $0 <= limit }!
            #expect(mapb_length(c.bytes, UInt64(limit)) == UInt64(best))
            #expect(wholeCharacters(Array(bytes.prefix(limit))) == best)
        }
        // A text that ends by itself, with the beginning of a character, is not cut.
        let open = CText(array: [0x61, 0xe2, 0x82])
        #expect(mapb_length(open.bytes, 3) == 3 && mapb_length(open.bytes, 9) == 3 && mapb_length(open.bytes, 2) == 1)
    }

    @Test func whatSnprintfCutEndsWithAWholeCharacter() {
        for room in 1...8 {
            let text = CText(array: Array(repeating: 0, count: 8))
            let whole = Array("ab\u{20ac}".utf8)
            // As snprintf does.
            for i in 0..<room { text.bytes[i] = i < room - 1 && i < whole.count ? CChar(bitPattern: whole[i]) : 0 }
            mapb_cut(text.bytes, UInt64(room), Int32(whole.count))
            #expect(strlen(text.bytes) == (room >= 6 ? 5 : min(room - 1, 2)))
        }
    }

    @Test func textsOfTheHostAreBytes() {
        let latin = UserText(array: [0x63, CChar(bitPattern: 0xe9), 0])
        #expect(latin.bytes == [0x63, 0xe9] && latin.description == "c\u{fffd}")
        let composed = UserText("\u{e9}"), decomposed = UserText("e\u{301}")
        // Equal as texts of Swift, but two names.
        #expect("\u{e9}" == "e\u{301}" && composed != decomposed)
        #expect(latin.withCString { UserText($0) } == latin)
        #expect(Array(UserText("a=b=c").variableName) == Array("a".utf8))
        #expect(Array(UserText("a=\u{301}").variableName) == Array("a".utf8))
        #expect(Array(UserText("a").variableName) == Array("a".utf8))
    }

    @Test func pathsAreNamedFromTheRoot() throws {
        let here = try #require(getcwd(nil, 0))
        defer { free(here) }
        let folder = UserText(UnsafePointer(here))
        #expect(try UserText("/a/b").absolute("x") == "/a/b")
        #expect(try UserText("./a").absolute("x") == (folder == "/" ? "/./a" : folder + "/./a"))
        #expect(try UserText("a").absolute("x").isAbsolute)
        #expect(UserText("a/b").hasFolder && !UserText("libm.so.6").hasFolder)
        #expect(
            mapError { try UserText("").absolute("config.zygote_path") }?.message
                == "config.zygote_path is an empty text")
    }
}
