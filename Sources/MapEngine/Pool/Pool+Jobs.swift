// What the host asks of jobs: submit, cancel, release. Items come in outside the pool's lock, in three steps: `prepare` allocates a block
// and copies what comes first, `submit` makes a job of it under the lock, `fill` copies the rest while workers run what is there.

import CMapBridge

/// Items in memory of the host that are still to be copied.
@safe struct HostItems {
    let base: UnsafeRawPointer
    let stride: UInt64
    /// Their stride in the input memory.
    let packed: UInt64
    let size: UInt64
    let target: UInt64
    /// A typed function's items in place of the above, of which `packed` is the sum.
    var columns: [HostColumn] = []

    /// Where the piece ends that begins with an item.
    func pieceEnd(from first: UInt64, of total: UInt64) -> UInt64 {
        min(total, first + max(1, Policy.copyPiece / max(1, packed)))
    }

    /// Copies items `first` to `end`. Items that overlap in the host overlap in the arena.
    func copy(_ first: UInt64, _ end: UInt64, into input: InputMemory) {
        guard first < end else { return }
        if !columns.isEmpty {
            for column in columns { column.copy(first, end, into: input) }
            return
        }
        if packed == stride {
            let bytes = (end - 1 - first) * stride + size
            unsafe input.copy(base + Int(first * stride), Int(bytes), to: target + first * packed)
            return
        }
        for i in first..<end { unsafe input.copy(base + Int(i * stride), Int(size), to: target + i * packed) }
    }
}

/// Where a map's items are in the host.
@safe enum Items {
    case strided(UnsafeRawPointer?, count: UInt64, stride: UInt64, size: UInt64)
    case spans(UnsafePointer<mape_span>, count: UInt64)
}

/// A job's input before there is a job: a block with its record, the buffers that items lie in, and what is still to be copied.
struct Prepared {
    let block: Block
    let total: UInt64
    var record = mapb_job()
    /// Each retained once.
    var used = UsedBuffers()
    var copying: HostItems?
    /// Items that are in place.
    var ready: UInt64 = 0

    init(block: Block, total: UInt64) {
        self.block = block
        self.total = total
    }

    /// Copies the first piece; `copying` is what is left.
    mutating func copyFirst(into input: InputMemory) {
        guard let copying else { return }
        ready = copying.pieceEnd(from: 0, of: total)
        copying.copy(0, ready, into: input)
        if ready == total { self.copying = nil }
    }
}

extension Pool {
    func function(_ id: UInt32) throws(MapError) -> Function {
        guard id > 0, Int(id) <= functions.count else {
            throw MapError(MAPE_E_FUNCTION, "function \(id) is not registered with this pool")
        }
        return functions[Int(id) - 1]
    }

    /// Finds a place for a job's items, and copies the first of them, or all. Without the lock.
    func prepare(_ items: Items) throws(MapError) -> Prepared {
        let head = UInt64(MemoryLayout<mapb_job>.size)
        switch items {
        case .strided(let base, let count, let stride, let size):
            let extent = try extentOf(count, stride, size)
            if let base = unsafe base, size > 0, count > 0, let offset = unsafe input.offset(of: base) {
                let buffer = try claim(offset, extent, "items.base")
                do throws(MapError) {
                    var prepared = Prepared(block: try input.take(head), total: count)
                    prepared.used.add(buffer)
                    prepared.record.base = offset
                    prepared.record.stride = stride
                    prepared.record.size = size
                    return prepared
                } catch {
                    locked { letGo(buffer) }
                    throw error
                }
            }
            let packed = unsafe packedStride(base, stride, size)
            let bytes = try extentOf(count, packed, size)
            guard bytes < UInt64(Int64.max) - head else {
                throw MapError(MAPE_E_OVERFLOW, "items.count * items.item_size is more than memory can hold")
            }
            var prepared = Prepared(block: try input.take(head + bytes), total: count)
            prepared.record.base = prepared.block.offset + head
            prepared.record.stride = packed
            prepared.record.size = size
            if let base = unsafe base, bytes > 0 {
                prepared.copying = unsafe HostItems(
                    base: base, stride: stride, packed: packed, size: size, target: prepared.record.base)
                prepared.copyFirst(into: input)
            }
            return prepared
        case .spans(let spans, let count): return try unsafe prepareSpans(spans, count)
        }
    }

    /// Makes a job of what was prepared. It is queued, but not given out: `launch`.
    func submit(_ function: Function, _ config: JobConfig, _ prepared: Prepared) -> Job {
        var record = prepared.record
        record.function = function.id
        record.globals = globals?.block.offset ?? 0
        unsafe input.at(prepared.block.offset, as: mapb_job.self).pointee = record
        let job = enqueue(function, config, prepared.total, prepared.block, prepared.used, stream: nil)
        if let copying = prepared.copying, !job.isEnded {
            job.copying = copying
            job.ready = prepared.ready
            job.pinInput()
        }
        return job
    }

    /// Nothing came of it. Under the lock.
    func discard(_ prepared: Prepared) {
        input.give(prepared.block)
        for buffer in prepared.used.list { letGo(buffer) }
    }

    func extentOf(_ count: UInt64, _ stride: UInt64, _ size: UInt64) throws(MapError) -> UInt64 {
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

    /// The live buffer that holds a stretch of the input memory.
    func buffer(_ offset: UInt64, _ count: UInt64, _ name: String) throws(MapError) -> Buffer {
        if let buffer = buffers.holding(offset, count) { return buffer }
        throw .argument(name, "lies in the pool's memory, but not wholly inside a live mape_buffer")
    }

    /// The same without the lock. It is the caller's until it lets go of it.
    func claim(_ offset: UInt64, _ count: UInt64, _ name: String) throws(MapError) -> Buffer {
        try locked { () throws(MapError) in
            let buffer = try buffer(offset, count, name)
            buffer.retain()
            return buffer
        }
    }

    private func prepareSpans(_ spans: UnsafePointer<mape_span>, _ count: UInt64) throws(MapError) -> Prepared {
        let head = UInt64(MemoryLayout<mapb_job>.size)
        let line = UInt64(MemoryLayout<mapb_span>.stride)
        let (table, over) = count.multipliedReportingOverflow(by: line)
        guard !over, table < 1 << 60 else {
            throw MapError(MAPE_E_OVERFLOW, "items.count (\(count)) is more than memory can hold")
        }
        var used = UsedBuffers()
        do throws(MapError) {
            var bytes = head + table
            for i in 0..<Int(count) {
                let span = unsafe spans[i]
                // More than half of an address space arrives as a negative number.
                guard unsafe span.size >= 0 else {
                    throw MapError(MAPE_E_OVERFLOW, "items.spans[\(i)].size is more than memory can hold")
                }
                guard unsafe span.data != nil || span.size == 0 else {
                    throw .argument("items.spans[\(i)].data", unsafe "is NULL, but its size is \(span.size)")
                }
                try unsafe checkRange(span.data, UInt64(span.size), "items.spans[\(i)].size (\(span.size))")
                if let data = unsafe span.data, unsafe span.size > 0, let offset = unsafe input.offset(of: data) {
                    let size = unsafe UInt64(span.size)
                    if used.holding(offset, size) == nil { used.add(try claim(offset, size, "items.spans[\(i)].data")) }
                    continue
                }
                let (sum, over) = unsafe bytes.addingReportingOverflow((UInt64(span.size) + 15) & ~15)
                guard !over, sum < UInt64(Int64.max) else {
                    throw MapError(MAPE_E_OVERFLOW, "items.spans: their sizes together are more than memory can hold")
                }
                bytes = sum
            }
            var prepared = Prepared(block: try input.take(bytes), total: count)
            prepared.used = used
            prepared.record.spans = prepared.block.offset + head
            prepared.record.span_mask = UInt64.max
            unsafe copySpans(spans, count, prepared, from: prepared.block.offset + head + table)
            return prepared
        } catch {
            locked { for buffer in used.list { letGo(buffer) } }
            throw error
        }
    }

    /// Writes the table of spans, and copies what they refer to. Spans that another thread of the host changes meanwhile are cut to what
    /// there is room for.
    private func copySpans(
        _ spans: UnsafePointer<mape_span>, _ count: UInt64, _ prepared: Prepared, from start: UInt64
    ) {
        let lines = unsafe input.at(prepared.record.spans, as: mapb_span.self)
        var place = start
        for i in 0..<Int(count) {
            let span = unsafe spans[i]
            var size = unsafe UInt64(bitPattern: Int64(span.size))
            if let data = unsafe span.data, size > 0, let offset = unsafe input.offset(of: data) {
                if prepared.used.holding(offset, size) == nil { size = 0 }
                unsafe lines[i] = mapb_span(offset: size > 0 ? offset : place, size: size)
                continue
            }
            size = min(size, prepared.block.end - place)
            unsafe lines[i] = mapb_span(offset: place, size: size)
            if let data = unsafe span.data, size > 0 { unsafe input.copy(data, Int(size), to: place) }
            place = min(prepared.block.end, place + (size + 15) & ~15)
        }
    }

    func openStream(_ function: Function, _ config: JobConfig) throws(MapError) -> Job {
        // Twice the window: one slow item does not stop the others at once.
        var capacity: UInt64 = 2
        while capacity < config.window * 2 { capacity *= 2 }
        let head = UInt64(MemoryLayout<mapb_job>.size)
        let block = try input.take(head + capacity * UInt64(MemoryLayout<mapb_span>.stride))
        var record = mapb_job()
        record.function = function.id
        record.globals = globals?.block.offset ?? 0
        record.spans = block.offset + head
        record.span_mask = capacity - 1
        unsafe input.at(block.offset, as: mapb_job.self).pointee = record
        return enqueue(
            function, config, 0, block, UsedBuffers(), stream: Stream(input: input, record: block, capacity: capacity))
    }

    func enqueue(
        _ function: Function, _ config: JobConfig, _ total: UInt64, _ block: Block, _ used: UsedBuffers,
        stream: Stream?
    ) -> Job {
        sequence += 1
        figures.jobs += 1
        let now = mapb_clock()
        let job = Job(
            function: function, config: config, sequence: sequence, total: total, record: block, globals: globals,
            now: now)
        job.adopt(used)
        job.stream = stream
        if let failure = function.failure { job.endWaiting(failure, now: now) }
        return job
    }

    /// A job has its handle, or none: its items go to workers.
    func launch(_ job: Job) {
        let now = mapb_clock()
        if job.isPrompt { promptJobs += 1 }
        unendedJobs += 1
        if job.ending == nil { jobsToRun += 1 }
        queueForWork(job)
        settled(job, now)
        watchTimes(of: job, now)
        pump()
    }

    /// Copies the next piece of a job's input in, then gives out what is there: workers begin while the rest is copied. Without the lock,
    /// by the thread that has submitted it. True while there is more.
    func fill(_ job: Job) -> Bool {
        guard let copying = job.copying else { return false }
        let end = copying.pieceEnd(from: job.ready, of: job.total)
        copying.copy(job.ready, end, into: input)
        return locked { filled(job, to: end) }
    }

    private func filled(_ job: Job, to end: UInt64) -> Bool {
        if !job.isEnded {
            job.ready = end
            queueForWork(job)
            assign()
            if end < job.total { return true }
        }
        job.copying = nil
        unpin(job)
        return false
    }

    /// Ends a job: what has not begun ends now, what runs is told, and killed after the grace.
    func end(_ job: Job, _ outcome: Outcome, now: Int64) {
        guard !job.isDone, job.ending == nil else { return }
        job.ending = outcome
        jobsToRun -= 1
        job.endingSince = now
        job.stream?.finish()
        unsafe mapb_store32(&input.at(job.record.offset, as: mapb_job.self).pointee.cancel, 1)
        job.endWaiting(outcome, now: now)
        work.remove(job)
        settled(job, now)
        if job.running > 0 { engineMustWake(by: later(now, by: config.grace / 4)) }
    }

    func release(_ job: Job) {
        job.isReleased = true
        unsafe mapb_store32(releases, mapb_peek32(releases) &+ 1)
        end(job, Outcome(MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, "its job was released"), now: mapb_clock())
        events.dequeue(job)
        job.isQueuedForDelivery = false
        dropResults(job)
        if job.isDone { forget(job) }
        scheduleTrim(mapb_clock())
    }

    /// The results of a released job, but for what a running callback looks at.
    private func dropResults(_ job: Job) {
        if let held = events.held, held.job === job,
            let segment = job.segments.indices.contains(held.place) ? job.segments[held.place] : nil
        {
            job.segments[held.place] = nil
            events.held!.orphan = segment
        }
        job.dropAll()
    }

    /// Nobody needs it any more.
    func forget(_ job: Job) {
        if job.ownsItself { ownJobs[ObjectIdentifier(job)] = nil } else { jobs[job.handle] = nil }
        work.remove(job)
        deadlines.remove(job)
    }

    /// Once every item has ended, its input is not needed; but by a thread that is still copying it.
    func freeInput(_ job: Job) {
        guard job.mayFreeInput() else { return }
        job.stream?.close()
        input.give(job.record)
        for buffer in job.buffers { letGo(buffer) }
    }

    /// A thread that has pinned a job's input has done with it.
    func unpin(_ job: Job) { if job.unpinInput() { freeInput(job) } }

    func letGo(_ buffer: Buffer) {
        if buffer.release() { input.give(buffer.block) }
    }
}
