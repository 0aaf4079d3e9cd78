// What the zygote tells, and its own death: EXEC takes another, FORK cannot.

import CMapBridge

extension Pool {
    /// Messages of the zygote.
    /// - isGone: it has ended, and these are the last.
    func receiveControl(isGone: Bool = false) {
        guard let zygote else { return }
        zygote.flush()
        mapb_poller_change(poller.number, zygote.control, EngineTag.control.rawValue, zygote.hasBacklog ? 1 : 0)
        while let message = zygote.receive() {
            let slot = Int(message.slot)
            let worker = slot < workers.count && workers[slot].generation == message.generation ? workers[slot] : nil
            switch message.kind {
            case MAPB_CONTROL_HELLO.rawValue:
                zygote.hasBegun = true
                if message.code != Int32(MAPB_PROTOCOL) || message.size != UInt64(engineVersion) {
                    fail(
                        "the zygote is of version \(message.size), the library of version \(engineVersion): install both from one build"
                    )
                }
                if message.pid > 1 && config.start == MAPE_START_EXEC { tellOfThreads(message.pid) }
            case MAPB_CONTROL_LOADED.rawValue: loaded(message, zygote)
            case MAPB_CONTROL_SPAWNED.rawValue:
                guard let worker, worker.isAlive else { break }
                if message.code != 0 {
                    dropRegion(worker)
                    worker.state = .none
                    startFailed(worker, MapError.system("fork (clone)", message.code).message, isFork: true)
                } else {
                    worker.pid = message.pid
                    worker.seenSince = mapb_clock()
                    becameReady(worker)
                    // It was to be killed before it was known.
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

    /// A worker that the zygote was asked for and had not forked.
    private func neverBorn(_ worker: Worker) {
        closePipes(worker)
        dropRegion(worker)
        worker.given = Queue()
        worker.state = .none
        worker.retryAt = mapb_clock()
        figures.workersStarted -= 1
    }

    private func tellOfThreads(_ count: Int32) {
        log(
            MAPE_LOG_WARNING,
            "the zygote (pid \(zygote?.pid ?? 0)) has \(count) threads: workers are forked from one of them, and what the others hold locked stays locked there; call mape_zygote_main before making threads"
        )
    }

    /// - why: it lives, and has to be ended.
    func zygoteDied(_ why: String? = nil) {
        guard let gone = zygote else { return }
        mapb_poller_remove(poller.number, gone.control)
        if gone.watch >= 0 { mapb_poller_remove(poller.number, gone.watch) }
        zygote = nil
        // Its workers are killed by the kernel (PR_SET_PDEATHSIG); what they left running goes with their groups.
        for worker in workers where worker.pid > 1 { mapb_kill_rest(worker.pid) }
        // So does what a library has started while it was loaded: nobody else knows of it.
        if !gone.loading.isEmpty || gone.resigns { mapb_kill_rest(gone.pid) }
        lastZygoteDeath = gone.end(grace: 20)
        if let why { lastZygoteDeath = why }
        guard life == .running || life == .closing else { return }
        let isOfLibrary = wasEndedByLibrary(gone, lastZygoteDeath)
        if !isOfLibrary { log(MAPE_LOG_ERROR, "the zygote (pid \(gone.pid)) \(lastZygoteDeath)") }
        for worker in workers where worker.isAlive {
            if worker.pid == 0 { neverBorn(worker) } else { died(worker, .zygote) }
        }
        if config.start == MAPE_START_FORK {
            fail(
                "the zygote died: it \(lastZygoteDeath); a snapshot of the host cannot be taken again (MAPE_START_EXEC could start a new one)"
            )
            return
        }
        if !isOfLibrary {
            if figures.items == itemsAtZygoteDeath { zygoteDeaths += 1 } else { zygoteDeaths = 1 }
            itemsAtZygoteDeath = figures.items
        }
        if zygoteDeaths >= Policy.zygoteRestarts {
            fail("the zygote died \(zygoteDeaths) times in a row; the last \(lastZygoteDeath)")
            return
        }
        do {
            try adopt(try Zygote.start(config, environment))
            refill(mapb_clock())
        } catch {
            fail(error.message)
        }
    }
}
