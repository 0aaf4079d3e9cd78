// The beginning and the end of a wait, and what the thread holds meanwhile. Waiting.swift has the steps between.

import CMapBridge

extension Pool {
    /// Ends a wait. Returns false, the value that `wait` returns then.
    func end(_ wait: CFrame<mapb_wait>, _ events: inout [Ready]) -> Bool {
        if wait.pointee.count > 0, let out = unsafe wait.pointee.events {
            if wait.pointee.capacity == 1 {
                unsafe out.initialize(to: wait.pointee.event)
            } else {
                unsafe write(events, to: out)
                events.removeAll(keepingCapacity: true)
            }
        }
        release(wait, &events)
        return false
    }

    /// Writes fetched events where the host wants them. Without the lock: the memory is the host's.
    private func write(_ events: [Ready], to out: UnsafeMutablePointer<mape_event>) {
        var next = unsafe out
        for ready in events {
            unsafe next.initialize(to: emptyEvent())
            switch ready {
            case .message(let message): unsafe fillEvent(&next.pointee, message, config.callbacks.context)
            case .progress(let job, let progress):
                unsafe fillEvent(&next.pointee, job, MAPE_EVENT_PROGRESS)
                unsafe next.pointee.progress = progress
            case .done(let job, let progress):
                unsafe fillEvent(&next.pointee, job, MAPE_EVENT_DONE)
                unsafe next.pointee.progress = progress
            case .items(let job, let segment, _, let offset, let count, let crashes):
                let (last, each) = (offset + ready.events - 1, count / ready.events)
                for i in offset...last {
                    if i > offset { unsafe next.initialize(to: emptyEvent()) }
                    unsafe fillEvent(&next.pointee, job, MAPE_EVENT_ITEM, count: each)
                    unsafe segment.read(i, into: &next.pointee.result)
                    unsafe next.pointee.index = segment.first + i
                    unsafe next.pointee.result.attempts = Job.attempts(
                        of: segment.first + i, next.pointee.result, crashes: crashes)
                    if i < last { unsafe next += 1 }
                }
            }
            unsafe next += 1
        }
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
        var none: [Ready] = []
        return end(wait, &none)
    }

    /// Releases what a wait holds. That may free the pool.
    /// - list: an empty list of events, whose memory the next fetch uses.
    func release(_ wait: CFrame<mapb_wait>, _ list: inout [Ready]) {
        if wait.pointee.kind == MAPB_WAIT_EVENT.rawValue {
            core.with { core in
                core.events.caller = nil
                if list.capacity > 0 { swap(&core.events.spare, &list) }
            }
        }
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
        wait.pointee.interruptible = config.interruptible && wait.pointee.timeout != 0 ? 1 : 0
        wait.pointee.notifier = waiters.notifier
        wait.pointee.interrupts = fixed.interrupts.seen
        unsafe wait.pointee.pool = Unmanaged.passRetained(self).toOpaque()
        if let job { unsafe wait.pointee.object = Unmanaged.passRetained(job).toOpaque() }
    }
}
