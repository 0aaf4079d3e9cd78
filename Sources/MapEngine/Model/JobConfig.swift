// What a host wants of a job, copied from C and completed with defaults.

import CMapBridge

@safe struct JobConfig {
    var chunk: UInt64 = 0
    var priority: Int32 = 0
    var attempts: UInt32 = 1
    /// Nanoseconds; Int64.max: none.
    var itemTimeout: Int64 = .max
    var jobTimeout: Int64 = .max
    var ordered = false
    var drop = false
    var deliver: UInt32 = 0
    var window: UInt64 = Policy.window
    var progressInterval: Int64 = Policy.progressInterval
    var context: UnsafeMutableRawPointer?
    var onItem: mape_event_fn?
    var onProgress: mape_event_fn?
    var onDone: mape_event_fn?

    func wants(_ kind: mape_deliver) -> Bool { deliver & kind.rawValue != 0 }
}

extension JobConfig {
    init(_ c: mape_job_config, isStream: Bool) throws(MapError) {
        guard unsafe c.ordered <= 1 else {
            throw .argument("config.ordered", unsafe "is \(c.ordered); 0 or 1 are possible")
        }
        guard unsafe c.drop <= 1 else { throw .argument("config.drop", unsafe "is \(c.drop); 0 or 1 are possible") }
        guard unsafe c.deliver <= 7 else {
            throw .argument("config.deliver", unsafe "is \(c.deliver): not of enum mape_deliver")
        }
        guard unsafe c.window <= Policy.largestWindow else {
            throw .argument("config.window", unsafe "is \(c.window); at most \(Policy.largestWindow) are possible")
        }
        chunk = unsafe c.chunk
        priority = unsafe c.priority
        attempts = unsafe c.attempts == 0 ? 1 : c.attempts
        itemTimeout = unsafe c.item_timeout_ns <= 0 ? .max : c.item_timeout_ns
        jobTimeout = unsafe c.job_timeout_ns <= 0 ? .max : c.job_timeout_ns
        ordered = unsafe c.ordered == 1
        drop = unsafe c.drop == 1 || isStream
        deliver = unsafe c.deliver
        window = unsafe c.window == 0 ? Policy.window : c.window
        progressInterval = unsafe c.progress_interval_ns <= 0 ? Policy.progressInterval : c.progress_interval_ns
        unsafe context = unsafe c.context
        unsafe onItem = unsafe c.on_item
        unsafe onProgress = unsafe c.on_progress
        unsafe onDone = unsafe c.on_done
        if unsafe onItem != nil { deliver |= MAPE_DELIVER_ITEMS.rawValue }
        if unsafe onProgress != nil { deliver |= MAPE_DELIVER_PROGRESS.rawValue }
        if unsafe onDone != nil { deliver |= MAPE_DELIVER_DONE.rawValue }
    }
}
