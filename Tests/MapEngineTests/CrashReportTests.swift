// The host reads a crash record as untrusted input: whatever bytes a worker leaves there, the report is bounded and printable.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

/// Bytes of a crash record, filled as the worker's handler does.
struct Record {
    var bytes = [UInt8](repeating: 0, count: MemoryLayout<mapb_crash>.size)
    static let frames = 128 + 16 * 48
    static let text = frames + 48 * 32
    private var textSize = 1

    init(signal: Int32 = SIGSEGV, code: Int32 = 1, address: UInt64 = 8, sp: UInt64 = 0x7fff_0000_0000) {
        var head = mapb_crash_head()
        head.state = MAPB_CRASH_DONE.rawValue
        head.signal = signal
        head.code = code
        head.address = address
        head.sp = sp
        head.thread = 77
        set(head)
    }

    var head: mapb_crash_head { bytes.withUnsafeBytes { $0.loadUnaligned(as: mapb_crash_head.self) } }
    mutating func set(_ head: mapb_crash_head) { put(head, 0) }
    mutating func change(_ body: (inout mapb_crash_head) -> Void) {
        var head = head
        body(&head)
        set(head)
    }

    mutating func put<T: BitwiseCopyable>(_ value: T, _ offset: Int) {
        withUnsafeBytes(of: value) { value in for (i, byte) in value.enumerated() { bytes[offset + i] = byte } }
    }

    mutating func text(_ text: [UInt8]) -> Int {
        let at = textSize
        for byte in text + [0] {
            bytes[Self.text + textSize] = byte
            textSize += 1
        }
        let size = UInt32(textSize)
        change { $0.text_size = size }
        return at
    }

    mutating func module(_ path: String, base: UInt64, id: [UInt8] = []) {
        var module = mapb_crash_module()
        module.base = base
        module.path = UInt32(text(Array(path.utf8)))
        module.build_id_size = UInt32(id.count)
        withUnsafeMutableBytes(of: &module.build_id) { $0.copyBytes(from: id) }
        put(module, 128 + Int(head.modules) * 48)
        change { $0.modules += 1 }
    }

    mutating func frame(
        _ pc: UInt64, module: UInt16 = 0, symbol: String = "", offset: UInt64 = 0, inlined: String = "",
        file: String = "",
        line: UInt32 = 0, flags: UInt32 = 0
    ) {
        var frame = mapb_crash_frame()
        frame.pc = pc
        frame.module = module
        if !symbol.isEmpty { frame.symbol = UInt16(text(Array(symbol.utf8))) }
        if !inlined.isEmpty { frame.function = UInt16(text(Array(inlined.utf8))) }
        if !file.isEmpty { frame.file = UInt16(text(Array(file.utf8))) }
        frame.symbol_offset = offset
        frame.line = line
        frame.flags = flags
        put(frame, Self.frames + Int(head.frames) * 32)
        change { $0.frames += 1 }
    }
}

@Suite struct CrashReportTests {
    /// As in the guide: shade_point crashes, called by shade.
    static func shade() -> Record {
        var record = Record()
        record.module("/opt/studio/lib/libshade.so", base: 0x1000, id: [0xab, 0x01])
        record.frame(0x1234, module: 1, symbol: "shade_point", offset: 0x1c, file: "/src/shade.c", line: 42)
        record.frame(
            0x1300, module: 1, symbol: "shade", offset: 0x30, inlined: "each_point", file: "/src/shade.c", line: 60)
        record.frame(0x9000, flags: MAPB_CRASH_FRAME_ENGINE.rawValue)
        return record
    }

    @Test func aReportSaysWhatWasWritten() throws {
        let report = try #require(CrashReport(Self.shade().bytes))
        #expect(
            report.summary == "SIGSEGV (address 0x8, no such mapping) in shade_point+0x1c (libshade.so, shade.c:42)")
        #expect(
            report.lines == [
                "#0 0x1234 shade_point+0x1c (libshade.so, shade.c:42) at libshade.so+0x234",
                "#1 0x1300 each_point, inlined in shade+0x30 (libshade.so, shade.c:60) at libshade.so+0x300",
                "#2 MapEngine, which called the function",
                "pc 0x0, stack pointer 0x7fff00000000, thread 77",
                "/opt/studio/lib/libshade.so at 0x1000, build id ab01",
            ])
        #expect(report.shownFrames == 2)
    }

    @Test func framesOfTheCRuntimeAreNotTheCulprits() throws {
        var record = Record(signal: SIGABRT, code: -6)
        record.change { $0.sender = 77 }
        record.module("/lib/libc.so.6", base: 0)
        record.module("/usr/lib/libstdc++.so.6", base: 0)
        record.module("/opt/libmesh.so", base: 0)
        record.frame(1, module: 1, symbol: "raise")
        record.frame(2, module: 2, symbol: "std::terminate()")
        record.frame(3, module: 3, symbol: "weld", offset: 2)
        let report = try #require(CrashReport(record.bytes))
        #expect(report.summary == "SIGABRT (raised by itself) in weld+0x2 (libmesh.so)")
    }

    @Test func aWildCallNamesItsCaller() throws {
        var record = Record(address: 0)
        record.module("/opt/libmesh.so", base: 0x100)
        record.frame(0)
        record.frame(0x150, module: 1)
        let report = try #require(CrashReport(record.bytes))
        #expect(report.summary == "SIGSEGV (address 0x0, no such mapping) in libmesh.so+0x50")
        #expect(report.lines.first == "#0 0x0 0x0, in no file")
    }

    @Test(arguments: [(-65536, true), (-65537, false), (0, true), (65535, true), (65536, false)])
    func aFaultNearTheStackPointerIsTheStacksEnd(distance: Int, isEnd: Bool) throws {
        let sp: UInt64 = 0x7fff_0000_0000
        let record = Record(address: UInt64(Int(sp) + distance), sp: sp)
        #expect(try #require(CrashReport(record.bytes)).isStackOverflow == isEnd)
    }

    @Test func repeatedFramesAreCounted() throws {
        var record = Record()
        for _ in 0..<5 { record.frame(0x10, symbol: "again", offset: 1) }
        record.frame(0x20, symbol: "first", offset: 1)
        let lines = try #require(CrashReport(record.bytes)).lines
        #expect(lines[1] == "(the same 4 more times)")
        #expect(lines[2].hasPrefix("#5 "))
    }

    @Test func bytesThatHoldNoCrashAreNone() {
        #expect(CrashReport([]) == nil)
        #expect(CrashReport([UInt8](repeating: 0, count: 8192)) == nil)
        #expect(CrashReport([UInt8](repeating: 255, count: 8192)) == nil)
        #expect(CrashReport(Array(Self.shade().bytes.dropLast())) == nil)
        func changed(_ body: (inout mapb_crash_head) -> Void) -> CrashReport? {
            var record = Self.shade()
            record.change(body)
            return CrashReport(record.bytes)
        }
        #expect(changed { $0.state = 3 } == nil)
        #expect(changed { $0.signal = 0 } == nil)
        #expect(changed { $0.signal = 65 } == nil)
        #expect(changed { $0.signal = -11 } == nil)
        #expect(changed { $0.frames = MAPB_CRASH_FRAMES + 1 } == nil)
        #expect(changed { $0.modules = MAPB_CRASH_MODULES + 1 } == nil)
    }

    @Test func offsetsBeyondTheTextsAreNoTexts() throws {
        var record = Self.shade()
        record.change { $0.text_size = UInt32.max }
        var module = mapb_crash_module()
        module.path = UInt32.max
        module.build_id_size = UInt32.max
        record.put(module, 128)
        let report = try #require(CrashReport(record.bytes))
        #expect(report.modules[0].path == "")
        #expect(report.modules[0].buildID.count == 64)
        record.change { $0.text_size = 0 }
        #expect(try #require(CrashReport(record.bytes)).frames[0].symbol == "")
    }

    @Test func textsAreMadePrintable() {
        #expect(printable(Array("plain, ümlaut, 形".utf8)) == "plain, ümlaut, 形")
        #expect(printable(Array("a\nb\u{1b}[31mc\u{7f}d\u{9b}e".utf8)) == "a\u{FFFD}b\u{FFFD}[31mc\u{FFFD}d\u{FFFD}e")
        #expect(printable(Array("a\u{202e}b\u{200b}c\u{2028}d".utf8)) == "a\u{FFFD}b\u{FFFD}c\u{FFFD}d")
        #expect(printable([0x61, 0xff, 0xc3, 0x62]) == "a\u{FFFD}\u{FFFD}b")
        #expect(printable([0x61, 0, 0x62]) == "a")
    }

    /// Random bytes, and a true record with some of its bytes changed: whatever comes out can be shown.
    @Test func anyBytesMakeABoundedPrintableReportOrNone() {
        var random = SystemRandomNumberGenerator()
        let record = Self.shade().bytes
        var reports = 0
        for round in 0..<2000 {
            var bytes = record
            if round % 2 == 0 {
                for i in 0..<bytes.count { bytes[i] = UInt8.random(in: 0...255, using: &random) }
                bytes.replaceSubrange(0..<8, with: [2, 0, 0, 0, 11, 0, 0, 0])
                if round % 4 == 0 { bytes.replaceSubrange(44..<56, with: [48, 0, 0, 0, 16, 0, 0, 0, 128, 22, 0, 0]) }
            } else {
                for _ in 0..<20 {
                    bytes[Int.random(in: 8..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
            }
            guard let report = CrashReport(bytes) else { continue }
            reports += 1
            #expect(report.frames.count <= 48 && report.modules.count <= 16)
            let text = ([report.summary] + report.lines).joined()
            #expect(text.utf8.count < 1 << 18)
            #expect(!text.unicodeScalars.contains { $0.value < 32 || (0x7f..<0xa0).contains($0.value) })
        }
        #expect(reports > 500)
    }

    /// The library has a table of its own, because glibc tells these names since 2.32 alone.
    @Test func signalsHaveTheNamesThatTheCLibraryGivesThem() {
        typealias Abbreviation = @convention(c) (Int32) -> UnsafePointer<CChar>?
        guard let found = dlsym(UnsafeMutableRawPointer(bitPattern: 0), "sigabbrev_np") else { return }
        let abbreviation = unsafeBitCast(found, to: Abbreviation.self)
        for signal in Int32(-1)...70 {
            let theirs = abbreviation(signal).map { "SIG" + String(cString: $0) }
            let ours = mapb_signal_name(signal).map { "SIG" + String(cString: $0) }
            #expect(ours == theirs, "signal \(signal)")
        }
    }
}
