// From workers to jobs: the host reads a reply once, checks it against what was assigned, and only then uses it.

import CMapBridge

extension Core {
    /// Accepts every published reply, and assigns new ranges.
    func pump() {
        guard life.stage != .created else { return }
        var now: Int64 = 0
        var next = table.listening.first
        while let slot = next {
            if table.watches[slot].hasNews {
                acceptReplies(table[slot], &now)
                readMessages(table[slot])
            }
            next = table.listening.next(after: slot)
        }
        followUp()
        // With lanes it depends on who is idle: on a worker here, or on another lane.
        if clock.reclaimAt == .max || (remote != nil && hasIdleWorker) {
            clock.reclaimAt = reclaimDeadline()
            if clock.reclaimAt != .max { engineMustWake(by: clock.reclaimAt) }
        }
        if table.size.mayWatchIdle { watchIdle() }
    }

    /// Reads texts of idle workers, which come from threads that their functions have left behind. Checking all of them
    /// takes long in a large pool, so this is not done each time. Returns when to check again; Int64.max: never.
    func checkIdle(_ now: Int64) -> Int64 {
        let next = clock.idleCheckedAt + Policy.idleInterval
        if table.ready.count > Policy.fewWorkers && now < next { return next }
        clock.idleCheckedAt = now
        for slot in table.ready where table.watches[slot].hasNews { readMessages(table[slot]) }
        return .max
    }

    /// Accepts a worker's replies. `now` is 0 until the clock was read.
    func acceptReplies(_ worker: Worker, _ now: inout Int64) {
        guard let link = worker.link else { return }
        do throws(InvalidReply) {
            let answered = try link.answers()
            if answered == link.answered { return }
            let isFirst = link.answered == 0
            now = clock.now()
            let isRemote = worker.isRemote
            let share = isRemote ? (now - worker.seen.progress) / Int64(answered - link.answered) : 0
            let since = worker.seen.progress
            worker.progressed(at: now)
            while link.answered < answered {
                let assignment = worker.assigned[0]
                if case .range(let job, let range) = assignment.work {
                    let reply = try link.accept(assignment.ticket, job, range, isRemote: isRemote)
                    if isRemote { job.pace.measureLane(nanoseconds: share, work: reply.time, items: reply.done) }
                    let time = worker.seen.times.ran(reply.time, now)
                    acceptRange(reply, job, range, max(1, assignment.step), worker, link, time, now)
                    if trace != nil { traceAnswer(reply, assignment.ticket, job, range, worker, since: since, now) }
                } else {
                    let (reply, time) = try link.accept(assignment)
                    worker.seen.times.prepared(time)
                    accept(reply, assignment, worker, now)
                    if trace != nil { traceAnswer(reply, assignment, worker, since: since, now) }
                }
                worker.finish(0, .answered)
            }
            if isFirst { answeredFirst(worker) }
        } catch {
            hostile(worker, error.what)
            return
        }
        worker.seen.since = now
        worker.seen.word = 0
        becameReady(worker)
        sendBacklog(worker)
        unpark(for: worker)
        recycleIfDue(worker)
    }

    /// Accepts one reply to a request that is no range.
    private func accept(_ reply: OtherReply, _ assignment: Assignment, _ worker: Worker, _ now: Int64) {
        switch (reply, assignment.work) {
        case (.setup(let hasChanged), .setup(let function, _)):
            function.setupDeaths = 0
            if function.life.stage == .leaving { return }
            worker.history.learn(function)
            proved(function, changed: hasChanged)
            // One thread may wait for the start while another one leads.
            touched.wakes = true
        case (_, .cleanup(let function, _)): cleanedUp(function, in: worker)
        case (.setupFailed(let isLoad, let code, let text), .setup(let function, _)):
            disable(
                function, isLoad ? MAPE_CAUSE_LOAD : MAPE_CAUSE_SETUP, code,
                isLoad
                    ? text
                    : UserText("setup of \"\(function.name)\" failed with code \(code)")
                        + (text.isEmpty ? "" : ": " + text), now)
        case (.module(let failure), .module(let module)):
            module.deaths = 0
            guard let failure else { return }
            registry.moduleFailure = failure.isEmpty ? "cannot load module \"\(module.path)\"" : failure.description
            log(MAPE_LOG_ERROR, registry.moduleFailure!)
        default: break
        }
    }

    @inline(__always)
    private func acceptRange(
        _ reply: RangeReply, _ job: Job, _ range: ItemRange, _ step: UInt64, _ worker: Worker, _ link: WorkerLink,
        _ time: Int64, _ now: Int64
    ) {
        let done = reply.done
        job.end(reply, first: range.first, in: link.region, now: now)
        worker.countItems(done)
        job.function.itemsEnded += done
        if reply.hasGrown && config.limits.memoryGrowth > 0 { worker.noteGrowth() }
        if !worker.isRemote {
            job.pace.measure(nanoseconds: reply.time, items: done)
            if job.isSingle { job.function.pace.measure(nanoseconds: reply.time, items: done) }
        }
        var rest = ItemRange(first: range.first + done, count: range.count - done, searched: range.searched)
        if rest.count > 0 && reply.isFull {
            let outcome = Outcome(
                MAPE_ITEM_FAILED, MAPE_CAUSE_MEMORY, code: MAPE_E_MEMORY.rawValue,
                "the result does not fit into the worker's output memory (\(link.region.size) bytes, \(link.region.live) in use): release jobs, or set config.output_reserve higher"
            )
            job.end(Segment(first: rest.first, count: 1, outcome: outcome), ok: 0, failed: 0, now: now)
            rest.first += 1
            rest.count -= 1
        }
        requeue(rest, job, now)
        let ranges = (done + step - 1) / step
        figures.ranges += ranges
        job.measure(ranges: ranges, items: done, time: time, output: reply.used.count)
        touch(job)
    }

    /// Requeues items that did not run, or ends them if their job is being ended.
    @inline(never) func requeue(_ range: ItemRange, _ job: Job, _ now: Int64) {
        guard range.count > 0 else { return }
        if let ending = job.endOfWaiting ?? whyNowhere(job) {
            job.end(Segment(first: range.first, count: range.count, outcome: ending), ok: 0, failed: 0, now: now)
            return
        }
        job.requeue(range)
        touch(job)
    }

    /// Texts in the message ring.
    func readMessages(_ worker: Worker) {
        guard let link = worker.link, link.hasMessages else { return }
        let (messages, isValid) = link.readMessages()
        for message in messages {
            events.add(
                message: PoolMessage(
                    isLog: true, code: Int32(message.level), worker: Int32(worker.slot), text: message.text,
                    lost: message.lost))
        }
        guard isValid else {
            hostile(worker, "its message ring is not valid")
            return
        }
        touched.wakes = true
    }
}
