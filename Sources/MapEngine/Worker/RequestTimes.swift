// The times of a request, while the pool is traced: when it began and how long it took, and which of its items took longest.
//
// The clock is not read for each item, which would cost short ones more than it tells: items are timed in laps, of one when they take some
// microseconds, of more when they are shorter. The loops over items run lap by lap, so that they are the same whether they are timed or not; a
// lap that nobody times goes to the end.

import CMapBridge

/// How long a lap is at least, unless it is of one item: some hundred times what it takes to read the clock and to leave the loop for it.
@_noLocks @inline(__always)
private func lapTime() -> UInt64 { 25_000 }

@_noLocks @inline(__always)
private func longestLap() -> UInt64 { 1_024 }

/// Called before a request that may be timed.
@_noLocks @inline(__always)
func timesBegin(_ task: WorkerTask, _ now: Int64) {
    if task.isTraced { timesBegun(task, now) } else { task.forgetTimes() }
}

@_noLocks @inline(never)
private func timesBegun(_ task: WorkerTask, _ now: Int64) {
    task.setTimes(task.ticket)
    task.times.slowest = 0
    task.times.took = 0
    task.times.lap = 0
    task.times.begin = now
    task.times.ticket = UInt32(truncatingIfNeeded: task.ticket)
    task.fields.lap_first = 0
    task.fields.lap_end = 1
    task.fields.lap_longest = 0
    task.fields.lap_began = now
}

/// Called when it has run.
@_noLocks @inline(__always)
func timesEnd(_ task: WorkerTask, _ now: Int64) {
    if !task.isTimed { return }
    task.times.took = now > task.times.begin ? UInt64(bitPattern: now &- task.times.begin) : 1
    task.forgetTimes()
}

/// Sets up to which item a loop runs before it calls `lapEnded`. It stands in memory, where the loop would have looked for its end anyway.
@_noLocks @inline(__always)
func lapBegin(_ task: WorkerTask) {
    task.fields.lap_stop = task.isTimed && task.fields.lap_end < task.count ? task.fields.lap_end : task.count
}

/// Called when all items up to one have ended.
@_noLocks @inline(__always)
func lapEnded(_ task: WorkerTask, at item: UInt64) {
    if task.isTimed { lapTimed(task, at: item) }
}

@_noLocks @inline(never)
private func lapTimed(_ task: WorkerTask, at item: UInt64) {
    var items = item &- task.fields.lap_first
    if items == 0 { return }
    let now = mapb_clock()
    let took = now > task.fields.lap_began ? UInt64(bitPattern: now &- task.fields.lap_began) : 0
    // Of several items that took as long as they should none is remarkable; if they took far longer, it was one of them.
    let longest = items == 1 ? took : took > 2 &* lapTime() ? took &- lapTime() : 1
    if longest > task.fields.lap_longest {
        task.fields.lap_longest = longest
        task.times.lap = (took < 1 << 48 ? took : 1 << 48 &- 1) << 16 | (items < 65_535 ? items : 65_535)
        task.times.slowest = UInt32(truncatingIfNeeded: task.fields.lap_first)
    }
    if took < lapTime() / 2 {
        if items < longestLap() { items = items &* 2 }
    } else if took > 2 &* lapTime() && items > 1 {
        items /= 2
    }
    task.fields.lap_first = item
    task.fields.lap_end = item &+ items
    task.fields.lap_began = now
}

/// Called for each item that a timed range function begins: those before it have ended. False: it is no range function that runs.
@_noLocks @inline(never)
func lapGoesOn(_ task: WorkerTask) -> Bool {
    guard task.mode & MAPB_MODE_RANGE.rawValue != 0 else { return false }
    if task.position >= task.fields.lap_end { lapTimed(task, at: task.position) }
    return true
}
