// How many workers a pool is to have, and in which of its places.
//
// The host says how many (config.workers, mape_pool_resize): the places below that number. With config.idle_shrink_ns some of them *rest*:
// their worker has ended because it was idle for long, and a new one is started when there is work that no other takes.
// All other places are *wanted*: each has a worker, or gets one. A worker in a place that is not wanted is *dismissed*: it
// gets no more work, and is asked to end once it has done what it is on. When its place is wanted again before that, it stays.

import CMapBridge

struct PoolSize {
    /// How many workers the host wants.
    private(set) var count: Int
    /// The places that are to have a worker: those below `count`, except for the ones that rest.
    private(set) var wanted = SlotSet()
    /// How long a worker may be idle before its place rests, in nanoseconds; Int64.max: for ever.
    private let idleTime: Int64
    /// How many places never rest.
    private let least: Int
    /// The first place of a lane: those from here on are of lanes, and none of them is counted here but in `lanes`.
    let firstLane: Int
    /// The places of lanes that are to have one.
    private(set) var lanes = SlotSet()
    /// When to look for idle workers again; Int64.max: there is nothing to look for as far as known.
    private(set) var checkAt = Int64.max
    /// Resting places are woken no earlier.
    private var wakesAt: Int64 = 0

    /// - lanes: how many places at the end are for lanes.
    init(count: Int, idleTime: Int64 = .max, least: Int = 0, lanes: Int = 0) {
        self.count = count
        firstLane = Int(MAPB_MAX_WORKERS) - lanes
        self.idleTime = idleTime
        self.least = least
        for slot in 0..<count { wanted.insert(slot) }
    }

    // MARK: - What the host wants

    /// Sets how many workers the host wants. Returns the places that are no longer wanted, and those that are from now on. What rests goes on
    /// resting.
    mutating func resize(to count: Int) -> (gone: SlotSet, new: SlotSet) {
        var gone = SlotSet()
        var new = SlotSet()
        for slot in count..<max(count, self.count) where wanted.contains(slot) { gone.insert(slot) }
        for slot in min(count, self.count)..<count { new.insert(slot) }
        for slot in 0..<count where wanted.count + new.count - gone.count < min(least, count) {
            if !wanted.contains(slot) { new.insert(slot) }
        }
        for slot in gone { wanted.remove(slot) }
        for slot in new { wanted.insert(slot) }
        self.count = count
        return (gone, new)
    }

    var hasLanes: Bool { firstLane < Int(MAPB_MAX_WORKERS) }

    /// Whether a place is to have a worker.
    func wants(_ slot: Int) -> Bool { wanted.contains(slot) || lanes.contains(slot) }

    mutating func wantLane(_ slot: Int, _ isWanted: Bool) { lanes.set(slot, isWanted) }

    // MARK: - Resting

    var hasResting: Bool { wanted.count < count }

    /// Whether workers may be ended for being idle.
    private var mayRest: Bool { idleTime != .max && wanted.count > least }

    /// Whether nobody has said yet when to look for idle workers, although they may have to end one day.
    @inline(__always) var mayWatchIdle: Bool { mayRest && checkAt == .max }

    /// Called when there are idle workers. Sets when to look at them.
    mutating func watchIdle(_ now: Int64) { checkAt = later(now, by: idleTime) }

    /// Chooses the places whose workers have been idle for too long, the highest first, as many as may rest; they rest from
    /// now on.
    /// - idle: the idle workers in wanted places, by slot, and since when they are idle.
    mutating func rest(_ idle: [(slot: Int, since: Int64)], now: Int64) -> [Int] {
        var resting: [Int] = []
        var next = Int64.max
        for (slot, since) in idle.reversed() where mayRest {
            let end = later(since, by: idleTime)
            if end <= now {
                wanted.remove(slot)
                resting.append(slot)
            } else {
                next = min(next, end)
            }
        }
        // Not once for each of a thousand workers.
        checkAt = mayRest && next != .max ? max(next, later(now, by: idleTime / 4)) : .max
        return resting
    }

    /// Wakes resting places because there is work for them: as many as are wanted already, so that their number doubles each time, since
    /// short work is done before they are ready.
    /// - items: how many items wait.
    /// - Returns: the places, and when to come again if there is still work; nil: no more rest.
    mutating func wake(items: UInt64, now: Int64) -> (woken: [Int], again: Int64?) {
        var woken: [Int] = []
        if now >= wakesAt {
            wakesAt = later(now, by: Policy.slowStart)
            let most = Int(min(UInt64(max(1, wanted.count)), max(1, items)))
            for slot in 0..<count where woken.count < most && !wanted.contains(slot) { woken.append(slot) }
            for slot in woken { wanted.insert(slot) }
        }
        return (woken, hasResting ? wakesAt : nil)
    }
}
