// What threads of the host wait for: a job, an event, the start, a proxy's call. How they wait: Waiting.swift.

import CMapBridge

extension Pool {
    /// Whether what is waited for is there, or will not come: `status` says which. Under the lock.
    func settles(_ wait: UnsafeMutablePointer<mapb_wait>, _ event: inout mape_event?) -> Bool {
        guard let status = unsafe status(of: wait, &event) else { return false }
        unsafe wait.pointee.status = status
        return true
    }

    private func status(of wait: UnsafeMutablePointer<mapb_wait>, _ event: inout mape_event?) -> Int32? {
        switch unsafe wait.pointee.kind {
        case MAPB_WAIT_EVENT.rawValue:
            unsafe event = unsafe fetch()
            if unsafe event != nil { return MAPE_OK.rawValue }
            guard unsafe wait.pointee.timeout != 0, let why = whyNoEventComes() else { return nil }
            return fails(why)
        case MAPB_WAIT_START.rawValue:
            guard let outcome = startOutcome() else { return nil }
            return outcome.map(fails) ?? MAPE_OK.rawValue
        case MAPB_WAIT_JOB.rawValue:
            let job = unsafe waitedFor(wait)
            if job.isReleased {
                return fails(MapError(MAPE_E_HANDLE, "job was released while this thread waited for it"))
            }
            return job.isDone ? MAPE_OK.rawValue : nil
        default:
            let job = unsafe waitedFor(wait)
            return job.isDone || job.isReleased || job.isGivenUp ? MAPE_OK.rawValue : nil
        }
    }

    private func fails(_ error: MapError) -> Int32 {
        lastMessage = error.message
        return error.status
    }

    private func waitedFor(_ wait: UnsafeMutablePointer<mapb_wait>) -> Job {
        unsafe Unmanaged<Job>.fromOpaque(wait.pointee.object).takeUnretainedValue()
    }

    /// Why a thread would wait for an event for ever; nil when one may come.
    private func whyNoEventComes() -> MapError? {
        if life == .closed { return MapError(MAPE_E_CLOSED, "pool was shut down, and all its events were fetched") }
        guard let failure, !hasUnendedJobs else { return nil }
        return unsafe MapError(
            MAPE_E_WORKERS,
            "pool has failed, and all its events were fetched: " + String(cString: failure.text.bytes))
    }

    /// The wait is over. Always false, as `wait` answers then.
    func end(_ wait: UnsafeMutablePointer<mapb_wait>, _ event: mape_event?) -> Bool {
        if let event = unsafe event, let out = unsafe wait.pointee.event { unsafe out.pointee = unsafe event }
        unsafe letGo(wait)
        return false
    }

    func timeOut(_ wait: UnsafeMutablePointer<mapb_wait>) -> Bool {
        let isLook = unsafe wait.pointee.timeout == 0
        let error: MapError
        switch unsafe wait.pointee.kind {
        case MAPB_WAIT_EVENT.rawValue:
            error =
                isLook
                ? MapError(MAPE_E_AGAIN, "no event is waiting")
                : MapError(MAPE_E_TIMEOUT, "no event came within the timeout")
        case MAPB_WAIT_START.rawValue:
            error = MapError(MAPE_E_TIMEOUT, "the workers are not ready yet; the start goes on")
        default:
            error =
                isLook
                ? MapError(MAPE_E_AGAIN, "job is not done")
                : MapError(MAPE_E_TIMEOUT, "job was not done within the timeout")
        }
        unsafe wait.pointee.status = locked { fails(error) }
        return unsafe end(wait, nil)
    }

    /// Gives back what a wait holds. The pool's object may go with that.
    fileprivate func letGo(_ wait: UnsafeMutablePointer<mapb_wait>) {
        if unsafe wait.pointee.kind == MAPB_WAIT_EVENT.rawValue { locked { unsafe events.caller = nil } }
        if let object = unsafe wait.pointee.object, unsafe wait.pointee.kind != MAPB_WAIT_CALL.rawValue {
            unsafe Unmanaged<Job>.fromOpaque(object).release()
            unsafe wait.pointee.object = nil
        }
        unsafe Unmanaged.passUnretained(self).release()
        unsafe wait.pointee.pool = nil
    }

    /// Begins a wait of this pool, for a job of it or for something else.
    func begin(_ wait: UnsafeMutablePointer<mapb_wait>, _ job: Job? = nil) {
        unsafe wait.pointee.deadline = deadline(after: wait.pointee.timeout)
        unsafe wait.pointee.pool = Unmanaged.passRetained(self).toOpaque()
        if let job { unsafe wait.pointee.object = Unmanaged.passRetained(job).toOpaque() }
    }
}

@_cdecl("mapb_wait_begin")
func waitBegin(_ wait: UnsafeMutablePointer<mapb_wait>, _ handle: UnsafeMutableRawPointer?) -> Int32 {
    let isJob = unsafe wait.pointee.kind == MAPB_WAIT_JOB.rawValue
    let handle = OpaquePointer(handle)
    let status = unsafe enterHeld(handle, isJob ? .job : .pool, isJob ? "job" : "pool") {
        (pool, number) throws(MapError) in
        var job: Job?
        switch unsafe wait.pointee.kind {
        case MAPB_WAIT_JOB.rawValue: job = try pool.locked { () throws(MapError) in try liveJob(pool, number, "job") }
        case MAPB_WAIT_EVENT.rawValue:
            unsafe wait.pointee.event = try unsafe checkSize(wait.pointee.event, "out")
            try unsafe pool.enterEvents()
        default: try pool.ensureStarted()
        }
        unsafe pool.begin(wait, job)
        return MAPE_OK.rawValue
    }
    unsafe wait.pointee.status = status
    return status == MAPE_OK.rawValue ? 1 : 0
}

@_cdecl("mapb_wait_step")
func waitStep(_ wait: UnsafeMutablePointer<mapb_wait>) -> Int32 {
    unsafe Unmanaged<Pool>.fromOpaque(wait.pointee.pool).takeUnretainedValue().wait(wait) ? 1 : 0
}

@_cdecl("mapb_wait_left")
func waitLeft(_ wait: UnsafeMutablePointer<mapb_wait>) {
    let pool = unsafe Unmanaged<Pool>.fromOpaque(wait.pointee.pool).takeUnretainedValue()
    unsafe pool.leave(wait)
    unsafe pool.letGo(wait)
}
