// Where a worker writes the times of its requests: C's mape_task.times, which points into its output memory. See RequestTimes.

import CMapBridge

extension WorkerTask {
    /// Whether the running request is timed.
    var isTimed: Bool {
        @_noLocks @inline(__always) get { unsafe fields.times != nil }
    }

    /// The running request's, if it is timed.
    var times: mapb_times {
        @_noLocks @inline(__always) unsafeAddress { unsafe UnsafePointer(fields.times!) }
        @_noLocks @inline(__always) nonmutating unsafeMutableAddress { unsafe fields.times! }
    }

    @_noLocks @inline(__always)
    func setTimes(_ ticket: UInt64) { unsafe fields.times = mapb_times_at(fields.output, ticket) }

    @_noLocks @inline(__always)
    func forgetTimes() { unsafe fields.times = nil }
}
