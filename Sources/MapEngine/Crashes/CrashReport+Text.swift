// A crash in words.

import CMapBridge

extension CrashReport {
    /// `SIGSEGV (address 0x8, no such mapping) in shade_point+0x1c (libshade.so, shade.c:42)`
    var summary: String {
        var text = signalName(signal)
        let what = details
        if !what.isEmpty { text += " (\(what))" }
        if let frame = culprit { text += " in \(describe(frame))" }
        return text
    }

    /// `shade_point in libshade.so`; "" when nothing is known.
    var place: String {
        guard let frame = culprit else { return "" }
        let name = frame.inlined.isEmpty ? frame.symbol : frame.inlined
        guard let module = frame.module else { return name }
        return (name.isEmpty ? hex(frame.pc &- modules[module].base) : name) + " in " + fileName(modules[module].path)
    }

    /// The frame to name: the innermost that is not of the C or C++ runtime, as that is where abort() and its kind are raised.
    private var culprit: Frame? {
        let own = frames.filter { !$0.isEngine }
        let found = own.first { frame in
            guard let module = frame.module else { return true }
            let name = fileName(modules[module].path)
            return !["libc.so", "libpthread.so", "libstdc++.so", "libgcc_s.so", "libc++", "ld-linux"].contains {
                name.hasPrefix($0)
            }
        }
        // A wild pc says less than who called it.
        if let found, found.module == nil, let caller = own.first(where: { $0.module != nil }) { return caller }
        return found ?? own.first
    }

    private var details: String {
        if code <= 0 {
            return sender > 0 ? (sender == thread ? "raised by itself" : "sent by process \(sender)") : ""
        }
        let why = unsafe String(cString: mapb_signal_meaning(signal, code))
        let location = mapb_signal_has_address(signal, code) != 0 ? "address \(hex(address))" : ""
        var parts = [location, why].filter { !$0.isEmpty }
        if isStackOverflow { parts.append("the stack was probably exhausted") }
        return parts.joined(separator: ", ")
    }

    /// A fault close to the stack pointer: memory in use as stack is always there, so it can only be its end.
    var isStackOverflow: Bool {
        guard mapb_signal_has_address(signal, code) != 0, sp > 1 << 20 else { return false }
        return address >= sp - 65536 && address < sp &+ 65536
    }

    private func describe(_ frame: Frame) -> String {
        let module = frame.module.map { modules[$0] }
        var places: [String] = []
        if let module { places.append(fileName(module.path)) }
        if !frame.file.isEmpty && frame.line > 0 { places.append("\(fileName(frame.file)):\(frame.line)") }
        let place = places.isEmpty ? "" : " (\(places.joined(separator: ", ")))"
        if !frame.symbol.isEmpty {
            let symbol = "\(frame.symbol)+\(hex(frame.offset))"
            return (frame.inlined.isEmpty ? symbol : "\(frame.inlined), inlined in \(symbol)") + place
        }
        if !frame.inlined.isEmpty { return frame.inlined + place }
        guard let module else { return "\(hex(frame.pc)), in no file" }
        return "\(fileName(module.path))+\(hex(frame.pc &- module.base))"
            + (places.count > 1 ? " (\(places[1]))" : "")
    }

    /// The backtrace, a frame per line, each beginning with '#'; then what else helps, and the files.
    var lines: [String] {
        var lines: [String] = []
        var same = 0
        for (i, frame) in frames.enumerated() {
            if i > 0 && frame == frames[i - 1] {
                same += 1
                continue
            }
            if same > 0 { lines.append("(the same \(same) more times)") }
            same = 0
            if frame.isEngine && i == frames.count - 1 {
                lines.append("#\(i) MapEngine, which called the function")
                continue
            }
            var line = "#\(i) \(hex(frame.pc)) \(describe(frame))"
            if let module = frame.module, !frame.symbol.isEmpty || !frame.inlined.isEmpty {
                line += " at \(fileName(modules[module].path))+\(hex(frame.pc &- modules[module].base))"
            }
            lines.append(line)
        }
        if same > 0 { lines.append("(the same \(same) more times)") }
        if hasMoreFrames { lines.append("(there are more frames)") }
        if stackIsBroken { lines.append("(reading the stack raised another signal: it is probably overwritten)") }
        if symbolsAreBroken { lines.append("(not all symbols could be read)") }
        if !isComplete { lines.append("(the worker was ended while it wrote this)") }
        lines.append("pc \(hex(pc)), stack pointer \(hex(sp)), thread \(thread)")
        for module in modules {
            lines.append(
                "\(module.path) at \(hex(module.base))" + (module.buildID.isEmpty ? "" : ", build id \(module.buildID)")
            )
        }
        return lines
    }

    /// Frames of the user's code.
    var shownFrames: Int { frames.last?.isEngine == true ? frames.count - 1 : frames.count }
}

/// SIGSEGV, or "signal 64".
func signalName(_ signal: Int32) -> String {
    if let name = unsafe mapb_signal_name(signal) { return unsafe "SIG" + String(cString: name) }
    return "signal \(signal)"
}
