// Jobs of typed functions over columns: every input is an array of its own, in the host and in the input memory.
//
//   mapb_job │ mapb_column per input │ column │ column │ ...
//
// Columns of values are copied in pieces, as items are, or read in place from a mape_buffer. What pointers point to is copied at
// submission, behind a table of spans.

import CMapBridge

/// Where the host gave a column: checked against its parameter.
@safe struct InputColumn {
    let base: UnsafeRawPointer
    let stride: Int
    /// Bytes per call; for pointers, of a pointer.
    let size: UInt64
    let isPointers: Bool

    /// Bytes from the lowest used to the end of the highest, and where they begin.
    func extent(_ count: UInt64) throws(MapError) -> (start: UnsafeRawPointer, bytes: UInt64) {
        guard let range = unsafe AddressRange(UInt(bitPattern: base), count: count, stride: stride, size: size),
            let place = unsafe UnsafeRawPointer(bitPattern: range.start)
        else {
            throw MapError(
                MAPE_E_OVERFLOW,
                "count (\(count)) times a column's stride (\(stride)) and size (\(size)) passes the end of memory")
        }
        return unsafe (place, range.bytes)
    }

    func place(_ i: UInt64) -> UnsafeRawPointer { unsafe base + Int(i) * stride }
    func pointer(_ i: UInt64) -> UnsafeRawPointer? {
        unsafe place(i).loadUnaligned(as: UnsafeRawPointer?.self)
    }
}

extension Pool {
    /// Finds a place for a typed function's columns, and copies the first rows of them, or all.
    func prepare(_ prototype: Prototype, _ columns: [InputColumn], _ count: UInt64) throws(MapError) -> Prepared {
        var work = ColumnWork(pool: self, prototype: prototype, columns: columns, count: count)
        do throws(MapError) {
            for k in columns.indices { try work.place(k) }
            var prepared = Prepared(block: try fixed.input.allocate(work.bytes), total: count)
            prepared.used = work.used
            prepared.record.columns = prepared.block.offset + fixed.input.recordBytes
            prepared.moved = work.moved
            let copies = work.write(prepared.block.offset)
            if !copies.isEmpty, let base = unsafe columns.first?.base {
                prepared.copy(
                    unsafe HostItems(
                        base: base, stride: 0, packed: copies.reduce(0) { $0 + UInt64($1.size) }, size: 0, target: 0,
                        columns: copies), into: fixed.input)
            }
            return prepared
        } catch {
            core.with { core in for buffer in work.used.list { core.release(buffer) } }
            throw error
        }
    }
}

/// Lays columns out in one block, and fills it.
private struct ColumnWork {
    let pool: Pool
    let prototype: Prototype
    let columns: [InputColumn]
    let count: UInt64
    var used = UsedBuffers()
    /// Of the block.
    private(set) var bytes: UInt64
    private var places: [Place] = []
    /// What is copied beside columns of values, and what is read in place.
    private(set) var moved = Moved()

    private enum Place {
        case inPlace(UInt64)
        /// Offset in the block; how many values are there.
        case copied(UInt64, UInt64)
        /// Offset in the block; bytes behind each pointer. They are measured once: whoever changes them meanwhile spoils what
        /// this call reads, and nothing else.
        case pointers(UInt64, [UInt64])
    }

    init(pool: Pool, prototype: Prototype, columns: [InputColumn], count: UInt64) {
        self.pool = pool
        self.prototype = prototype
        self.columns = columns
        self.count = count
        bytes = aligned(
            pool.fixed.input.recordBytes + UInt64(columns.count * MemoryLayout<mapb_column>.stride), 64)
    }

    private func parameter(_ k: Int) -> Prototype.Parameter { prototype.parameters[prototype.inputs[k]] }

    private mutating func reserve(_ size: UInt64) throws(MapError) -> UInt64 {
        let place = bytes
        let (sum, over) = bytes.addingReportingOverflow(size)
        guard !over, sum < UInt64(Int64.max) - 64 else {
            throw MapError(MAPE_E_OVERFLOW, "the columns together are more than memory can hold")
        }
        bytes = aligned(sum, 64)
        return place
    }

    /// Decides where a column is to be, and how much there is of it.
    mutating func place(_ k: Int) throws(MapError) {
        let column = columns[k]
        guard count > 0 else {
            places.append(.copied(0, 0))
            return
        }
        let extent = try unsafe column.extent(count)
        let rows = column.stride == 0 ? 1 : count
        if column.isPointers {
            let sizes = try sizesBehind(k, rows)
            let bytes = try pointersSize(k, sizes)
            moved.copied += bytes
            places.append(.pointers(try reserve(bytes), sizes))
            return
        }
        // What is not aligned for its type is copied to where it is.
        let alignment = UInt(parameter(k).type.alignment)
        if unsafe UInt(bitPattern: column.base) % alignment == 0, column.stride.magnitude % alignment == 0,
            let offset = unsafe pool.fixed.input.offset(of: extent.start)
        {
            if unsafe used.holding(offset, extent.bytes) == nil {
                used.add(try unsafe pool.claim(offset, extent.bytes, "columns[\(k)].base"))
            }
            unsafe moved.shared &+= min(extent.bytes, rows &* column.size)
            places.append(unsafe .inPlace(offset + UInt64(column.base - extent.start)))
            return
        }
        let (size, over) = rows.multipliedReportingOverflow(by: column.size)
        guard !over else {
            throw MapError(MAPE_E_OVERFLOW, "count (\(count)) times the bytes of columns[\(k)] is more than memory")
        }
        places.append(.copied(try reserve(size), rows))
    }

    private static let line = SpanTable.line

    /// Bytes of a table of spans and all that they refer to.
    private func pointersSize(_ k: Int, _ sizes: [UInt64]) throws(MapError) -> UInt64 {
        var sum = UInt64(sizes.count) * Self.line
        for size in sizes {
            // Each is below 2^40 and lies in memory of this process, so that only their sum could be too much.
            sum += aligned(size, 16)
            guard sum < UInt64(Int64.max) else {
                throw MapError(MAPE_E_OVERFLOW, "what columns[\(k)] points to is more than memory can hold")
            }
        }
        return sum
    }

    private func sizesBehind(_ k: Int, _ rows: UInt64) throws(MapError) -> [UInt64] {
        guard rows <= 1 << 40 else {
            throw MapError(MAPE_E_OVERFLOW, "count (\(count)) is more than memory can hold")
        }
        var sizes: [UInt64] = []
        sizes.reserveCapacity(Int(rows))
        for i in 0..<rows { sizes.append(try sizeBehind(k, i)) }
        // One array for all calls is as long as the longest of them asks for.
        if columns[k].stride == 0, let counter = parameter(k).lengthParameter,
            columns[prototype.parameters[counter].input].stride != 0
        {
            for i in 1..<max(1, count) { sizes[0] = max(sizes[0], try sizeBehind(k, i)) }
        }
        return sizes
    }

    /// Bytes that row i's pointer of column k points to.
    private func sizeBehind(_ k: Int, _ i: UInt64) throws(MapError) -> UInt64 {
        guard let pointer = unsafe columns[k].pointer(i) else { return 0 }
        let parameter = parameter(k)
        if parameter.form == .text {
            try checkRange(pointer, 1, "\(parameter.shown(prototype.inputs[k])) in call \(i)")
            return unsafe UInt64(length(of: pointer.assumingMemoryBound(to: CChar.self))) + 1
        }
        guard let counter = parameter.lengthParameter else {
            try checkRange(pointer, parameter.size, "\(parameter.shown(prototype.inputs[k])) in call \(i)")
            return parameter.size
        }
        let length = columns[prototype.parameters[counter].input]
        let kind = prototype.parameters[counter].type.kind
        guard let elements = unsafe integer(at: length.place(i), kind) else {
            throw .argument(
                prototype.parameters[counter].shown(counter),
                "is negative in call \(i), but it is the length of \"\(parameter.name)\"")
        }
        let (size, over) = elements.multipliedReportingOverflow(by: parameter.size)
        guard !over, size <= 1 << 40 else {
            throw MapError(
                MAPE_E_OVERFLOW,
                "\(parameter.shown(prototype.inputs[k])): its length is \(elements) in call \(i), more than memory can hold"
            )
        }
        try checkRange(
            pointer, size, "\(parameter.shown(prototype.inputs[k])): its length, \(elements) in call \(i),")
        return size
    }

    /// Writes the table of columns, and what pointers point to. Returns what is still to be copied.
    func write(_ block: UInt64) -> [HostColumn] {
        let table = unsafe pool.fixed.input.at(block + pool.fixed.input.recordBytes, as: mapb_column.self)
        var copies: [HostColumn] = []
        for k in columns.indices {
            let column = columns[k]
            var record = mapb_column()
            record.size = column.size
            switch places[k] {
            case .inPlace(let offset):
                record.base = offset
                record.stride = Int64(column.stride)
            case .copied(let at, let rows):
                record.base = block + at
                record.stride = column.stride == 0 ? 0 : Int64(column.size)
                if rows == 1 {
                    unsafe pool.fixed.input.copy(column.base, Int(column.size), to: record.base)
                } else if rows > 1 {
                    copies.append(
                        unsafe HostColumn(
                            base: column.base, stride: column.stride, size: Int(column.size), target: record.base))
                }
            case .pointers(let at, let sizes):
                record.spans = block + at
                record.stride = column.stride == 0 ? 0 : 1
                writePointers(k, record.spans, sizes)
            }
            unsafe table[k] = record
        }
        return copies
    }

    private func writePointers(_ k: Int, _ table: UInt64, _ sizes: [UInt64]) {
        let lines = SpanTable(pool.fixed.input, at: table)
        let isText = parameter(k).form == .text
        var place = table + UInt64(sizes.count) * Self.line
        for (i, size) in sizes.enumerated() {
            guard let pointer = unsafe columns[k].pointer(UInt64(i)) else {
                lines[UInt64(i)] = Extent(offset: 0, count: 0)
                continue
            }
            lines[UInt64(i)] = Extent(offset: place, count: size)
            if size > 0 {
                unsafe pool.fixed.input.copy(pointer, Int(size), to: place)
                if isText { unsafe pool.fixed.input.base[Int(place + size) - 1] = 0 }
            }
            place += aligned(size, 16)
        }
    }
}
