// Submitting a job: the pool checks it, starts if needed, lets the core make the job, and copies input while workers
// run what is there.

import CMapBridge

extension Pool {
    /// Submits a job. Frees the prepared input when that fails.
    /// - handle: the host's name for the job, or 0. data: of the job.
    func submit(
        _ function: UInt32, _ config: JobConfig, _ data: JobData?, _ input: Prepared, handle: UInt
    ) throws(MapError) -> Job {
        do throws(MapError) {
            let submission = Submission(
                function: function, config: config, data: data, input: input, handle: handle)
            if let job = try core.with({ (core) throws(MapError) in try core.submitIfRunning(submission) }) {
                return job
            }
            try ensureStarted()
            // A pool that is closed again already says so by checkOpen.
            let job = try core.with { (core) throws(MapError) in try core.submitIfRunning(submission) }
            guard let job else { throw MapError(MAPE_E_CLOSED, "pool was shut down") }
            return job
        } catch {
            core.with { $0.discard(input) }
            throw error
        }
    }

    /// Data of a job, copied unless they lie in a buffer. The caller releases it when it has submitted what is to have it. Without the lock.
    @inline(never) func jobData(_ data: UnsafeRawPointer?, _ size: Int) throws(MapError) -> JobData {
        guard size > 0 else { throw MapError(MAPE_E_OVERFLOW, "config.data_size is more than memory can hold") }
        guard let data = unsafe data else { throw .argument("config.data", "is NULL, but config.data_size is \(size)") }
        try checkRange(data, UInt64(size), "config.data: config.data_size (\(size))")
        guard let offset = fixed.input.offset(of: data) else {
            return try unsafe JobData(copying: data, UInt64(size), to: fixed.input)
        }
        let buffer = try claim(offset, UInt64(size), "config.data")
        do throws(MapError) {
            return try JobData(Extent(offset: offset, count: UInt64(size)), in: buffer, fixed.input)
        } catch {
            core.with { $0.release(buffer) }
            throw error
        }
    }

    /// When something began that a trace wants to know of; 0: there is none.
    var traceClock: Int64 { fixed.input.isTimed ? mapb_clock() : 0 }

    /// Called by whoever made it, and no longer needs it.
    func release(_ data: JobData) {
        if let buffer = data.buffer { core.with { $0.release(buffer) } }
    }

    /// Copies the next piece of a job's input, then assigns what is there: workers begin while the rest is copied.
    /// Called by the thread that has submitted it. Returns whether there is more.
    func fill(_ job: Job) -> Bool {
        guard let copying = job.input.copying else { return false }
        var copied = Copied(began: traceClock)
        copying.copyPiece(into: fixed.input)
        if copied.began != 0 { copied.ended = mapb_clock() }
        return core.with { $0.filled(job, copying, copied) }
    }
}
