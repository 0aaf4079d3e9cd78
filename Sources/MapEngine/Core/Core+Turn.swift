// A turn of the engine thread: it handles what has woken it, then everything whose time has come.

import CMapBridge

extension Core {
    /// - tags: what has woken the thread.
    /// - Returns: how many nanoseconds the thread may sleep, -1: without end; nil: it must end.
    func turn(_ tags: ArraySlice<UInt64>) -> Int64? {
        clock.beginTurn()
        for tag in tags { handle(tag) }
        if life.engineShouldEnd { return nil }
        let now = mapb_clock()
        let next = clock.endTurn(handleTimes(now))
        return next == .max ? -1 : max(0, next - now)
    }

    private func handle(_ tag: UInt64) {
        switch tag {
        case EngineTag.bell.rawValue: fixed.engineBell.drain()
        case EngineTag.wake.rawValue: mapb_notifier_drain(fixed.engineWake.number)
        case EngineTag.control.rawValue: receiveControl()
        case EngineTag.errors.rawValue: errands.readsErrors = true
        case EngineTag.zygote.rawValue: if zygote?.hasEnded == true { receiveControl(isGone: true) }
        case EngineTag.helper.rawValue: receiveHelper()
        case EngineTag.helperEnd.rawValue: if remote?.helper?.hasEnded == true { receiveHelper(isGone: true) }
        case EngineTag.helperErrors.rawValue: errands.readsErrors = true
        default:
            let slot = Int((tag & ~EngineTag.pipes) >> 1)
            if slot < workers.count { readPipe(workers[slot], Int(tag & 1)) }
        }
    }

    /// Returns when to check again at the latest.
    private func handleTimes(_ now: Int64) -> Int64 {
        if !doorbell.hasLeader { point(bellAt: MAPB_BELL_NONE) }
        pump()
        checkTimes(now)
        if table.slowStart.growIfDue(now) { assign() }
        if now >= clock.reclaimAt { reclaimIfDue(now) }
        if now >= clock.takeBackAt { takeBackEnded(now) }
        chooseWhatToTrim(now)
        var next = min(restIfDue(now), nextDeadline(now), clock.reclaimAt, clock.trimAt)
        next = min(next, clock.takeBackAt)
        if !doorbell.hasLeader {
            if life.stage == .running && now < doorbell.pollingUntil {
                next = min(next, doorbell.pollingUntil)
            } else {
                input.setWaiter(0)
                point(bellAt: MAPB_BELL_ENGINE)
                pump()
                next = min(next, nextDeadline(now), clock.reclaimAt, checkIdle(now))
            }
        }
        return next
    }

    // MARK: - Free memory

    /// Called after memory was freed: schedules a trim for when it has not been used again for a while, or for now when it is too much.
    func scheduleTrim() {
        guard input.hasExcess || figures.output.hasExcess else { return }
        clock.trimAt = clock.now() + (input.hasTooMuch ? 0 : Policy.trimAfter)
        engineMustWake(by: clock.trimAt)
    }

    /// Chooses the pages that the engine thread returns to the system without the lock. The workers of that memory get
    /// no work meanwhile.
    private func chooseWhatToTrim(_ now: Int64) {
        guard now >= clock.trimAt else { return }
        clock.trimAt = .max
        errands.trimsInput = input.hasExcess
        for worker in workers {
            guard let region = worker.region, region.hasExcess, worker.state == .ready else { continue }
            if worker.isBusy {
                clock.trimAt = now + Policy.trimAfter
            } else {
                worker.isTrimming = true
                errands.trims.append((worker, region, region.beginTrim()))
            }
        }
    }

    /// That was done.
    func trimmed(_ trims: [Errands.Trim]) {
        for (worker, region, _) in trims where worker.region === region {
            worker.isTrimming = false
            sendBacklog(worker)
            unpark(for: worker)
        }
    }
}
