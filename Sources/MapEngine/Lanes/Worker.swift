// One place of a pool: its present worker process, the requests assigned to it, and what the host has seen of it.
//
//                   renew           the first requests are answered           askToEnd
//           none ─────────► starting ─────────────────────────────► ready ─────────────► stopping
//            ▲                 │ │                                    │                     │
//            │  never forked   │ └──────────────── kill ──────────────┴──────── kill ───────┤
//            ├─────────────────┘                                                            ▼
//            ├──── the zygote says that the process has ended, in any state ────────────► dying
//            └──────────────────────────────────────────────────────────────────────────────┘
//
// A link exists in every state but `none`. Each assignment begins in `give` and ends in `finish`, and nowhere else. The
// table is updated with every change that other code searches for.

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

    var isTimeout: Bool {
        if case .timeout = self { return true }
        return false
    }
}

@safe final class Worker {
    enum State {
        /// No process; a new one may be asked for at `tries.retryAt`.
        case none
        /// Loads modules and runs setups.
        case starting
        /// Can be assigned ranges.
        case ready
        /// Was asked to clean up and exit; it still runs what it holds.
        case stopping
        /// The zygote was asked to kill it.
        case dying

        /// What the host is told; a worker that holds requests is BUSY instead of IDLE.
        var shown: mape_worker_state {
            switch self {
            case .none: MAPE_WORKER_NONE
            case .starting: MAPE_WORKER_STARTING
            case .ready: MAPE_WORKER_IDLE
            case .stopping, .dying: MAPE_WORKER_STOPPING
            }
        }
    }

    /// Which of a pool's places it has.
    struct Place {
        let slot: Int
        /// Whether it is a lane's: what it is assigned runs on another machine.
        let isRemote: Bool
    }

    let place: Place
    var slot: Int { place.slot }
    var isRemote: Bool { place.isRemote }
    var state = State.none {
        didSet {
            link?.show(state)
            unsafe table.stateChanged(self)
        }
    }
    var pid: Int32 = 0 { didSet { link?.show(pid: pid) } }
    /// Counts the processes that this place has had.
    private(set) var generation: UInt64 = 0
    /// Nil: no process.
    private(set) var link: WorkerLink?
    /// Where its results lie; nil: no process.
    private(set) var region: OutputRegion?
    /// Its unanswered assignments, oldest first, with consecutive tickets.
    private(set) var assigned = Queue<Assignment>() { didSet { unsafe table.refresh(self) } }
    /// Requests other than ranges that the inbox had no room for.
    var backlog = Queue<Assignment.Work>() { didSet { unsafe table.refresh(self) } }
    var verdict: Verdict?
    var history: History
    /// Whether the engine thread is returning pages of its memory to the system: no work is assigned to it meanwhile.
    var isTrimming = false { didSet { unsafe table.refresh(self) } }
    var seen = Seen()
    var tries = Tries()
    var output = CapturedOutput()
    /// The table, which is updated with every change of this worker.
    private unowned(unsafe) let table: WorkerTable

    /// - itemsPerWorker: after how many items another process replaces it; 0: never.
    init(slot: Int, table: WorkerTable, itemsPerWorker: UInt64) {
        place = Place(slot: slot, isRemote: slot >= table.firstLane)
        unsafe self.table = table
        history = History(limit: itemsPerWorker)
    }

    /// Resets the state for a new process.
    func renew(_ region: OutputRegion, inbox: Inbox) {
        self.region = region
        generation += 1
        link = unsafe WorkerLink(
            inbox: inbox, region: region, watch: table.watches.address(slot), generation: generation)
        pid = 0
        backlog = Queue()
        verdict = nil
        history = History(limit: history.limit)
        isTrimming = false
        seen.renew(mapb_clock())
        state = .starting
    }

    /// Its process has ended, or was never forked.
    func disconnect() {
        while !assigned.isEmpty { finish(0, .lost) }
        link?.close()
        link = nil
        region = nil
    }

    // MARK: - Assignments

    /// Assigns a range, which the worker sees once it is published.
    /// - owed: since when items wait for a worker: WorkQueue.owedSince. isSpread: other workers get work at the same time.
    /// - isBrief: another call may wait behind it.
    @inline(__always)
    func assign(_ job: Job, _ range: ItemRange, now: Int64, owed: Int64, isSpread: Bool, isBrief: Bool) {
        assign(
            .range(job, range), step: job.rangeStep(range), now: now, owed: owed, isSpread: isSpread, isBrief: isBrief)
    }

    /// Assigns a request that is no range.
    func assign(_ work: Assignment.Work, now: Int64, owed: Int64) {
        assign(work, step: 0, now: now, owed: owed, isSpread: false, isBrief: false)
    }

    /// Inlined, so that for a range there is no look at what else it could be.
    @inline(__always)
    private func assign(
        _ work: Assignment.Work, step: UInt64, now: Int64, owed: Int64, isSpread: Bool, isBrief: Bool
    ) {
        let isIdle = assigned.isEmpty
        if isIdle {
            seen.since = now
            progressed(at: now)
            seen.times.hadNothing(until: now, owed: owed)
        }
        let assignment = Assignment(ticket: published + 1, work: work, step: step)
        link!.assign(assignment, isSpread: isSpread, isIdle: isIdle)
        assigned.append(assignment)
        unsafe table.wasAssigned(self, isBrief: isBrief)
    }

    /// Ends an assignment, or some of its items. No other code removes one from `given` or makes it smaller. So each
    /// passes here once as answered or as lost, and before that each time some of it is reclaimed.
    /// - place: which of `assigned`: 0, the oldest one, unless it is reclaimed.
    @inline(__always)
    func finish(_ place: Int, _ end: Assignment.End) {
        switch end {
        case .answered:
            link!.noteAnswer(assigned[place].ticket)
            assigned.dropFirst()
        case .lost: assigned.dropFirst()
        case .takenBack(let kept):
            guard case .range(let job, var range) = assigned[place].work else { return }
            range.count = kept
            assigned[place].work = .range(job, range)
        }
    }

    /// Asks the process to end what is assigned to it before its next item. After a barrier, `reclaim` sees what came of it.
    /// - Returns: whether it will be known what has not begun; if not, its replies say so.
    func askToYield() -> Bool {
        assigned.update { $0.wasReclaimed = true }
        return link?.askToYield() ?? false
    }

    /// Whether items of such a job are assigned to it.
    /// - skipped: how many requests, from the oldest on, do not count.
    func holds(behind skipped: Int = 0, _ matches: (Job) -> Bool) -> Bool {
        for place in min(skipped, assigned.count)..<assigned.count {
            if case .range(let job, let range) = assigned[place].work, range.count > 0, matches(job) { return true }
        }
        return false
    }

    /// Reclaims the unstarted items of one that was asked to yield. Returns their ranges, in the order in which they were assigned.
    /// - isLate: it has made no step for a while.
    func reclaim(isLate: Bool = false) -> [(Job, ItemRange)] {
        guard let stand = link?.stand else { return [] }
        var back: [(Job, ItemRange)] = []
        for place in 0..<assigned.count {
            let assignment = assigned[place]
            guard assignment.ticket > stand.answered, case .range(let job, let range) = assignment.work else {
                continue
            }
            let kept = assignment.point(stand.mark).begun ?? range.count
            if kept == range.count { continue }
            finish(place, .takenBack(kept: kept))
            var rest = ItemRange(first: range.first + kept, count: range.count - kept, searched: range.searched)
            if isRemote {
                rest.losses = range.losses
                rest.delays = min(range.delays + (isLate ? 1 : 0), Policy.laneDoublings)
            }
            back.append((job, rest))
        }
        return back
    }

    /// It has answered, or was assigned something while idle.
    @inline(__always)
    func progressed(at now: Int64) {
        seen.progress = now
        link!.show(since: now)
    }

    /// Items that were assigned to it have ended.
    @inline(__always)
    func countItems(_ count: UInt64) {
        history.itemsEnded += count
        link!.show(items: history.itemsEnded)
    }

    /// How many requests are published, and how many of them are answered.
    var published: UInt64 { link?.published ?? 0 }
    var answered: UInt64 { link?.answered ?? 0 }

    var inFlight: Int { assigned.count }
    /// Whether it holds requests.
    var isBusy: Bool { !assigned.isEmpty }

    /// The last request in a row that is of the same job as the first.
    var lastTicketOfFirstJob: UInt64 {
        guard let first = assigned.first, case .range(let job, _) = first.work else { return answered + 1 }
        var last = first.ticket
        assigned.forEach { assignment in
            if assignment.ticket == last + 1, case .range(let owner, _) = assignment.work, owner === job { last += 1 }
        }
        return last
    }

    // MARK: - What it is

    var isAlive: Bool { state != .none }
    /// Whether it can be assigned ranges.
    var isReadyForWork: Bool { state == .ready && !isTrimming }
    /// Whether it has had its items, has grown too much, or is dismissed: it gets no more work, and ends once it is idle.
    var isSpent: Bool { history.isSpent }
    /// What it is on, as it says.
    var mark: BlameMark { link?.mark ?? BlameMark(0) }
    /// Whether it is in the zygote's hook after_in_worker, as it says.
    var isInHook: Bool { answered == 0 && mark.isInHook }
    /// Whether it has run the setup of the function of a line.
    func isPrepared(_ line: UInt32) -> Bool { history.knows(line) }

    /// Called when it has reported that it has grown by more than config.memory_growth.
    func noteGrowth() {
        history.hasGrown = true
        unsafe table.refresh(self)
    }

    /// Called when its place is no longer wanted, or is wanted again.
    func dismiss(_ isDismissed: Bool) {
        history.isDismissed = isDismissed
        unsafe table.stateChanged(self)
    }
}
