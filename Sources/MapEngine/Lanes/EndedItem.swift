// An item that was ended on another machine, as a lane tells it: each field is copied, and then checked.

import CMapBridge

struct EndedItem {
    private let state: mape_item_state
    private let cause: mape_cause
    private let code: Int32
    private let attempts: UInt32
    private let mark: UInt64?
    private let text: String
    /// The lines of the crash report behind those that name worker and item.
    private let report: [String]
    private let crash: (signal: Int32, code: Int32, pid: Int32, address: UInt64, frames: UInt32)
    private let host: String

    private static let longestText = UInt64(MAPB_TEXT)
    private static let longestReport: UInt64 = 65536

    init(_ region: OutputRegion, _ used: Used, at offset: UInt64, _ size: UInt64) throws(InvalidReply) {
        guard size == UInt64(MemoryLayout<mapb_item_end>.size) else {
            throw InvalidReply("an ended item is described by more or fewer bytes than one is")
        }
        let bytes = region.copyBytes(at: offset, count: size)
        // A structure of numbers: any bytes are a value of it.
        let told = unsafe bytes.span.bytes.unsafeLoadUnaligned(as: mapb_item_end.self)
        state = mape_item_state(told.state)
        cause = mape_cause(told.cause)
        switch (state, cause) {
        case (MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL), (MAPE_ITEM_CRASHED, MAPE_CAUSE_EXIT),
            (MAPE_ITEM_CRASHED, MAPE_CAUSE_REPLY), (MAPE_ITEM_TIMED_OUT, MAPE_CAUSE_ITEM_TIMEOUT),
            (MAPE_ITEM_FAILED, MAPE_CAUSE_MEMORY), (MAPE_ITEM_FAILED, MAPE_CAUSE_SETUP),
            (MAPE_ITEM_FAILED, MAPE_CAUSE_LOAD):
            break
        default: throw InvalidReply("an item has ended in a way that there is none of")
        }
        func text(_ at: UInt64, _ size: UInt32, _ most: UInt64) throws(InvalidReply) -> [UInt8] {
            if size == 0 { return [] }
            guard UInt64(size) <= most, used.contains(at, UInt64(size)) else {
                throw InvalidReply("a text about an ended item is not valid")
            }
            return region.copyBytes(at: at, count: UInt64(size))
        }
        code = told.code
        attempts = min(max(told.attempts, 1), 1 << 20)
        mark = told.has_mark == 1 ? told.mark : nil
        crash = (
            (0...64).contains(told.signal) ? told.signal : 0, told.signal_code, max(0, told.pid), told.address, told.frames
        )
        self.text = printable(try text(told.text, told.text_size, Self.longestText))
        host = printable(try text(told.host, told.host_size, UInt64(MAPB_HOST_NAME) - 1))
        let lines = try text(told.report, told.report_size, Self.longestReport)
            .split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true)
        report = lines.dropFirst(2).prefix(1024).map { printable($0) }
    }

    /// What the host hears of it.
    func outcome(_ name: ItemName) -> Outcome {
        let place = host.isEmpty ? "another machine" : "machine \"\(host)\""
        let after = mark.map { ", after mark \($0)" } ?? ""
        let told = "on \(place): \(text)" + (state == MAPE_ITEM_CRASHED ? ", \(name.text)\(after)" : after)
        let lines = ["on \(place): \(text)", name.text + after] + report
        let isDeath = state != MAPE_ITEM_FAILED
        return Outcome(
            state, cause, code: code, told,
            crash: isDeath
                ? Crash(crash, mark: mark, function: name.functionID, host: host, lines.joined(separator: "\n") + "\n")
                : nil,
            mark: mark)
    }

    /// How many attempts ended it beside one that is counted by how it ended: Job.attempts.
    var more: UInt32 {
        switch (state, cause) {
        case (MAPE_ITEM_CRASHED, _): attempts
        case (_, MAPE_CAUSE_SETUP), (_, MAPE_CAUSE_LOAD): 0
        default: attempts - 1
        }
    }
}

extension EntryTable {
    /// Adds the line of an item that was ended on another machine.
    func end(_ item: EndedItem, _ name: ItemName) {
        let outcome = item.outcome(name)
        if item.more > 0 { attempts.append((UInt64(entries.count), item.more)) }
        failures.append(outcome)
        switch outcome.state {
        case MAPE_ITEM_CRASHED: crashed += 1
        case MAPE_ITEM_TIMED_OUT: timedOut += 1
        default: failed += 1
        }
        entries.append(Entry(offset: 0, size: 0, failure: Int32(failures.count - 1)))
    }
}
