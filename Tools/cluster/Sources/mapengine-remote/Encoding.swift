// A range as a message: its head, and its items' bytes, copied out of the input memory. The engine may take a range back meanwhile and
// free its memory; so all offsets are checked, and the caller looks afterwards whether the range still stands.

import CLanes
import Cluster

struct Message {
    var head: WorkHead
    var bytes: [UInt8]
}

extension Lane {
    func record<T: BitwiseCopyable>(_ type: T.Type, at place: UInt64, _ zero: T) -> T? {
        var value = zero
        let size = UInt64(MemoryLayout<T>.size)
        let read = unsafe withUnsafeMutableBytes(of: &value) { unsafe lane_read(&memory, place, $0.baseAddress, size) }
        return read == 1 ? value : nil
    }

    func bytes(at place: UInt64, _ size: UInt64) -> UnsafeRawBufferPointer? {
        guard let start = unsafe lane_bytes(&memory, place, size) else { return nil }
        return unsafe UnsafeRawBufferPointer(start: start, count: Int(size))
    }

    /// A text of the input memory; nil: it is none. Empty: there is none at 0.
    func text(at place: UInt64, most: UInt64 = 65536) -> String? {
        if place == 0 { return "" }
        let size = unsafe lane_text(&memory, place, most)
        guard size >= 0, let found = unsafe bytes(at: place, UInt64(size)) else { return nil }
        return unsafe String(decoding: found, as: UTF8.self)
    }

    /// Nil: it leads nowhere. plan: of a typed function.
    func message(_ request: mapb_request, _ job: mapb_job, plan: UInt64) -> Message? {
        var head = WorkHead()
        head.first = request.first
        head.count = request.count
        head.step = request.step
        guard request.count > 0, request.count <= WorkHead.mostItems else { return nil }
        if job.columns != 0 { return columns(head, job, plan) }
        if job.spans != 0 { return spans(head, job) }
        head.itemSize = job.size
        let count = UInt64(request.count)
        let (all, tooMany) = job.size.multipliedReportingOverflow(by: count)
        guard !tooMany else { return nil }
        // Where a job counts its items from another number than 0, its base lies so many items back, perhaps below 0.
        let start = job.base &+ request.first &* job.stride
        if job.stride == job.size {
            guard let found = unsafe bytes(at: start, all) else { return nil }
            return unsafe Message(head: head, bytes: [UInt8](found))
        }
        var made: [UInt8] = []
        guard unsafe all <= memory.input_size else { return nil }
        made.reserveCapacity(Int(all))
        for i in 0..<count {
            guard let found = unsafe bytes(at: start &+ i &* job.stride, job.size) else { return nil }
            unsafe made.append(contentsOf: found)
        }
        return Message(head: head, bytes: made)
    }

    private func span(_ table: UInt64, _ index: UInt64) -> mapb_span? {
        record(mapb_span.self, at: table &+ index &* 16, mapb_span())
    }

    private func spans(_ head: WorkHead, _ job: mapb_job) -> Message? {
        var head = head
        // Of all items, one behind the other; and how many each has.
        var pieces: [mapb_span] = []
        var counts: [UInt32] = []
        pieces.reserveCapacity(Int(head.count))
        counts.reserveCapacity(Int(head.count))
        var hasPieces = false
        for i in 0..<UInt64(head.count) {
            guard let span = span(job.spans, (head.first &+ i) & job.stride) else { return nil }
            guard span.size & MAPB_PIECES != 0 else {
                counts.append(1)
                pieces.append(span)
                continue
            }
            hasPieces = true
            let count = span.size & ~MAPB_PIECES
            guard count <= UInt64(WorkHead.mostItems) else { return nil }
            counts.append(UInt32(count))
            for k in 0..<count {
                guard let piece = self.span(span.offset, k) else { return nil }
                pieces.append(piece)
            }
        }
        var out = ByteWriter()
        head.layout = hasPieces ? .pieces : .sizes
        if hasPieces { for count in counts { out.put(count) } }
        for piece in pieces { out.put(piece.size) }
        for piece in pieces {
            guard let bytes = unsafe bytes(at: piece.offset, piece.size) else { return nil }
            unsafe out.put(bytes)
        }
        return Message(head: head, bytes: out.bytes)
    }

    private func columns(_ head: WorkHead, _ job: mapb_job, _ plan: UInt64) -> Message? {
        var head = head
        head.layout = .columns
        guard let inputs = inputs(of: plan) else { return nil }
        var out = ByteWriter()
        out.put(UInt32(inputs))
        let count = UInt64(head.count)
        for k in 0..<inputs {
            guard let column = record(mapb_column.self, at: job.columns &+ k &* 32, mapb_column()) else { return nil }
            out.put(column.size)
            if column.spans != 0 {
                let isShared = column.stride == 0
                out.put((isShared ? ColumnKind.pointedShared : .pointed).rawValue)
                var spans: [mapb_span] = []
                for i in 0..<(isShared ? 1 : count) {
                    guard let span = span(column.spans, isShared ? 0 : head.first &+ i) else { return nil }
                    spans.append(span)
                }
                for span in spans { out.put(span.offset == 0 ? UInt64.max : span.size) }
                for span in spans where span.offset != 0 {
                    guard let bytes = unsafe bytes(at: span.offset, span.size) else { return nil }
                    unsafe out.put(bytes)
                }
            } else {
                let isShared = column.stride == 0
                out.put((isShared ? ColumnKind.shared : .even).rawValue)
                for i in 0..<(isShared ? 1 : count) {
                    let place = column.base &+ (head.first &+ i) &* UInt64(bitPattern: column.stride)
                    guard let bytes = unsafe bytes(at: place, column.size) else { return nil }
                    unsafe out.put(bytes)
                }
            }
        }
        return Message(head: head, bytes: out.bytes)
    }

    /// How many columns a typed function has.
    private func inputs(of plan: UInt64) -> UInt64? {
        guard let native = record(mapb_native.self, at: plan, mapb_native()), native.parameter_count <= 1024 else {
            return nil
        }
        let start =
            plan &+ UInt64(MemoryLayout<mapb_native>.size) &+ UInt64(native.type_count) * 16 &+ UInt64(
                native.member_count) * 8
        var inputs: UInt64 = 0
        for k in 0..<UInt64(native.parameter_count) {
            guard let one = record(mapb_native_parameter.self, at: start &+ k * 88, mapb_native_parameter()) else {
                return nil
            }
            if one.is_in != 0 { inputs += 1 }
        }
        return inputs
    }

    /// The globals of a table, as a blob; nil: it leads nowhere.
    func globals(at root: UInt64) -> [UInt8]? {
        var found: [(name: [UInt8], data: [UInt8])] = []
        guard collect(root, 0, &found) else { return nil }
        // A table's order follows hashes of names, so that equal tables are equal blobs.
        return Globals.encode(found)
    }

    private func collect(_ node: UInt64, _ depth: Int, _ found: inout [(name: [UInt8], data: [UInt8])]) -> Bool {
        guard depth <= 17 else { return false }
        for k in 0..<UInt64(MAPB_GLOBALS_WIDTH) {
            guard let slot = record(UInt64.self, at: node &+ k * 8, 0) else { return false }
            if slot == 0 { continue }
            if slot & UInt64(MAPB_GLOBALS_NODE) != 0 {
                guard collect(slot & ~UInt64(MAPB_GLOBALS_NODE), depth + 1, &found) else { return false }
                continue
            }
            var place = slot
            while place != 0 {
                guard let global = record(mapb_global.self, at: place, mapb_global()), found.count < Int(Globals.most)
                else { return false }
                let name = place &+ UInt64(MemoryLayout<mapb_global>.size)
                let size = unsafe lane_text(&memory, name, 256)
                guard size > 0, let nameBytes = unsafe bytes(at: name, UInt64(size)),
                    let data = unsafe bytes(at: global.data, global.size)
                else { return false }
                unsafe found.append(([UInt8](nameBytes), [UInt8](data)))
                place = global.next
            }
        }
        return true
    }
}
