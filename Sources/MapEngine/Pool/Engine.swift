// The engine thread: sleeps in its poller until a bell, a message of the zygote, output of a worker, another thread or a deadline wakes it.
// It makes no wakeup of its own while the pool is idle.

import CMapBridge

enum EngineTag: UInt64 {
    case bell = 1
    case wake = 2
    case control = 3
    case zygote = 4

    static let pipes: UInt64 = 1 << 32
    static func pipe(_ slot: Int, _ which: Int) -> UInt64 { pipes | UInt64(slot) << 1 | UInt64(which) }
}

/// The thread's function. Owns one reference to the pool.
let engineMain: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { context in
    let pool = unsafe Unmanaged<Pool>.fromOpaque(context!).takeRetainedValue()
    if pool.engineStarts() { pool.engineLoop() }
    return nil
}

extension Pool {
    func engineLoop() {
        var tags = [UInt64](repeating: 0, count: 64)
        while true {
            let sleep = locked { () -> Int64? in
                if engineShouldEnd { return nil }
                let now = mapb_clock()
                let next = engineTurn(now)
                engineSleepsUntil = next
                return next == .max ? -1 : max(0, next - now)
            }
            writeCrashFiles()
            trimWhatIsDue()
            guard let sleep else { return }
            let count = unsafe mapb_poller_wait(poller.number, &tags, Int32(tags.count), sleep)
            if count < 0 {
                locked { fail(MapError.system(MAPB_NAME_POLLER_WAIT, -count).message) }
                mapb_nap()
            }
            locked {
                for tag in tags[..<max(0, Int(count))] { engineHandles(tag) }
            }
        }
    }

    /// Looks at everything once. Returns when to look again at the latest.
    private func engineTurn(_ now: Int64) -> Int64 {
        if !waiting.hasLeader { point(bellAt: MAPB_BELL_NONE) }
        pump()
        checkTimes(now)
        if slowStart.growIfDue(now) { assign() }
        if now >= takeBackAt { takeBackIfDue(now) }
        chooseWhatToTrim(now)
        var next = min(nextDeadline(now), takeBackAt, trimAt)
        if !waiting.hasLeader {
            if life == .running && now < attendedUntil {
                next = min(next, attendedUntil)
            } else {
                unsafe mapb_store32(&input.head.pointee.waiter, 0)
                point(bellAt: MAPB_BELL_ENGINE)
                pump()
                next = min(next, nextDeadline(now), takeBackAt, lookAtIdle(now))
            }
        }
        return next
    }

    private func engineHandles(_ tag: UInt64) {
        switch tag {
        case EngineTag.bell.rawValue: engineBell.silence()
        case EngineTag.wake.rawValue: mapb_notifier_drain(engineWake.number)
        case EngineTag.control.rawValue: receiveControl()
        case EngineTag.zygote.rawValue: if zygote?.hasEnded == true { receiveControl(isGone: true) }
        default:
            let slot = Int((tag & ~EngineTag.pipes) >> 1)
            if slot < workers.count { readPipe(workers[slot], Int(tag & 1)) }
        }
    }

    /// For other threads: makes the engine look again when it would sleep past `deadline`.
    func engineMustWake(by deadline: Int64) {
        if deadline < engineSleepsUntil {
            engineSleepsUntil = deadline
            mapb_notifier_notify(engineWake.number)
        }
    }

    // MARK: - Free memory

    /// After memory was freed: has the engine look again, when it has not been used for a while.
    func scheduleTrim(_ now: Int64) {
        guard input.hasExcess || outputFigures.hasExcess else { return }
        trimAt = now + Policy.trimAfter
        engineMustWake(by: trimAt)
    }

    private func chooseWhatToTrim(_ now: Int64) {
        guard now >= trimAt else { return }
        trimAt = .max
        trimsInput = input.hasExcess
        for worker in workers {
            guard let region = worker.region, region.hasExcess, worker.state == .ready else { continue }
            if worker.isBusy {
                trimAt = now + Policy.trimAfter
            } else {
                worker.isTrimming = true
                trims.append((worker, region, region.beginTrim()))
            }
        }
    }

    /// Gives back what was chosen. Without the lock; workers whose memory it is get nothing meanwhile.
    private func trimWhatIsDue() {
        if trimsInput {
            trimsInput = false
            input.trim()
        }
        guard !trims.isEmpty else { return }
        for (_, region, free) in trims { region.giveBack(free) }
        locked {
            for (worker, region, _) in trims where worker.region === region {
                worker.isTrimming = false
                sendBacklog(worker)
                unpark(for: worker)
            }
            trims = []
            assign()
        }
    }

    // MARK: - Output of workers

    /// - Returns: whether there was something to read.
    @discardableResult
    func readPipe(_ worker: Worker, _ which: Int) -> Bool {
        let file = worker.pipes[which]
        guard file >= 0 else { return false }
        var bytes = [UInt8](repeating: 0, count: 65536)
        let got = Files.read(file, &bytes)
        if got > 0 {
            deliver(worker, which, worker.partial[which] + bytes[..<got], isLast: false)
            return true
        }
        if got != -Int(SystemError.again) { closePipe(worker, which) }
        return false
    }

    /// Makes an event of output. What ends inside a character waits for the rest of it, unless none is to come.
    private func deliver(_ worker: Worker, _ which: Int, _ bytes: [UInt8], isLast: Bool) {
        let whole = isLast ? bytes.count : wholeCharacters(bytes)
        worker.partial[which] = Array(bytes[whole...])
        guard whole > 0 else { return }
        let text = CText(array: Array(bytes[..<whole]))
        events.add(message: PoolMessage(isLog: false, code: Int32(which + 1), worker: Int32(worker.slot), text: text))
        waiting.wake()
    }

    private func closePipe(_ worker: Worker, _ which: Int) {
        deliver(worker, which, worker.partial[which], isLast: true)
        mapb_poller_remove(poller.number, worker.pipes[which])
        mapb_close(worker.pipes[which])
        worker.pipes[which] = -1
    }

    /// Takes what is still in the pipes, and closes them.
    func closePipes(_ worker: Worker) {
        for which in 0..<2 {
            var rounds = 0
            while rounds < 64 && readPipe(worker, which) { rounds += 1 }
            if worker.pipes[which] >= 0 { closePipe(worker, which) }
        }
    }
}
