// Finding, counting and gathering what has ended.

import CMapBridge

extension Job {
    /// The segment that holds an item, or nil when it has not ended.
    func segment(holding item: UInt64) -> Segment? {
        if segments.count == 1 {
            guard let only = segments[0], item >= only.first, item < only.end else { return nil }
            return only
        }
        if indexed < segments.count {
            index.append(contentsOf: indexed..<segments.count)
            indexed = segments.count
            // Nearly sorted already: ranges end about in the order they were given out.
            index.sort { segments[$0]!.first < segments[$1]!.first }
        }
        var low = 0
        var high = index.count
        while low < high {
            let middle = (low + high) / 2
            if segments[index[middle]]!.first <= item { low = middle + 1 } else { high = middle }
        }
        guard low > 0, let found = segments[index[low - 1]], item < found.end else { return nil }
        return found
    }

    /// How often an item was begun, as far as the host saw.
    func attempts(of item: UInt64, _ result: mape_result) -> UInt32 {
        unsafe Self.attempts(of: item, result, crashes: crashes)
    }

    /// The same, without the pool's lock: with what `crashes` was when the item had ended.
    static func attempts(of item: UInt64, _ result: mape_result, crashes: [UInt64: UInt32]) -> UInt32 {
        let crashed = crashes[item] ?? 0
        let ended = unsafe result.state == MAPE_ITEM_OK.rawValue || result.state == MAPE_ITEM_FAILED.rawValue
        let ranItself =
            unsafe ended && result.cause != MAPE_CAUSE_SETUP.rawValue && result.cause != MAPE_CAUSE_LOAD.rawValue
        let timedOut = unsafe result.cause == MAPE_CAUSE_ITEM_TIMEOUT.rawValue
        return crashed + (ranItself || timedOut ? 1 : 0)
    }

    func progress(now: Int64, partial: Double) -> mape_progress {
        var p = mape_progress()
        p.struct_size = MemoryLayout<mape_progress>.size
        p.total = total
        p.done = ended
        p.running = running
        p.ok = counts[Int(MAPE_ITEM_OK.rawValue)]
        p.failed = counts[Int(MAPE_ITEM_FAILED.rawValue)]
        p.crashed = counts[Int(MAPE_ITEM_CRASHED.rawValue)]
        p.timed_out = counts[Int(MAPE_ITEM_TIMED_OUT.rawValue)]
        p.cancelled = counts[Int(MAPE_ITEM_CANCELLED.rawValue)]
        p.abandoned = counts[Int(MAPE_ITEM_ABANDONED.rawValue)]
        p.undelivered = undelivered
        if isDone {
            p.fraction = 1
        } else if total > 0 {
            p.fraction = min(1, (Double(ended) + min(partial, Double(running))) / Double(total))
        }
        p.elapsed_ns = (doneAt > 0 ? doneAt : now) - submitted
        p.is_done = isDone ? 1 : 0
        return p
    }
}

/// A job's results as they are at one moment. Read without the pool's lock, while the job is pinned.
struct Results {
    let segments: [Segment?]
    let total: UInt64
}

extension Job {
    var results: Results { Results(segments: segments, total: total) }
}

extension Results {
    /// Copies results into an array of the host. Nothing is written when something does not fit.
    /// - Returns: how many items have no result.
    func gather(into target: UnsafeMutableRawPointer, size: UInt64, stride: UInt64) throws(MapError) -> UInt64 {
        for case let segment? in segments where segment.outcome == nil { try checkFit(segment, size, stride) }
        var missing: UInt64 = 0
        for case let segment? in segments {
            guard segment.outcome == nil, let region = segment.region else {
                missing += segment.count
                continue
            }
            if let table = segment.table {
                for (i, entry) in table.entries.enumerated() {
                    if entry.failure >= 0 {
                        missing += 1
                    } else if entry.size > 0 {
                        let to = unsafe target + Int((segment.first + UInt64(i)) * stride)
                        unsafe to.copyMemory(from: region.base + Int(entry.offset), byteCount: Int(entry.size))
                    }
                }
            } else if segment.size > 0 {
                let from = unsafe region.base + Int(segment.base)
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
