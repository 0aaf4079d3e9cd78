// One place of a pool: the worker process that has it now, what that was given, and what was seen of it.
//
//                   renew           the first requests are answered           askToEnd
//           none ─────────► starting ─────────────────────────────► ready ─────────────► stopping
//            ▲                 │ │                                    │                     │
//            │  never forked   │ └──────────────── kill ──────────────┴──────── kill ───────┤
//            ├─────────────────┘                                                            ▼
//            ├──── the zygote says that the process has ended, in any state ────────────► dying
//            └──────────────────────────────────────────────────────────────────────────────┘
//
// A link exists in every state but `none`. Each assignment is given by `give` and ends in `finish`, and neither is done anywhere else.
// The table hears of every change that others look for.

import CMapBridge

/// Why the pool has killed a worker.
enum Verdict {
    /// An item, a setup or a cleanup took too long.
    case timeout
    /// A cancelled item did not stop within the grace.
    case cancel
    /// Its replies were not valid.
    case hostile(String)
    /// The pool is being shut down.
    case shutdown
}

@safe final class Worker {
    enum State {
        /// No process; a new one may be asked for at `tries.retryAt`.
        case none
        /// Loads modules and runs setups.
        case starting
        /// Takes ranges.
        case ready
        /// Was told to clean up and exit; what it holds it still does.
        case stopping
        /// Was sent SIGKILL.
        case dying
    }

    let slot: Int
    var state = State.none { didSet { unsafe table.stateChanged(self) } }
    var pid: Int32 = 0
    /// Counts the processes that this place has had.
    private(set) var generation: UInt64 = 0
    /// Nil: no process.
    private(set) var link: WorkerLink?
    /// Where its results lie; nil: no process.
    private(set) var region: OutputRegion?
    /// What it has not answered, oldest first. Their tickets follow one another.
    private(set) var given = Queue<Assignment>() { didSet { unsafe table.refresh(self) } }
    /// Requests other than ranges that the inbox had no room for.
    var backlog = Queue<Assignment.Work>() { didSet { unsafe table.refresh(self) } }
    var verdict: Verdict?
    var history: History
    /// Pages of its memory are being given back: it is given nothing that it could write for.
    var isTrimming = false { didSet { unsafe table.refresh(self) } }
    var seen = Seen()
    var tries = Tries()
    var output = CapturedOutput()
    /// Hears of every change that matters to others.
    private unowned(unsafe) let table: WorkerTable

    /// - itemsPerWorker: after so many items another process takes its place; 0: never.
    init(slot: Int, table: WorkerTable, itemsPerWorker: UInt64) {
        self.slot = slot
        unsafe self.table = table
        history = History(limit: itemsPerWorker)
    }

    /// A new process comes in its place.
    func renew(_ region: OutputRegion, inbox: Inbox) {
        self.region = region
        link = unsafe WorkerLink(inbox: inbox, region: region, watch: table.watches.address(slot))
        generation += 1
        pid = 0
        backlog = Queue()
        verdict = nil
        history = History(limit: history.limit)
        isTrimming = false
        seen = Seen(since: mapb_clock())
        state = .starting
    }

    /// Its process has ended, or was never forked.
    func disconnect() {
        while let assignment = given.first { finish(assignment, .lost) }
        link?.close()
        link = nil
        region = nil
    }

    // MARK: - Assignments

    /// Gives it a range, which it sees once that is published.
    /// - isSpread: others are given work at the same time.
    @inline(__always)
    func give(_ job: Job, _ range: ItemRange, now: Int64, isSpread: Bool) {
        give(.range(job, range), step: job.rangeStep(range), now: now, isSpread: isSpread)
    }

    /// Gives it a request that is no range.
    func give(_ work: Assignment.Work, now: Int64) { give(work, step: 0, now: now, isSpread: false) }

    /// Inlined, so that for a range there is no look at what else it could be.
    @inline(__always)
    private func give(_ work: Assignment.Work, step: UInt64, now: Int64, isSpread: Bool) {
        let isIdle = given.isEmpty
        if isIdle {
            seen.since = now
            seen.progress = now
        }
        let assignment = Assignment(ticket: published + 1, work: work, step: step)
        link!.give(assignment, isSpread: isSpread, isIdle: isIdle)
        given.append(assignment)
        unsafe table.wasGiven(self)
    }

    /// The end of an assignment that was given, or of some of its items. Nothing else takes one out of `given` or makes it smaller, so
    /// that each is seen here once as answered or as lost, and before that each time something of it is taken back: here a timeline
    /// listens.
    /// - assignment: as it was until now; the oldest one, unless it is taken back.
    func finish(_ assignment: Assignment, _ end: Assignment.End) {
        if let onFinish = unsafe table.onFinish { onFinish(self, assignment, end) }
        switch end {
        case .answered:
            link!.noteAnswer(assignment.ticket)
            given.dropFirst()
        case .lost: given.dropFirst()
        case .takenBack(let kept):
            guard case .range(let job, var range) = assignment.work else { return }
            range.count = kept
            given[Int(assignment.ticket - given.first!.ticket)].work = .range(job, range)
        }
    }

    /// Takes back what it has not begun. Returns that, in the order in which it was given.
    func reclaim() -> [(Job, ItemRange)] {
        guard let link else { return [] }
        let stand = link.yield(upTo: link.published)
        given.update { $0.wasTakenBack = true }
        guard let stand else { return [] }
        var back: [(Job, ItemRange)] = []
        for place in 0..<given.count {
            let assignment = given[place]
            guard assignment.ticket > stand.answered, case .range(let job, let range) = assignment.work else {
                continue
            }
            let kept = assignment.point(stand.mark).begun ?? range.count
            if kept == range.count { continue }
            finish(assignment, .takenBack(kept: kept))
            back.append(
                (job, ItemRange(first: range.first + kept, count: range.count - kept, searched: range.searched)))
        }
        return back
    }

    /// Requests published, and those of them that were answered.
    var published: UInt64 { link?.published ?? 0 }
    var answered: UInt64 { link?.answered ?? 0 }

    var inFlight: Int { given.count }
    /// Has something to answer.
    var isBusy: Bool { !given.isEmpty }

    /// The last request in a row that is of the same job as the first.
    var lastTicketOfFirstJob: UInt64 {
        guard let first = given.first, case .range(let job, _) = first.work else { return answered + 1 }
        var last = first.ticket
        given.forEach { assignment in
            if assignment.ticket == last + 1, case .range(let its, _) = assignment.work, its === job { last += 1 }
        }
        return last
    }

    // MARK: - What it is

    var isAlive: Bool { state != .none }
    /// May be given ranges.
    var takesWork: Bool { state == .ready && !isTrimming }
    /// It has had its items, or has grown too much: it gets no more, and another takes its place.
    var isSpent: Bool { history.isSpent }
    /// What it is on, as it says.
    var mark: BlameMark { link?.mark ?? BlameMark(0) }
    func isPrepared(_ function: UInt32) -> Bool { history.knows(function) }

    /// It has said that it has grown by more than config.memory_growth.
    func noteGrowth() {
        history.hasGrown = true
        unsafe table.refresh(self)
    }
}
