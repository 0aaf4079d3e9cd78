// A job: its items, where they stand, and what the host wants to hear of them. Guarded by its pool's lock.

import CMapBridge

/// Items that wait to be run (again).
struct ItemRange: Equatable {
    var first: UInt64
    var count: UInt64
    /// Run as it is or halved, never joined: a crash inside it is looked for.
    var searched = false
    /// Workers that died holding it without having begun it, or zygotes with which it was lost while it ran.
    var losses: UInt32 = 0
}

/// What the host wants of a job. Its pointers are the host's: they are handed back to it, and never followed.
@safe struct JobConfig {
    var chunk: UInt64 = 0
    var priority: Int32 = 0
    var attempts: UInt32 = 1
    /// Nanoseconds; Int64.max: none.
    var itemTimeout: Int64 = .max
    var jobTimeout: Int64 = .max
    var ordered = false
    var drop = false
    var deliver: UInt32 = 0
    var window: UInt64 = Policy.window
    var progressInterval: Int64 = Policy.progressInterval
    var context: UnsafeMutableRawPointer?
    var onItem: mape_event_fn?
    var onProgress: mape_event_fn?
    var onDone: mape_event_fn?

    func wants(_ kind: mape_deliver) -> Bool { deliver & kind.rawValue != 0 }
}

final class Job {
    let function: Function
    let config: JobConfig
    let sequence: UInt64
    let submitted: Int64
    /// The mapb_job in the input memory, and with it what was copied there.
    let record: Block
    let globals: Globals?
    /// Buffers that items lie in, each kept once.
    private var used = UsedBuffers()
    var buffers: [Buffer] { used.list }
    var stream: Stream?
    var handle: UInt = 0
    /// The host gave no place for a handle: the job releases itself.
    var ownsItself = false

    /// Items of the job; of a stream, those accepted so far.
    var total: UInt64
    /// Items whose input is in place, from the first on.
    var ready: UInt64
    /// What is still to be copied in.
    var copying: HostItems?
    /// Items from here on have never been given to a worker.
    var next: UInt64 = 0
    private(set) var again: [ItemRange] = []
    private var againItems: UInt64 = 0
    var running: UInt64 = 0
    /// Ended items by state. A vector, because an array would be one more allocation per job.
    var counts = SIMD8<UInt64>()
    var ended: UInt64 = 0
    /// Items lost with their worker, and how often.
    var crashes: [UInt64: UInt32] = [:]
    var suspicions: [UInt64: UInt32] = [:]
    /// Set when the job is to end: how its items that have not ended shall.
    var ending: Outcome?
    var endingSince: Int64 = 0
    var isReleased = false
    /// Whoever waits for it need not any longer: its proxy is being destroyed.
    var isGivenUp = false
    /// Threads that copy into its input, or out of it, without the lock: it stays where it is until they have done.
    private var inputPins = 0
    /// The same for its results.
    private var resultPins = 0
    /// What was put off because of them.
    private var inputIsDue = false
    private var dropIsDue = false
    /// Ended items that the pool's figures have.
    var countedItems: UInt64 = 0
    /// When that was followed up; 0: it was not.
    var doneAt: Int64 = 0
    /// It has changed, and that is still to be followed up.
    var isTouched = false

    /// Measured nanoseconds per item; 0: not yet.
    var itemTime: Double = 0

    /// Ended items. Places of dropped segments are used again.
    var segments: [Segment?] = []
    var freePlaces: [Int] = []
    /// Sorted places for finding an item, made when asked for.
    var index: [Int] = []
    var indexed = 0

    /// Segments to deliver, oldest or (ordered) lowest first.
    var deliverable = Queue<Int>()
    var orderedWaiting: [Int] = []
    var deliverNext: UInt64 = 0
    /// Items of the first deliverable segment that were delivered.
    var deliverOffset: UInt64 = 0
    var undelivered: UInt64 = 0
    var progressDue = false
    var lastProgress: Int64 = 0
    var lastFraction: Double = 0
    var doneDelivered = false
    var isQueuedForDelivery = false
    /// Its place in the work queue; -1: it has none.
    var workPlace = -1
    /// It waits beside the work queue: no worker can run its function now.
    var isParked = false
    var isQueuedForWork: Bool { workPlace >= 0 || isParked }
    /// Its place among the deadlines, and its time.
    var clockPlace = -1
    var clockTime = Int64.max

    init(
        function: Function, config: JobConfig, sequence: UInt64, total: UInt64, record: Block, globals: Globals?,
        now: Int64
    ) {
        self.function = function
        self.config = config
        self.sequence = sequence
        self.total = total
        ready = total
        self.record = record
        self.globals = globals
        submitted = now
    }

    /// Keeps a buffer until all items have ended.
    func keep(_ buffer: Buffer) {
        if used.add(buffer) { buffer.retain() }
    }

    /// The one of them that holds a stretch of the input memory.
    func buffer(holding offset: UInt64, _ count: UInt64) -> Buffer? { used.holding(offset, count) }

    /// The same for those that were retained for this job.
    func adopt(_ buffers: UsedBuffers) { used = buffers }

    /// All its items have ended, and no more come.
    var isDone: Bool { ended == total && (stream?.finished ?? true) }

    /// Nothing of it that waits will run.
    var isEnded: Bool { ending != nil || isDone || function.failure != nil }

    var isStream: Bool { stream != nil }
    var deadline: Int64 { later(submitted, by: config.jobTimeout) }

    /// Tells of items or progress as they come.
    var isPrompt: Bool { config.wants(MAPE_DELIVER_ITEMS) || config.wants(MAPE_DELIVER_PROGRESS) }

    /// Results are dropped once delivered, or at once when nobody wants them.
    var drops: Bool { config.drop || isStream }

    /// Items that a worker could be given now.
    var waiting: UInt64 { max(ready, next) - next + againItems }

    /// How many more items may be begun before the host has taken events. `draining` lifts the limit.
    func room(draining: Bool) -> UInt64 {
        if draining || !drops || isStream || !config.wants(MAPE_DELIVER_ITEMS) { return .max }
        let held = undelivered + running
        return held >= config.window ? 0 : config.window - held
    }

    /// What waits is worth a worker's move to a processor of its own, which takes some 50 µs.
    var isLong: Bool { itemTime > 0 ? Double(waiting) * itemTime > Policy.worthMoving : waiting >= Policy.manyItems }

    /// Follows the time of an item, as workers tell it: for sizes of ranges alone. A worker that had to wait for a processor tells too
    /// much, so that no single range changes the figure much.
    func measure(nanoseconds: UInt32, items: UInt64) {
        guard items > 0 else { return }
        let sample = Double(max(1, nanoseconds)) / Double(items)
        itemTime = itemTime == 0 ? sample : itemTime * 0.7 + min(sample, itemTime * 8) * 0.3
    }

    /// Items per range of a request: the chunk, or the request as a whole.
    func rangeStep(_ request: ItemRange) -> UInt64 {
        config.chunk > 0 ? min(config.chunk, request.count) : request.count
    }

    /// Takes up to `most` items to run; they count as running.
    func take(_ most: UInt64) -> ItemRange? {
        guard most > 0 else { return nil }
        if var range = again.popLast() {
            if range.count > most {
                again.append(
                    ItemRange(
                        first: range.first + most, count: range.count - most, searched: range.searched,
                        losses: range.losses))
                range.count = most
            }
            againItems -= range.count
            running += range.count
            return range
        }
        guard next < ready else { return nil }
        let range = ItemRange(first: next, count: min(most, ready - next))
        next += range.count
        running += range.count
        return range
    }

    /// Gives a range back that did not run.
    func giveBack(_ range: ItemRange) {
        running -= range.count
        if range.count == 0 { return }
        again.append(range)
        againItems += range.count
    }

    /// Records that the items of a segment, which were running, have ended. Nil in place of a kept segment: nothing to keep.
    func end(_ segment: Segment, ok: UInt64, failed: UInt64, now: Int64) {
        running -= segment.count
        if let outcome = segment.outcome {
            counts[Int(outcome.state.rawValue)] += segment.count
        } else {
            counts[Int(MAPE_ITEM_OK.rawValue)] += ok
            counts[Int(MAPE_ITEM_FAILED.rawValue)] += failed
        }
        ended += segment.count
        stream?.itemsEnded(first: segment.first, count: segment.count)
        if config.wants(MAPE_DELIVER_PROGRESS) && now - lastProgress >= config.progressInterval { progressDue = true }
        let delivers = config.wants(MAPE_DELIVER_ITEMS) && !isReleased
        if isReleased || (drops && !delivers) {
            discard(segment)
            return
        }
        if !delivers && joinsLast(segment) { return }
        let place = keep(segment)
        if !delivers { return }
        undelivered += segment.count
        if !config.ordered {
            deliverable.append(place)
            return
        }
        insertOrdered(place, segment.first)
        while let lowest = orderedWaiting.last, segments[lowest]!.first == deliverNext {
            orderedWaiting.removeLast()
            deliverNext = segments[lowest]!.end
            deliverable.append(lowest)
        }
    }

    /// Ends everything that has not been given to a worker.
    func endWaiting(_ outcome: Outcome, now: Int64) {
        var ranges = again
        again = []
        againItems = 0
        if next < total { ranges.append(ItemRange(first: next, count: total - next)) }
        next = total
        for range in ranges {
            running += range.count
            end(Segment(first: range.first, count: range.count, outcome: outcome), ok: 0, failed: 0, now: now)
        }
    }

    /// Keeps the descending order by first item; what waits is few.
    private func insertOrdered(_ place: Int, _ first: UInt64) {
        var low = 0
        var high = orderedWaiting.count
        while low < high {
            let middle = (low + high) / 2
            if segments[orderedWaiting[middle]]!.first > first { low = middle + 1 } else { high = middle }
        }
        orderedWaiting.insert(place, at: low)
    }

    /// Adds a segment to the last one when its results lie right behind: many short ranges make few segments.
    private func joinsLast(_ segment: Segment) -> Bool {
        guard let at = segments.indices.last, let last = segments[at], let region = last.region,
            region === segment.region,
            last.table == nil, segment.table == nil, last.end == segment.first, last.size == segment.size,
            last.base + last.count * last.size == segment.base, last.used.joins(segment.used), indexed <= at
        else { return false }
        segments[at]!.count += segment.count
        segments[at]!.used.hole.count += segment.used.hole.count
        segments[at]!.used.wild.count += segment.used.wild.count
        return true
    }

    private func keep(_ segment: Segment) -> Int {
        if let place = freePlaces.popLast() {
            segments[place] = segment
            return place
        }
        segments.append(segment)
        return segments.count - 1
    }

    func discard(_ segment: Segment) { segment.region?.give(segment.used) }

    /// Drops a delivered segment.
    func drop(_ place: Int) {
        guard let segment = segments[place] else { return }
        segments[place] = nil
        freePlaces.append(place)
        discard(segment)
    }

    // MARK: - Pins

    func pinInput() { inputPins += 1 }

    /// True when its input may be freed now; false: unpinInput says so later.
    func mayFreeInput() -> Bool {
        inputIsDue = inputPins > 0
        return !inputIsDue
    }

    /// True when the input is to be freed that could not be before.
    func unpinInput() -> Bool {
        inputPins -= 1
        return inputIsDue && inputPins == 0
    }

    /// What its results are now. They stay so until `unpinResults`.
    func pinResults() -> Results {
        resultPins += 1
        return results
    }

    func unpinResults() {
        resultPins -= 1
        if resultPins == 0 && dropIsDue { dropAll() }
    }

    /// Drops every result; those that somebody copies, afterwards.
    func dropAll() {
        dropIsDue = resultPins > 0
        if dropIsDue { return }
        for case let segment? in segments { discard(segment) }
        segments = []
        freePlaces = []
        index = []
        indexed = 0
        deliverable = Queue()
        orderedWaiting = []
        undelivered = 0
    }
}
