// Points in time: nanoseconds of the monotonic clock; Int64.max is never.

import CMapBridge

/// When a wait that begins now is over, in nanoseconds of the clock; never for a negative timeout.
func deadline(after timeout: Int64) -> Int64 {
    timeout < 0 ? .max : later(mapb_clock(), by: timeout)
}

/// The clock on the wall: nanoseconds since 1970. It may be set, and is good for nothing but to be shown.
func wallClock() -> Int64 { SystemClock.wall }

/// A point in time so many nanoseconds after another; Int64.max when the clock does not go so far.
func later(_ time: Int64, by duration: Int64) -> Int64 {
    let (end, over) = time.addingReportingOverflow(duration)
    return over ? .max : end
}
