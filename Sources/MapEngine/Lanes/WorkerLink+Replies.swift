// Replies of a worker: the host reads each once, checks it against what was assigned, and makes a value of it. The
// worker may write anything at any time.

import CMapBridge

/// Why a worker's reply is not valid.
struct InvalidReply: Error {
    let what: String

    init(_ what: String) { self.what = what }
}

/// What a reply says that is not about items.
enum OtherReply {
    /// - hasChanged: loading the library has left a thread or a process in the worker, or has changed signals.
    case setup(hasChanged: Bool)
    /// - isLoad: the library could not be loaded, as the text says.
    case setupFailed(isLoad: Bool, code: Int32, text: UserText)
    /// - failure: why it could not be loaded.
    case module(failure: UserText?)
    /// A cleanup, or the last request of all.
    case ended
}

/// The contents of a reply to a range. Only the bytes of results stay in shared memory.
struct RangeReply {
    /// How many of the first items have ended.
    let done: UInt64
    /// The memory of their results, which is freed with them.
    let used: Used
    let results: Results
    /// Nanoseconds that it took, as the worker says.
    let time: UInt32
    /// The worker's memory has grown by more than it may.
    let hasGrown: Bool
    /// The item after those did not fit into the output memory.
    let isFull: Bool

    struct Results {
        /// Without a table item i's result is at base + i * size.
        var base: UInt64 = 0
        var size: UInt64 = 0
        var table: EntryTable?
    }
}

extension Job {
    /// Records that the first items of a range, which were running, have ended as a reply says.
    @inline(__always)
    func end(_ reply: RangeReply, first: UInt64, in region: OutputRegion, now: Int64) {
        guard reply.done > 0 else { return }
        let store = ResultStore.shared(region, reply.used)
        let results = reply.results
        guard let table = results.table else {
            let segment = Segment(
                first: first, count: reply.done, store: store, base: results.base, size: results.size)
            end(segment, ok: reply.done, failed: 0, now: now)
            return
        }
        for (item, count) in table.attempts { lost.countCrash(first + item, count) }
        end(
            Segment(first: first, count: reply.done, store: store, table: table),
            ok: reply.done - table.failed - table.stopped - table.lost, failed: table.failed,
            stopped: (table.stopped, table.stoppedAs), now: now)
    }
}

extension WorkerLink {
    /// Reads the reply to the worker's oldest request, once, and checks it. Throws when it is not valid; then nothing
    /// of it was used.
    /// - Returns: the output memory to free, beside the reply.
    @inline(__always)
    private func read(_ ticket: UInt64, _ region: OutputRegion) throws(InvalidReply) -> (mapb_reply, Used) {
        let reply = region.reply(ticket)
        guard reply.ticket == ticket else { throw InvalidReply("its reply is for another request") }
        guard let used = region.advance(ticket: ticket, holeEnd: reply.hole_end, frontierEnd: reply.frontier_end) else {
            throw InvalidReply("its reply claims memory it does not have")
        }
        return (reply, used)
    }

    /// The reply to a range.
    /// - isRemote: it is a lane's.
    @inline(__always)
    func accept(_ ticket: UInt64, _ job: Job, _ range: ItemRange, isRemote: Bool = false) throws(InvalidReply)
        -> RangeReply
    {
        let region = region
        let (reply, used) = try read(ticket, region)
        do throws(InvalidReply) {
            return try accepted(reply, used, job, range, ticket, region, isRemote)
        } catch {
            region.free(used)
            throw error
        }
    }

    @inline(__always)
    private func accepted(
        _ reply: mapb_reply, _ used: Used, _ job: Job, _ range: ItemRange, _ ticket: UInt64, _ region: OutputRegion,
        _ isRemote: Bool
    ) throws(InvalidReply) -> RangeReply {
        let done = UInt64(reply.done)
        let isStopped = reply.flags & MAPB_REPLY_STOPPED.rawValue != 0
        let isFull = reply.flags & MAPB_REPLY_NO_MEMORY.rawValue != 0
        // A worker may stop early only if it made progress; otherwise it could run for ever. A lane gives back what no machine takes.
        guard !isStopped || done > 0 || job.ending != nil || ticket <= yieldedTo || isRemote else {
            throw InvalidReply("its reply says it was stopped, and it was not")
        }
        guard done <= range.count, isStopped || isFull || done == range.count else {
            throw InvalidReply("its reply counts \(done) of \(range.count) items")
        }
        let results = try results(
            of: reply, done, within: used, stop: stop(ticket, job), isRemote ? (job, range.first) : nil)
        if done == 0 { region.free(used) }
        return RangeReply(
            done: done, used: used, results: results, time: reply.detail,
            hasGrown: reply.flags & MAPB_REPLY_GROWN.rawValue != 0, isFull: isFull)
    }

    /// The outcome of items that were asked to stop. Nil: none was.
    private func stop(_ ticket: UInt64, _ job: Job) -> Outcome? {
        guard wasLate(ticket) else { return job.ending }
        return Outcome(
            MAPE_ITEM_TIMED_OUT, MAPE_CAUSE_ITEM_TIMEOUT,
            "it ran longer than its item timeout of \(job.config.itemTimeout / 1_000_000) ms, and stopped when it was asked to"
        )
    }

    /// The reply to anything else, and how many nanoseconds that took, as the worker says.
    func accept(_ assignment: Assignment) throws(InvalidReply) -> (OtherReply, time: UInt64) {
        let (reply, used) = try read(assignment.ticket, region)
        return (try accepted(assignment, reply, used), reply.table)
    }

    private func accepted(
        _ assignment: Assignment, _ reply: mapb_reply, _ used: Used
    ) throws(InvalidReply) -> OtherReply {
        // Only results of items stay in the memory.
        defer { region.free(used) }
        switch assignment.work {
        case .setup:
            guard reply.code != 0 || reply.detail != 0 else {
                return .setup(hasChanged: reply.flags & MAPB_REPLY_CHANGED.rawValue != 0)
            }
            let isLoad = reply.detail == MAPE_CAUSE_LOAD.rawValue
            return .setupFailed(isLoad: isLoad, code: reply.code, text: try text(reply, used))
        case .module: return .module(failure: reply.code == 0 ? nil : try text(reply, used))
        case .range, .cleanup, .exit: return .ended
        }
    }

    /// The results of the first items of a lost range, from the reply that the worker was filling. Nil: they do not
    /// stand there.
    /// - count: at least 1.
    func finished(_ count: UInt64, of assignment: Assignment, _ job: Job) -> RangeReply? {
        let reply = region.reply(assignment.ticket)
        guard reply.ticket == assignment.ticket else { return nil }
        // The region gets no more ranges, so nobody needs to know exactly what this one used, and it is not freed.
        let start = UInt64(MAPB_RESULTS_OFFSET)
        let nothing = Extent(offset: 0, count: 0)
        let bounds = Used(hole: nothing, frontier: Extent(offset: start, count: region.size - start))
        let stop = stop(assignment.ticket, job)
        guard let results = try? results(of: reply, count, within: bounds, stop: stop) else { return nil }
        return RangeReply(
            done: count, used: Used(hole: nothing, frontier: nothing), results: results, time: 0, hasGrown: false,
            isFull: false)
    }

    /// Where the results are of a reply's first `count` items.
    /// - used: where they may be. stop: the outcome of those that were asked to stop; nil: none was. remote: the job, and the first item, whose
    ///   items a lane may say have ended; nil: it is none.
    @inline(__always)
    private func results(
        of reply: mapb_reply, _ count: UInt64, within used: Used, stop: Outcome?, _ remote: (Job, UInt64)? = nil
    ) throws(InvalidReply) -> RangeReply.Results {
        if count == 0 { return RangeReply.Results() }
        if reply.flags & MAPB_REPLY_TABLE.rawValue != 0 {
            return RangeReply.Results(table: try table(at: reply.table, count, within: used, stop, remote))
        }
        let (bytes, over) = reply.size.multipliedReportingOverflow(by: count)
        guard !over, bytes == 0 || used.contains(reply.base, bytes) else {
            throw InvalidReply("its results lie outside its memory")
        }
        return RangeReply.Results(base: bytes == 0 ? 0 : reply.base, size: reply.size)
    }

    private func table(
        at start: UInt64, _ count: UInt64, within used: Used, _ stop: Outcome?, _ remote: (job: Job, first: UInt64)?
    ) throws(InvalidReply) -> EntryTable {
        let line = UInt64(MemoryLayout<mapb_entry>.stride)
        guard used.contains(start, count * line), start % 8 == 0 else {
            throw InvalidReply("its table lies outside its memory")
        }
        let table = EntryTable()
        table.entries.reserveCapacity(Int(count))
        var failures = FailureReader(region: region, used: used)
        for i in 0..<count {
            // Read once; the worker may be writing.
            let entry = region.line(i, of: start)
            let size = entry.size
            let offset = entry.where & (1 << 56 - 1)
            guard size == 0 || used.contains(offset, size) else {
                throw InvalidReply("a result lies outside its memory")
            }
            switch UInt32(entry.where >> 56) {
            case MAPB_ENTRY_OK.rawValue:
                table.entries.append(Entry(offset: offset, size: size, failure: -1))
            case MAPB_ENTRY_FAILED.rawValue:
                table.entries.append(try failures.read(at: offset, size, into: table))
            case MAPB_ENTRY_STOPPED.rawValue:
                guard let stop else { throw InvalidReply("it says an item was asked to stop, and it was not") }
                table.stop(stop)
            case MAPB_ENTRY_ENDED.rawValue:
                guard let remote else {
                    throw InvalidReply("it says an item has ended a worker, and it is that worker")
                }
                table.end(try EndedItem(region, used, at: offset, size), remote.job.name(of: remote.first + i))
            default: throw InvalidReply("a line of its table has no known kind")
            }
        }
        return table
    }

    private func text(_ reply: mapb_reply, _ used: Used) throws(InvalidReply) -> UserText {
        if reply.size == 0 { return "" }
        guard reply.size <= UInt64(MAPB_LONG_TEXT), used.contains(reply.base, reply.size) else {
            throw InvalidReply("its reply has a text outside its memory")
        }
        return UserText(bytes: region.copyBytes(at: reply.base, count: reply.size))
    }
}
