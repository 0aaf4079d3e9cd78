// The beginning and the end of a wait, and what the thread holds meanwhile. Waiting.swift has the steps between.

import CMapBridge

extension Pool {
    /// Ends a wait. Returns false, the value that `wait` returns then.
    func end(_ wait: CFrame<mapb_wait>, _ event: mape_event?) -> Bool {
        if let event = event, let out = unsafe wait.pointee.event { unsafe out.pointee = event }
        release(wait)
        return false
    }

    func timeOut(_ wait: CFrame<mapb_wait>) -> Bool {
        let isPoll = wait.pointee.timeout == 0
        let error: MapError
        switch wait.pointee.kind {
        case MAPB_WAIT_EVENT.rawValue:
            error =
                isPoll
                ? MapError(MAPE_E_AGAIN, "no event is waiting")
                : MapError(MAPE_E_TIMEOUT, "no event came within the timeout")
        case MAPB_WAIT_START.rawValue:
            error = MapError(MAPE_E_TIMEOUT, "the workers are not ready yet; the start goes on")
        default:
            error =
                isPoll
                ? MapError(MAPE_E_AGAIN, "job is not done")
                : MapError(MAPE_E_TIMEOUT, "job was not done within the timeout")
        }
        wait.pointee.status = core.with { $0.fails(error) }
        return end(wait, nil)
    }

    /// Releases what a wait holds. That may free the pool.
    func release(_ wait: CFrame<mapb_wait>) {
        if wait.pointee.kind == MAPB_WAIT_EVENT.rawValue { core.with { $0.events.caller = nil } }
        if let object = unsafe wait.pointee.object, wait.pointee.kind != MAPB_WAIT_CALL.rawValue {
            unsafe Unmanaged<Job>.fromOpaque(object).release()
            unsafe wait.pointee.object = nil
        }
        unsafe Unmanaged.passUnretained(self).release()
        unsafe wait.pointee.pool = nil
    }

    /// Begins a wait, for a job of this pool or for something else.
    func begin(_ wait: CFrame<mapb_wait>, _ job: Job? = nil) {
        wait.pointee.deadline = deadline(after: wait.pointee.timeout)
        unsafe wait.pointee.pool = Unmanaged.passRetained(self).toOpaque()
        if let job { unsafe wait.pointee.object = Unmanaged.passRetained(job).toOpaque() }
    }
}
