// A job: its items, their states, and which events the host wants. Guarded by its pool's lock.
//
//   unstarted ──take──► running ──end──► results ──► delivery ──► host
//       ▲───────giveBack────┘
//
// Each part owns its fields and does not know the others; the job moves items from one to the next, and counts them
// (tally).

import CMapBridge

final class Job {
    let function: Function
    /// What it is counted under, and shown as. Stored, and constant: so no range counts references to it.
    let work: Work
    let config: JobConfig
    /// The ring that items come through, if it is a stream.
    let stream: Stream?
    var input: JobInput
    var tally: Tally
    var measured = Measured()
    var unstarted: Unstarted
    var results = ResultList()
    var delivery = Delivery()
    var pace = Pace()
    var lost = LostItems()
    var owner = Owner()
    private(set) var life: Life
    var places = Places()

    /// Its holders.
    struct Owner {
        var handle: UInt = 0
        /// Whether the host keeps no handle: the job releases itself.
        var isItself = false
        var hasReleased = false
        /// Whether its proxy is being released: the caller stops waiting for it.
        var hasGivenUp = false
    }

    struct Life {
        /// Counts the jobs of a pool.
        let sequence: UInt64
        let submitted: Int64
        /// When its first range was assigned; 0: none was.
        fileprivate(set) var begunAt: Int64 = 0
        /// Non-nil once the job is being ended: the outcome of its unfinished items.
        fileprivate(set) var ending: Outcome?
        fileprivate(set) var endingSince: Int64 = 0
        /// Non-nil once no item begins any more, while those that run go on: the outcome of all others.
        fileprivate(set) var withdrawal: Outcome?
        /// When all its items had ended; 0: they have not, or nobody has followed that up.
        fileprivate(set) var doneAt: Int64 = 0
    }

    /// The job's places in the queues of its pool, which alone set them.
    struct Places {
        /// Whether it has changed since the last follow-up.
        var isTouched = false
        /// In the work queue; -1: it has none.
        var work = -1
        /// Whether it is parked beside the work queue: no worker can run its function now.
        var isParked = false
        /// Among the deadlines, and its time.
        var clock = -1
        var clockTime = Int64.max
        /// Whether the work queue counts it among the jobs beside it that have items which cannot be assigned now.
        var withholds = false
    }

    /// - work: what it is counted under; nil: its function. total: how many items there are; for a stream 0 at first.
    init(
        function: Function, work: Work? = nil, config: JobConfig, sequence: UInt64, total: UInt64,
        input: consuming JobInput,
        stream: Stream?, now: Int64
    ) {
        self.function = function
        self.work = work ?? function.work
        self.config = config
        self.stream = stream
        self.input = input
        tally = Tally(total: total)
        unstarted = Unstarted(ready: total)
        life = Life(sequence: sequence, submitted: now)
    }

    var handle: UInt { owner.handle }
    var sequence: UInt64 { life.sequence }
    var isReleased: Bool { owner.hasReleased }
    /// The outcome of unfinished items once the job is being ended.
    var ending: Outcome? { life.ending }
    /// Whether no item begins any more.
    var isWithdrawn: Bool { life.withdrawal != nil }
    /// The outcome of items that do not begin; nil while items do.
    var endOfWaiting: Outcome? { life.ending ?? life.withdrawal ?? function.failure }
    /// All items have ended, and no more come.
    var isDone: Bool { tally.haveAllEnded && (stream?.finished ?? true) }

    /// Whether its waiting items will not run.
    var isEnded: Bool { ending != nil || isWithdrawn || isDone || function.failure != nil }

    var isStream: Bool { stream != nil }
    /// Whether it has one item, and gets no more.
    var isSingle: Bool { tally.total == 1 && stream == nil }
    var deadline: Int64 { later(life.submitted, by: config.jobTimeout) }
    var isQueuedForWork: Bool { places.work >= 0 || places.isParked }

    /// Whether it delivers items or progress as they come.
    var isPrompt: Bool { config.wants(MAPE_DELIVER_ITEMS) || config.wants(MAPE_DELIVER_PROGRESS) }

    /// Whether results are dropped once delivered, or at once when the host wants no ITEM events.
    var drops: Bool { config.drop || isStream }

    /// How many items could be assigned now.
    var waiting: UInt64 { unstarted.count }

    /// Whether it has items that no worker has: they wait, or cannot be assigned yet.
    var hasUnassigned: Bool { tally.total != tally.ended &+ tally.running }

    /// How many more items may begin before the host fetches events. `draining` lifts the limit.
    func room(draining: Bool) -> UInt64 {
        if draining || !drops || isStream || !config.wants(MAPE_DELIVER_ITEMS) { return .max }
        let held = delivery.undelivered + tally.running
        return held >= config.window ? 0 : config.window - held
    }

    /// Whether the waiting items are worth a worker's move to a processor of its own.
    var isLong: Bool { pace.isLong(waiting) }

    /// Items per range of a request: the chunk, or the request as a whole.
    func rangeStep(_ request: ItemRange) -> UInt64 {
        config.chunk > 0 ? min(config.chunk, request.count) : request.count
    }

    // MARK: - Its items

    /// Removes and returns up to `most` waiting items; they count as running.
    @inline(__always)
    func nextRange(_ most: UInt64) -> ItemRange? {
        guard let range = unstarted.nextRange(most) else { return nil }
        tally.begin(range.count)
        return range
    }

    /// Requeues a range that did not run.
    func requeue(_ range: ItemRange) {
        tally.stop(range.count)
        unstarted.requeue(range)
    }

    /// Records that the items of a segment, which were running, have ended.
    /// - ok, failed, stopped: how many so, when the segment has no outcome for all.
    @inline(never) func end(
        _ segment: consuming Segment, ok: UInt64, failed: UInt64,
        stopped: (UInt64, mape_item_state) = (0, MAPE_ITEM_CANCELLED),
        now: Int64
    ) {
        if let outcome = segment.outcome {
            count(segment.count, as: outcome.state)
        } else {
            count(ok, as: MAPE_ITEM_OK)
            if failed > 0 { count(failed, as: MAPE_ITEM_FAILED) }
            if stopped.0 > 0 { count(stopped.0, as: stopped.1) }
            if let table = segment.table, table.lost > 0 {
                count(table.crashed, as: MAPE_ITEM_CRASHED)
                count(table.timedOut, as: MAPE_ITEM_TIMED_OUT)
            }
        }
        stream?.itemsEnded(first: segment.first, count: segment.count)
        if config.wants(MAPE_DELIVER_PROGRESS) && now - delivery.lastProgress >= config.progressInterval {
            delivery.progressIsDue = true
        }
        let delivers = config.wants(MAPE_DELIVER_ITEMS) && !isReleased
        if isReleased || (drops && !delivers) {
            segment.store.free()
            return
        }
        if delivers {
            let items = segment.first..<segment.end
            delivery.add(items, at: results.keep(segment), inOrder: config.ordered)
        } else if !results.join(segment) {
            _ = results.keep(segment)
        }
    }

    @inline(__always)
    private func count(_ items: UInt64, as state: mape_item_state) {
        tally.end(items, as: state)
        work.end(items, as: state)
    }

    /// A worker has completed ranges of it.
    @inline(__always)
    func measure(ranges: UInt64, items: UInt64, time: Int64, output: UInt64) {
        let each = Double(max(1, time)) / Double(Int64(bitPattern: items))
        measured.add(ranges: ranges, items: items, time: time, each: each, output: output)
        work.measure { $0.add(ranges: ranges, items: items, time: time, each: each, output: output) }
    }

    /// A worker has died on it, after so many nanoseconds.
    func measure(lost time: Int64) {
        measured.add(lost: time)
        work.measure { $0.add(lost: time) }
    }

    /// Its input has come, or some of it.
    func measure(_ moved: Moved) {
        measured.moved.add(moved)
        work.measure { $0.moved.add(moved) }
    }

    /// Its first range is assigned.
    func hasBegun(now: Int64) { life.begunAt = now }

    /// Ends all items that are not assigned to a worker.
    func endWaiting(_ outcome: Outcome, now: Int64) {
        for range in unstarted.removeAll(of: tally.total) {
            tally.begin(range.count)
            end(Segment(first: range.first, count: range.count, outcome: outcome), ok: 0, failed: 0, now: now)
        }
    }

    // MARK: - Its end

    /// Begins to end the job: its unfinished items end with `outcome`.
    func willEnd(_ outcome: Outcome, now: Int64) {
        life.ending = outcome
        life.endingSince = now
    }

    /// No item begins any more.
    func willWithdraw(_ outcome: Outcome) { life.withdrawal = outcome }

    /// All its items have ended, and no more come: that is followed up now.
    func becomeDone(now: Int64) { life.doneAt = now }

    // MARK: - What the host has to hear

    /// Whether the job has undelivered events.
    var hasEvents: Bool { !isReleased && (!delivery.places.isEmpty || delivery.progressIsDue || doneIsDue) }

    /// Whether it has no handle, and nothing more to deliver although no DONE event will say so.
    var endsWithItems: Bool {
        owner.isItself && isDone && !isReleased && !config.wants(MAPE_DELIVER_DONE) && delivery.undelivered == 0
    }

    var doneIsDue: Bool {
        isDone && !delivery.toldDone && config.wants(MAPE_DELIVER_DONE) && delivery.undelivered == 0
    }

    // MARK: - Its results

    /// The segment that holds an item, or nil when it has not ended.
    func segment(holding item: UInt64) -> Segment? { results.holding(item) }

    /// Reads an item's result. Returns false when it has not ended.
    func readResult(_ item: UInt64, into out: inout mape_result) -> Bool { results.read(item, into: &out) }

    /// Pins its results, and returns them as they are now.
    func pinResults() -> Results {
        results.pin()
        return Results(segments: results.segments, total: tally.total)
    }

    func unpinResults() { results.unpin() }

    /// Drops all results; if a thread copies them, when it is done.
    func dropAll() {
        results.drop()
        delivery.forgetItems()
    }

    /// Drops a delivered segment, and returns it: the caller frees its bytes.
    func drop(_ place: Int) -> Segment? { results.drop(place) }
}
