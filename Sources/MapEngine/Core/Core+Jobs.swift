// A job, from its submission to its release. It is made in one place: `submit`.

import CMapBridge

/// What is to become a job.
struct Submission {
    /// Its number.
    let function: UInt32
    let config: JobConfig
    /// The job's own; nil: none.
    let data: JobData?
    let input: Prepared
    /// Bytes of an item's input as far as they are known.
    var bytesPerItem: UInt64 {
        guard input.total > 0 else { return 0 }
        return input.record.size > 0 ? input.record.size : input.block.count / input.total
    }
    /// The host's handle of the job; 0: there is none, and the job releases itself.
    let handle: UInt
}

extension Core {
    func function(_ id: UInt32) throws(MapError) -> Function {
        guard let function = registry.functions[id] else {
            throw MapError(MAPE_E_FUNCTION, "function \(id) is not registered with this pool, or no longer")
        }
        return function
    }

    /// What jobs submitted by an id are counted under.
    func work(of id: UInt32) throws(MapError) -> Work { try work(function(id), as: id) }

    @inline(__always)
    private func work(_ function: Function, as id: UInt32) -> Work {
        function.id == id ? function.work : registry.functions.alias(id) ?? function.work
    }

    /// Nil: the pool has to be started first.
    func submitIfRunning(_ submission: Submission) throws(MapError) -> Job? {
        try checkOpen()
        guard life.stage == .running else { return nil }
        let job = try submit(submission)
        pump()
        return job
    }

    /// Makes a job, whose items can be assigned from now on. The caller copies the rest of its input: `filled`.
    func submit(_ submission: Submission) throws(MapError) -> Job {
        let function = try function(submission.function)
        if submission.config.firstIndex > 0 { try checkFirstIndex(submission) }
        if remote != nil || submission.config.place == MAPE_REMOTE { try checkPlace(submission.config.place, function) }
        let sequence = jobs.next()
        let work = work(function, as: submission.function)
        var block = submission.input.block
        var stream: Stream?
        if submission.input.isOfStream {
            (block, stream) = try makeStream(function, work.number, submission, sequence)
        } else {
            write(submission.input.record, of: function, work.number, submission, sequence, to: block)
        }
        figures.jobs += 1
        let job = Job(
            function: function, work: work, config: submission.config, sequence: sequence,
            total: submission.input.total,
            input: JobInput(
                record: block, globals: globals, used: submission.input.used, data: submission.data),
            stream: stream, now: clock.now())
        function.life.unended += 1
        work.begin()
        job.measure(submission.input.moved)
        if submission.input.copied.began != 0 { traceCopy(submission.input.moved, submission.input.copied, job) }
        if remote != nil { noteBytes(of: job, submission) }
        if function.failure != nil || function.refusal != nil, let failure = whyNowhere(job) {
            job.endWaiting(failure, now: mapb_clock())
        }
        if let copying = submission.input.copying, !job.isEnded {
            job.input.copying = copying
            job.unstarted.ready = submission.input.ready
            job.input.pin()
        }
        jobs.add(job, handle: submission.handle)
        touch(job)
        return job
    }

    @inline(never) private func checkFirstIndex(_ submission: Submission) throws(MapError) {
        guard submission.config.firstIndex > UInt64.max - submission.input.total else { return }
        throw MapError(
            MAPE_E_OVERFLOW, "config.first_index and the number of items together are more than an index can be")
    }

    @inline(never) private func noteBytes(of job: Job, _ submission: Submission) {
        job.pace.itemBytes = submission.bytesPerItem
    }

    private func write(
        _ record: JobRecord, of function: Function, _ name: UInt32, _ submission: Submission, _ sequence: UInt64,
        to block: Block
    ) {
        var record = record
        record.data = submission.data?.offset ?? 0
        record.function = function.line
        record.name = name
        record.globals = globals?.block.offset ?? 0
        if submission.config.firstIndex > 0 {
            record.count(
                from: submission.config.firstIndex, columns: function.native?.prototype.inputs.count ?? 0, in: input)
        }
        record.write(to: input, at: block.offset)
        if remote != nil { writeForLanes(submission.config, sequence, at: block.offset + JobRecord.bytes) }
    }

    private func makeStream(_ function: Function, _ name: UInt32, _ submission: Submission, _ sequence: UInt64)
        throws(MapError) -> (Block, Stream)
    {
        // Twice the window: one slow item does not stop the others at once.
        var capacity: UInt64 = 2
        while capacity < submission.config.window * 2 { capacity *= 2 }
        let head = input.recordBytes
        let block = try input.allocate(head + capacity * SpanTable.line)
        var record = JobRecord()
        record.spans = block.offset + head
        record.spanMask = capacity - 1
        write(record, of: function, name, submission, sequence, to: block)
        return (block, Stream(input: input, record: block, capacity: capacity))
    }

    /// Frees prepared input that became no job.
    func discard(_ prepared: Prepared) {
        if prepared.isOfStream { return }
        input.free(prepared.block)
        for buffer in prepared.used.list { release(buffer) }
    }

    /// Called when a job's input is copied up to item `end`. Returns whether there is more to copy.
    func filled(_ job: Job, _ copying: Copying, _ copied: Copied) -> Bool {
        let moved = copying.consumeMoved()
        job.measure(moved)
        if copied.began != 0 { traceCopy(moved, copied, job) }
        if !job.isEnded {
            job.unstarted.ready = copying.copied
            touch(job)
            if !copying.isOver { return true }
        }
        job.input.copying = nil
        unpin(job)
        return false
    }

    /// Ends a job: unstarted items end now; workers of running ones are asked to stop, and killed after the grace.
    func end(_ job: Job, _ outcome: Outcome, now: Int64) {
        guard !job.isDone, job.ending == nil else { return }
        job.willEnd(outcome, now: now)
        jobs.ends()
        job.stream?.finish()
        JobRecord.cancel(input, at: job.input.record.offset)
        job.endWaiting(outcome, now: now)
        work.remove(job)
        touch(job)
        if job.tally.running > 0 {
            engineMustWake(by: later(now, by: config.limits.grace / 4))
            scheduleTakeBack(now)
            interruptRunning(job)
            takeBack(job)
        }
    }

    /// Ends the items of a job that have not begun, also those that workers hold; no other begins any more. What runs is left alone.
    /// Returns false when that was so already.
    func withdraw(_ job: Job, _ outcome: Outcome, now: Int64) -> Bool {
        guard !job.isDone, job.ending == nil, !job.isWithdrawn else { return false }
        job.willWithdraw(outcome)
        job.stream?.finish()
        job.endWaiting(outcome, now: now)
        work.remove(job)
        touch(job)
        // Requeued items end, since the job is withdrawn; those of other jobs wait for a worker again.
        reclaim(from: table.busy.map { table[$0] }.filter { $0.holds { $0 === job } })
        return true
    }

    func release(_ job: Job) {
        job.owner.hasReleased = true
        fixed.releases.advance()
        if !job.isDone {
            end(job, Outcome(MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, "its job was released"), now: mapb_clock())
        }
        events.dequeue(job)
        job.delivery.isQueued = false
        dropResults(job)
        touch(job)
        scheduleTrim()
    }

    /// Drops the results of a released job, except those that a running callback uses.
    private func dropResults(_ job: Job) {
        if let held = events.held, held.job === job,
            let segment = job.results.remove(held.place)
        {
            events.held!.orphan = segment
        }
        job.dropAll()
    }

    /// Frees the input of a job whose items have all ended, unless a thread is still copying it.
    func freeInput(_ job: Job) {
        guard job.input.mayFree() else { return }
        job.stream?.close()
        input.free(job.input.record)
        job.input.forgetData()
        for buffer in job.input.buffers { release(buffer) }
    }

    /// Called when a thread that has pinned a job's input no longer needs it.
    func unpin(_ job: Job) { if job.input.unpin() { freeInput(job) } }

    func release(_ buffer: Buffer) {
        if buffer.release() { input.free(buffer.block) }
    }

    /// The live buffer that holds a stretch of the input memory.
    func buffer(_ offset: UInt64, _ count: UInt64, _ name: String) throws(MapError) -> Buffer {
        if let buffer = registry.buffers.holding(offset, count) { return buffer }
        throw .argument(name, "lies in the pool's memory, but not wholly inside a live mape_buffer")
    }
}
