// A worker that grows: how much private memory it has got since its first item, looked at now and then, between requests.
//
// The host is told with the reply (MAPB_REPLY_GROWN), and lets another process take the place once this one has nothing left to do.
// A look costs some 20 µs, to read /proc/self/status; between two of them pass at least 100 ms.

import CMapBridge

@_noLocks @inline(__always)
func growthInterval() -> Int64 { 100_000_000 }

/// Before a request's first item: notes how large the worker is when it begins to work.
@_noLocks
func growthBegin(_ task: Task) {
    if unsafe task.pointee.grown_look != 0 { return }
    unsafe task.pointee.grown_from = mapb_private_bytes()
    unsafe task.pointee.grown_look = mapb_clock() &+ growthInterval()
}

/// After a request's last item.
@_noLocks
func growthLook(_ task: Task, _ now: Int64) {
    if unsafe now < task.pointee.grown_look { return }
    unsafe task.pointee.grown_look = now &+ growthInterval()
    let size = mapb_private_bytes()
    let from = unsafe task.pointee.grown_from
    if unsafe from > 0 && size > from && size &- from > task.pointee.growth {
        unsafe task.pointee.reply.pointee.flags |= MAPB_REPLY_GROWN.rawValue
    }
}

/// What a later function's setup keeps is no growth. The size before it; 0: nothing is noted yet.
@_noLocks
func growthSetupBegins(_ task: Task) -> UInt64 {
    if unsafe task.pointee.growth == 0 || task.pointee.grown_look == 0 { return 0 }
    return mapb_private_bytes()
}

@_noLocks
func growthSetupEnded(_ task: Task, _ before: UInt64) {
    if before == 0 { return }
    let size = mapb_private_bytes()
    if size > before { unsafe task.pointee.grown_from &+= size &- before }
}
