// What workers read of a job: its record in the input memory, and tables of spans.

import CMapBridge

/// A job's record: which function, which globals, and where its items lie. Items are `stride` bytes apart from `base` on; or there is a
/// table of spans; or, of a typed function, one of columns. Places are offsets in the input memory; 0: there is none.
struct JobRecord: Equatable {
    var function: UInt32 = 0
    /// The number of the name that it is shown by; 0: none.
    var name: UInt32 = 0
    var globals: UInt64 = 0
    var base: UInt64 = 0
    var stride: UInt64 = 0
    var size: UInt64 = 0
    var spans: UInt64 = 0
    /// Item i's span is number i & spanMask of the table.
    var spanMask: UInt64 = 0
    var columns: UInt64 = 0
    /// The job's own data: a mapb_job_data.
    var data: UInt64 = 0

    /// What a record takes. One that lanes read takes InputMemory.recordBytes.
    static var bytes: UInt64 { UInt64(MemoryLayout<mapb_job>.size) }
    /// What lanes have to know beside it, behind it.
    static var bytesForLanes: UInt64 { UInt64(MemoryLayout<mapb_job_remote>.size) }

    func write(to input: InputMemory, at offset: UInt64) {
        unsafe input.at(offset, as: mapb_job.self).pointee = mapb_job(
            function: function, cancel: name << MAPB_NAME_SHIFT, globals: globals, base: base,
            stride: spans != 0 ? spanMask : stride,
            size: size, spans: spans, data: data, columns: columns)
    }
}

extension JobRecord {
    init(reading input: InputMemory, at offset: UInt64) {
        let record = unsafe input.at(offset, as: mapb_job.self).pointee
        let hasSpans = record.spans != 0
        self.init(
            function: record.function, name: record.cancel >> MAPB_NAME_SHIFT, globals: record.globals,
            base: record.base, stride: hasSpans ? 0 : record.stride,
            size: record.size, spans: record.spans, spanMask: hasSpans ? record.stride : 0, columns: record.columns,
            data: record.data)
    }

    /// Has workers count the items from `first` on: all places move back by so many items, past 0 perhaps, as workers' sums do. Spans are those of
    /// a map, whose mask keeps all numbers.
    mutating func count(from first: UInt64, columns count: Int, in input: InputMemory) {
        base &-= first &* stride
        if spans != 0 { spans &-= first &* SpanTable.line }
        if columns == 0 { return }
        let table = unsafe input.at(columns, as: mapb_column.self)
        for k in 0..<count {
            let stride = unsafe UInt64(bitPattern: table[k].stride)
            unsafe table[k].base &-= first &* stride
            if unsafe table[k].spans != 0 && stride != 0 { unsafe table[k].spans &-= first &* SpanTable.line }
        }
    }

    /// The same record as the host counts items: from 0.
    func countedFromZero(_ first: UInt64) -> JobRecord {
        var record = self
        record.base &+= first &* stride
        if spans != 0 { record.spans &+= first &* SpanTable.line }
        return record
    }

    /// The pieces of an item that has several, by its span; nil: it is one.
    static func pieces(_ item: Extent, in input: InputMemory) -> [Extent]? {
        guard item.count & MAPB_PIECES != 0 else { return nil }
        let table = SpanTable(input, at: item.offset)
        return (0..<item.count & ~MAPB_PIECES).map { table[$0] }
    }

    /// Where an item lies that is in no columns.
    func item(_ index: UInt64, in input: InputMemory) -> Extent {
        if spans != 0 { return SpanTable(input, at: spans)[index & spanMask] }
        return Extent(offset: base &+ index &* stride, count: size)
    }

    /// Asks workers to stop the items of a job soon.
    static func cancel(_ input: InputMemory, at offset: UInt64) {
        let record = unsafe input.at(offset, as: mapb_job.self)
        unsafe mapb_store32(&record.pointee.cancel, record.pointee.cancel | 1)
    }
}

/// A table of spans in the input memory.
@safe struct SpanTable {
    private let lines: UnsafeMutablePointer<mapb_span>

    /// What a line takes.
    static var line: UInt64 { UInt64(MemoryLayout<mapb_span>.stride) }

    init(_ input: InputMemory, at offset: UInt64) { unsafe lines = unsafe input.at(offset, as: mapb_span.self) }

    subscript(number: UInt64) -> Extent {
        @inline(__always) get {
            let line = unsafe lines[Int(number)]
            return Extent(offset: line.offset, count: line.size)
        }
        @inline(__always) nonmutating set {
            unsafe lines[Int(number)] = mapb_span(offset: newValue.offset, size: newValue.count)
        }
    }
}
