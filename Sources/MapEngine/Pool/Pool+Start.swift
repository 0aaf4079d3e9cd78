// The start: engine thread, zygote, workers. And what each new worker is told first.

import CMapBridge

extension Pool {
    /// Starts the pool if that was not done. Call without the lock: with FORK the snapshot is taken in here.
    func ensureStarted() throws(MapError) {
        let begins = try locked { () throws(MapError) -> Bool in
            try checkOpen()
            guard life == .created else { return false }
            life = .starting
            startError = nil
            // Read here and never again: elsewhere the host may be in setenv, which is not safe beside a reader.
            environment = config.environment()
            return true
        }
        var mine: UInt64 = 0
        if begins {
            // Under the lock, which the thread needs before anybody finds the pool started: so whoever does finds the thread to join.
            let why = locked { () -> Int32 in
                let why = unsafe mapb_start_thread(engineMain, Unmanaged.passRetained(self).toOpaque(), &mine)
                startedThread = mine
                return why
            }
            if why != 0 {
                unsafe Unmanaged.passUnretained(self).release()
                locked { life = .created }
                throw .thread(why)
            }
        }
        // The engine thread makes the zygote; this one waits for that, not for the workers.
        let error = waitForZygote()
        if let error {
            if begins {
                // Another thread may have begun a start of its own meanwhile.
                locked { if startedThread == mine { startedThread = 0 } }
                mapb_join_thread(mine)
            }
            throw error
        }
    }

    /// Waits while another thread is about to make the zygote.
    func waitForZygote() -> MapError? {
        while true {
            let seen = waiting.changes
            let (isStarting, error) = locked { (life == .starting, startError) }
            if !isStarting { return error }
            waiting.sleep(seen, .max)
        }
    }

    func joinEngine() {
        let thread = locked {
            defer { startedThread = 0 }
            return startedThread
        }
        if thread != 0 { mapb_join_thread(thread) }
    }

    /// On the engine thread, first of all.
    func engineStarts() -> Bool {
        do {
            let born = try Zygote.start(config, environment)
            try locked { () throws(MapError) in
                life = .running
                if libraries.standing == .shared { libraries.standing = .unproven }
                try adopt(born)
                tellOfSandbox()
                for worker in workers { spawn(worker) }
                publish()
                waiting.wake()
            }
            return true
        } catch {
            locked {
                // The caller hears of it and may try again, with the file in place perhaps.
                startError = error
                life = .created
                waiting.wake()
            }
            return false
        }
    }

    /// Takes a new zygote into use: tells it all it has to know.
    func adopt(_ born: Zygote) throws(MapError) {
        var hello = mapb_control()
        hello.kind = MAPB_CONTROL_INIT.rawValue
        hello.size = input.size
        hello.workers = UInt32(workers.count)
        hello.memory_limit = config.memoryLimit
        hello.nice = config.nice
        hello.oom = config.oomScore
        hello.growth = config.memoryGrowth
        hello.flags =
            (config.pin ? MAPB_INIT_PIN.rawValue : 0)
            | (config.output == MAPE_OUTPUT_DISCARD ? MAPB_INIT_DISCARD.rawValue : 0)
            | (config.coreDumps ? 0 : MAPB_INIT_NO_CORES.rawValue)
            | (isSandboxed ? MAPB_INIT_SANDBOX.rawValue : 0)
        born.send(hello, [input.file, engineBell.writing.number, waiterBell.writing.number])
        if let failure = born.failure {
            born.end(grace: 0)
            throw failure
        }
        zygote = born
        figures.zygotesStarted += 1
        for function in functions where function.failure == nil { preload(function, in: born) }
        _ = mapb_poller_add(poller.number, born.control, EngineTag.control.rawValue)
        // Its end shows at the socket, but not while a process that it has started holds that as well.
        if born.watch >= 0 { _ = mapb_poller_add(poller.number, born.watch, EngineTag.zygote.rawValue) }
    }

    var isSandboxed: Bool { config.sandbox != MAPE_SANDBOX_NONE }

    /// Says what the sandbox of this kernel cannot hold.
    private func tellOfSandbox() {
        guard isSandboxed else { return }
        var note = [CChar](repeating: 0, count: 256)
        if unsafe mapb_sandbox_note(&note, UInt64(note.count)) != 0 {
            log(MAPE_LOG_INFO, UserText(array: note).description)
        }
    }

    /// Asks for a process in a worker's place.
    func spawn(_ worker: Worker) {
        guard worker.state == .none, let zygote, zygote.isConnected, failure == nil, life != .closed else { return }
        var pipes: [Int32] = []
        do {
            let region = try OutputRegion(
                reserve: config.outputReserve, figures: outputFigures, leftovers: leftovers)
            if config.output == MAPE_OUTPUT_CAPTURE { pipes = try openPipes(worker) }
            worker.renew(region)
        } catch {
            startFailed(worker, error.message, isFork: true)
            return
        }
        figures.workersStarted += 1
        let inbox = unsafe input.inbox(worker.slot)
        unsafe mapb_store(&inbox.pointee.tail, 0)
        unsafe mapb_store(&inbox.pointee.message_head, 0)
        unsafe mapb_store(&inbox.pointee.ring_at, 0)
        unsafe mapb_store(&inbox.pointee.yield, 0)

        var message = mapb_control()
        message.kind = MAPB_CONTROL_SPAWN.rawValue
        message.slot = UInt32(worker.slot)
        message.generation = worker.generation
        message.size = worker.region!.size
        let files = [worker.region!.releaseFile()] + pipes
        zygote.send(message, files, owning: files)
        if zygote.hasBacklog { mapb_poller_change(poller.number, zygote.control, EngineTag.control.rawValue, 1) }

        worker.backlog = Queue()
        for module in modules where !module.isGivenUp { tell(worker, .module(module)) }
        for function in functions where function.failure == nil { tell(worker, .setup(function, globals)) }
        worker.initialRequests = worker.inFlight + worker.backlog.count
    }

    /// Both pipes for a worker's standard output and error; returns the ends that go to it.
    private func openPipes(_ worker: Worker) throws(MapError) -> [Int32] {
        var ends: [Int32] = []
        for i in 0..<2 {
            var pair: [Int32] = [-1, -1]
            let why = unsafe mapb_pipe(&pair)
            if why != 0 {
                closePipes(worker)
                for end in ends { mapb_close(end) }
                throw .system(MAPB_NAME_PIPE, why)
            }
            worker.pipes[i] = pair[0]
            ends.append(pair[1])
            _ = mapb_poller_add(poller.number, pair[0], EngineTag.pipe(worker.slot, i))
        }
        return ends
    }

    func becameReady(_ worker: Worker) {
        guard worker.state == .starting, worker.pid != 0, worker.answered >= UInt64(worker.initialRequests) else {
            return
        }
        worker.state = .ready
        worker.failedStarts = 0
        zygoteDeaths = 0
        let wasBraked = failedStarts >= config.restarts
        failedStarts = 0
        if wasBraked { refill(mapb_clock()) }
        unpark(for: worker)
        waiting.wake()
    }

    /// A worker's start has failed; after too many in a row, with no start that went well and no item that ended in between, the pool
    /// gives up. `isFork`: there was no process yet.
    func startFailed(_ worker: Worker, _ why: String, isFork: Bool) {
        if figures.items != itemsAtFailedStart { failedStarts = 0 }
        itemsAtFailedStart = figures.items
        failedStarts += 1
        lastDeath = why
        log(MAPE_LOG_WARNING, "worker \(worker.slot) could not be started: \(why)")
        // One that is still starting may well be the one that goes on; if not, it comes here too.
        let others = workers.contains { $0 !== worker && ($0.state == .ready || $0.state == .starting) }
        if failedStarts >= config.restarts && !others {
            fail("workers could not be started \(failedStarts) times in a row; last: \(why)")
            return
        }
        worker.state = .none
        if isFork {
            worker.failedStarts += 1
            worker.retryAt = mapb_clock() + Policy.forkRetry << Int64(min(worker.failedStarts, Policy.forkDoublings))
        }
    }

    /// The pool cannot go on: every item that has not ended ends as abandoned.
    func fail(_ why: String) {
        guard failure == nil else { return }
        let outcome = Outcome(
            MAPE_ITEM_ABANDONED, MAPE_CAUSE_POOL, code: MAPE_E_WORKERS.rawValue, "the pool has failed: \(why)")
        failure = Outcome(MAPE_ITEM_ABANDONED, MAPE_CAUSE_POOL, code: MAPE_E_WORKERS.rawValue, why)
        log(MAPE_LOG_ERROR, "the pool has failed: \(why)")
        let now = mapb_clock()
        for job in allJobs { end(job, outcome, now: now) }
        for worker in workers where worker.isAlive { kill(worker, .shutdown) }
        waiting.wake()
    }
}

extension Pool {
    /// How the start stands: nil while workers are still to become ready.
    func startOutcome() -> MapError?? {
        if let failure {
            return unsafe .some(MapError(MAPE_E_WORKERS, "the pool has failed: " + String(cString: failure.text.bytes)))
        }
        if !isOpen { return .some(MapError(MAPE_E_CLOSED, "pool was shut down")) }
        // Asked each time that something has changed, and mostly too early.
        guard table.ready.count == table.workers.count else { return nil }
        let usable = functions.filter { $0.failure == nil }
        for worker in workers {
            guard usable.allSatisfy({ worker.isPrepared($0.id) }) else { return nil }
        }
        for function in functions {
            guard let failure = function.failure else { continue }
            let status = failure.cause == MAPE_CAUSE_LOAD ? MAPE_E_LOAD : MAPE_E_SETUP
            return .some(
                MapError(status, "function \"\(function.name)\": \(unsafe String(cString: failure.text.bytes))"))
        }
        if let moduleFailure { return .some(MapError(MAPE_E_LOAD, moduleFailure)) }
        return .some(nil)
    }

    /// Registers a function; a started pool's workers are told at once. Without the lock, which is taken when texts and data are in place.
    func register(_ description: mape_function) throws(MapError) -> UInt32 {
        let isFork = config.start == MAPE_START_FORK
        while true {
            let snapshot = try locked { () throws(MapError) in
                try checkRegister()
                return isFork && life == .created
            }
            let draft = try unsafe Function.make(
                description, input: input, libraries: libraries, isFork: isFork, snapshot: snapshot)
            let made = try locked { () throws(MapError) -> UInt32? in
                do throws(MapError) { try checkRegister() } catch {
                    draft.discard(input)
                    throw error
                }
                // The pool was started meanwhile: workers do not have what the host has had since.
                if snapshot != (isFork && life == .created) {
                    draft.discard(input)
                    return nil
                }
                return add(draft.function(UInt32(functions.count + 1), input))
            }
            if let made { return made }
        }
    }

    private func checkRegister() throws(MapError) {
        try checkOpen()
        guard functions.count + 1 < Int(MAPB_MAX_FUNCTIONS) else {
            throw MapError(MAPE_E_MEMORY, "a pool can hold \(MAPB_MAX_FUNCTIONS - 1) functions")
        }
    }

    private func add(_ function: Function) -> UInt32 {
        libraries.add(function.libraries)
        functions.append(function)
        if let zygote {
            preload(function, in: zygote)
            for library in function.libraries { library.deaths = 0 }
            for worker in workers where worker.state == .ready || worker.state == .starting {
                tell(worker, .setup(function, globals))
            }
            publish()
        }
        return function.id
    }

    /// Without the lock, which is taken when the bytes are in place.
    func setGlobal(_ name: UserText, _ data: UnsafeRawPointer?, _ size: Int) throws(MapError) {
        try locked { () throws(MapError) in try checkOpen() }
        guard let data = unsafe data else {
            try locked { () throws(MapError) in
                try checkOpen()
                globals = try globals?.removing(Globals.Key(name))
            }
            return
        }
        let value = try unsafe Globals.Value(name, data, size, input: input)
        try locked { () throws(MapError) in
            try checkOpen()
            globals = try Globals.setting(value, in: globals, input)
        }
    }
}
