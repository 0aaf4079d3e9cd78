// A worker's growth: how much private memory it has gained since its first item, measured now and then, between
// requests.
//
// The reply says so (MAPB_REPLY_GROWN), and the host replaces the worker once it is idle. A measurement costs some 20
// µs, to read /proc/self/status; at least 100 ms pass between two.

import CMapBridge

@_noLocks @inline(__always)
func growthInterval() -> Int64 { 100_000_000 }

/// Before a request's first item: notes how large the worker is when it begins to work.
@_noLocks
func growthBegin(_ task: WorkerTask) {
    if task.grownLook != 0 { return }
    task.grownFrom = mapb_private_bytes()
    task.grownLook = mapb_clock() &+ growthInterval()
}

/// After a request's last item.
@_noLocks
func growthCheck(_ task: WorkerTask, _ now: Int64) {
    if now < task.grownLook { return }
    task.grownLook = now &+ growthInterval()
    let size = mapb_private_bytes()
    let from = task.grownFrom
    if from > 0 && size > from && size &- from > task.growth {
        task.reply.flags |= MAPB_REPLY_GROWN.rawValue
    }
}

/// Memory that a later function's setup keeps does not count as growth. Returns the size before the setup; 0: nothing
/// is noted yet.
@_noLocks
func growthSetupBegins(_ task: WorkerTask) -> UInt64 {
    if task.growth == 0 || task.grownLook == 0 { return 0 }
    return mapb_private_bytes()
}

@_noLocks
func growthSetupEnded(_ task: WorkerTask, _ before: UInt64) {
    if before == 0 { return }
    let size = mapb_private_bytes()
    if size > before { task.grownFrom &+= size &- before }
}
