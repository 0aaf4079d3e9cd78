// Deaths of workers, told by the zygote. Who is to blame, what is run again, who takes the place.

import CMapBridge
import Glibc

/// How a worker was lost.
enum Loss {
    /// A wait status, see waitpid(2).
    case status(Int32)
    /// The zygote went, and its workers with it.
    case zygote

    var signal: Int32? {
        guard case .status(let status) = self, status & 0x7f != 0 else { return nil }
        return status & 0x7f
    }

    /// The worker ended by itself, and said why: forksafe_identity.c.
    var isRetirement: Bool {
        guard case .status(let status) = self else { return false }
        return status == Int32(MAPB_EXIT_RETIRED.rawValue) << 8
    }

    var text: String {
        guard case .status(let status) = self else { return "was lost with its zygote" }
        if let signal { return "was ended by \(signalName(signal))" }
        return "exited with code \(status >> 8 & 0xff)"
    }

    func outcome(_ death: Death?) -> Outcome {
        guard case .status(let status) = self else {
            return Outcome(
                MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, code: SIGKILL, "the zygote died each time while this item ran")
        }
        let what = death?.text ?? "its worker \(text)"
        if let signal { return Outcome(MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, code: signal, what, death: death) }
        return Outcome(MAPE_ITEM_CRASHED, MAPE_CAUSE_EXIT, code: status >> 8 & 0xff, what, death: death)
    }
}

extension Pool {
    /// SIGKILL to a worker and its group; why decides how its item ends.
    func kill(_ worker: Worker, _ verdict: Verdict) {
        guard worker.isAlive, worker.state != .dying else { return }
        worker.verdict = verdict
        worker.state = .dying
        figures.workersKilled += 1
        sendKill(worker)
    }

    func sendKill(_ worker: Worker) {
        var message = mapb_control()
        message.kind = MAPB_CONTROL_KILL.rawValue
        message.slot = UInt32(worker.slot)
        message.generation = worker.generation
        zygote?.send(message)
    }

    func hostile(_ worker: Worker, _ what: String) {
        log(MAPE_LOG_ERROR, "worker \(worker.slot) (pid \(worker.pid)) is killed: \(what)")
        kill(worker, .hostile(what))
    }

    /// A worker is gone: takes what it had finished, blames, runs the rest elsewhere, and starts another.
    func died(_ worker: Worker, _ loss: Loss) {
        var now = mapb_now()
        let verdict = worker.verdict
        var wasHostile = false
        if case .hostile = verdict { wasHostile = true }
        let before = worker.state
        if !wasHostile {
            takeReplies(worker, &now)
            takeMessages(worker)
            if case .hostile = worker.verdict { wasHostile = true }
        }
        now = mapb_now()
        worker.death = Death(worker, loss)
        defer { worker.death = nil }
        closePipes(worker)
        let expected: Bool
        if case .some(.shutdown) = verdict {
            expected = true
        } else {
            expected = before == .stopping && isExiting(worker)
        }
        let wasStarting = before == .starting || (before == .dying && worker.answered < UInt64(worker.initialRequests))
        if !expected {
            figures.workersDied += 1
            lastDeath = worker.death!.text
            if wasStarting, isSandboxed, case .status(let status) = loss, status & 0x7f == 0,
                let step = unsafe mapb_sandbox_failed(status >> 8)
            {
                lastDeath += unsafe ": its sandbox could not be entered: " + String(cString: step)
            }
            if worker.death!.report == nil { log(MAPE_LOG_WARNING, lastDeath) }
        }
        if let death = worker.death, death.report != nil { log(MAPE_LOG_ERROR, death.lines(whatItWasOn(worker))) }
        let mark = worker.region?.mark ?? BlameMark(0)
        var inSetup = false
        var isHead = true
        while let assignment = worker.given.popFirst() {
            switch assignment.work {
            case .range(let job, let range):
                if isHead && !wasHostile {
                    lostHead(assignment, job, range, worker, loss, now)
                } else if isHead {
                    lostUnknown(
                        job, range, Outcome(MAPE_ITEM_CRASHED, MAPE_CAUSE_REPLY, "its worker overwrote its own memory"),
                        now)
                } else {
                    putBack(range, job, now)
                }
                settled(job, now)
            case .setup(let function, _):
                // One zygote takes many setups with it, and none of them is to blame.
                if isHead && !expected && !isZygote(loss), let stage = mark.stage(in: assignment.ticket) {
                    inSetup = true
                    lostInSetup(function, stage, verdict, loss, worker.death, now)
                }
            case .module(let module):
                if isHead && !expected && !isZygote(loss) && mark.isOn(assignment.ticket) {
                    inSetup = true
                    let (isTimeout, how) = manner(verdict, loss, worker.death)
                    lostInModule(module, isTimeout, how)
                }
            case .cleanup, .exit: break
            }
            isHead = false
        }
        dropRegion(worker)
        worker.state = .none
        worker.pid = 0
        worker.retryAt = now
        if case .zygote = loss { return }
        if wasStarting && !expected {
            if !inSetup { startFailed(worker, lastDeath, isFork: false) }
            worker.failedStarts += 1
            worker.retryAt = now + Policy.restartPause << Int64(min(worker.failedStarts - 1, Policy.restartDoublings))
        }
        refill(now)
        waiting.wake()
    }

    private func isExiting(_ worker: Worker) -> Bool {
        guard let head = worker.given.first else { return true }
        if case .exit = head.work { return true }
        return false
    }

    func dropRegion(_ worker: Worker) {
        // Results keep it alive as long as they need it.
        if isLooking, let region = worker.region { retired.append(region) }
        worker.region = nil
    }

    /// The range a worker was on when it died.
    private func lostHead(
        _ assignment: Assignment, _ job: Job, _ range: ItemRange, _ worker: Worker, _ loss: Loss, _ now: Int64
    ) {
        let region = worker.region!
        let mark = region.mark
        let point = assignment.point(mark)
        if point == .before {
            if isZygote(loss) {
                // All go with their zygote, and what has not begun has not done it.
                putBack(range, job, now)
                return
            }
            // Not begun. A range that is lost so again and again may be what kills them; not where a worker that got something done has
            // given up its place for what a function before has left behind.
            var range = range
            if !(loss.isRetirement && worker.answered > UInt64(worker.initialRequests)) { range.losses += 1 }
            if range.losses < Policy.suspicion {
                putBack(range, job, now)
            } else {
                lostUnknown(job, range, loss.outcome(worker.death), now)
            }
            return
        }
        if case .end(let at) = point {
            // It stands before the first item that was taken back: what it still had is done.
            if !keepFinished(at, worker, assignment, job, range, now) {
                lostUnknown(
                    job, range, Outcome(MAPE_ITEM_CRASHED, MAPE_CAUSE_REPLY, "its worker overwrote its own memory"), now
                )
            }
            return
        }
        if isBystander(worker, mark, job) {
            putBackFrom(range, point.finished, worker, assignment, job, now)
            return
        }
        let item: UInt64
        switch point {
        case .range(let start, let count):
            lostRange(start, count, worker, assignment, job, range, loss, now)
            return
        case .anywhere:
            lostUnknown(job, range, outcome(worker, loss, job), now)
            return
        case .item(let at): item = at
        case .before, .end, .nonsense:
            lostUnknown(
                job, range, Outcome(MAPE_ITEM_CRASHED, MAPE_CAUSE_REPLY, "its worker overwrote its own memory"), now)
            return
        }
        guard keepFinished(item, worker, assignment, job, range, now) else {
            lostUnknown(
                job, range, Outcome(MAPE_ITEM_CRASHED, MAPE_CAUSE_REPLY, "its worker overwrote its own memory"), now)
            return
        }
        let rest = ItemRange(first: range.first + item + 1, count: range.count - item - 1, searched: range.searched)
        blame(job, range.first + item, outcome(worker, loss, job), isOfZygote: isZygote(loss), now)
        putBack(rest, job, now)
    }

    /// A worker was lost in a call for a whole range, the one that begins at `start` of its request: what came before it is kept, what
    /// comes after it runs again, and within it the item is looked for.
    private func lostRange(
        _ start: UInt64, _ count: UInt64, _ worker: Worker, _ assignment: Assignment, _ job: Job, _ range: ItemRange,
        _ loss: Loss, _ now: Int64
    ) {
        let outcome = outcome(worker, loss, job)
        guard keepFinished(start, worker, assignment, job, range, now) else {
            lostUnknown(job, range, outcome, now)
            return
        }
        let after = start + count
        putBack(ItemRange(first: range.first + after, count: range.count - after, searched: range.searched), job, now)
        let part = ItemRange(
            first: range.first + start, count: count, searched: range.searched, losses: range.losses)
        if isZygote(loss) && job.ending == nil {
            lostWithZygote(part, job, outcome, now)
        } else {
            lostUnknown(job, part, outcome, now)
        }
    }

    /// A range ran as a whole when the zygote went. As with an item, that is nobody's fault but by the third time; from then on the item
    /// that does it is looked for, and in the end counted by itself.
    private func lostWithZygote(_ range: ItemRange, _ job: Job, _ outcome: Outcome, _ now: Int64) {
        if range.count == 1 {
            blame(job, range.first, outcome, isOfZygote: true, now)
            return
        }
        var range = range
        range.searched = true
        range.losses += 1
        if range.losses < Policy.suspicion {
            putBack(range, job, now)
            return
        }
        let half = range.count / 2
        let losses = Policy.suspicion - 1
        putBack(
            ItemRange(first: range.first + half, count: range.count - half, searched: true, losses: losses), job, now)
        putBack(ItemRange(first: range.first, count: half, searched: true, losses: losses), job, now)
    }

    /// Takes the first items of a range that was lost: they had ended, and stand in the reply that was being filled. False: they do not.
    private func keepFinished(
        _ count: UInt64, _ worker: Worker, _ assignment: Assignment, _ job: Job, _ range: ItemRange, _ now: Int64
    ) -> Bool {
        if count == 0 { return true }
        let region = worker.region!
        let reply = unsafe mapb_read_reply(mapb_reply_at(region.base, assignment.ticket))
        // The region takes no more ranges, so what this one used need not be known exactly, and is not given back.
        let start = UInt64(MAPB_RESULTS_OFFSET)
        let nothing = Extent(offset: 0, count: 0)
        let bounds = Used(hole: nothing, wild: Extent(offset: start, count: region.size - start))
        let kept = Used(hole: nothing, wild: nothing)
        return reply.ticket == assignment.ticket
            && record(reply, count, bounds, job, range, region, now, keeping: kept) == nil
    }

    /// True when the worker was killed for something that it had left behind when the signal came: what it was on then is not to blame.
    private func isBystander(_ worker: Worker, _ mark: BlameMark, _ job: Job) -> Bool {
        switch worker.verdict {
        case .timeout: return mark.word != worker.seenWord
        case .cancel, .shutdown: return job.ending == nil
        default: return false
        }
    }

    /// Keeps what a bystander had finished of its range; the rest runs again.
    private func putBackFrom(
        _ range: ItemRange, _ finished: UInt64, _ worker: Worker, _ assignment: Assignment, _ job: Job, _ now: Int64
    ) {
        let finished = keepFinished(finished, worker, assignment, job, range, now) ? finished : 0
        putBack(
            ItemRange(first: range.first + finished, count: range.count - finished, searched: range.searched), job, now)
    }

    private func isZygote(_ loss: Loss) -> Bool {
        if case .zygote = loss { return true }
        return false
    }

    /// How the item ends that a worker was lost in.
    private func outcome(_ worker: Worker, _ loss: Loss, _ job: Job) -> Outcome {
        switch worker.verdict {
        case .timeout:
            return Outcome(
                MAPE_ITEM_TIMED_OUT, MAPE_CAUSE_ITEM_TIMEOUT,
                "it ran longer than its item timeout of \(job.config.itemTimeout / 1_000_000) ms", death: worker.death)
        case .cancel, .shutdown:
            return job.ending ?? loss.outcome(worker.death)
        default:
            return loss.outcome(worker.death)
        }
    }

    /// An item was running when its worker was lost: again, when it has attempts left.
    private func blame(_ job: Job, _ item: UInt64, _ outcome: Outcome, isOfZygote: Bool, _ now: Int64) {
        let outcome = named(outcome, job, item)
        if job.ending != nil || outcome.state == MAPE_ITEM_TIMED_OUT {
            let ending = outcome.state == MAPE_ITEM_TIMED_OUT ? outcome : job.ending ?? outcome
            job.end(Segment(first: item, count: 1, outcome: ending), ok: 0, failed: 0, now: now)
            return
        }
        if isOfZygote {
            let times = (job.suspicions[item] ?? 0) + 1
            job.suspicions[item] = times
            if times < Policy.suspicion {
                putBack(ItemRange(first: item, count: 1, searched: true), job, now)
                return
            }
        }
        let times = (job.crashes[item] ?? 0) + 1
        job.crashes[item] = times
        if times < job.config.attempts && !isOfZygote {
            putBack(ItemRange(first: item, count: 1, searched: true), job, now)
        } else {
            job.end(Segment(first: item, count: 1, outcome: outcome), ok: 0, failed: 0, now: now)
        }
    }

    /// A worker was lost in a range, nobody knows at which item: one item is blamed, more are halved and run again.
    private func lostUnknown(_ job: Job, _ range: ItemRange, _ outcome: Outcome, _ now: Int64) {
        if range.count == 1 || job.ending != nil {
            if range.count == 1 {
                blame(job, range.first, outcome, isOfZygote: false, now)
            } else {
                putBack(range, job, now)
            }
            return
        }
        let half = range.count / 2
        putBack(ItemRange(first: range.first + half, count: range.count - half, searched: true), job, now)
        putBack(ItemRange(first: range.first, count: half, searched: true), job, now)
    }

    /// How a worker ended that was loading or in a setup, and whether that took too long.
    private func manner(_ verdict: Verdict?, _ loss: Loss, _ death: Death?) -> (isTimeout: Bool, how: String) {
        if case .timeout = verdict {
            return (true, "ran longer than the setup timeout of \(config.setupTimeout / 1_000_000) ms")
        }
        return (false, death?.report.map { "was ended by \($0.summary)" } ?? loss.text)
    }

    private func lostInSetup(
        _ function: Function, _ stage: BlameMark.Stage, _ verdict: Verdict?, _ loss: Loss, _ death: Death?, _ now: Int64
    ) {
        let (isTimeout, what) = manner(verdict, loss, death)
        if case .loading(let place) = stage, let library = function.placed[place] {
            lostInLoad(library, isTimeout, what, now)
            return
        }
        let deaths = function.countSetupDeath()
        if deaths >= config.restarts || isTimeout {
            giveUp(
                function, MAPE_CAUSE_SETUP, loss.signal ?? 0,
                "setup of \"\(function.name)\": its worker \(what)"
                    + (isTimeout ? "" : ", \(deaths) times in a row"), now)
        }
    }

    /// No worker can run this function: its items end as failed.
    func giveUp(_ function: Function, _ cause: mape_cause, _ code: Int32, _ why: UserText, _ now: Int64) {
        guard function.failure == nil else { return }
        let outcome = Outcome(MAPE_ITEM_FAILED, cause, code: code, CText(array: why.bytes))
        function.fail(outcome)
        log(MAPE_LOG_ERROR, why.description)
        for job in allJobs where job.function === function && !job.isDone {
            job.endWaiting(outcome, now: now)
            settled(job, now)
        }
        waiting.wake()
    }

    /// Starts processes in the places that are empty.
    func refill(_ now: Int64) {
        // In a shutdown only for items that are still to run: a worker that starts while others are asked to end would be missed.
        guard life == .running || (life == .closing && hasJobsToRun), failure == nil else { return }
        // The brake holds: those that are starting decide whether the pool goes on.
        if failedStarts >= config.restarts && !workers.contains(where: { $0.state == .ready })
            && workers.contains(where: { $0.state == .starting })
        {
            return
        }
        for worker in workers where worker.state == .none {
            if worker.retryAt <= now { spawn(worker) } else { engineMustWake(by: worker.retryAt) }
        }
        publish()
    }

    /// It has had its items, or has grown too much: it gets no more, and another takes its place.
    func isSpent(_ worker: Worker) -> Bool {
        worker.hasGrown || (config.itemsPerWorker > 0 && worker.itemsGiven >= config.itemsPerWorker)
    }

    /// Asks a worker to end that is spent and has nothing left to do.
    func recycleIfDue(_ worker: Worker) {
        guard isSpent(worker), worker.state == .ready, !worker.isBusy,
            life == .running || (life == .closing && hasJobsToRun)
        else { return }
        askToEnd(worker)
        publish()
    }

    /// Cleanups, then the end.
    func askToEnd(_ worker: Worker) {
        guard worker.state == .ready || worker.state == .starting else { return }
        // One whose setup did not run, or is still on its way, is told in vain or in order: the worker knows.
        for function in functions where function.hasCleanup { tell(worker, .cleanup(function, globals)) }
        tell(worker, .exit)
        worker.state = .stopping
    }
}
