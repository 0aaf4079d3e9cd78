// A job's input, before there is a job: a block of the input memory, and in it what is copied first. No lock is held while bytes move.

import CMapBridge

extension Pool {
    /// Finds a place for a job's items, and copies the first of them, or all. Without the lock.
    func prepare(_ items: Items) throws(MapError) -> Prepared {
        let head = fixed.input.recordBytes
        switch items {
        case .strided(let base, let count, let stride, let size):
            let extent = try extentOf(count, stride, size)
            if let base = unsafe base, size > 0, count > 0, let offset = fixed.input.offset(of: base) {
                let buffer = try claim(offset, extent, "items.base")
                do throws(MapError) {
                    var prepared = Prepared(block: try fixed.input.allocate(head), total: count)
                    prepared.used.add(buffer)
                    prepared.moved.shared = stride < size ? extent : count * size
                    prepared.record.base = offset
                    prepared.record.stride = stride
                    prepared.record.size = size
                    return prepared
                } catch {
                    core.with { $0.release(buffer) }
                    throw error
                }
            }
            let packed = unsafe packedStride(base, stride, size)
            let bytes = try extentOf(count, packed, size)
            guard bytes < UInt64(Int64.max) - head else {
                throw MapError(MAPE_E_OVERFLOW, "items.count * items.item_size is more than memory can hold")
            }
            var prepared = Prepared(block: try fixed.input.allocate(head + bytes), total: count)
            prepared.record.base = prepared.block.offset + head
            prepared.record.stride = packed
            prepared.record.size = size
            if let base = unsafe base, bytes > 0 {
                prepared.copy(
                    unsafe HostItems(
                        base: base, stride: stride, packed: packed, size: size, target: prepared.record.base),
                    into: fixed.input)
            }
            return prepared
        case .spans(let spans, let count): return try unsafe prepareSpans(spans, count)
        }
    }

    private func extentOf(_ count: UInt64, _ stride: UInt64, _ size: UInt64) throws(MapError) -> UInt64 {
        if count == 0 { return 0 }
        let (last, over) = (count - 1).multipliedReportingOverflow(by: stride)
        let (extent, over2) = last.addingReportingOverflow(size)
        guard !over, !over2, extent <= UInt64(Int64.max) else {
            throw MapError(
                MAPE_E_OVERFLOW, "items.count (\(count)) times items.stride (\(stride)) passes the end of memory")
        }
        return extent
    }

    /// The stride of items in the arena: as close as their alignment in the host allows; as in the host when they overlap.
    private func packedStride(_ base: UnsafeRawPointer?, _ stride: UInt64, _ size: UInt64) -> UInt64 {
        if stride <= size { return stride }
        let address = UInt64(UInt(bitPattern: base))
        let lowest = (address | stride) & (~(address | stride) &+ 1)
        let alignment = min(64, lowest)
        return min(stride, (size + alignment - 1) & ~(alignment - 1))
    }

    /// The live buffer that holds a stretch of the input memory. The caller holds it until it releases it.
    func claim(_ offset: UInt64, _ count: UInt64, _ name: String) throws(MapError) -> Buffer {
        try core.with { (core) throws(MapError) in
            let buffer = try core.buffer(offset, count, name)
            buffer.retain()
            return buffer
        }
    }

    private func prepareSpans(_ spans: UnsafePointer<mape_span>, _ count: UInt64) throws(MapError) -> Prepared {
        let head = fixed.input.recordBytes
        let line = SpanTable.line
        let (table, over) = count.multipliedReportingOverflow(by: line)
        guard !over, table < 1 << 60 else {
            throw MapError(MAPE_E_OVERFLOW, "items.count (\(count)) is more than memory can hold")
        }
        var used = UsedBuffers()
        do throws(MapError) {
            var bytes = head + table
            var shared: UInt64 = 0
            for i in 0..<Int(count) {
                let span = unsafe spans[i]
                // More than half of an address space arrives as a negative number.
                guard span.size >= 0 else {
                    throw MapError(MAPE_E_OVERFLOW, "items.spans[\(i)].size is more than memory can hold")
                }
                guard unsafe span.data != nil || span.size == 0 else {
                    throw .argument("items.spans[\(i)].data", "is NULL, but its size is \(span.size)")
                }
                try unsafe checkRange(span.data, UInt64(span.size), "items.spans[\(i)].size (\(span.size))")
                if let data = unsafe span.data, span.size > 0, let offset = fixed.input.offset(of: data) {
                    let size = UInt64(span.size)
                    if used.holding(offset, size) == nil { used.add(try claim(offset, size, "items.spans[\(i)].data")) }
                    shared &+= size
                    continue
                }
                let (sum, over) = bytes.addingReportingOverflow((UInt64(span.size) + 15) & ~15)
                guard !over, sum < UInt64(Int64.max) else {
                    throw MapError(MAPE_E_OVERFLOW, "items.spans: their sizes together are more than memory can hold")
                }
                bytes = sum
            }
            var prepared = Prepared(block: try fixed.input.allocate(bytes), total: count)
            prepared.used = used
            prepared.record.spans = prepared.block.offset + head
            prepared.record.spanMask = UInt64.max
            prepared.moved.shared = shared
            let began = prepared.moved.begin(bytes - head - table)
            unsafe copySpans(spans, count, prepared, from: prepared.block.offset + head + table)
            prepared.moved.end(began)
            return prepared
        } catch {
            core.with { core in for buffer in used.list { core.release(buffer) } }
            throw error
        }
    }

    /// Writes the table of spans, and copies what they refer to. Spans that another thread of the host changes meanwhile are cut to what
    /// there is room for.
    private func copySpans(
        _ spans: UnsafePointer<mape_span>, _ count: UInt64, _ prepared: Prepared, from start: UInt64
    ) {
        let lines = SpanTable(fixed.input, at: prepared.record.spans)
        var place = start
        for i in 0..<Int(count) {
            let span = unsafe spans[i]
            var size = UInt64(bitPattern: Int64(span.size))
            if let data = unsafe span.data, size > 0, let offset = fixed.input.offset(of: data) {
                if prepared.used.holding(offset, size) == nil { size = 0 }
                lines[UInt64(i)] = Extent(offset: size > 0 ? offset : place, count: size)
                continue
            }
            size = min(size, prepared.block.end - place)
            lines[UInt64(i)] = Extent(offset: place, count: size)
            if let data = unsafe span.data, size > 0 { unsafe fixed.input.copy(data, Int(size), to: place) }
            place = min(prepared.block.end, place + (size + 15) & ~15)
        }
    }
}
