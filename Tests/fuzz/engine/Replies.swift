// Fuzzing of what a pool takes from its workers: replies, counters, tables, messages, the blame word at a death.

import CMapBridge
import Glibc

@testable import MapEngine

private struct Liar {
    let fuzz: FuzzPool
    let slot: Int
    /// It says of an item how it has ended elsewhere.
    private var isLane: Bool { worker.isRemote }
    var worker: Worker { fuzz.core.workers[slot] }

    /// A reply as it should be to the next request that has none, with results of `size` bytes each, or a table.
    func answer(_ input: inout Bytes) {
        guard let region = worker.region, let given = worker.assigned.first else { return }
        let reply = mapb_reply_at(region.base, given.ticket)!
        var right = mapb_reply()
        right.ticket = given.ticket
        let start = cursor
        right.frontier_end = start
        if case .range(_, let range) = given.work {
            right.done = UInt32(truncatingIfNeeded: range.count)
            let size = UInt64(input.byte() % 24)
            if input.byte() & 1 == 0 {
                right.base = start
                right.size = size
                right.frontier_end = (start + size * range.count + 7) & ~7
            } else {
                right.flags = MAPB_REPLY_TABLE.rawValue
                right.table = start
                let texts = start + range.count * 16
                right.frontier_end = min(texts + 4096, region.size)
                guard right.frontier_end - start >= range.count * 16 else { return }
                write(table: start, texts: texts, range.count, region, &input)
            }
        }
        if input.byte() % 4 == 0 { spoil(&right, region, &input) }
        reply.pointee = right
        mapb_store(&region.outbox.pointee.tail, given.ticket)
    }

    /// Where the pool believes the worker's results to begin: found as a worker knows it, from the last reply.
    private var cursor: UInt64 {
        guard let region = worker.region, worker.answered > 0 else { return UInt64(MAPB_RESULTS_OFFSET) }
        let last = mapb_reply_at(region.base, worker.answered)!.pointee.frontier_end
        let request = mapb_request_at(fuzz.core.input.inbox(slot).pointer, worker.answered + 1)!.pointee
        if request.flags & MAPB_SET_FRONTIER.rawValue != 0 { return request.frontier_base }
        return last >= UInt64(MAPB_RESULTS_OFFSET) && last <= region.size ? last : UInt64(MAPB_RESULTS_OFFSET)
    }

    private func write(
        table: UInt64, texts: UInt64, _ count: UInt64, _ region: OutputRegion, _ input: inout Bytes
    ) {
        let lines = UnsafeMutableRawPointer(region.base + Int(table)).assumingMemoryBound(to: mapb_entry.self)
        for i in 0..<Int(count) where table + UInt64(i + 1) * 16 <= region.size {
            let kind = input.byte()
            let place = texts + UInt64(input.byte())
            let location = kind & 15 == 15 ? input.edge(region.size, texts) : place
            if isLane, kind & 3 == 3, texts + 512 <= region.size {
                lines[i].where = UInt64(MAPB_ENTRY_ENDED.rawValue) << 56 | (texts + 7) & ~7
                lines[i].size = UInt64(MemoryLayout<mapb_item_end>.size)
                end((texts + 7) & ~7, texts + 256, region, &input)
                continue
            }
            lines[i].where = UInt64(kind & 7 == 7 ? kind : 1 + kind % 2) << 56 | location & (1 << 56 - 1)
            lines[i].size = kind & 16 == 0 ? 8 + UInt64(input.byte()) : input.edge(region.size, texts)
        }
    }

    /// How an item has ended: mostly as it should be.
    private func end(_ place: UInt64, _ texts: UInt64, _ region: OutputRegion, _ input: inout Bytes) {
        var end = mapb_item_end()
        end.state = input.byte() & 1 == 0 ? MAPE_ITEM_CRASHED.rawValue : MAPE_ITEM_TIMED_OUT.rawValue
        end.cause = MAPE_CAUSE_SIGNAL.rawValue
        end.attempts = UInt32(input.byte() % 4)
        end.text = texts
        end.text_size = UInt32(input.byte())
        end.report = texts
        end.report_size = UInt32(input.byte())
        end.host = texts
        end.host_size = UInt32(input.byte() % 16)
        let number = input.edge(region.size, texts)
        switch input.byte() % 16 {
        case 0: end.state = UInt32(truncatingIfNeeded: number)
        case 1: end.cause = UInt32(truncatingIfNeeded: number)
        case 2: end.attempts = UInt32(truncatingIfNeeded: number)
        case 3: end.text = number
        case 4: end.text_size = UInt32(truncatingIfNeeded: number)
        case 5: end.report = number
        case 6: end.report_size = UInt32(truncatingIfNeeded: number)
        case 7: end.host = number
        case 8: end.host_size = UInt32(truncatingIfNeeded: number)
        case 9: end.has_mark = UInt32(truncatingIfNeeded: number)
        default: break
        }
        withUnsafeBytes(of: &end) { bytes in
            (region.base + Int(place)).update(
                from: bytes.baseAddress!.assumingMemoryBound(to: UInt8.self), count: bytes.count)
        }
        for (i, byte) in input.take(Int(input.byte() % 32)).enumerated() { region.base[Int(texts) + i] = byte }
    }

    private func spoil(_ reply: inout mapb_reply, _ region: OutputRegion, _ input: inout Bytes) {
        let number = input.edge(region.size, reply.frontier_end)
        switch input.byte() % 10 {
        case 0: reply.ticket = number
        case 1: reply.done = UInt32(truncatingIfNeeded: number)
        case 2: reply.flags = UInt32(truncatingIfNeeded: number)
        case 3: reply.base = number
        case 4: reply.size = number
        case 5: reply.table = number
        case 6: reply.hole_end = number
        case 7: reply.frontier_end = number
        case 8: reply.code = Int32(truncatingIfNeeded: number)
        default: reply.detail = UInt32(truncatingIfNeeded: number)
        }
    }

    /// Bytes anywhere in the part of the memory that the pool looks into.
    func scribble(_ input: inout Bytes) {
        guard let region = worker.region else { return }
        let offset = (Int(input.byte()) << 8 | Int(input.byte())) &* (input.byte() & 1 == 0 ? 1 : 16) % (1 << 18)
        for (i, byte) in input.take(Int(input.byte() % 72)).enumerated() { region.base[offset + i] = byte }
    }

    func set(_ input: inout Bytes) {
        guard let outbox = worker.region?.outbox else { return }
        let number = input.edge(1 << 20, worker.published)
        switch input.byte() % 8 {
        case 0: mapb_store(&outbox.pointee.tail, number)
        case 1: mapb_store(&outbox.pointee.current, number)
        case 2: mapb_store(&outbox.pointee.current, (worker.answered + 1) << 32 | number & 0xffff_ffff)
        case 3: mapb_store(&outbox.pointee.fraction, number)
        case 4: mapb_store32(&outbox.pointee.yields, UInt32(truncatingIfNeeded: number))
        case 5: mapb_store(&outbox.pointee.message_tail, number)
        case 6: mapb_store(&outbox.pointee.message_lost, number)
        default: mapb_store(&outbox.pointee.tail, worker.answered + 1)
        }
    }

    func message(_ input: inout Bytes) {
        guard let region = worker.region else { return }
        let tail = mapb_load(&region.outbox.pointee.message_tail)
        let size = UInt32(input.byte() & 15 == 15 ? 0xffff_ffff : UInt32(input.byte()))
        var head = mapb_message_head(size: size, level: UInt32(input.byte()))
        withUnsafeBytes(of: &head) { bytes in
            for (i, byte) in bytes.enumerated() {
                region.base[Int(MAPB_MESSAGES_OFFSET) + Int((tail &+ UInt64(i)) % UInt64(MAPB_MESSAGES))] = byte
            }
        }
        mapb_store(&region.outbox.pointee.message_tail, tail &+ ((8 + UInt64(size) + 7) & ~7))
    }
}

/// Runs one input. 0, as libFuzzer wants it.
@_cdecl("mapengine_fuzz_replies")
public func fuzzReplies(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    run(Bytes(data, size), hasLanes: false)
}

/// The same of a pool with lanes, whose helper lies.
@_cdecl("mapengine_fuzz_lanes")
public func fuzzLanes(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 { run(Bytes(data, size), hasLanes: true) }

private func run(_ bytes: Bytes, hasLanes: Bool) -> Int32 {
    var input = bytes
    do {
        let fuzz = try FuzzPool(hasLanes: hasLanes)
        for _ in 0..<400 where !input.isEmpty {
            let op = input.byte()
            let liar = Liar(fuzz: fuzz, slot: hasLanes ? fuzz.slots[Int(op >> 4) % 3] : Int(op >> 7))
            switch op & 15 {
            case 0, 1, 2, 3: liar.answer(&input)
            case 4: try fuzz.submit(&input)
            case 5: liar.scribble(&input)
            case 6: liar.set(&input)
            case 7: liar.message(&input)
            case 8: try fuzz.end(liar.slot, Int32(input.byte()) << 8 | Int32(input.byte() & 1) * 11)
            case 9: if let job = fuzz.jobs.last { fuzz.read(job) }
            case 10:
                if let job = fuzz.jobs.first {
                    _ = job.progress(now: mapb_clock(), partial: fuzz.core.partial(of: job))
                }
            case 11: fuzz.pool.core.with { $0.checkTimes(mapb_clock() + Int64(input.byte()) * 1_000_000_000) }
            case 12: fuzz.pool.core.with { $0.reclaimIfDue(mapb_clock() + 1_000_000_000) }
            case 13:
                if let job = fuzz.jobs.last {
                    fuzz.pool.core.with {
                        $0.end(job, Outcome(MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, "cancel"), now: mapb_clock())
                    }
                }
            default: fuzz.core.pump()
            }
            if op & 64 != 0 { fuzz.core.pump() }
            for slot in fuzz.slots where fuzz.core.workers[slot].state == .dying { try fuzz.end(slot, SIGKILL) }
            fuzz.check()
        }
        try fuzz.finish()
    } catch {
        fatalError("fuzz: \(error)")
    }
    return 0
}
