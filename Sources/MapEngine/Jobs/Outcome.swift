// How items ended that have no result: state, cause, code and a text. Shared by all items that ended so.

import CMapBridge

final class Outcome {
    let state: mape_item_state
    let cause: mape_cause
    let code: Int32
    let text: CText
    /// The death of the worker that it is about, until an item is blamed for it; then what is known of the crash.
    let death: Death?
    let crash: Crash?

    init(
        _ state: mape_item_state, _ cause: mape_cause, code: Int32 = 0, _ text: CText, death: Death? = nil,
        crash: Crash? = nil
    ) {
        self.state = state
        self.cause = cause
        self.code = code
        self.text = text
        self.death = death
        self.crash = crash
    }

    convenience init(
        _ state: mape_item_state, _ cause: mape_cause, code: Int32 = 0, _ text: String, death: Death? = nil,
        crash: Crash? = nil
    ) {
        self.init(state, cause, code: code, CText(text), death: death, crash: crash)
    }
}

/// A line of a segment's table: a result's place, or the number of a failure.
struct Entry {
    var offset: UInt64
    var size: UInt64
    /// Index into the table's failures, or -1.
    var failure: Int32
}

/// Results that are not all alike.
final class EntryTable {
    var entries: [Entry] = []
    var failures: [Outcome] = []
}

/// Consecutive items that ended together: a range's results in a worker's output memory, or one outcome for all of them.
struct Segment {
    let first: UInt64
    var count: UInt64
    /// The memory that the results lie in; nil for an outcome.
    var region: OutputRegion?
    var used = Used(hole: Extent(offset: 0, count: 0), wild: Extent(offset: 0, count: 0))
    /// Without a table item i's result is at base + i * size.
    var base: UInt64 = 0
    var size: UInt64 = 0
    var table: EntryTable?
    var outcome: Outcome?

    var end: UInt64 { first + count }

    /// The result of the i-th item of this segment. Its pointers are good as long as the segment is.
    func read(_ i: UInt64, into out: inout mape_result) {
        var entry = Entry(offset: base + i * size, size: size, failure: -1)
        var ended = outcome
        if let table {
            entry = table.entries[Int(i)]
            if entry.failure >= 0 { ended = table.failures[Int(entry.failure)] }
        }
        if let ended {
            unsafe out.state = ended.state.rawValue
            unsafe out.cause = ended.cause.rawValue
            unsafe out.code = ended.code
            unsafe out.message = unsafe UnsafePointer(ended.text.bytes)
            unsafe out.data = nil
            unsafe out.size = 0
            return
        }
        unsafe out.state = MAPE_ITEM_OK.rawValue
        unsafe out.cause = MAPE_CAUSE_NONE.rawValue
        unsafe out.code = 0
        unsafe out.message = unsafe emptyText
        unsafe out.size = Int(entry.size)
        if entry.size > 0, let region {
            unsafe out.data = unsafe UnsafeRawPointer(region.base + Int(entry.offset))
        } else {
            unsafe out.data = nil
        }
    }
}

/// "" for C, for ever.
var emptyText: UnsafePointer<CChar> { unsafe mapb_empty_text() }
