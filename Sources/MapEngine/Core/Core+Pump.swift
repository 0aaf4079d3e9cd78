// From workers to jobs: replies are read once, checked against what the worker was given, and only then used.

import CMapBridge

extension Core {
    /// Takes in every reply that has been published, and gives out new ranges.
    func pump() {
        guard life.stage != .created else { return }
        var now: Int64 = 0
        var next = table.listening.first
        while let slot = next {
            if unsafe table.watches[slot].hasNews {
                takeReplies(table[slot], &now)
                takeMessages(table[slot])
            }
            next = table.listening.next(after: slot)
        }
        followUp()
        if clock.takeBackAt == .max {
            clock.takeBackAt = takeBackDeadline()
            if clock.takeBackAt != .max { engineMustWake(by: clock.takeBackAt) }
        }
    }

    /// Takes in texts of workers that have nothing to do: of a thread that one of their functions has left behind. Looking at all of
    /// them takes long where there are many, so that it is not done each time. Returns when to look again; Int64.max: no need to.
    func lookAtIdle(_ now: Int64) -> Int64 {
        let next = clock.idleLookedAt + Policy.idleLook
        if table.workers.count > Policy.fewWorkers && now < next { return next }
        clock.idleLookedAt = now
        for slot in table.ready where unsafe table.watches[slot].hasNews { takeMessages(table[slot]) }
        return .max
    }

    /// Takes in a worker's replies. `now`: 0 until the clock was read.
    func takeReplies(_ worker: Worker, _ now: inout Int64) {
        guard let region = worker.region else { return }
        let tail = unsafe mapb_load(&region.outbox.pointee.tail)
        if tail == worker.answered { return }
        guard tail > worker.answered, tail <= worker.published else {
            hostile(worker, "it says it has answered \(tail) of \(worker.published) requests")
            return
        }
        now = mapb_clock()
        worker.progressSince = now
        while worker.answered < tail {
            let assignment = worker.given.first!
            let reply = unsafe mapb_read_reply(mapb_reply_at(region.base, assignment.ticket))
            if let wrong = take(reply, assignment, worker, region, now) {
                hostile(worker, wrong)
                return
            }
            worker.answered += 1
            worker.given.dropFirst()
        }
        worker.seenSince = now
        worker.seenWord = 0
        becameReady(worker)
        sendBacklog(worker)
        unpark(for: worker)
        recycleIfDue(worker)
    }

    /// Uses one reply. Returns what is wrong with it, if anything; then nothing was used.
    private func take(
        _ reply: mapb_reply, _ assignment: Assignment, _ worker: Worker, _ region: OutputRegion, _ now: Int64
    ) -> String? {
        guard reply.ticket == assignment.ticket else { return "its reply is for another request" }
        guard let used = region.advance(ticket: assignment.ticket, holeEnd: reply.hole_end, wildEnd: reply.wild_end)
        else {
            return "its reply claims memory it does not have"
        }
        switch assignment.work {
        case .range(let job, let range):
            // One that ends items goes on; one that stops before its first, again and again, would run for ever.
            let mayStop = job.ending != nil || assignment.ticket <= worker.yieldedTo || reply.done > 0
            guard mayStop || reply.flags & MAPB_REPLY_STOPPED.rawValue == 0 else {
                region.give(used)
                return "its reply says it was stopped, and it was not"
            }
            return takeRange(reply, used, job, range, max(1, assignment.step), worker, region, now)
        case .setup(let function, _):
            defer { region.give(used) }
            guard reply.code != 0 || reply.detail != 0 else {
                function.setupDeaths = 0
                worker.prepare(function.id)
                proved(function, changed: reply.flags & MAPB_REPLY_CHANGED.rawValue != 0)
                // A thread may wait for the start, and another one lead.
                touched.wakes = true
                return nil
            }
            guard let text = text(reply, used, region) else { return "its reply has a text outside its memory" }
            let isLoad = reply.detail == MAPE_CAUSE_LOAD.rawValue
            giveUp(
                function, isLoad ? MAPE_CAUSE_LOAD : MAPE_CAUSE_SETUP, reply.code,
                isLoad
                    ? text
                    : UserText("setup of \"\(function.name)\" failed with code \(reply.code)")
                        + (text.isEmpty ? "" : ": " + text), now)
            return nil
        case .module(let module):
            defer { region.give(used) }
            module.deaths = 0
            guard reply.code != 0 else { return nil }
            guard let text = text(reply, used, region) else { return "its reply has a text outside its memory" }
            registry.moduleFailure = text.isEmpty ? "cannot load module \"\(module.path)\"" : text.description
            log(MAPE_LOG_ERROR, registry.moduleFailure!)
            return nil
        case .cleanup, .exit:
            region.give(used)
            return nil
        }
    }

    private func text(_ reply: mapb_reply, _ used: Used, _ region: OutputRegion) -> UserText? {
        guard reply.size < UInt64(MAPB_TEXT) else { return nil }
        if reply.size == 0 { return "" }
        guard used.contains(reply.base, reply.size) else { return nil }
        return unsafe UserText(
            bytes: UnsafeBufferPointer(start: region.base + Int(reply.base), count: Int(reply.size)))
    }

    private func takeRange(
        _ reply: mapb_reply, _ used: Used, _ job: Job, _ range: ItemRange, _ step: UInt64, _ worker: Worker,
        _ region: OutputRegion, _ now: Int64
    ) -> String? {
        let done = UInt64(reply.done)
        let early = reply.flags & (MAPB_REPLY_STOPPED.rawValue | MAPB_REPLY_NO_MEMORY.rawValue) != 0
        guard done <= range.count, early || done == range.count else {
            region.give(used)
            return "its reply counts \(done) of \(range.count) items"
        }
        if let wrong = record(reply, done, used, job, range, region, now) {
            region.give(used)
            return wrong
        }
        worker.items += done
        job.function.itemsEnded += done
        if reply.flags & MAPB_REPLY_GROWN.rawValue != 0 && config.limits.memoryGrowth > 0 { worker.hasGrown = true }
        job.pace.measure(nanoseconds: reply.detail, items: done)
        var rest = ItemRange(first: range.first + done, count: range.count - done, searched: range.searched)
        if rest.count > 0 && reply.flags & MAPB_REPLY_NO_MEMORY.rawValue != 0 {
            let outcome = Outcome(
                MAPE_ITEM_FAILED, MAPE_CAUSE_MEMORY, code: MAPE_E_MEMORY.rawValue,
                "the result does not fit into the worker's output memory (\(region.size) bytes, \(region.live) in use): release jobs, or set config.output_reserve higher"
            )
            job.end(Segment(first: rest.first, count: 1, outcome: outcome), ok: 0, failed: 0, now: now)
            rest.first += 1
            rest.count -= 1
        }
        putBack(rest, job, now)
        figures.ranges += (done + step - 1) / step
        touch(job)
        return nil
    }

    /// Makes a segment of the first `done` items of a range. Returns what is wrong, if anything; then nothing was recorded.
    /// - used: where its results may lie. keeping: what to give back with the segment, when it is not that.
    func record(
        _ reply: mapb_reply, _ done: UInt64, _ used: Used, _ job: Job, _ range: ItemRange, _ region: OutputRegion,
        _ now: Int64,
        keeping kept: Used? = nil
    ) -> String? {
        if done == 0 {
            region.give(used)
            return nil
        }
        let store = ResultStore.shared(region, kept ?? used)
        if reply.flags & MAPB_REPLY_TABLE.rawValue == 0 {
            let (bytes, over) = reply.size.multipliedReportingOverflow(by: done)
            guard !over, bytes == 0 || used.contains(reply.base, bytes) else {
                return "its results lie outside its memory"
            }
            let segment = Segment(
                first: range.first, count: done, store: store, base: bytes == 0 ? 0 : reply.base, size: reply.size)
            job.end(segment, ok: done, failed: 0, now: now)
            return nil
        }
        let line = UInt64(MemoryLayout<mapb_entry>.stride)
        guard used.contains(reply.table, done * line), reply.table % 8 == 0 else {
            return "its table lies outside its memory"
        }
        let lines = unsafe UnsafeRawPointer(region.base + Int(reply.table)).assumingMemoryBound(to: mapb_entry.self)
        let table = EntryTable()
        table.entries.reserveCapacity(Int(done))
        for i in 0..<Int(done) {
            // Read once; the worker may be writing.
            let place = unsafe mapb_peek(&UnsafeMutablePointer(mutating: lines)[i].where)
            let size = unsafe mapb_peek(&UnsafeMutablePointer(mutating: lines)[i].size)
            let offset = place & (1 << 56 - 1)
            guard size == 0 || used.contains(offset, size) else { return "a result lies outside its memory" }
            switch UInt32(place >> 56) {
            case MAPB_ENTRY_OK.rawValue:
                table.entries.append(Entry(offset: offset, size: size, failure: -1))
            case MAPB_ENTRY_FAILED.rawValue:
                guard let outcome = failure(at: offset, size, region) else { return "a failure's text is not valid" }
                table.entries.append(Entry(offset: 0, size: 0, failure: Int32(table.failures.count)))
                table.failures.append(outcome)
            default: return "a line of its table has no known kind"
            }
        }
        let failed = UInt64(table.failures.count)
        job.end(
            Segment(first: range.first, count: done, store: store, table: table), ok: done - failed, failed: failed,
            now: now)
        return nil
    }

    private func failure(at offset: UInt64, _ size: UInt64, _ region: OutputRegion) -> Outcome? {
        let head = UInt64(MemoryLayout<mapb_failure>.size)
        guard size >= head, size - head < UInt64(MAPB_TEXT) else { return nil }
        let code = unsafe UnsafeRawPointer(region.base + Int(offset)).loadUnaligned(as: Int32.self)
        let text = unsafe UnsafeBufferPointer(start: region.base + Int(offset + head), count: Int(size - head))
        return unsafe Outcome(MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, code: code, CText(text))
    }

    /// Items of a range that did not run: again, or as their job ends.
    func putBack(_ range: ItemRange, _ job: Job, _ now: Int64) {
        guard range.count > 0 else { return }
        if let ending = job.ending ?? job.function.failure {
            job.end(Segment(first: range.first, count: range.count, outcome: ending), ok: 0, failed: 0, now: now)
            return
        }
        job.giveBack(range)
        touch(job)
    }

    /// Texts in the message ring. Each is copied before it is looked at.
    func takeMessages(_ worker: Worker) {
        guard let region = worker.region else { return }
        let outbox = unsafe region.outbox
        let tail = unsafe mapb_load(&outbox.pointee.message_tail)
        if tail == worker.messageHead { return }
        let ring = UInt64(MAPB_MESSAGES)
        let lost = unsafe mapb_load(&outbox.pointee.message_lost)
        let start = unsafe region.base + Int(MAPB_MESSAGES_OFFSET)
        func bytes(_ position: UInt64, _ count: UInt64) -> [UInt8] {
            (0..<count).map { unsafe start[Int((position + $0) & (ring - 1))] }
        }
        guard tail > worker.messageHead, tail - worker.messageHead <= ring else {
            hostile(worker, "its message ring is not valid")
            return
        }
        while worker.messageHead < tail {
            let head = unsafe bytes(worker.messageHead, 8).withUnsafeBytes {
                unsafe $0.loadUnaligned(as: mapb_message_head.self)
            }
            let whole = (8 + UInt64(head.size) + 7) & ~7
            guard head.size < MAPB_TEXT, whole <= tail - worker.messageHead else {
                hostile(worker, "its message ring is not valid")
                return
            }
            let text = CText(array: bytes(worker.messageHead + 8, UInt64(head.size)))
            let dropped = lost > worker.messageLost ? UInt32(clamping: lost - worker.messageLost) : 0
            worker.messageLost = max(lost, worker.messageLost)
            worker.messageHead += whole
            let level = min(head.level, MAPE_LOG_ERROR.rawValue)
            add(PoolMessage(
                    isLog: true, code: Int32(level), worker: Int32(worker.slot), text: text, lost: dropped))
        }
        unsafe mapb_store(&input.inbox(worker.slot).pointee.message_head, worker.messageHead)
        touched.wakes = true
    }
}
