// Lanes: workers whose ranges run on other machines. How much they are assigned, where a job may run, when a lane is late, and what
// happens to its ranges when it is lost.
//
// A range of a lane counts as begun only when its answer is here: the lane writes its blame word then, and looks at inbox.yield behind it. So all
// that a lane holds can be taken back at any time, and nobody is blamed for its loss.

import CMapBridge

extension Core {
    // MARK: - Where a job runs

    /// Refuses a job that no worker could ever run.
    func checkPlace(_ place: mape_where, _ function: Function) throws(MapError) {
        guard remote != nil else {
            throw .argument("config.where", "is MAPE_REMOTE, but the pool has no cluster: see mape_pool_config.cluster")
        }
        guard !function.travels, place == MAPE_REMOTE || !hasLocals else { return }
        throw MapError(
            MAPE_E_FUNCTION,
            "function \"\(function.name)\" cannot run on other machines: \(Self.whyItStays)")
    }

    private static let whyItStays =
        "it is not registered by library and symbols, nor by pointers to symbols that a library exports, or its data are a bare pointer"

    func logStays(_ function: Function) {
        log(MAPE_LOG_INFO, "function \"\(function.name)\" runs on this machine alone: \(Self.whyItStays)")
    }

    /// Why none of a job's items can run; nil: they can.
    func whyNowhere(_ job: Job) -> Outcome? {
        if let failure = job.function.failure { return failure }
        guard let refusal = job.function.refusal, job.config.place == MAPE_REMOTE || !hasLocals else { return nil }
        return refusal
    }

    /// Ends the waiting items of a job that cannot run any more.
    func endIfNowhere(_ job: Job) {
        guard job.function.refusal != nil, job.waiting > 0, let why = whyNowhere(job) else { return }
        job.endWaiting(why, now: clock.now())
        work.remove(job)
    }

    /// Whether a lane may run a job's items, if it has run the function's setup.
    @inline(__always)
    func takes(_ job: Job) -> Bool { job.config.place != MAPE_LOCAL && job.function.refusal == nil }

    /// Writes what lanes have to know of a job beside its record.
    @inline(never) func writeForLanes(_ config: JobConfig, _ sequence: UInt64, at offset: UInt64) {
        var record = mapb_job_remote()
        record.serial = sequence
        record.item_timeout = config.itemTimeout == .max ? 0 : config.itemTimeout
        record.globals_serial = globals?.serial ?? 0
        record.attempts = config.attempts
        record.where = config.place.rawValue
        input.store(record, at: offset)
    }

    // MARK: - How much

    /// What a lane is assigned at a time: how many items, and how many requests it may hold.
    func lanePortion(_ job: Job, workers: Int) -> (size: UInt64, depth: Int) {
        let chunk = min(job.config.chunk, Policy.largestRange)
        let time = job.pace.laneTime
        // One item tells how long they take.
        guard time > 0 else { return (max(1, chunk), 1) }
        let goal = Pace.laneGoal(roundTrip: remote?.figures.roundTrip ?? 0)
        func items(in time: Int64, of each: Double) -> UInt64 {
            UInt64(max(1, min(Double(Policy.largestRange), Double(time) / each)))
        }
        let fair = job.waiting / UInt64(workers * 2)
        // Ranges get shorter at a map's end. What the way adds to their time must not make them shorter still: they would be many, and each costs the
        // same way.
        var size = min(
            items(in: goal, of: time), max(1, fair, items(in: Policy.laneShort, of: job.pace.laneWork)))
        if job.pace.itemBytes > 0 { size = max(1, min(size, Policy.laneBytes / job.pace.itemBytes)) }
        if chunk > 0 { size = max(1, size / chunk) * chunk }
        return (size, job.waiting <= size * UInt64(workers) ? 1 : Policy.laneDepth)
    }

    // MARK: - Late lanes

    /// Idle workers, by where they are.
    struct Idle {
        var here = false
        var elsewhere = false
    }

    var idle: Idle {
        var idle = Idle()
        for slot in table.ready where !table.busy.contains(slot) {
            if slot < table.firstLane { idle.here = true } else { idle.elsewhere = true }
        }
        return idle
    }

    /// Whether one of them could run what a worker holds.
    func isWanted(_ worker: Worker, by idle: Idle) -> Bool {
        guard let last = worker.assigned.last, case .range(let job, _) = last.work else { return false }
        return (idle.here && job.config.place != MAPE_REMOTE)
            || (idle.elsewhere && job.function.travels && takes(job))
    }

    /// How long a worker may make no step before what it holds is taken back.
    func lateness(_ worker: Worker, _ idle: Idle?) -> Int64 {
        guard worker.isRemote else { return Policy.reclaimAfter }
        guard let head = worker.assigned.first, case .range(let job, let range) = head.work else { return .max }
        return job.pace.lateness(
            items: range.count, delays: range.delays,
            couldRunHere: idle?.here == true && job.config.place != MAPE_REMOTE)
    }

    /// Takes a job that is being ended from the lanes: what they hold of it has not begun.
    func takeBack(_ job: Job) {
        guard remote != nil else { return }
        reclaim(from: table.remotes.filter { $0.isBusy && $0.holds { $0 === job } })
    }

    /// Acts on a lane that has not answered within its limit.
    func checkLane(_ lane: Worker, _ now: Int64) {
        let limit = lane.limit(config.limits)
        guard limit != .max, lane.pid != 0, let head = lane.assigned.first, case .range(let job, _) = head.work else {
            return
        }
        let isEnding = job.ending != nil
        let since = isEnding ? max(lane.seen.progress, job.life.endingSince) : lane.seen.progress
        guard now - since >= limit else { return }
        log(
            MAPE_LOG_WARNING,
            "worker \(lane.slot), on another machine, is given up: no answer for \((now - since) / 1_000_000) ms")
        kill(lane, isEnding ? .cancel : .timeout)
    }

    // MARK: - Lost lanes

    /// Called when a lane has ended: accepts what it had answered, and requeues the rest.
    func laneDied(_ lane: Worker, _ loss: Loss) {
        var now = mapb_clock()
        if !lane.isHostile {
            acceptReplies(lane, &now)
            readMessages(lane)
        }
        now = mapb_clock()
        closePipes(lane)
        var isHead = true
        while let assignment = lane.assigned.first {
            lane.finish(0, .lost)
            let before = tally(of: assignment.work)
            if case .range(let job, let range) = assignment.work {
                if isHead { lostOnLane(job, range, lane, loss, now) } else { requeue(range, job, now) }
                remote?.figures.again += range.count
                isHead = false
                touch(job)
            }
            if trace != nil { traceLost(assignment, since: before, lane, began: false, now) }
        }
        dropRegion(lane)
        lane.state = .none
        lane.pid = 0
        lane.tries.retryAt = now
        table.want(lane, false)
        touched.places = true
        touched.wakes = true
    }

    private func lostOnLane(_ job: Job, _ range: ItemRange, _ lane: Worker, _ loss: Loss, _ now: Int64) {
        if range.count == 0 { return }
        let lost = RangeLoss(
            range: range, point: .before, loss: loss, verdict: lane.verdict, isJobEnding: job.ending != nil,
            isOnLane: true)
        for part in postmortem(lost).parts {
            switch part {
            case .requeue(let range): requeue(range, job, now)
            case .blame(let item, let manner):
                let times = job.lost.countCrash(item)
                if times < job.config.attempts && job.ending == nil {
                    requeue(ItemRange(first: item, count: 1, searched: true), job, now)
                    continue
                }
                let outcome =
                    manner == .overwrote
                    ? Outcome(
                        MAPE_ITEM_CRASHED, MAPE_CAUSE_REPLY,
                        "the helper for other machines gave a reply that was not valid")
                    : Outcome(
                        MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, code: Signal.kill,
                        "the machine that ran it was lost, \(Policy.laneSuspicion) times in a row, \(job.name(of: item).text)"
                    )
                job.end(
                    Segment(first: item, count: 1, outcome: job.ending ?? outcome), ok: 0, failed: 0, now: now)
            }
        }
    }
}

extension Worker {
    var isHostile: Bool {
        if case .some(.hostile) = verdict { return true }
        return false
    }

    /// How long a lane may take for what it holds first. An item's limit is kept on the machine that runs it. What belongs to a job that ends was
    /// taken back, unless its answer was just coming.
    @inline(never) func laneLimit(_ limits: PoolConfig.Limits) -> Int64 {
        guard state != .dying, let head = assigned.first, case .range(let job, let range) = head.work, range.count > 0
        else { return .max }
        if job.ending != nil { return limits.grace }
        guard job.config.itemTimeout != .max else { return .max }
        let (time, over) = job.config.itemTimeout.multipliedReportingOverflow(by: 2 * Int64(range.count))
        return over ? .max : later(time, by: Policy.laneGrace)
    }
}
