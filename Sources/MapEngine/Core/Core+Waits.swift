// Whether the wait of a host thread is over: for a job, an event, the start, a proxied call.

import CMapBridge

extension Core {
    /// Whether what is waited for is there, or will not come: `status` says which.
    func resolves(_ wait: CFrame<mapb_wait>, _ events: inout [Ready]) -> Bool {
        guard let status = status(of: wait, &events) ?? interruption(of: wait) else { return false }
        wait.pointee.status = status
        return true
    }

    /// Whether an interrupt or a signal has ended the wait. A look with a timeout of 0 is no wait, and calls of proxies go on.
    private func interruption(of wait: CFrame<mapb_wait>) -> Int32? {
        guard wait.pointee.timeout != 0, wait.pointee.kind != MAPB_WAIT_CALL.rawValue else { return nil }
        let came = fixed.interrupts.came(since: wait.pointee.interrupts)
        return came || wait.pointee.signalled != 0 ? fails(.interrupted) : nil
    }

    private func status(of wait: CFrame<mapb_wait>, _ events: inout [Ready]) -> Int32? {
        switch wait.pointee.kind {
        case MAPB_WAIT_EVENT.rawValue:
            wait.pointee.count =
                wait.pointee.capacity == 1
                ? fetch(into: &wait.pointee.event) ? 1 : 0 : fetch(into: &events, wait.pointee.capacity)
            if wait.pointee.count > 0 { return MAPE_OK.rawValue }
            guard wait.pointee.timeout != 0, let why = whyNoEventComes() else { return nil }
            return fails(why)
        case MAPB_WAIT_START.rawValue:
            guard let outcome = startOutcome() else { return nil }
            return outcome.map(fails) ?? MAPE_OK.rawValue
        case MAPB_WAIT_JOB.rawValue:
            let job = waitedFor(wait)
            if job.isReleased {
                return fails(MapError(MAPE_E_HANDLE, "job was released while this thread waited for it"))
            }
            return job.isDone ? MAPE_OK.rawValue : nil
        default:
            let job = waitedFor(wait)
            return job.isDone || job.isReleased || job.owner.hasGivenUp ? MAPE_OK.rawValue : nil
        }
    }

    func fails(_ error: MapError) -> Int32 {
        life.lastMessage = error.message
        return error.status
    }

    private func waitedFor(_ wait: CFrame<mapb_wait>) -> Job {
        unsafe Unmanaged<Job>.fromOpaque(wait.pointee.object).takeUnretainedValue()
    }

    /// Why no event can come; nil: one may.
    private func whyNoEventComes() -> MapError? {
        if life.stage == .closed {
            return MapError(MAPE_E_CLOSED, "pool was shut down, and all its events were fetched")
        }
        guard let failure, jobs.unended == 0 else { return nil }
        return unsafe MapError(
            MAPE_E_WORKERS,
            "pool has failed, and all its events were fetched: " + String(cString: failure.text.bytes))
    }
}
