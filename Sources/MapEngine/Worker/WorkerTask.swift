// A worker's task: C's mape_task, where everything is that a worker is at. Its pointers are used here and nowhere else, so that the
// rest of the worker's code reads and writes numbers.

import CMapBridge

/// Safe, because what it points to is there as long as the process, and is one thread's alone:
/// - mapb_worker_task makes the one task of a worker process, and nothing frees it. What a user's function hands to mape_task_… is this
///   one, as the header demands.
/// - workerPrepare and workerAnswer set its pointers before anything here follows them: to the two memories, which stay mapped, to the
///   reply of the running request, and to its job.
/// - Offsets into the input memory come from the host, which a worker believes. Those into the output memory come from outputAllocate, which
///   keeps within it.
@safe struct WorkerTask {
    /// For C.
    let pointer: UnsafeMutablePointer<mape_task>

    @_noLocks @inline(__always)
    init(_ pointer: UnsafeMutablePointer<mape_task>) { unsafe self.pointer = pointer }

    /// The task that a user's function passes; nil for NULL. A task never lies in memory that is really const: the
    /// header says so to functions that only ask.
    @_noLocks @inline(__always)
    init?(user pointer: UnsafePointer<mape_task>?) {
        guard let pointer = unsafe pointer else { return nil }
        unsafe self.pointer = UnsafeMutablePointer(mutating: pointer)
    }

    /// Where they lie: neither reading nor writing one copies the others.
    var fields: mape_task {
        @_noLocks @inline(__always) unsafeAddress { unsafe UnsafePointer(pointer) }
        @_noLocks @inline(__always) nonmutating unsafeMutableAddress { unsafe pointer }
    }

    /// False in a process that was forked from the worker.
    var isAlone: Bool {
        @_noLocks @inline(__always) get { unsafe mapb_is_alone(pointer) != 0 }
    }
}

// MARK: - The memories

extension WorkerTask {
    /// What the host has put at an offset of the input memory.
    @_noLocks @inline(__always)
    func input(at offset: UInt64) -> UnsafeRawPointer { unsafe UnsafeRawPointer(fields.input + Int(offset)) }

    /// This worker's own memory at an offset that outputAllocate gave.
    @_noLocks @inline(__always)
    func output(at offset: UInt64) -> UnsafeMutableRawPointer {
        unsafe UnsafeMutableRawPointer(fields.output + Int(offset))
    }

    @_noLocks @inline(__always)
    func request(_ ticket: UInt64) -> mapb_request { unsafe mapb_request_at(fields.inbox, ticket).pointee }

    /// The running request's, in the output memory.
    var reply: mapb_reply {
        @_noLocks @inline(__always) unsafeAddress { unsafe UnsafePointer(fields.reply!) }
        @_noLocks @inline(__always) nonmutating unsafeMutableAddress { unsafe fields.reply! }
    }

    /// Makes the slot of a request's reply the running one.
    @_noLocks @inline(__always)
    func setReply(_ ticket: UInt64) { unsafe fields.reply = mapb_reply_at(fields.output, ticket) }

    /// Line i of the running reply's table, which was begun with one for each of its items.
    @_noLocks @inline(__always)
    func setLine(_ i: UInt64, _ kind: mapb_entry_kind, at place: UInt64, size: UInt64) {
        let lines = unsafe output(at: reply.table).assumingMemoryBound(to: mapb_entry.self)
        unsafe lines[Int(i)] = mapb_entry(where: UInt64(kind.rawValue) << 56 | place, size: size)
    }

    /// The running range's job.
    var job: RunningJob {
        @_noLocks @inline(__always) get { unsafe RunningJob(fields.job!) }
    }

    @_noLocks @inline(__always)
    func setJob(_ job: RunningJob) { unsafe fields.job = job.pointer }

    /// The job that a request for a range names.
    @_noLocks @inline(__always)
    func jobRecord(at offset: UInt64) -> RunningJob {
        unsafe RunningJob(input(at: offset).assumingMemoryBound(to: mapb_job.self))
    }

    /// One of a job's spans.
    @_noLocks @inline(__always)
    func span(at spans: UInt64, _ number: UInt64) -> mapb_span {
        let offset = spans &+ number &* UInt64(MemoryLayout<mapb_span>.stride)
        return unsafe input(at: offset).assumingMemoryBound(to: mapb_span.self).pointee
    }

    /// What the running range's job has brought.
    @_noLocks
    func jobData(_ out: UnsafeMutablePointer<Int>?) -> UnsafeRawPointer? {
        unsafe out?.pointee = 0
        guard mode & (MAPB_MODE_ITEM.rawValue | MAPB_MODE_RANGE.rawValue) != 0, job.fields.data != 0 else {
            return nil
        }
        let data = unsafe input(at: job.fields.data).assumingMemoryBound(to: mapb_job_data.self).pointee
        unsafe out?.pointee = Int(data.size)
        return unsafe input(at: data.at)
    }

    /// Whether the item that runs was asked to stop, by itself.
    var isInterrupted: Bool {
        @_noLocks @inline(__always) get {
            guard mode != MAPB_MODE_SETUP.rawValue, unsafe fields.job != nil else { return false }
            let word = unsafe mapb_interrupt_of(fields.inbox)
            return word != 0 && word == mark
        }
    }

    /// Whether the job of a running range was cancelled.
    var isCancelled: Bool {
        @_noLocks @inline(__always) get {
            guard mode != MAPB_MODE_SETUP.rawValue, let job = unsafe fields.job else { return false }
            return unsafe mapb_job_cancelled(job) != 0
        }
    }
}

/// A job's record, which the host has written for good, but for its word `cancel`. Safe as the task is that leads to it.
@safe struct RunningJob {
    let pointer: UnsafePointer<mapb_job>

    @_noLocks @inline(__always)
    init(_ pointer: UnsafePointer<mapb_job>) { unsafe self.pointer = pointer }

    var fields: mapb_job {
        @_noLocks @inline(__always) unsafeAddress { unsafe pointer }
    }

    var isCancelled: Bool {
        @_noLocks @inline(__always) get { unsafe mapb_job_cancelled(pointer) != 0 }
    }
}

// MARK: - What the host looks at

extension WorkerTask {
    /// Writes outbox.current. The low half of the ticket goes with it.
    @_noLocks @inline(__always)
    func storeMark(_ mark: UInt32) { unsafe mapb_store(&fields.outbox.pointee.current, ticket << 32 | UInt64(mark)) }

    /// Publishes this reply, and then clears the blame word, in this order.
    @_noLocks @inline(__always)
    func storePublished(_ ticket: UInt64) {
        unsafe mapb_store(&fields.outbox.pointee.tail, ticket)
        unsafe mapb_store(&fields.outbox.pointee.current, 0)
    }

    @_noLocks @inline(__always)
    func storeSleeping(_ sleeping: UInt32) { unsafe mapb_store32(&fields.outbox.pointee.sleeping, sleeping) }

    @_noLocks @inline(__always)
    func storeYields(_ yields: UInt32) { unsafe mapb_store32(&fields.outbox.pointee.yields, yields) }

    /// The blame word, as this worker has written it.
    var mark: UInt64 {
        @_noLocks @inline(__always) get { unsafe fields.outbox.pointee.current }
    }

    /// Says how far the item is. A worker that ends between the two stores has not said it.
    @_noLocks @inline(__always)
    func storeProgressMark(_ mark: UInt64) {
        unsafe mapb_store(&fields.outbox.pointee.mark, mark)
        unsafe mapb_store(&fields.outbox.pointee.marked, self.mark)
    }

    @_noLocks @inline(__always)
    func storeFraction(_ fraction: Double) { unsafe mapb_store(&fields.outbox.pointee.fraction, fraction.bitPattern) }
}

// MARK: - What the host says

extension WorkerTask {
    /// Requests published.
    var published: UInt64 {
        @_noLocks @inline(__always) get { unsafe mapb_load(mapb_inbox_tail(fields.inbox)) }
    }

    /// Sleeps until there may be more requests than were seen.
    @_noLocks @inline(__always)
    func sleep(seen: UInt64) { unsafe mapb_word_wait(mapb_inbox_tail(fields.inbox), UInt32(truncatingIfNeeded: seen)) }

    /// Requests up to this ticket end before their next item: see mapb_yield_after_mark.
    var yieldAfterMark: UInt64 {
        @_noLocks @inline(__always) get { unsafe mapb_yield_after_mark(fields.inbox) }
    }

    /// The worker does not ring the doorbell for requests before this ticket.
    var ringAt: UInt64 {
        @_noLocks @inline(__always) get { unsafe mapb_notify_at(fields.inbox) }
    }

    var doorbell: UInt64 {
        @_noLocks @inline(__always) get { unsafe mapb_doorbell(fields.head) }
    }

    /// Processor of the host's thread that waits, plus 1.
    var waiter: UInt32 {
        @_noLocks @inline(__always) get { unsafe mapb_waiter(fields.head) }
    }

    /// Whether the pool is traced.
    var isTraced: Bool {
        @_noLocks @inline(__always) get { unsafe mapb_is_timed(fields.head) != 0 }
    }

    /// How many times to spin before sleeping.
    var spin: UInt32 {
        @_noLocks @inline(__always) get { unsafe mapb_spin(fields.head) }
    }
}

// MARK: - Messages

extension WorkerTask {
    /// Bytes written to the message ring.
    var messageTail: UInt64 {
        @_noLocks @inline(__always) get { unsafe fields.outbox.pointee.message_tail }
    }

    @_noLocks @inline(__always)
    func storeMessageTail(_ tail: UInt64) { unsafe mapb_store(&fields.outbox.pointee.message_tail, tail) }

    /// Counts more bytes that had no room.
    @_noLocks @inline(__always)
    func storeMessagesLost(_ bytes: UInt64) {
        unsafe mapb_store(&fields.outbox.pointee.message_lost, fields.outbox.pointee.message_lost &+ bytes)
    }

    /// Bytes of the ring that the host has read.
    var messagesRead: UInt64 {
        @_noLocks @inline(__always) get { unsafe mapb_message_head_of(fields.inbox) }
    }
}

// MARK: - Globals

extension WorkerTask {
    /// A slot of a table's node.
    @_noLocks @inline(__always)
    func globalsSlot(_ node: UInt64, _ slot: UInt64) -> UInt64 {
        unsafe input(at: node).assumingMemoryBound(to: UInt64.self)[Int(slot)]
    }

    @_noLocks @inline(__always)
    func global(at place: UInt64) -> mapb_global {
        unsafe input(at: place).assumingMemoryBound(to: mapb_global.self).pointee
    }

    /// It lies right behind the global.
    @_noLocks @inline(__always)
    func nameOfGlobal(at place: UInt64) -> UnsafePointer<CChar> {
        unsafe (input(at: place) + MemoryLayout<mapb_global>.size).assumingMemoryBound(to: CChar.self)
    }
}

// MARK: - Bells

extension WorkerTask {
    /// Opens bells of its own in place of the zygote's.
    @_noLocks
    func adoptBells(_ engine: Int32, _ waiter: Int32) {
        unsafe fields.bells.0 = mapb_bell_own(engine, &fields.bell_files.0)
        unsafe fields.bells.1 = mapb_bell_own(waiter, &fields.bell_files.1)
    }

    /// Whether they are there.
    var hasBells: Bool {
        @_noLocks get {
            unsafe fields.bells.0 < 0
                || (mapb_bell_is_there(fields.bells.0, &fields.bell_files.0) != 0
                    && mapb_bell_is_there(fields.bells.1, &fields.bell_files.1) != 0)
        }
    }

    /// False: it is not there any more.
    @_noLocks
    func ring(engine: Bool) -> Bool {
        unsafe engine
            ? mapb_bell_ring_own(fields.bells.0, &fields.bell_files.0) != 0
            : mapb_bell_ring_own(fields.bells.1, &fields.bell_files.1) != 0
    }
}

// MARK: - The report

extension WorkerTask {
    /// Where it begins: behind all results.
    private var reportPlace: UInt64 {
        @_noLocks get { frontierLimit }
    }

    @_noLocks
    func openReport(_ outputFile: Int32, _ outputSize: UInt64) {
        unsafe fields.report_file = mapb_report_open(
            outputFile, outputSize &- UInt64(MAPB_REPORT_BYTES), &fields.report_inode)
    }

    /// What a function may write to; -1: it is not there any more.
    @_noLocks
    func askForReport() -> Int32 {
        if logsHere { return 2 }
        guard isAlone, unsafe mapb_bell_is_there(fields.report_file, &fields.report_inode) != 0 else { return -1 }
        fields.reports = 1
        unsafe mapb_store32(&fields.outbox.pointee.reports, 1)
        return fields.report_file
    }

    /// What was written before has led to no death.
    @_noLocks
    func clearReport() { unsafe mapb_report_clear(fields.report_file, fields.output, reportPlace) }
}

// MARK: - The text

extension WorkerTask {
    /// Room for MAPB_TEXT bytes: what a function says when it fails, ended with NUL or as long as failSize tells.
    var text: UnsafeMutablePointer<CChar> {
        @_noLocks @inline(__always) get { unsafe mapb_task_text(pointer) }
    }

    /// Makes failSize the length of the text that C has written there.
    @_noLocks
    func measureText() {
        failSize = unsafe UInt32(truncatingIfNeeded: mapb_length(text, UInt64(MAPB_TEXT) &- 1))
        failPlace = 0
    }

    @_noLocks
    func setText(_ bytes: UnsafeRawPointer, _ size: UInt64) {
        unsafe mapb_copy(text, bytes, size)
        failSize = UInt32(truncatingIfNeeded: size)
        failPlace = 0
    }

    /// Writes a failure to where outputAllocate gave room for it.
    @_noLocks
    func writeFailure(_ failure: mapb_failure, at offset: UInt64) {
        unsafe output(at: offset).assumingMemoryBound(to: mapb_failure.self).pointee = failure
    }
}
