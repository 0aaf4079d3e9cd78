// Messages of the zygote, and its death: EXEC starts another one, FORK cannot.

import CMapBridge

extension Core {
    /// Messages of the zygote.
    /// - isGone: the zygote has ended, and these messages are its last.
    func receiveControl(isGone: Bool = false) {
        guard let zygote else { return }
        zygote.flush()
        mapb_poller_change(fixed.poller.number, zygote.control, EngineTag.control.rawValue, zygote.hasBacklog ? 1 : 0)
        while let message = zygote.receive() {
            zygote.since = mapb_clock()
            let slot = Int(message.slot)
            let worker = slot < table.locals.count && workers[slot].generation == message.generation ? workers[slot] : nil
            switch message.kind {
            case MAPB_CONTROL_HELLO.rawValue:
                zygote.hasBegun = true
                zygote.hasHooks = message.slot != 0
                brake.zygoteHasBegun()
                if message.code != Int32(MAPB_PROTOCOL) || message.size != UInt64(MAPB_VERSION) {
                    fail(
                        "the zygote is of version \(message.size), the library of version \(MAPB_VERSION): install both from one build"
                    )
                }
                if message.pid > 1 && config.start == MAPE_START_EXEC {
                    logThreads(message.pid, hasHooks: zygote.hasHooks)
                }
            case MAPB_CONTROL_LOADED.rawValue: loaded(message, zygote)
            case MAPB_CONTROL_HOOK.rawValue: zygote.hook = mapb_hook(UInt32(bitPattern: message.code))
            case MAPB_CONTROL_SPAWNED.rawValue:
                zygote.hook = MAPB_HOOK_NONE
                guard let worker, worker.isAlive else { break }
                if message.code != 0 {
                    dropRegion(worker)
                    worker.state = .none
                    startFailed(worker, MapError.system("fork (clone)", message.code).message, isFork: true)
                } else {
                    worker.pid = message.pid
                    worker.seen.since = mapb_clock()
                    becameReady(worker)
                    recycleIfDue(worker)
                    // The pool wanted to kill it before its process id was known.
                    if worker.state == .dying { sendKill(worker) }
                }
            case MAPB_CONTROL_DIED.rawValue:
                if let worker, worker.isAlive { died(worker, .status(message.code)) }
            case MAPB_CONTROL_NOTE.rawValue:
                let text = unsafe withUnsafeBytes(of: message.text) { bytes in
                    unsafe String(decoding: bytes.prefix(while: { $0 != 0 }), as: UTF8.self)
                }
                log(mape_log_level(UInt32(bitPattern: message.code)), text)
            default: break
            }
        }
        if !zygote.isConnected || isGone || zygote.resigns { zygoteDied() }
        pump()
    }

    /// Handles a worker that the zygote was asked for and had not forked.
    func neverBorn(_ worker: Worker) {
        closePipes(worker)
        dropRegion(worker)
        worker.state = .none
        worker.tries.retryAt = mapb_clock()
        figures.workersStarted -= 1
    }

    private func logThreads(_ count: Int32, hasHooks: Bool) {
        let what =
            "the zygote (pid \(zygote?.pid ?? 0)) has \(count) threads: workers are forked from one of them, and what the others hold locked stays locked there"
        // A program with hooks knows.
        if hasHooks { return log(MAPE_LOG_INFO, what) }
        log(MAPE_LOG_WARNING, what + "; call mape_zygote_main before making threads, or see mape_zygote_set_hooks")
    }

    /// Called when the zygote is lost, or must be ended because of `why`. No worker gets work until the engine thread
    /// has ended it, which it does without the lock: `zygoteHasEnded`.
    @inline(never) func zygoteDied(_ why: String? = nil) {
        guard let gone = zygote else { return }
        mapb_poller_remove(fixed.poller.number, gone.control)
        if gone.watch >= 0 { mapb_poller_remove(fixed.poller.number, gone.watch) }
        if let errors = gone.errors { mapb_poller_remove(fixed.poller.number, errors.file) }
        zygote = nil
        // The kernel kills its workers (PR_SET_PDEATHSIG); what they left running is killed with their groups.
        for worker in table.locals where worker.pid > 1 { mapb_kill_rest(worker.pid) }
        // So is what a library has started while it was loaded: nobody else knows about it.
        if !gone.loading.isEmpty || gone.resigns { mapb_kill_rest(gone.pid) }
        errands.goneZygote = GoneZygote(zygote: gone, why: why)
    }

    /// Called when the lost zygote has ended, and its workers with it. Returns whether another must replace it: see
    /// `adopt`.
    func zygoteHasEnded(_ lost: GoneZygote, _ end: Zygote.End) -> Bool {
        errands.goneZygote = nil
        addErrors(end.printed)
        guard life.stage == .running || life.stage == .closing else { return false }
        let gone = lost.zygote
        let how = lost.why.map { $0 + (gone.hasBegun ? "" : gone.errors?.quoted ?? "") } ?? end.how
        let isOfLibrary = wasEndedByLibrary(gone, how)
        for worker in table.locals where worker.isAlive {
            if worker.pid == 0 { neverBorn(worker) } else { died(worker, .zygote) }
        }
        if config.start == MAPE_START_EXEC && !gone.hasBegun {
            let told = "the zygote \"\(gone.program)\" \(how)"
            if !brake.zygoteHasNotBegun(byItself: end.byItself || lost.why != nil) {
                fail(told)
                return false
            }
            log(MAPE_LOG_ERROR, told)
        } else if !isOfLibrary {
            log(MAPE_LOG_ERROR, "the zygote (pid \(gone.pid)) \(how)")
        }
        if config.start == MAPE_START_FORK {
            fail(
                "the zygote died: it \(how); a snapshot of the host cannot be taken again (MAPE_START_EXEC could start a new one)"
            )
            return false
        }
        let deaths = isOfLibrary || !gone.hasBegun ? brake.zygoteDeaths : brake.zygoteDied(items: figures.items)
        if deaths >= Policy.zygoteRestarts {
            fail("the zygote died \(deaths) times in a row; the last \(how)")
            return false
        }
        return failure == nil && !life.engineShouldEnd
    }

    // MARK: - What it prints

    /// What a zygote has printed to its standard error, where output is captured.
    func addErrors(_ bytes: [UInt8]) {
        guard config.output == MAPE_OUTPUT_CAPTURE, !bytes.isEmpty else { return }
        add(PoolMessage(isLog: false, code: 2, worker: -1, text: CText(array: bytes)))
    }

    /// Called when the engine thread has read what it printed. At the end of that there is nothing left to wait for.
    func readErrors(of reader: Zygote, _ bytes: [UInt8]) {
        addErrors(bytes)
        guard reader === zygote, let errors = reader.errors, errors.hasEnded else { return }
        mapb_poller_remove(fixed.poller.number, errors.file)
        // A program may have closed it long before it calls mape_zygote_main: its last words stay.
        if reader.hasBegun { reader.errors = nil }
    }
}

/// A lost zygote whose process must still be ended.
struct GoneZygote {
    let zygote: Zygote
    /// Why it must be ended although it lives.
    let why: String?
}
