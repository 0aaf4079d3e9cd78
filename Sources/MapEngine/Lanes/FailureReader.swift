// Failures of one reply, as a worker has written them: each is copied before it is checked.

import CMapBridge

/// Several items may have the same text, which becomes one outcome. Long texts are copied up to a limit, because it is done under the
/// pool's lock; beyond it they are cut as short ones are.
struct FailureReader {
    private let region: OutputRegion
    private let used: Used
    /// Bytes of long texts that may still be copied.
    private var room = Policy.longTexts
    private var last: (code: Int32, text: UInt64, size: UInt32)?

    init(region: OutputRegion, used: Used) {
        self.region = region
        self.used = used
    }

    /// Adds the failure at a place to a table. Returns the line of the item that has it.
    mutating func read(at offset: UInt64, _ size: UInt64, into table: EntryTable) throws(InvalidReply) -> Entry {
        guard size == UInt64(MemoryLayout<mapb_failure>.size) else {
            throw InvalidReply("a failure is larger or smaller than one is")
        }
        let bytes = region.copyBytes(at: offset, count: size)
        let code = bytes.load(Int32.self, at: 0)
        let textSize = bytes.load(UInt32.self, at: 4)
        let text = bytes.load(UInt64.self, at: 8)
        let data = bytes.load(UInt64.self, at: 16)
        let dataSize = bytes.load(UInt64.self, at: 24)
        guard textSize == 0 || (textSize <= MAPB_LONG_TEXT && used.contains(text, UInt64(textSize))) else {
            throw InvalidReply("a failure's text is not valid")
        }
        guard dataSize == 0 || used.contains(data, dataSize) else {
            throw InvalidReply("a failed item's bytes lie outside its memory")
        }
        if last == nil || last! != (code, text, textSize) {
            table.failures.append(outcome(code, text, textSize))
            last = (code, text, textSize)
        }
        table.failed += 1
        return Entry(
            offset: dataSize == 0 ? 0 : data, size: dataSize, failure: Int32(table.failures.count - 1))
    }

    private mutating func outcome(_ code: Int32, _ text: UInt64, _ size: UInt32) -> Outcome {
        var bytes: [UInt8] = []
        if size < MAPB_TEXT || Int(size) <= room {
            bytes = size == 0 ? [] : region.copyBytes(at: text, count: UInt64(size))
            if size >= MAPB_TEXT { room -= Int(size) }
        } else {
            bytes = region.copyBytes(at: text, count: UInt64(MAPB_TEXT) - 1)
            bytes.removeSubrange(wholeCharacters(bytes)...)
        }
        return Outcome(MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, code: code, CText(array: bytes))
    }
}

extension EntryTable {
    /// Adds the line of an item that was asked to stop, and has.
    func stop(_ outcome: Outcome) {
        if failures.last !== outcome { failures.append(outcome) }
        stopped += 1
        stoppedAs = outcome.state
        entries.append(Entry(offset: 0, size: 0, failure: Int32(failures.count - 1)))
    }
}
