// What a worker's place has done with its time.
//
//   assigned, when it had nothing                       assigned again, when it had nothing
//   │ setup │ range │ range │  ...                       │
//   ├───────┴───────┴───────┤ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─►│
//   from                    from, moved by each reply    the rest: it waited if items did, else it was idle
//
// A worker's reply says how long it was on the request; `from` moves by that, and is where nothing is known of it yet. So a worker that has run
// out of ranges long before the host looks (a host that is stopped, or has no processor) shows as waiting, although the host saw it hold requests.
// What a reply says is believed as far as the host's clock allows.

import CMapBridge

struct WorkerTimes {
    /// Nanoseconds: in items; in starts, modules, setups and cleanups; with nothing to do; with nothing while items waited for a worker.
    private(set) var busy: Int64 = 0
    private(set) var setup: Int64 = 0
    private(set) var idle: Int64 = 0
    private(set) var waiting: Int64 = 0
    /// Up to when its time is accounted for.
    private var from: Int64 = 0

    /// A process is started in its place.
    mutating func begin(_ now: Int64) { from = now }

    /// A range was answered.
    /// - told: how long it took, as the worker says; UInt32.max: longer than that number can say. now: when the host last looked at the clock.
    /// - Returns: how long it can have taken.
    @inline(__always)
    mutating func ran(_ told: UInt32, _ now: Int64) -> Int64 {
        let time = Int64(told) < now &- from && told != .max ? Int64(told) : possible(told == .max ? .max : Int64(told))
        from &+= time
        busy &+= time
        return time
    }

    /// A request that is no range was answered.
    mutating func prepared(_ told: UInt64) {
        let time = possible(Int64(clamping: told))
        from += time
        setup += time
    }

    /// It is ready for ranges: all that it took until now was its start.
    mutating func becameReady(_ now: Int64) {
        guard now > from else { return }
        setup += now - from
        from = now
    }

    /// As much of a time as has passed since the last that is known. The clock is read anew: an answer may be younger than the host's last look.
    @inline(never)
    private func possible(_ time: Int64) -> Int64 { max(0, min(time, mapb_clock() - from)) }

    /// It has nothing until now, when it is assigned something, or somebody asks.
    /// - owed: since when there have been items that no worker has; Int64.max: there are none.
    @inline(__always)
    mutating func hadNothing(until now: Int64, owed: Int64) {
        guard now > from else { return }
        let start = max(from, owed)
        let waited = start < now ? now &- start : 0
        waiting &+= waited
        idle &+= now &- from &- waited
        from = now
    }

    /// Its process has ended on a request that it had begun. Returns how long it was on it, as the host saw it.
    mutating func ended(_ now: Int64, inItem: Bool) -> Int64 {
        let time = max(0, now - from)
        if inItem { busy += time } else { setup += time }
        from = max(from, now)
        return time
    }
}
