// A job: its items, where they stand, and what the host wants to hear of them. Guarded by its pool's lock.
//
//   unstarted ──take──► running ──end──► results ──► delivery ──► host
//       ▲───────giveBack────┘
//
// Each part owns its fields and knows no other; the job moves items from one to the next, and keeps the count of them (tally).

import CMapBridge

final class Job {
    let function: Function
    let config: JobConfig
    /// Counts the jobs of a pool.
    let sequence: UInt64
    /// The ring that items come through, if it is a stream.
    let stream: Stream?
    var input: JobInput
    /// What is still to be copied in.
    var copying: Copying?
    var tally: Tally
    var unstarted: Unstarted
    var results = ResultList()
    var delivery = Delivery()
    var pace = Pace()
    var lost = LostItems()
    var owner = Owner()
    private(set) var life: Life
    var places = Places()

    /// Who holds it.
    struct Owner {
        var handle: UInt = 0
        /// The host gave no place for a handle: the job releases itself.
        var isItself = false
        var hasReleased = false
        /// Whoever waits for it need not any longer: its proxy is being destroyed.
        var hasGivenUp = false
    }

    struct Life {
        let submitted: Int64
        /// Set when the job is to end: how its items that have not ended shall.
        fileprivate(set) var ending: Outcome?
        fileprivate(set) var endingSince: Int64 = 0
        /// When all its items had ended; 0: they have not, or nobody has followed that up.
        fileprivate(set) var doneAt: Int64 = 0
    }

    /// Where it stands in the queues of its pool, which alone set this.
    struct Places {
        /// It has changed, and that is still to be followed up.
        var isTouched = false
        /// In the work queue; -1: it has none.
        var work = -1
        /// It waits beside the work queue: no worker can run its function now.
        var isParked = false
        /// Among the deadlines, and its time.
        var clock = -1
        var clockTime = Int64.max
    }

    /// - total: of a stream 0, to begin with.
    init(
        function: Function, config: JobConfig, sequence: UInt64, total: UInt64, input: JobInput,
        stream: Stream?, now: Int64
    ) {
        self.function = function
        self.config = config
        self.sequence = sequence
        self.stream = stream
        self.input = input
        tally = Tally(total: total)
        unstarted = Unstarted(ready: total)
        life = Life(submitted: now)
    }

    var handle: UInt { owner.handle }
    var isReleased: Bool { owner.hasReleased }
    /// How items that have not ended shall, once the job is to end.
    var ending: Outcome? { life.ending }
    /// All items have ended, and no more come.
    var isDone: Bool { tally.haveAllEnded && (stream?.finished ?? true) }

    /// Nothing of it that waits will run.
    var isEnded: Bool { ending != nil || isDone || function.failure != nil }

    var isStream: Bool { stream != nil }
    var deadline: Int64 { later(life.submitted, by: config.jobTimeout) }
    var isQueuedForWork: Bool { places.work >= 0 || places.isParked }

    /// Tells of items or progress as they come.
    var isPrompt: Bool { config.wants(MAPE_DELIVER_ITEMS) || config.wants(MAPE_DELIVER_PROGRESS) }

    /// Results are dropped once delivered, or at once when nobody wants them.
    var drops: Bool { config.drop || isStream }

    /// Items that a worker could be given now.
    var waiting: UInt64 { unstarted.count }

    /// How many more items may be begun before the host has taken events. `draining` lifts the limit.
    func room(draining: Bool) -> UInt64 {
        if draining || !drops || isStream || !config.wants(MAPE_DELIVER_ITEMS) { return .max }
        let held = delivery.undelivered + tally.running
        return held >= config.window ? 0 : config.window - held
    }

    /// What waits is worth a worker's move to a processor of its own.
    var isLong: Bool { pace.isLong(waiting) }

    /// Items per range of a request: the chunk, or the request as a whole.
    func rangeStep(_ request: ItemRange) -> UInt64 {
        config.chunk > 0 ? min(config.chunk, request.count) : request.count
    }

    // MARK: - Its items

    /// Takes up to `most` items to run; they count as running.
    func take(_ most: UInt64) -> ItemRange? {
        guard let range = unstarted.take(most) else { return nil }
        tally.begin(range.count)
        return range
    }

    /// Gives a range back that did not run.
    func giveBack(_ range: ItemRange) {
        tally.stop(range.count)
        unstarted.giveBack(range)
    }

    /// Records that the items of a segment, which were running, have ended.
    /// - ok, failed: how many so, when the segment has no outcome for all.
    @inline(never) func end(_ segment: Segment, ok: UInt64, failed: UInt64, now: Int64) {
        if let outcome = segment.outcome {
            tally.end(segment.count, as: outcome.state)
        } else {
            tally.end(ok: ok, failed: failed)
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
            delivery.add(segment, at: results.keep(segment), inOrder: config.ordered)
        } else if !results.join(segment) {
            _ = results.keep(segment)
        }
    }

    /// Ends everything that has not been given to a worker.
    func endWaiting(_ outcome: Outcome, now: Int64) {
        for range in unstarted.takeAll(of: tally.total) {
            tally.begin(range.count)
            end(Segment(first: range.first, count: range.count, outcome: outcome), ok: 0, failed: 0, now: now)
        }
    }

    // MARK: - Its end

    /// It is to end: items that have not ended shall do so with `outcome`.
    func willEnd(_ outcome: Outcome, now: Int64) {
        life.ending = outcome
        life.endingSince = now
    }

    /// All its items have ended, and no more come: that is followed up now.
    func becomeDone(now: Int64) { life.doneAt = now }

    // MARK: - What the host has to hear

    /// Has the host something to hear of it?
    var hasEvents: Bool { !isReleased && (!delivery.places.isEmpty || delivery.progressIsDue || doneIsDue) }

    var doneIsDue: Bool {
        isDone && !delivery.toldDone && config.wants(MAPE_DELIVER_DONE) && delivery.undelivered == 0
    }

    // MARK: - Its results

    /// The segment that holds an item, or nil when it has not ended.
    func segment(holding item: UInt64) -> Segment? { results.holding(item) }

    /// What its results are now. They stay so until `unpinResults`.
    func pinResults() -> Results {
        results.pin()
        return Results(segments: results.segments, total: tally.total)
    }

    func unpinResults() { results.unpin() }

    /// Drops every result; those that somebody copies, afterwards.
    func dropAll() {
        results.drop()
        delivery.forgetItems()
    }

    /// Drops a delivered segment.
    func drop(_ place: Int) { results.drop(place) }
}
