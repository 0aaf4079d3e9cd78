// What a host wants of a job, copied from C and completed with defaults.

import CMapBridge

@safe struct JobConfig {
    var chunk: UInt64 = 0
    var priority: Int32 = 0
    var attempts: UInt32 = 1
    /// Nanoseconds; Int64.max: none.
    var itemTimeout: Int64 = .max
    var jobTimeout: Int64 = .max
    private var placement = Placement()
    var ordered = false
    var drop = false
    var deliver: UInt32 = 0
    var window: UInt64 = Policy.window
    var progressInterval: Int64 = Policy.progressInterval
    @safe var context: UnsafeMutableRawPointer?
    @safe var onItem: mape_event_fn?
    @safe var onProgress: mape_event_fn?
    @safe var onDone: mape_event_fn?

    private struct Placement {
        var place = MAPE_ANYWHERE
        var firstIndex: UInt64 = 0
    }

    /// On which machines the items run.
    var place: mape_where {
        get { placement.place }
        set { placement.place = newValue }
    }
    /// What workers count the items from.
    var firstIndex: UInt64 {
        get { placement.firstIndex }
        set { placement.firstIndex = newValue }
    }

    func wants(_ kind: mape_deliver) -> Bool { deliver & kind.rawValue != 0 }

    /// Whether items that ended together are one event. ITEMS is set then as well.
    var deliversRanges: Bool { wants(MAPE_DELIVER_RANGES) }
}

extension JobConfig {
    init(_ c: mape_job_config, isStream: Bool) throws(MapError) {
        guard c.ordered <= 1 else {
            throw .argument("config.ordered", "is \(c.ordered); 0 or 1 are possible")
        }
        guard c.drop <= 1 else { throw .argument("config.drop", "is \(c.drop); 0 or 1 are possible") }
        guard c.deliver <= 15 else {
            throw .argument("config.deliver", "is \(c.deliver): not of enum mape_deliver")
        }
        guard c.deliver & MAPE_DELIVER_RANGES.rawValue == 0 || !(isStream || c.drop == 1) else {
            throw .argument("config.deliver", "has RANGES: not for streams, and not with drop")
        }
        guard c.window <= Policy.largestWindow else {
            throw .argument("config.window", "is \(c.window); at most \(Policy.largestWindow) are possible")
        }
        guard c.where <= MAPE_REMOTE.rawValue else {
            throw .argument("config.where", "is \(c.where), no enum mape_where")
        }
        place = mape_where(c.where)
        guard c.first_index == 0 || !isStream else {
            throw .argument("config.first_index", "is \(c.first_index): a stream's items count from 0")
        }
        firstIndex = c.first_index
        chunk = c.chunk
        priority = c.priority
        attempts = c.attempts == 0 ? 1 : c.attempts
        itemTimeout = c.item_timeout_ns <= 0 ? .max : c.item_timeout_ns
        jobTimeout = c.job_timeout_ns <= 0 ? .max : c.job_timeout_ns
        ordered = c.ordered == 1
        drop = c.drop == 1 || isStream
        deliver = c.deliver
        window = c.window == 0 ? Policy.window : c.window
        progressInterval = c.progress_interval_ns <= 0 ? Policy.progressInterval : c.progress_interval_ns
        unsafe context = c.context
        unsafe onItem = c.on_item
        unsafe onProgress = c.on_progress
        unsafe onDone = c.on_done
        if unsafe onItem != nil || deliversRanges { deliver |= MAPE_DELIVER_ITEMS.rawValue }
        if unsafe onProgress != nil { deliver |= MAPE_DELIVER_PROGRESS.rawValue }
        if unsafe onDone != nil { deliver |= MAPE_DELIVER_DONE.rawValue }
    }
}
