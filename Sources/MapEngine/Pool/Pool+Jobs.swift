// What the host asks of jobs: submit, push, cancel, release. Under the pool's lock.

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

extension Pool {
    func function(_ id: UInt32) throws(MapError) -> Function {
        guard id > 0, Int(id) <= functions.count else {
            throw MapError(MAPE_E_FUNCTION, "function \(id) is not registered with this pool")
        }
        return functions[Int(id) - 1]
    }

    /// Makes a job of items and queues it.
    func submit(_ function: Function, _ config: JobConfig, _ items: Items) throws(MapError) -> Job {
        let head = UInt64(MemoryLayout<mapb_job>.size)
        var record = mapb_job()
        var used = UsedBuffers()
        let block: Block
        let total: UInt64
        var copying: HostItems?
        switch items {
        case .strided(let base, let count, let stride, let size):
            total = count
            let extent = try extentOf(count, stride, size)
            if let base = unsafe base, size > 0, count > 0, let offset = unsafe input.offset(of: base) {
                used.add(try buffer(offset, extent, "items.base"))
                block = try input.take(head)
                record.base = offset
                record.stride = stride
            } else {
                let packed = unsafe packedStride(base, stride, size)
                let bytes = try extentOf(count, packed, size)
                guard bytes < UInt64(Int64.max) - head else {
                    throw MapError(MAPE_E_OVERFLOW, "items.count * items.item_size is more than memory can hold")
                }
                block = try input.take(head + bytes)
                record.base = block.offset + head
                record.stride = packed
                if let base = unsafe base, bytes > 0 {
                    copying = unsafe HostItems(
                        base: base, stride: stride, packed: packed, size: size, target: record.base)
                }
            }
            record.size = size
        case .spans(let spans, let count):
            total = count
            block = try unsafe copySpans(spans, count, &record, &used)
        }
        record.function = function.id
        record.globals = globals?.block.offset ?? 0
        unsafe input.at(block.offset, as: mapb_job.self).pointee = record
        let job = enqueue(function, config, total, block, used.list, stream: nil)
        job.copying = copying
        if copying != nil { job.ready = 0 }
        return job
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

    private func copySpans(
        _ spans: UnsafePointer<mape_span>, _ count: UInt64, _ record: inout mapb_job,
        _ used: inout UsedBuffers
    ) throws(MapError) -> Block {
        let head = UInt64(MemoryLayout<mapb_job>.size)
        let line = UInt64(MemoryLayout<mapb_span>.stride)
        let (table, over) = count.multipliedReportingOverflow(by: line)
        guard !over, table < 1 << 60 else {
            throw MapError(MAPE_E_OVERFLOW, "items.count (\(count)) is more than memory can hold")
        }
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
                if unsafe used.lastHolding(offset, UInt64(span.size)) == nil {
                    used.add(try unsafe buffer(offset, UInt64(span.size), "items.spans[\(i)].data"))
                }
                continue
            }
            let (sum, over) = unsafe bytes.addingReportingOverflow((UInt64(span.size) + 15) & ~15)
            guard !over, sum < UInt64(Int64.max) else {
                throw MapError(MAPE_E_OVERFLOW, "items.spans: their sizes together are more than memory can hold")
            }
            bytes = sum
        }
        let block = try input.take(bytes)
        let lines = unsafe input.at(block.offset + head, as: mapb_span.self)
        var place = block.offset + head + table
        for i in 0..<Int(count) {
            let span = unsafe spans[i]
            let size = unsafe UInt64(span.size)
            if let data = unsafe span.data, size > 0, let offset = unsafe input.offset(of: data) {
                unsafe lines[i] = mapb_span(offset: offset, size: size)
                continue
            }
            unsafe lines[i] = mapb_span(offset: place, size: size)
            if let data = unsafe span.data, size > 0 { unsafe input.copy(data, Int(size), to: place) }
            place += (size + 15) & ~15
        }
        record.spans = block.offset + head
        record.span_mask = UInt64.max
        return block
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
        return enqueue(function, config, 0, block, [], stream: Stream(input: input, record: block, capacity: capacity))
    }

    func enqueue(
        _ function: Function, _ config: JobConfig, _ total: UInt64, _ block: Block, _ used: [Buffer], stream: Stream?
    ) -> Job {
        sequence += 1
        figures.jobs += 1
        let now = mapb_now()
        let job = Job(
            function: function, config: config, sequence: sequence, total: total, record: block, globals: globals,
            now: now)
        used.forEach(job.keep)
        job.stream = stream
        if let failure = function.failure { job.endWaiting(failure, now: now) }
        return job
    }

    /// A job has its handle, or none: its items go to workers.
    func launch(_ job: Job) {
        let now = mapb_now()
        if job.isPrompt { promptJobs += 1 }
        unendedJobs += 1
        copyPiece(job)
        queueForWork(job)
        settled(job, now)
        watchTimes(of: job, now)
        pump()
    }

    /// Copies the next piece of a job's input in, and gives out what is there: workers begin while the rest is copied, and other
    /// threads get the lock between pieces. True while there is more.
    func fill(_ job: Job) -> Bool {
        guard copyPiece(job) else { return false }
        queueForWork(job)
        assign()
        return job.ready < job.total
    }

    /// Copies the next piece. False: there is none.
    @discardableResult private func copyPiece(_ job: Job) -> Bool {
        guard let copying = job.copying, job.ending == nil, !job.isDone else { return false }
        let most = max(1, Policy.copyPiece / max(1, copying.packed))
        let end = min(job.total, job.ready + most)
        copying.copy(job.ready, end, into: input)
        job.ready = end
        if end == job.total { job.copying = nil }
        return true
    }

    /// Takes as many items as fit into the window. `accepted` tells how many, also when it throws for the next one.
    func push(
        _ job: Job, _ stream: Stream, _ items: UnsafePointer<mape_span>, _ count: Int, _ accepted: inout Int
    ) throws(MapError) {
        defer {
            if accepted > 0 {
                queueForWork(job)
                assign()
            }
        }
        let held = job.total - job.ended + job.undelivered
        guard held < job.config.window else { return }
        let most = Int(min(UInt64(count), job.config.window - held, stream.room(from: job.total)))
        while true {
            let packed = unsafe stream.putPacked(items + accepted, most - accepted, at: job.total)
            accepted += packed
            job.total += UInt64(packed)
            job.ready = job.total
            if accepted == most { return }
            let span = unsafe items[accepted]
            guard unsafe span.data != nil || span.size == 0 else {
                throw .argument("items[\(accepted)].data", unsafe "is NULL, but its size is \(span.size)")
            }
            guard unsafe span.size >= 0 else {
                throw MapError(MAPE_E_OVERFLOW, "items[\(accepted)].size is more than memory can hold")
            }
            try unsafe checkRange(span.data, UInt64(span.size), "items[\(accepted)].size (\(span.size))")
            if let data = unsafe span.data, unsafe span.size > 0, let offset = unsafe input.offset(of: data) {
                if unsafe job.lastBuffer(holding: offset, UInt64(span.size)) == nil {
                    job.keep(try unsafe buffer(offset, UInt64(span.size), "items[\(accepted)].data"))
                }
            }
            try unsafe stream.put(job.total, span.data, UInt64(span.size))
            job.total += 1
            job.ready = job.total
            accepted += 1
        }
    }

    /// Ends a job: what has not begun ends now, what runs is told, and killed after the grace.
    func end(_ job: Job, _ outcome: Outcome, now: Int64) {
        guard !job.isDone, job.ending == nil else { return }
        job.ending = outcome
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
        end(job, Outcome(MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, "its job was released"), now: mapb_now())
        events.dequeue(job)
        job.isQueuedForDelivery = false
        dropResults(job)
        if job.isDone { forget(job) }
        scheduleTrim(mapb_now())
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

    /// Once every item has ended, its input is not needed.
    func freeInput(_ job: Job) {
        job.stream?.close()
        input.give(job.record)
        for buffer in job.buffers { letGo(buffer) }
        job.copying = nil
    }

    func letGo(_ buffer: Buffer) {
        if buffer.release() { input.give(buffer.block) }
    }
}
