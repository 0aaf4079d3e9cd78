import Testing

@testable import MapEngine

@Suite struct LineTests {
    @Test(arguments: [
        ("", 0), ("a", 0), ("\n", 1), ("a\n", 2), ("a\nb", 2), ("a\nb\nc", 4), ("\n\n", 2), ("a\r\n", 3),
    ])
    func whatIsBehindTheLastLineFeedWaits(text: String, whole: Int) {
        #expect(wholeLines(Array(text.utf8)) == whole)
    }

    @Test func aLongLineDoesNotWait() {
        let line = [UInt8](repeating: 0x61, count: Policy.longestLine)
        #expect(wholeLines(Array(line.dropLast())) == 0)
        #expect(wholeLines(line) == line.count)
        #expect(wholeLines([0x61, 10] + line.dropLast()) == 2)
        // It is cut between characters.
        #expect(wholeLines(line.dropLast() + [0xc3]) == line.count - 1)
    }
}
