// Items of several pieces: those of a map, and those pushed to a stream.

import CMapBridge

extension Pool {
    /// Finds a place for a map's items, and copies them. Without the lock.
    func prepare(_ items: UnsafePointer<mape_pieces>, _ count: UInt64) throws(MapError) -> Prepared {
        var pieces = HostPieces()
        var used = UsedBuffers()
        do throws(MapError) {
            // `count` of them fit into an address space.
            let head = fixed.input.recordBytes
            var bytes = head + HostPieces.rounded(count * SpanTable.line)
            var moved = Moved()
            let lines = bytes
            for i in 0..<Int(count) {
                try unsafe pieces.read(items[i], "items.pieces", i, fixed.input)
                let item = pieces.items[i]
                try pieces.eachInside(item) { (k, offset, size) throws(MapError) in
                    moved.shared &+= size
                    if used.holding(offset, size) != nil { return }
                    used.add(try claim(offset, size, "items.pieces[\(i)].pieces[\(k)].data"))
                }
                bytes += item.bytes
                guard bytes < UInt64(Int64.max) / 2 else {
                    throw MapError(MAPE_E_OVERFLOW, "items.pieces: their sizes together are more than memory can hold")
                }
            }
            var prepared = Prepared(block: try fixed.input.allocate(bytes), total: count)
            prepared.used = used
            prepared.record.spans = prepared.block.offset + head
            prepared.record.spanMask = UInt64.max
            let spans = SpanTable(fixed.input, at: prepared.record.spans)
            var place = prepared.record.spans + HostPieces.rounded(count * SpanTable.line)
            let began = moved.begin(bytes - lines)
            for (i, item) in pieces.items.enumerated() {
                spans[UInt64(i)] = HostPieces.span(item, at: place)
                pieces.write(item, to: place, into: fixed.input)
                place += item.bytes
            }
            moved.end(began)
            prepared.moved = moved
            return prepared
        } catch {
            core.with { core in for buffer in used.list { core.release(buffer) } }
            throw error
        }
    }

    /// Accepts as many items as fit into the window, as `push` does for spans.
    func push(_ job: Job, _ stream: Stream, _ items: UnsafePointer<mape_pieces>, _ count: Int) -> (Int, MapError?) {
        stream.pushing.lock()
        defer { stream.pushing.unlock() }
        var pieces = HostPieces()
        var accepted = 0
        while true {
            let some = min(count - accepted, Policy.piecesAtOnce)
            var failure: MapError?
            pieces.removeAll()
            do throws(MapError) {
                for i in accepted..<accepted + some { try unsafe pieces.read(items[i], "items", i, fixed.input) }
            } catch {
                failure = error
            }
            let places = core.with { (core) -> [UInt64] in
                do throws(MapError) {
                    try core.checkPush(job, stream)
                    if accepted == 0 { core.pump() }
                } catch {
                    failure = error
                    return []
                }
                let places = core.place(job, stream, pieces, accepted, &failure)
                if !places.isEmpty {
                    stream.beginCopying()
                    job.input.pin()
                }
                return places
            }
            if !places.isEmpty {
                let began = mapb_clock()
                for (item, place) in zip(pieces.items, places) { pieces.write(item, to: place, into: fixed.input) }
                let time = mapb_clock() - began
                core.with { core in
                    stream.endCopying()
                    core.pushed(job, places.count, time: time)
                    core.unpin(job)
                }
            }
            accepted += places.count
            if places.count < some || accepted == count { return (accepted, failure) }
        }
    }
}
