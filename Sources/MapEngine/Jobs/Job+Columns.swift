// Copying a typed function's results, a record of all outputs per call, into columns of the host.
//
// A record was written by a worker: its size, and the spans in it, are checked here each time before they are used.

import CMapBridge

/// Places of the host for one output of all calls. No base: not wanted.
@safe struct OutputColumn {
    let base: UnsafeMutableRawPointer?
    let stride: Int
    /// Bytes at each place; 0: as many as the prototype says.
    let size: UInt64
}

extension Results {
    /// Copies results into columns; nothing is written when something does not fit.
    /// - Returns: how many calls have no result.
    func gather(_ prototype: Prototype, into columns: [OutputColumn]) throws(MapError) -> UInt64 {
        for (output, column) in zip(prototype.outputs, columns) where output.size == nil {
            if unsafe column.base != nil { try check(output, column, prototype) }
        }
        var missing: UInt64 = 0
        for case let segment? in segments {
            guard segment.outcome == nil else {
                missing += segment.count
                continue
            }
            if segment.table == nil, segment.size == prototype.resultSize, !prototype.varies,
                let records = unsafe segment.plainBytes
            {
                for (output, column) in zip(prototype.outputs, columns) {
                    unsafe copy(output, column, segment, from: records)
                }
                continue
            }
            for i in 0..<segment.count {
                guard let record = segment.record(i) else {
                    missing += prototype.resultSize == 0 && segment.isOK(i) ? 0 : 1
                    continue
                }
                guard let at = unsafe segment.store.bytes(record.offset, record.size),
                    unsafe prototype.isSound(at, record.size)
                else {
                    missing += 1
                    continue
                }
                for (output, column) in zip(prototype.outputs, columns) {
                    unsafe copy(output, column, segment.first + i, from: at, record.size)
                }
            }
        }
        return missing
    }

    /// Throws when an array of a length of its own is larger than its place.
    private func check(_ output: Prototype.Output, _ column: OutputColumn, _ prototype: Prototype) throws(MapError) {
        for case let segment? in segments where segment.outcome == nil {
            for i in 0..<segment.count {
                guard let record = segment.record(i), let at = unsafe segment.store.bytes(record.offset, record.size),
                    unsafe prototype.isSound(at, record.size)
                else { continue }
                let span = unsafe output.span(in: at)
                if span.size > column.size {
                    throw MapError(
                        MAPE_E_OVERFLOW,
                        "output \"\(output.name)\" (\(output.spelling)) has \(span.size) bytes in call \(segment.first + i), but its column's size is \(column.size)"
                    )
                }
            }
        }
    }

    /// One output of records side by side.
    private func copy(
        _ output: Prototype.Output, _ column: OutputColumn, _ segment: Segment, from records: UnsafeRawPointer
    ) {
        guard let base = unsafe column.base, let size = output.size else { return }
        let count = Int(segment.count)
        let from = unsafe records + Int(output.offset)
        let to = unsafe base + Int(segment.first) * column.stride
        let step = Int(segment.size)
        if step == column.stride && UInt64(step) == size {
            unsafe to.copyMemory(from: from, byteCount: count * step)
            return
        }
        func each<T: BitwiseCopyable>(_ type: T.Type) {
            for i in 0..<count {
                unsafe (to + i * column.stride).storeBytes(
                    of: (from + i * step).loadUnaligned(as: T.self), as: T.self)
            }
        }
        switch size {
        case 1: each(UInt8.self)
        case 2: each(UInt16.self)
        case 4: each(UInt32.self)
        case 8: each(UInt64.self)
        default:
            for i in 0..<count {
                unsafe (to + i * column.stride).copyMemory(from: from + i * step, byteCount: Int(size))
            }
        }
    }

    /// One output of one record.
    private func copy(
        _ output: Prototype.Output, _ column: OutputColumn, _ item: UInt64, from record: UnsafeRawPointer,
        _ size: UInt64
    ) {
        guard let base = unsafe column.base else { return }
        let to = unsafe base + Int(item) * column.stride
        if let size = output.size {
            unsafe to.copyMemory(from: record + Int(output.offset), byteCount: Int(size))
            return
        }
        // Read again: the worker may have changed it since it was checked.
        let span = unsafe output.span(in: record)
        guard span.offset <= size, span.size <= size - span.offset, span.size <= column.size else { return }
        unsafe to.copyMemory(from: record + Int(span.offset), byteCount: Int(span.size))
    }
}

extension Prototype {
    /// Whether a record of so many bytes, which a worker wrote, holds what it says it does.
    func isSound(_ record: UnsafeRawPointer, _ size: UInt64) -> Bool {
        guard size >= resultSize else { return false }
        for output in outputs where output.size == nil {
            let span = unsafe output.span(in: record)
            guard span.offset <= size, span.size <= size - span.offset else { return false }
        }
        return true
    }
}

extension Prototype.Output {
    /// Where a record says that this output is.
    func span(in record: UnsafeRawPointer) -> mape_native_span {
        unsafe (record + Int(offset)).loadUnaligned(as: mape_native_span.self)
    }
}

extension Segment {
    /// The bytes of call i's record, or nil when it did not end well.
    fileprivate func record(_ i: UInt64) -> (offset: UInt64, size: UInt64)? {
        let entry = entry(i)
        return entry.ended != nil || entry.size == 0 ? nil : (entry.offset, entry.size)
    }

    fileprivate func isOK(_ i: UInt64) -> Bool { entry(i).ended == nil }
}
