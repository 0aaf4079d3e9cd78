// Zygotes that cannot start: when the pool gives up, what it quotes of what they printed, and where their program is.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct ZygoteStartTests {
    /// How many starts there are when each ends so.
    private static func starts(byItself: Bool, after begun: Bool) -> Int {
        var brake = RestartBrake()
        if begun { brake.zygoteHasBegun() }
        var count = 1
        while brake.zygoteHasNotBegun(byItself: byItself) { count += 1 }
        return count
    }

    @Test func aProgramThatExitsAtOnceIsStartedOnce() {
        #expect(Self.starts(byItself: true, after: false) == 1)
        #expect(Self.starts(byItself: false, after: false) == 5)
        #expect(Self.starts(byItself: true, after: true) == 5)
        #expect(Self.starts(byItself: false, after: true) == 5)
    }

    @Test func aZygoteThatBeginsResetsTheCount() {
        var brake = RestartBrake()
        for _ in 0..<20 {
            for _ in 0..<4 {
                let isTriedAgain = brake.zygoteHasNotBegun(byItself: false)
                #expect(isTriedAgain)
            }
            brake.zygoteHasBegun()
        }
    }

    private static func quoted(_ bytes: [UInt8]) -> String? {
        let text = ZygoteErrors.quoted(bytes)
        let head = "; the last that it printed to standard error:\n"
        return text.hasPrefix(head) ? String(text.dropFirst(head.count)) : text.isEmpty ? nil : text
    }

    @Test func theEndOfWhatWasPrintedIsQuoted() {
        #expect(Self.quoted([]) == nil)
        #expect(Self.quoted(Array("\n\n".utf8)) == nil)
        #expect(Self.quoted(Array("one\n  two\n\n".utf8)) == "one\n  two")
        #expect(Self.quoted([0x61, 0, 0x62, 0xff, 0x63]) == "a?b\u{fffd}c")
        // Cut inside a character of two bytes, and of four.
        let two = Array(String(repeating: "\u{e9}", count: 4000).utf8)
        #expect(Self.quoted(Array(two.suffix(Policy.zygoteText))) == "..." + String(repeating: "\u{e9}", count: 2048))
        var four = Array(String(repeating: "\u{1f600}", count: 1100).utf8)
        four.append(0x78)
        #expect(Self.quoted(Array(four.suffix(Policy.zygoteText)))?.unicodeScalars.contains("\u{fffd}") == false)
    }

    @Test func aNameIsLookedForInPath() throws {
        #expect(
            try PoolConfig.ZygoteProgram.inPath("sh", ["HOME=/", "PATH=/nowhere:/etc:/bin", "PATH=/"]) == "/bin/sh")
        #expect(try PoolConfig.ZygoteProgram.inPath("sh", ["PATHS=/nowhere"]) == "/bin/sh")
        // A folder, and a file that cannot be run, are none.
        let error = mapError { try PoolConfig.ZygoteProgram.inPath("passwd", ["PATH=/etc"]) }
        #expect(error?.status == MAPE_E_SYSTEM.rawValue)
        #expect(error?.message.contains("\"passwd\" in PATH, which is \"/etc\"") == true)
        #expect(mapError { try PoolConfig.ZygoteProgram.inPath("etc", ["PATH=/"]) } != nil)
        #expect(mapError { try PoolConfig.ZygoteProgram.inPath("sh", ["PATH="]) } != nil)
    }

    @Test func aMarkBesideTicketZeroIsTheHook() {
        #expect(BlameMark(1).isInHook)
        #expect(!BlameMark(0).isInHook)
        #expect(!BlameMark(1 << 32 | 1).isInHook)
        #expect(BlameMark(1).stage(in: 1) == nil)
    }
}
