// Crash files: what is written is read again, and nothing else is.

import CMapBridge
import Testing

@testable import MapEngine

@Suite struct CrashFileTests {
    static func sample() -> CrashFile {
        var file = CrashFile()
        file.report = "worker 1 (process 4711) was ended by SIGSEGV\n#0 shade\n"
        file.function.name = "shade"
        file.process.folder = "/home/somebody"
        file.item.index = 17
        file.item.job = 3
        file.item.items = 100
        file.item.chunk = 10
        file.death.worker = 1
        file.death.workerPid = 4711
        file.death.hostPid = 4000
        file.death.signal = 11
        file.item.state = UInt64(MAPE_ITEM_CRASHED.rawValue)
        file.function.number = 2
        file.function.isRange = true
        file.item.hasSpans = true
        file.function.hasData = true
        file.item.stride = 24
        file.process.memoryLimit = 1 << 30
        file.item.offset = 64
        file.function.run = .init(kind: .offset, offset: 0x1234, buildID: [1, 2, 3], library: "/opt/libshade.so")
        file.function.setup = .init(kind: .symbol, library: "/opt/libshade.so", text: "shade_open")
        file.function.cleanup = .init(kind: .unreachable, text: "lives in the host's main program")
        file.function.data = [1, 2, 3]
        file.item.bytes = Array(0..<40)
        file.item.jobData = [7, 0, 7]
        file.process.globals = [.init(name: "scale", bytes: [9]), .init(name: "empty", bytes: [])]
        file.process.modules = ["libm.so.6"]
        file.process.environmentSet = ["A=b", "C="]
        file.process.environmentUnset = ["LD_PRELOAD"]
        return file
    }

    static func message(_ bytes: [UInt8]) -> String? { mapError { try CrashFile(bytes) }?.message }

    @Test func whatIsWrittenIsReadAgain() throws {
        #expect(try CrashFile(Self.sample().encoded()) == Self.sample())
        var offered = Self.sample()
        offered.function.run = .init(kind: .offeredRange, text: "shade")
        offered.function.setup = .init(kind: .offeredSetup, text: "shade")
        offered.function.cleanup = .init(kind: .offeredCleanup, text: "shade")
        #expect(try CrashFile(offered.encoded()) == offered)
        offered.function.run.text = ""
        #expect(Self.message(offered.encoded()) == "a place has no library, symbol or name")
        var plain = CrashFile()
        plain.function.number = 1
        #expect(try CrashFile(plain.encoded()) == plain)
        for pieces in [[], [CrashFile.Piece(offset: 4095, bytes: [1, 2, 3]), .init()]] {
            plain.item.pieces = pieces
            #expect(try CrashFile(plain.encoded()) == plain)
        }
        plain.item.pieces = [.init(offset: 4096, bytes: [])]
        #expect(Self.message(plain.encoded()) != nil)
    }

    @Test func theFileIsOfWholeWordsAndBeginsAsDocumented() {
        let bytes = Self.sample().encoded()
        #expect(bytes.count % 8 == 0)
        #expect(Array(bytes[..<16]) == Array("MAPECRSH".utf8) + [1, 0, 0, 0, 0, 0, 0, 0])
        #expect(bytes[16..<24].enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) } == bytes.count)
    }

    @Test func everyShorterFileIsRefused() {
        let bytes = Self.sample().encoded()
        for count in 0..<bytes.count { #expect(Self.message(Array(bytes[..<count])) != nil, "\(count) bytes") }
        #expect(Self.message(bytes + [0]) != nil)
    }

    @Test func everyChangedByteIsNoticed() {
        let bytes = Self.sample().encoded()
        for i in bytes.indices {
            var changed = bytes
            changed[i] ^= 1 << UInt8(i % 8)
            #expect(Self.message(changed) != nil, "byte \(i)")
        }
    }

    /// With a size and a hash that fit, so that what follows is looked at: nothing is read beyond the end, and no number is believed.
    @Test func anyContentsUnderAGoodHeadAreReadOrRefused() {
        var random = SystemRandomNumberGenerator()
        let good = Array(Self.sample().encoded().dropFirst(32))
        var refused = 0
        for round in 0..<3000 {
            var body = good
            switch round % 3 {
            case 0: body = (0..<Int.random(in: 0...400)).map { _ in UInt8.random(in: 0...255, using: &random) }
            case 1: body.removeLast(Int.random(in: 1...body.count))
            default:
                // Mostly kinds and sizes, which are small numbers.
                for _ in 0..<3 { body[Int.random(in: 0..<body.count) & ~7] = UInt8.random(in: 0...255, using: &random) }
            }
            if Self.message(Self.headed(body)) != nil { refused += 1 }
        }
        #expect(refused > 2000)
    }

    @Test func sizesBeyondTheEndAreRefused() {
        func section(_ kind: UInt64, _ size: UInt64) -> [UInt8] { Self.word(kind) + Self.word(size) }
        for size in [1, 8, UInt64(Int.max), UInt64.max, UInt64.max - 7] as [UInt64] {
            #expect(Self.message(Self.headed(section(1, size))) == "it ends in the middle of a section")
        }
        #expect(Self.message(Self.headed(section(0, 0))) == "it has a section of kind 0")
        #expect(Self.message(Self.headed(section(1 << 40, 0))) == "it has a section of kind \(1 << 40)")
        #expect(Self.message(Self.headed(section(1, 0) + section(1, 0))) == "section 1 occurs twice")
        #expect(Self.message(Self.headed([])) == "section 2 is missing")
    }

    @Test func numbersOutOfRangeAreRefused() {
        func changed(_ body: (inout CrashFile) -> Void) -> String? {
            var file = Self.sample()
            body(&file)
            return Self.message(file.encoded())
        }
        let wrong = "a number in it is out of its range"
        #expect(changed { $0.function.number = 0 } == wrong)
        #expect(changed { $0.function.number = UInt64(MAPB_MAX_FUNCTIONS) } == wrong)
        #expect(changed { $0.death.worker = 1024 } == wrong)
        #expect(changed { $0.item.offset = 4096 } == wrong)
        #expect(changed { $0.function.run.buildID = [UInt8](repeating: 1, count: 33) } == "a build id has 33 bytes")
        #expect(changed { $0.function.run.library = "" } == "a place has no library, symbol or name")
        #expect(changed { $0.function.setup.text = "" } == "a place has no library, symbol or name")
        #expect(changed { $0.process.folder = "a\0b" } == "a text in it is no text")
        #expect(
            changed { $0.process.modules = [UserText(String(repeating: "x", count: 65536))] }
                == "a text in it is no text")
    }

    static func word(_ number: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }

    /// A file of these contents, with a head that fits.
    static func headed(_ body: [UInt8]) -> [UInt8] {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in body { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return Array("MAPECRSH".utf8) + word(1) + word(UInt64(32 + body.count)) + word(hash) + body
    }
}
