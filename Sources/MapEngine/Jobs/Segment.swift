// Consecutive items that ended together, and where their results are.

import CMapBridge

/// A line of a segment's table: a result's place, and the number of a failure. A failed item may have bytes as well.
struct Entry {
    var offset: UInt64
    var size: UInt64
    /// Index into the table's failures, or -1.
    var failure: Int32
}

/// Results that are not all alike.
final class EntryTable {
    var entries: [Entry] = []
    /// Each may be that of several items.
    var failures: [Outcome] = []
    /// How many items have failed, and how many were asked to stop, and did.
    var failed: UInt64 = 0
    var stopped: UInt64 = 0
    var stoppedAs = MAPE_ITEM_CANCELLED
    /// How many were ended on another machine, and how.
    var crashed: UInt64 = 0
    var timedOut: UInt64 = 0
    var lost: UInt64 { crashed + timedOut }
    /// How often these had been begun there before.
    var attempts: [(item: UInt64, count: UInt32)] = []
}

/// Consecutive items that ended together: a range's results, or one outcome for all of them.
struct Segment {
    let first: UInt64
    private(set) var count: UInt64
    private(set) var store: ResultStore
    /// Without a table item i's result is at base + i * size of the store.
    let base: UInt64
    let size: UInt64
    let table: EntryTable?
    let outcome: Outcome?

    /// Results that are all of one size, one behind the other.
    init(first: UInt64, count: UInt64, store: ResultStore, base: UInt64, size: UInt64) {
        self.init(first: first, count: count, store: store, base: base, size: size, table: nil, outcome: nil)
    }

    /// Results as the lines of a table say.
    init(first: UInt64, count: UInt64, store: ResultStore, table: EntryTable) {
        self.init(first: first, count: count, store: store, base: 0, size: 0, table: table, outcome: nil)
    }

    /// Items without results.
    init(first: UInt64, count: UInt64, outcome: Outcome) {
        self.init(first: first, count: count, store: .none, base: 0, size: 0, table: nil, outcome: outcome)
    }

    private init(
        first: UInt64, count: UInt64, store: ResultStore, base: UInt64, size: UInt64, table: EntryTable?,
        outcome: Outcome?
    ) {
        self.first = first
        self.count = count
        self.store = store
        self.base = base
        self.size = size
        self.table = table
        self.outcome = outcome
    }

    var end: UInt64 { first + count }

    /// Adds a segment whose results lie right behind the results of this one. False: they do not.
    mutating func join(_ next: Segment) -> Bool {
        guard table == nil, next.table == nil, outcome == nil, next.outcome == nil, end == next.first,
            size == next.size, base + count * size == next.base, store.join(next.store)
        else { return false }
        count += next.count
        return true
    }

    /// Where the i-th item's result lies, or its outcome if it has none.
    func entry(_ i: UInt64) -> (offset: UInt64, size: UInt64, ended: Outcome?) {
        guard let table else { return (base + i * size, size, outcome) }
        let entry = table.entries[Int(i)]
        return (entry.offset, entry.size, entry.failure >= 0 ? table.failures[Int(entry.failure)] : nil)
    }

    /// All results of one without a table, side by side.
    var plainBytes: UnsafeRawPointer? { unsafe store.bytes(base, count * size) }

    /// The result of the i-th item of this segment. Its pointers are good as long as the segment is.
    func read(_ i: UInt64, into out: inout mape_result) {
        let entry = entry(i)
        if let ended = entry.ended {
            out.state = ended.state.rawValue
            out.cause = ended.cause.rawValue
            out.code = ended.code
            unsafe out.message = UnsafePointer(ended.text.bytes)
        } else {
            out.state = MAPE_ITEM_OK.rawValue
            out.cause = MAPE_CAUSE_NONE.rawValue
            out.code = 0
            unsafe out.message = emptyText
        }
        out.mark = entry.ended?.mark ?? 0
        out.has_mark = entry.ended?.mark == nil ? 0 : 1
        out.size = Int(entry.size)
        unsafe out.data = entry.size > 0 ? unsafe store.bytes(entry.offset, entry.size) : nil
    }
}
