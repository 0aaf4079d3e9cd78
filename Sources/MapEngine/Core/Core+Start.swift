// Starting zygotes and workers, and the first messages and requests for each.

import CMapBridge

extension Core {
    /// Called when the first zygote is there: the pool runs.
    func begin(with born: Zygote) throws(MapError) {
        fixed.libraries.begin()
        try adopt(born)
        life.stage = .running
        figures.show(MAPB_STAGE_RUNNING)
        errands.startsHelper = remote != nil
        logSandbox()
        touched.wakes = true
    }

    /// The start came to nothing. All who wait for it hear why, and may try again, perhaps with the file in place.
    func hasNotBegun(_ why: MapError) {
        life.startError = why
        life.stage = .created
        touched.wakes = true
    }

    /// Adopts a new zygote: sends it the settings and libraries. When that fails, or the pool has been shut down
    /// meanwhile, the caller ends it.
    func adopt(_ born: Zygote) throws(MapError) {
        if life.engineShouldEnd { throw MapError(MAPE_E_CLOSED, "pool was shut down") }
        born.send(settings(), [input.file, fixed.engineBell.writing.number, fixed.waiterBell.writing.number])
        if let failure = born.failure { throw failure }
        born.sendStandardError(isCaptured: config.output == MAPE_OUTPUT_CAPTURE)
        zygote = born
        figures.zygotesStarted += 1
        for function in functions where function.failure == nil { preload(function, in: born) }
        _ = mapb_poller_add(fixed.poller.number, born.control, EngineTag.control.rawValue)
        // The socket shows the zygote's end, except while a process that it has started holds the socket too.
        if born.watch >= 0 { _ = mapb_poller_add(fixed.poller.number, born.watch, EngineTag.zygote.rawValue) }
        if let errors = born.errors {
            _ = mapb_poller_add(fixed.poller.number, errors.file, EngineTag.errors.rawValue)
        }
        touched.places = true
    }

    /// What a zygote is told first.
    func settings() -> mapb_control {
        var hello = mapb_control()
        hello.kind = MAPB_CONTROL_INIT.rawValue
        hello.size = input.size
        hello.memory_limit = config.process.memoryLimit
        hello.nice = config.process.nice
        hello.depth = mapb_depth() + 1
        hello.line = mapb_process_number()
        hello.oom = config.process.oomScore
        hello.growth = config.limits.memoryGrowth
        hello.cancel_signal = config.process.cancelSignal
        hello.flags =
            (config.process.pin ? MAPB_INIT_PIN.rawValue : 0)
            | (config.output == MAPE_OUTPUT_DISCARD ? MAPB_INIT_DISCARD.rawValue : 0)
            | (config.process.coreDumps ? 0 : MAPB_INIT_NO_CORES.rawValue)
            | (isSandboxed ? MAPB_INIT_SANDBOX.rawValue : 0)
        return hello
    }

    var isSandboxed: Bool { config.process.sandbox != MAPE_SANDBOX_NONE }

    /// Logs what this kernel lacks for the sandbox.
    private func logSandbox() {
        guard isSandboxed else { return }
        var note = [CChar](repeating: 0, count: 256)
        if unsafe mapb_sandbox_note(&note, UInt64(note.count)) != 0 {
            log(MAPE_LOG_INFO, UserText(array: note).description)
        }
    }

    /// Asks for a process in a worker's place.
    func spawn(_ worker: Worker) {
        let isRemote = worker.isRemote
        guard worker.state == .none, let zygote = isRemote ? remote?.helper : zygote, zygote.isConnected,
            failure == nil, life.stage != .closed
        else { return }
        var pipes: [Int32] = []
        do {
            let region = try OutputRegion(
                reserve: config.outputReserve, figures: figures.output, leftovers: fixed.leftovers)
            if config.isCaptured { pipes = try openPipes(worker) }
            worker.renew(region, inbox: input.inbox(worker.slot))
        } catch {
            if isRemote {
                log(MAPE_LOG_WARNING, "worker \(worker.slot), on another machine, is not used: \(error.message)")
                table.want(worker, false)
            } else {
                startFailed(worker, error.message, isFork: true)
            }
            return
        }
        if !isRemote { figures.workersStarted += 1 }
        var message = mapb_control()
        message.kind = MAPB_CONTROL_SPAWN.rawValue
        message.slot = UInt32(worker.slot)
        message.generation = worker.generation
        message.size = worker.region!.mapped
        let files = [worker.region!.releaseFile()] + pipes
        zygote.send(message, files, owning: files)
        if zygote.hasBacklog {
            let tag = isRemote ? EngineTag.helper : EngineTag.control
            mapb_poller_change(fixed.poller.number, zygote.control, tag.rawValue, 1)
        }

        for module in registry.modules where !module.isDisabled && !isRemote { send(worker, .module(module)) }
        for function in functions where function.failure == nil && (!isRemote || function.travels) {
            send(worker, .setup(function, globals))
        }
        worker.history.firstRequests = worker.inFlight + worker.backlog.count
    }

    @inline(never) func becameReady(_ worker: Worker) {
        guard worker.state == .starting, worker.pid != 0, worker.answered >= UInt64(worker.history.firstRequests) else {
            return
        }
        worker.state = .ready
        worker.seen.times.becameReady(mapb_clock())
        if worker.isRemote {
            remote?.failures = 0
            unpark(for: worker)
            touched.wakes = true
            return
        }
        brake.zygoteForks()
        if worker.history.firstRequests > 0 {
            worker.tries.failed = 0
            startWentWell()
        } else if zygote?.hasHooks != true {
            // It had nothing to answer, and nothing to fail in.
            startWentWell()
        }
        unpark(for: worker)
        touched.wakes = true
    }

    /// Called when a worker that became ready with nothing to answer has answered something: it has left the zygote's hook behind.
    @inline(never) func answeredFirst(_ worker: Worker) {
        guard worker.state == .ready, worker.history.firstRequests == 0, !worker.isRemote else { return }
        worker.tries.failed = 0
        startWentWell()
    }

    private func startWentWell() {
        if brake.startWentWell() >= config.limits.restarts { touched.places = true }
    }

    /// Counts a failed start of a worker. The pool fails after too many in a row, with no start that went well and no
    /// item ended in between. `isFork`: the fork failed, so there was no process.
    @inline(never) func startFailed(_ worker: Worker, _ why: String, isFork: Bool) {
        let failures = brake.startFailed(why, items: figures.items)
        log(MAPE_LOG_WARNING, "worker \(worker.slot) could not be started: \(why)")
        // A worker that is still starting may become ready; if not, its failure is counted here too.
        let others = table.locals.contains { $0 !== worker && ($0.state == .ready || $0.state == .starting) }
        if failures >= config.limits.restarts && !others {
            fail("workers could not be started \(failures) times in a row; last: \(why)")
            return
        }
        worker.state = .none
        if isFork {
            worker.tries.failed += 1
            worker.tries.retryAt =
                mapb_clock() + Policy.forkRetry << Int64(min(worker.tries.failed, Policy.forkDoublings))
        }
    }

    /// Fails the pool: every unfinished item ends as abandoned.
    func fail(_ why: String) {
        guard failure == nil else { return }
        let outcome = Outcome(
            MAPE_ITEM_ABANDONED, MAPE_CAUSE_POOL, code: MAPE_E_WORKERS.rawValue, "the pool has failed: \(why)")
        life.failure = Outcome(MAPE_ITEM_ABANDONED, MAPE_CAUSE_POOL, code: MAPE_E_WORKERS.rawValue, why)
        figures.show(MAPB_STAGE_FAILED)
        log(MAPE_LOG_ERROR, "the pool has failed: \(why)")
        let now = mapb_clock()
        for job in jobs.all { end(job, outcome, now: now) }
        for worker in workers where worker.isAlive { kill(worker, .shutdown) }
        touched.wakes = true
    }
}

extension Core {
    /// The outcome of the start; nil while workers are starting.
    func startOutcome() -> MapError?? {
        if let failure {
            return unsafe .some(MapError(MAPE_E_WORKERS, "the pool has failed: " + String(cString: failure.text.bytes)))
        }
        if !isOpen { return .some(MapError(MAPE_E_CLOSED, "pool was shut down")) }
        // Called after each change, and mostly too early, so this check comes first.
        guard table.isComplete else { return nil }
        let functions = functions.filter { $0.life.stage == .registered }
        let usable = functions.filter { $0.failure == nil }
        for slot in table.size.wanted {
            guard usable.allSatisfy({ table[slot].isPrepared($0.line) }) else { return nil }
        }
        for function in functions {
            guard let failure = function.failure else { continue }
            let status = failure.cause == MAPE_CAUSE_LOAD ? MAPE_E_LOAD : MAPE_E_SETUP
            return .some(
                MapError(status, "function \"\(function.name)\": \(unsafe String(cString: failure.text.bytes))"))
        }
        if let why = registry.moduleFailure { return .some(MapError(MAPE_E_LOAD, why)) }
        return .some(nil)
    }
}
