// A worker's crash record, as the host reads it: untrusted, so every field is bounded here, and every text made printable.

import CMapBridge

/// The report that a worker wrote before it ended.
struct CrashReport: Equatable {
    struct Module: Equatable {
        var path: String
        var base: UInt64
        /// As hexadecimal digits; empty: it has none.
        var buildID: String
    }

    struct Frame: Equatable {
        /// Of a caller: an address inside the call.
        var pc: UInt64
        /// Index in modules.
        var module: Int?
        /// From the file's symbol table; empty: not known.
        var symbol: String
        var offset: UInt64
        /// The function at the place, when it was inlined into the symbol's.
        var inlined: String
        var file: String
        var line: UInt32
        /// The library's own code.
        var isEngine: Bool
    }

    var signal: Int32
    /// si_code, see sigaction(2).
    var code: Int32
    /// Who sent the signal; 0: nobody did.
    var sender: Int32
    var address: UInt64
    var pc: UInt64
    var sp: UInt64
    var thread: Int32
    /// The handler came to its end.
    var isComplete: Bool
    var hasMoreFrames: Bool
    var stackIsBroken: Bool
    var symbolsAreBroken: Bool
    var modules: [Module]
    var frames: [Frame]

    /// Nil for bytes that hold no crash: too few, not begun, no signal, more entries than there is room for.
    init?(_ bytes: [UInt8]) {
        let moduleStart = MemoryLayout<mapb_crash_head>.size
        let frameStart = moduleStart + Int(MAPB_CRASH_MODULES) * MemoryLayout<mapb_crash_module>.stride
        let textStart = frameStart + Int(MAPB_CRASH_FRAMES) * MemoryLayout<mapb_crash_frame>.stride
        guard bytes.count >= textStart + Int(MAPB_CRASH_TEXT) else { return nil }
        func read<T: BitwiseCopyable>(_ offset: Int, _ type: T.Type) -> T {
            // Structures of numbers: any bytes are a value of theirs.
            unsafe bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: type)
        }
        let head = read(0, mapb_crash_head.self)
        guard head.state == MAPB_CRASH_BEGUN.rawValue || head.state == MAPB_CRASH_DONE.rawValue,
            (1...64).contains(head.signal), head.frames <= MAPB_CRASH_FRAMES, head.modules <= MAPB_CRASH_MODULES
        else { return nil }
        let texts = bytes[textStart..<(textStart + Int(min(head.text_size, MAPB_CRASH_TEXT)))]
        func text(_ offset: some BinaryInteger) -> String {
            offset > 0 && Int(offset) < texts.count ? printable(texts.dropFirst(Int(offset)).prefix(512)) : ""
        }
        signal = head.signal
        code = head.code
        sender = head.sender
        address = head.address
        pc = head.pc
        sp = head.sp
        thread = head.thread
        isComplete = head.state == MAPB_CRASH_DONE.rawValue
        hasMoreFrames = head.flags & MAPB_CRASH_MORE_FRAMES.rawValue != 0
        stackIsBroken = head.flags & MAPB_CRASH_BROKEN_STACK.rawValue != 0
        symbolsAreBroken = head.flags & MAPB_CRASH_BROKEN_SYMBOLS.rawValue != 0
        modules = (0..<Int(head.modules)).map { i in
            let at = moduleStart + i * MemoryLayout<mapb_crash_module>.stride
            let module = read(at, mapb_crash_module.self)
            let idStart = at + MemoryLayout<mapb_crash_module>.offset(of: \.build_id)!
            let id = bytes[idStart..<(idStart + Int(min(module.build_id_size, MAPB_BUILD_ID)))]
            return Module(path: text(module.path), base: module.base, buildID: hexDigits(id))
        }
        let known = modules.count
        frames = (0..<Int(head.frames)).map { i in
            let frame = read(frameStart + i * MemoryLayout<mapb_crash_frame>.stride, mapb_crash_frame.self)
            return Frame(
                pc: frame.pc, module: frame.module > 0 && Int(frame.module) <= known ? Int(frame.module) - 1 : nil,
                symbol: text(frame.symbol), offset: frame.symbol_offset, inlined: text(frame.function),
                file: text(frame.file), line: frame.line,
                isEngine: frame.flags & MAPB_CRASH_FRAME_ENGINE.rawValue != 0)
        }
    }
}

func hexDigits(_ bytes: some Sequence<UInt8>) -> String {
    var text = ""
    for byte in bytes { text += (byte < 16 ? "0" : "") + String(byte, radix: 16) }
    return text
}
