// Counting and gathering what has ended.

import CMapBridge

extension Job {
    /// How often workers began an item, as far as the host saw.
    func attempts(of item: UInt64, _ result: mape_result) -> UInt32 {
        Self.attempts(of: item, result, crashes: lost.crashes)
    }

    /// The same without the pool's lock, from the value of `crashes` when the item had ended.
    static func attempts(of item: UInt64, _ result: mape_result, crashes: [UInt64: UInt32]) -> UInt32 {
        let crashed = crashes[item] ?? 0
        let ended = result.state == MAPE_ITEM_OK.rawValue || result.state == MAPE_ITEM_FAILED.rawValue
        let ranItself =
            ended && result.cause != MAPE_CAUSE_SETUP.rawValue && result.cause != MAPE_CAUSE_LOAD.rawValue
        let timedOut = result.cause == MAPE_CAUSE_ITEM_TIMEOUT.rawValue
        return crashed + (ranItself || timedOut ? 1 : 0)
    }

    func progress(now: Int64, partial: Double) -> mape_progress {
        var p = mape_progress()
        p.struct_size = MemoryLayout<mape_progress>.size
        p.total = tally.total
        p.done = tally.ended
        p.running = tally.running
        p.ok = tally[MAPE_ITEM_OK]
        p.failed = tally[MAPE_ITEM_FAILED]
        p.crashed = tally[MAPE_ITEM_CRASHED]
        p.timed_out = tally[MAPE_ITEM_TIMED_OUT]
        p.cancelled = tally[MAPE_ITEM_CANCELLED]
        p.abandoned = tally[MAPE_ITEM_ABANDONED]
        p.undelivered = delivery.undelivered
        if isDone {
            p.fraction = 1
        } else if p.total > 0 {
            p.fraction = min(1, (Double(p.done) + min(partial, Double(p.running))) / Double(p.total))
        }
        p.elapsed_ns = (life.doneAt > 0 ? life.doneAt : now) - life.submitted
        p.is_done = isDone ? 1 : 0
        return p
    }
}

/// A job's results as they are at one moment. Read without the pool's lock, while the job is pinned.
struct Results {
    let segments: [Segment?]
    let total: UInt64
}

extension Results {
    /// Copies results into an array of the host. Nothing is written when something does not fit.
    /// - Returns: how many items have no result.
    func gather(into target: UnsafeMutableRawPointer, size: UInt64, stride: UInt64) throws(MapError) -> UInt64 {
        for case let segment? in segments where segment.outcome == nil { try checkFit(segment, size, stride) }
        var missing: UInt64 = 0
        for case let segment? in segments {
            guard segment.outcome == nil else {
                missing += segment.count
                continue
            }
            if let table = segment.table {
                for (i, entry) in table.entries.enumerated() {
                    if entry.failure >= 0 {
                        missing += 1
                    } else if entry.size > 0, let from = unsafe segment.store.bytes(entry.offset, entry.size) {
                        let to = unsafe target + Int((segment.first + UInt64(i)) * stride)
                        unsafe to.copyMemory(from: from, byteCount: Int(entry.size))
                    }
                }
            } else if segment.size > 0, let from = unsafe segment.plainBytes {
                let to = unsafe target + Int(segment.first * stride)
                if segment.size == stride {
                    unsafe to.copyMemory(from: from, byteCount: Int(segment.size * segment.count))
                } else {
                    for i in 0..<Int(segment.count) {
                        unsafe (to + i * Int(stride)).copyMemory(
                            from: from + i * Int(segment.size), byteCount: Int(segment.size))
                    }
                }
            }
        }
        return missing
    }

    /// Throws when a result of the segment is larger than the stride, or lies beyond the array.
    private func checkFit(_ segment: Segment, _ size: UInt64, _ stride: UInt64) throws(MapError) {
        func check(_ item: UInt64, _ result: UInt64) throws(MapError) {
            if result > stride {
                throw MapError(
                    MAPE_E_OVERFLOW, "stride is \(stride), but the result of item \(item) has \(result) bytes")
            }
            let (place, over) = item.multipliedReportingOverflow(by: stride)
            if result > 0 && (over || result > size || place > size - result) {
                throw MapError(
                    MAPE_E_OVERFLOW, "dst_size is \(size): too small for \(total) results \(stride) bytes apart")
            }
        }
        guard let table = segment.table else { return try check(segment.end - 1, segment.size) }
        for (i, entry) in table.entries.enumerated() where entry.failure < 0 {
            try check(segment.first + UInt64(i), entry.size)
        }
    }
}
