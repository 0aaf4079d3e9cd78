// What is recorded while the pool is traced. Called where something has ended, and only then: `table.tracing.running` is looked at before.

import CMapBridge

extension Core {
    var trace: Trace? { table.tracing.running }

    func beginTrace(_ trace: Trace) throws(MapError) {
        try checkOpen()
        guard self.trace == nil else { throw MapError(MAPE_E_STATE, "pool is being traced: stop that trace first") }
        table.tracing.begin(trace)
        input.setTimed(true)
    }

    /// Records what has not ended, and ends the trace. False: there is none.
    func endTrace() -> Bool {
        guard let trace else { return false }
        let now = mapb_clock()
        for event in running(trace, now) { trace.add(event) }
        table.tracing.end(at: now)
        input.setTimed(false)
        return true
    }

    /// The events of what has not ended: ranges that workers are on, and jobs.
    func running(_ trace: Trace, _ now: Int64) -> [mape_trace_event] {
        var events: [mape_trace_event] = []
        for slot in table.busy {
            let worker = table[slot]
            guard let head = worker.assigned.first, case .range(let job, let range) = head.work, range.count > 0,
                let region = worker.region
            else { continue }
            let told = worker.isRemote ? nil : region.times(head.ticket)?.begin
            let begin = max(trace.end(slot), min(now, told ?? worker.seen.progress))
            events.append(of(job, range, worker, trace, begin, now, MAPE_TRACE_RUNNING))
        }
        for job in jobs.all.sorted(by: { $0.sequence < $1.sequence }) where job.life.doneAt == 0 {
            events.append(of(job, trace, now, MAPE_TRACE_RUNNING))
        }
        return events
    }

    // MARK: - What workers do

    private func of(
        _ job: Job, _ range: ItemRange, _ worker: Worker, _ trace: Trace, _ begin: Int64, _ end: Int64,
        _ state: mape_trace_state
    ) -> mape_trace_event {
        var event = trace.event(worker.isRemote ? MAPE_TRACE_REMOTE : MAPE_TRACE_RANGE, job, begin, end)
        event.state = state.rawValue
        event.worker = Int32(worker.slot)
        event.first = range.first
        event.assigned = range.count
        if worker.isRemote, let remote {
            let route = remote.routes[worker.slot - table.firstLane]
            unsafe event.host = UnsafePointer(route.host.bytes)
            event.round_trip_ns = route.roundTrip
        } else {
            event.pid = worker.pid
        }
        return event
    }

    /// A reply to a range was accepted.
    /// - since: when the worker had made a step before, or was assigned something while idle.
    @inline(never)
    func traceAnswer(
        _ reply: RangeReply, _ ticket: UInt64, _ job: Job, _ range: ItemRange, _ worker: Worker, since: Int64,
        _ now: Int64
    ) {
        guard let trace, let region = worker.region else { return }
        let times = worker.isRemote ? nil : region.times(ticket)
        let span = trace.span(
            worker.slot, times, since: since, took: worker.isRemote ? nil : Int64(reply.time), now: now)
        if !worker.isRemote { traceWait(trace, job, worker, span) }
        var event = of(job, range, worker, trace, span.begin, span.end, MAPE_TRACE_OK)
        event.items = reply.done
        if let table = reply.results.table {
            event.failed = table.failed
            event.crashed = table.crashed
            event.timed_out = table.timedOut
            if table.stoppedAs == MAPE_ITEM_TIMED_OUT {
                event.timed_out += table.stopped
            } else {
                event.cancelled = table.stopped
            }
            if table.lost > 0 { traceDeaths(on: worker, table, job, range, trace, now) }
        }
        if reply.isFull && reply.done < range.count {
            event.items += 1
            event.failed += 1
        }
        if reply.done == 0 && !reply.isFull {
            event.state = (job.endOfWaiting == nil ? MAPE_TRACE_RECLAIMED : MAPE_TRACE_CANCELLED).rawValue
        } else {
            event.state = Self.state(of: event).rawValue
        }
        if let times { Self.slowest(times, &event, range) }
        trace.add(event)
    }

    /// The worst that has happened to its items.
    private static func state(of event: mape_trace_event) -> mape_trace_state {
        if event.crashed > 0 { return MAPE_TRACE_CRASHED }
        if event.timed_out > 0 { return MAPE_TRACE_TIMED_OUT }
        if event.failed > 0 { return MAPE_TRACE_FAILED }
        return event.cancelled > 0 ? MAPE_TRACE_CANCELLED : MAPE_TRACE_OK
    }

    /// What a worker says of its slowest item, as far as it can be so.
    private static func slowest(_ times: mapb_times, _ event: inout mape_trace_event, _ range: ItemRange) {
        let (took, items) = (Int64(times.lap >> 16), times.lap & 0xffff)
        guard took > 0, items > 0, UInt64(times.slowest) + items <= range.count else { return }
        event.slowest = range.first + UInt64(times.slowest)
        event.slowest_of = UInt32(items)
        event.slowest_ns = min(took, event.end_ns - event.begin_ns)
    }

    /// The worker had nothing to do before it began, although there was something: from when it was assigned, or, when it was so as soon as the
    /// host had seen what came before, since the end of that.
    private func traceWait(_ trace: Trace, _ job: Job, _ worker: Worker, _ span: Trace.Span) {
        let from = span.wasIdle ? span.free : max(span.free, job.life.submitted)
        guard span.begin - from >= Policy.shortestWait else { return }
        var event = trace.event(MAPE_TRACE_WAIT, job, from, span.begin)
        event.worker = Int32(worker.slot)
        event.pid = worker.pid
        trace.add(event)
    }

    /// A reply to another request was accepted.
    @inline(never)
    func traceAnswer(_ reply: OtherReply, _ assignment: Assignment, _ worker: Worker, since: Int64, _ now: Int64) {
        guard let trace, let region = worker.region else { return }
        let span = trace.span(
            worker.slot, worker.isRemote ? nil : region.times(assignment.ticket), since: since, now: now)
        guard var event = of(assignment.work, worker, trace, span) else { return }
        switch reply {
        case .setupFailed, .module(.some): event.state = MAPE_TRACE_FAILED.rawValue
        case .setup, .module, .ended: break
        }
        trace.add(event)
    }

    private func of(_ work: Assignment.Work, _ worker: Worker, _ trace: Trace, _ span: Trace.Span) -> mape_trace_event?
    {
        var event: mape_trace_event
        switch work {
        case .setup(let function, _): event = trace.event(MAPE_TRACE_SETUP, function, span.begin, span.end)
        case .cleanup(let function, _): event = trace.event(MAPE_TRACE_CLEANUP, function, span.begin, span.end)
        case .module(let module):
            event = trace.event(MAPE_TRACE_MODULE, span.begin, span.end)
            unsafe event.name = trace.keep(module.path)
        case .range, .exit: return nil
        }
        event.worker = Int32(worker.slot)
        event.pid = worker.isRemote ? 0 : worker.pid
        return event
    }

    // MARK: - What is lost

    /// What a job's items were before something is done with those that a worker has lost.
    func tally(of work: Assignment.Work) -> Tally? {
        guard trace != nil, case .range(let job, _) = work else { return nil }
        return job.tally
    }

    /// An assignment was lost with its worker, and its items were ended or requeued.
    /// - before: what tally(of:) was. began: whether the worker was on it.
    @inline(never)
    func traceLost(
        _ assignment: Assignment, since before: Tally?, _ worker: Worker, began: Bool, blamed: Bool = false,
        _ now: Int64
    ) {
        guard let trace, let region = worker.region else { return }
        let times = worker.isRemote || !began ? nil : region.times(assignment.ticket)
        let span = trace.span(
            worker.slot, times, since: worker.seen.progress, took: began || worker.isRemote ? nil : 0, now: now)
        guard case .range(let job, let range) = assignment.work else {
            guard began, var event = of(assignment.work, worker, trace, span) else { return }
            event.state = (blamed ? MAPE_TRACE_CRASHED : MAPE_TRACE_LOST).rawValue
            trace.add(event)
            return
        }
        var event = of(job, range, worker, trace, span.begin, span.end, MAPE_TRACE_LOST)
        if let before {
            let after = job.tally
            func more(_ state: mape_item_state) -> UInt64 { after[state] - before[state] }
            event.items = after.ended - before.ended
            event.failed = more(MAPE_ITEM_FAILED)
            event.crashed = more(MAPE_ITEM_CRASHED)
            event.timed_out = more(MAPE_ITEM_TIMED_OUT)
            event.cancelled = more(MAPE_ITEM_CANCELLED) + more(MAPE_ITEM_ABANDONED)
        }
        let state = Self.state(of: event)
        if blamed && state == MAPE_TRACE_OK { event.state = MAPE_TRACE_CRASHED.rawValue }
        if state != MAPE_TRACE_OK { event.state = state.rawValue }
        if let times { Self.slowest(times, &event, range) }
        trace.add(event)
    }

    /// A worker has died that nobody had asked to end.
    @inline(never)
    func traceDeath(_ death: Death, _ worker: Worker, _ mark: BlameMark, _ now: Int64) {
        guard let trace else { return }
        var event = trace.event(MAPE_TRACE_DEATH, now, now)
        if let head = worker.assigned.first {
            switch head.work {
            case .range(let job, let range):
                event = trace.event(MAPE_TRACE_DEATH, job, now, now)
                if case .item(let item) = head.point(mark) {
                    (event.first, event.items) = (range.first + item, 1)
                } else if range.count == 1 && mark.isOn(head.ticket) {
                    (event.first, event.items) = (range.first, 1)
                }
            case .setup(let function, _), .cleanup(let function, _): event.function = function.id
            case .module, .exit: break
            }
        }
        event.worker = Int32(worker.slot)
        event.pid = worker.pid
        event.code = death.loss.isZygote ? Signal.kill : death.loss.signal ?? -death.code
        unsafe event.name = trace.keep(UserText(death.shortName))
        if !death.loss.isZygote && trace.countDeath() {
            unsafe event.symbol = trace.keep(UserText(death.report?.place ?? ""))
            unsafe event.text = trace.keep(UserText(Self.firstLines(death.lines(whatItWasOn(worker)))))
        }
        trace.add(event)
    }

    /// Workers on another machine have died, with items of a range.
    private func traceDeaths(
        on worker: Worker, _ table: EntryTable, _ job: Job, _ range: ItemRange, _ trace: Trace, _ now: Int64
    ) {
        for (i, entry) in table.entries.enumerated() where entry.failure >= 0 {
            guard let crash = table.failures[Int(entry.failure)].crash?.publicForm else { continue }
            var event = trace.event(MAPE_TRACE_DEATH, job, now, now)
            (event.first, event.items) = (range.first + UInt64(i), 1)
            event.worker = Int32(worker.slot)
            event.code = crash.signal != 0 ? crash.signal : -crash.code
            unsafe event.name = trace.keep(
                UserText(crash.signal != 0 ? signalName(crash.signal) : "exit \(crash.code)"))
            unsafe event.host = trace.keep(UserText(crash.host))
            if trace.countDeath() {
                unsafe event.text = trace.keep(UserText(Self.firstLines(String(cString: crash.text))))
            }
            trace.add(event)
        }
    }

    private static func firstLines(_ text: String) -> String {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: true).prefix(Policy.tracedLines)
        return lines.map { String($0.prefix(256)) }.joined(separator: "\n")
    }

    @inline(never)
    func traceReclaim(_ worker: Worker, _ job: Job, _ range: ItemRange, _ now: Int64) {
        guard let trace else { return }
        var event = trace.event(MAPE_TRACE_RECLAIM, job, now, now)
        event.worker = Int32(worker.slot)
        event.pid = worker.isRemote ? 0 : worker.pid
        (event.first, event.items) = (range.first, range.count)
        trace.add(event)
    }

    // MARK: - What the host does

    private func of(_ job: Job, _ trace: Trace, _ end: Int64, _ state: mape_trace_state) -> mape_trace_event {
        var event = trace.event(MAPE_TRACE_JOB, job, job.life.submitted, end)
        event.state = state.rawValue
        event.assigned = job.tally.total
        event.items = job.tally.ended
        event.failed = job.tally[MAPE_ITEM_FAILED]
        event.crashed = job.tally[MAPE_ITEM_CRASHED]
        event.timed_out = job.tally[MAPE_ITEM_TIMED_OUT]
        event.cancelled = job.tally[MAPE_ITEM_CANCELLED] + job.tally[MAPE_ITEM_ABANDONED]
        return event
    }

    /// All items of a job have ended.
    @inline(never)
    func traceEnd(of job: Job, _ now: Int64) {
        guard let trace else { return }
        let event = of(job, trace, now, MAPE_TRACE_OK)
        var whole = event
        whole.state = Self.state(of: event).rawValue
        trace.add(whole)
    }

    /// Inputs were copied, without the lock.
    @inline(never)
    func traceCopy(_ moved: Moved, _ copied: Copied, _ job: Job) {
        guard let trace, copied.began >= trace.began, moved.copied > 0 || moved.shared > 0 else { return }
        var event = trace.event(MAPE_TRACE_COPY, job, copied.began, copied.ended)
        event.bytes = moved.copied
        event.shared_bytes = moved.shared
        trace.add(event)
    }

    /// The callback for events that were handed out has returned.
    @inline(never)
    func traceCallback(_ job: Job, _ events: UInt64) {
        guard let trace, trace.deliveryBegan >= trace.began else { return }
        var event = trace.event(MAPE_TRACE_CALLBACK, job, trace.deliveryBegan, mapb_clock())
        event.items = events
        trace.deliveryBegan = 0
        trace.add(event)
    }
}
