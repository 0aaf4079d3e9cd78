// Deaths of workers, reported by the zygote. Carries out what Postmortem finds for ranges, and counts deaths in starts,
// setups and modules.

import CMapBridge

extension Core {
    /// Kills a worker and its group by SIGKILL. The verdict, why it is killed, decides how its item ends.
    @inline(never) func kill(_ worker: Worker, _ verdict: Verdict) {
        guard worker.isAlive, worker.state != .dying else { return }
        worker.verdict = verdict
        worker.state = .dying
        if !worker.isRemote { figures.workersKilled += 1 }
        sendKill(worker)
    }

    func sendKill(_ worker: Worker) {
        var message = mapb_control()
        message.kind = MAPB_CONTROL_KILL.rawValue
        message.slot = UInt32(worker.slot)
        message.generation = worker.generation
        (worker.isRemote ? remote?.helper : zygote)?.send(message)
    }

    @inline(never) func hostile(_ worker: Worker, _ what: String) {
        log(MAPE_LOG_ERROR, "worker \(worker.slot) (pid \(worker.pid)) is killed: \(what)")
        kill(worker, .hostile(what))
    }

    /// Called when a worker has died: accepts what it had finished, blames the culprit, requeues the rest, and starts
    /// another worker.
    func died(_ worker: Worker, _ loss: Loss) {
        if worker.isRemote { return laneDied(worker, loss) }
        var now = mapb_clock()
        let verdict = worker.verdict
        let before = worker.state
        var isBelieved = true
        if case .some(.hostile) = verdict { isBelieved = false }
        if isBelieved {
            acceptReplies(worker, &now)
            readMessages(worker)
        }
        now = mapb_clock()
        let death = Death(
            worker: worker.slot, pid: worker.pid, loss, record: worker.link?.crashRecord,
            mark: worker.link?.progressMark, written: worker.link?.report ?? [])
        closePipes(worker)
        let expected: Bool
        if case .some(.shutdown) = verdict {
            expected = true
        } else {
            expected = before == .stopping && isExiting(worker)
        }
        let wasInHook = worker.isInHook
        let wasStarting =
            before == .starting || (before == .dying && worker.answered < UInt64(worker.history.firstRequests))
            || wasInHook
        if !expected {
            figures.workersDied += 1
            brake.lastDeath = death.text
            if wasInHook { brake.lastDeath += inHook(verdict) }
            if wasStarting, isSandboxed, case .status(let status) = loss, status & 0x7f == 0,
                let step = unsafe mapb_sandbox_failed(status >> 8)
            {
                brake.lastDeath += unsafe ": its sandbox could not be entered: " + String(cString: step)
            }
            if death.report == nil { log(MAPE_LOG_WARNING, brake.lastDeath) }
        }
        if death.report != nil { log(MAPE_LOG_ERROR, death.lines(whatItWasOn(worker))) }
        let mark = worker.mark
        if trace != nil && !expected { traceDeath(death, worker, mark, now) }
        var inSetup = false
        var isHead = true
        while let assignment = worker.assigned.first {
            if isHead && mark.isOn(assignment.ticket) { countLoss(assignment, worker, now) }
            worker.finish(0, .lost)
            let before = tally(of: assignment.work)
            switch assignment.work {
            case .range(let job, let range):
                if isHead {
                    lostRange(assignment, job, range, worker, mark, loss, death, now)
                } else {
                    requeue(range, job, now)
                }
                touch(job)
            case .setup(let function, _):
                // The death of a zygote ends many setups, and none of them is blamed.
                if isHead && !expected && !loss.isZygote, let stage = mark.stage(in: assignment.ticket) {
                    inSetup = true
                    lostInSetup(function, stage, verdict, loss, death, now)
                }
            case .module(let module):
                if isHead && !expected && !loss.isZygote && mark.isOn(assignment.ticket) {
                    inSetup = true
                    let (isTimeout, how) = manner(verdict, loss, death)
                    lostInModule(module, isTimeout, how)
                }
            case .cleanup(let function, _):
                if isHead && !expected && !loss.isZygote && mark.isOn(assignment.ticket) {
                    lostInCleanup(function, worker, manner(verdict, loss, death).isTimeout, death)
                }
            case .exit: break
            }
            if trace != nil {
                let began = isHead && mark.isOn(assignment.ticket)
                let blamed = began && !expected && !loss.isZygote
                traceLost(assignment, since: before, worker, began: began, blamed: blamed, now)
            }
            isHead = false
        }
        dropRegion(worker)
        worker.state = .none
        worker.pid = 0
        worker.tries.retryAt = now
        if case .zygote = loss { return }
        if wasStarting && !expected {
            if !inSetup { startFailed(worker, brake.lastDeath, isFork: false) }
            worker.tries.failed += 1
            worker.tries.retryAt =
                now + Policy.restartPause << Int64(min(worker.tries.failed - 1, Policy.restartDoublings))
        }
        touched.places = true
        touched.wakes = true
    }

    /// The time that a worker was on a request until it died counts as spent there.
    private func countLoss(_ assignment: Assignment, _ worker: Worker, _ now: Int64) {
        guard case .range(let job, _) = assignment.work else {
            _ = worker.seen.times.ended(now, inItem: false)
            return
        }
        job.measure(lost: worker.seen.times.ended(now, inItem: true))
    }

    private func inHook(_ verdict: Verdict?) -> String {
        let hook = " in the zygote's hook after_in_worker"
        guard case .timeout = verdict else { return hook }
        return hook + ", which took longer than the setup timeout of \(config.limits.setupTimeout / 1_000_000) ms"
    }

    private func isExiting(_ worker: Worker) -> Bool {
        guard let head = worker.assigned.first else { return true }
        if case .exit = head.work { return true }
        return false
    }

    /// Handles the range that a worker was on when it died.
    private func lostRange(
        _ assignment: Assignment, _ job: Job, _ range: ItemRange, _ worker: Worker, _ mark: BlameMark, _ loss: Loss,
        _ death: Death, _ now: Int64
    ) {
        let lost = RangeLoss(
            range: range, point: assignment.point(mark), loss: loss, verdict: verdict(of: worker, loss, mark),
            hasMovedOn: mark.word != worker.seen.word,
            hasWorked: worker.answered > UInt64(worker.history.firstRequests),
            isJobEnding: job.ending != nil)
        var finding = postmortem(lost)
        if !keepFinished(finding.keep, worker, assignment, job, range, now) {
            finding = postmortem(lost, isRecorded: false)
        }
        for part in finding.parts {
            switch part {
            case .requeue(let range): requeue(range, job, now)
            case .blame(let item, let manner): blame(job, item, manner, loss, death, now)
            }
        }
    }

    /// Keeps the first items of a lost range, which had ended and must stand in the reply that the worker was filling.
    /// Returns false when they do not.
    @inline(never) private func keepFinished(
        _ count: UInt64, _ worker: Worker, _ assignment: Assignment, _ job: Job, _ range: ItemRange, _ now: Int64
    ) -> Bool {
        if count == 0 { return true }
        guard let link = worker.link, let reply = link.finished(count, of: assignment, job) else { return false }
        job.end(reply, first: range.first, in: link.region, now: now)
        return true
    }

    /// The outcome of a culprit that does not run again.
    @inline(never) private func outcome(_ manner: Finding.Manner, _ job: Job, _ loss: Loss, _ death: Death?) -> Outcome
    {
        switch manner {
        case .lost, .lostWithZygote: loss.outcome(death)
        case .timedOut:
            Outcome(
                MAPE_ITEM_TIMED_OUT, MAPE_CAUSE_ITEM_TIMEOUT,
                "it ran longer than its item timeout of \(job.config.itemTimeout / 1_000_000) ms"
                    + (death?.afterMark ?? ""), death: death, mark: death?.mark)
        case .overwrote:
            Outcome(MAPE_ITEM_CRASHED, MAPE_CAUSE_REPLY, "its worker overwrote its own memory", mark: death?.mark)
        }
    }

    /// Blames an item for the death of its worker: it runs again if it has attempts left.
    @inline(never) private func blame(
        _ job: Job, _ item: UInt64, _ manner: Finding.Manner, _ loss: Loss, _ death: Death?, _ now: Int64
    ) {
        let outcome = named(outcome(manner, job, loss, death), job, item)
        func end(_ outcome: Outcome) {
            job.end(Segment(first: item, count: 1, outcome: outcome), ok: 0, failed: 0, now: now)
        }
        if manner == .timedOut {
            end(outcome)
            return
        }
        if let ending = job.ending {
            end(death.map { ending.afterKill($0) } ?? ending)
            return
        }
        figures.show(
            crashOf: job.config.firstIndex &+ item, job: job.sequence, function: job.work.shown.name,
            worker: death?.worker ?? -1, signal: loss.signal ?? 0)
        let again = ItemRange(first: item, count: 1, searched: true)
        if manner == .lostWithZygote {
            let times = job.lost.countWithZygote(item)
            if times < Policy.suspicion {
                requeue(again, job, now)
                return
            }
        }
        let times = job.lost.countCrash(item)
        let hasMore = times < job.config.attempts && !job.isWithdrawn
        if hasMore && manner != .lostWithZygote { requeue(again, job, now) } else { end(outcome) }
    }

    /// How a worker ended that was loading or in a setup, and whether it was killed for its time limit.
    private func manner(_ verdict: Verdict?, _ loss: Loss, _ death: Death?) -> (isTimeout: Bool, how: String) {
        if case .timeout = verdict {
            return (true, "ran longer than the setup timeout of \(config.limits.setupTimeout / 1_000_000) ms")
        }
        return (false, death?.report.map { "was ended by \($0.summary)" } ?? loss.text)
    }

    @inline(never) private func lostInSetup(
        _ function: Function, _ stage: BlameMark.Stage, _ verdict: Verdict?, _ loss: Loss, _ death: Death?, _ now: Int64
    ) {
        let (isTimeout, what) = manner(verdict, loss, death)
        if case .loading(let place) = stage, let library = function.placed[place] {
            lostInLoad(library, isTimeout, what, now)
            return
        }
        let deaths = function.countSetupDeath()
        if deaths >= config.limits.restarts || isTimeout {
            disable(
                function, MAPE_CAUSE_SETUP, loss.signal ?? 0,
                "setup of \"\(function.name)\": its worker \(what)"
                    + (isTimeout ? "" : ", \(deaths) times in a row"), now)
        }
    }

    /// Disables a function that no worker can run: its items end as failed.
    @inline(never) func disable(_ function: Function, _ cause: mape_cause, _ code: Int32, _ why: UserText, _ now: Int64)
    {
        guard function.failure == nil, function.life.stage != .leaving else { return }
        let outcome = Outcome(MAPE_ITEM_FAILED, cause, code: code, CText(array: why.bytes))
        function.fail(outcome)
        log(MAPE_LOG_ERROR, why.description)
        for job in jobs.all where job.function === function && !job.isDone {
            job.endWaiting(outcome, now: now)
            work.remove(job)
            touch(job)
        }
        touched.wakes = true
    }
}
