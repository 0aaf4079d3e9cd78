// The steps of a wait: host_wait.c makes them between two sleeps, in frames that a cancelled thread may leave.

import CMapBridge

@_cdecl("mapb_wait_begin")
func waitBegin(_ wait: UnsafeMutablePointer<mapb_wait>, _ handle: UnsafeMutableRawPointer?) -> Int32 {
    let isJob = unsafe wait.pointee.kind == MAPB_WAIT_JOB.rawValue
    let handle = OpaquePointer(handle)
    let status = enterHeld(handle, isJob ? .job : .pool, isJob ? "job" : "pool") {
        (pool, number) throws(MapError) in
        var job: Job?
        switch unsafe wait.pointee.kind {
        case MAPB_WAIT_JOB.rawValue:
            job = try pool.core.with { (core) throws(MapError) in try core.liveJob(number, "job") }
        case MAPB_WAIT_EVENT.rawValue:
            try unsafe checkRoom(CFrame(wait))
            try pool.enterEvents()
        default: try pool.ensureStarted()
        }
        unsafe pool.begin(CFrame(wait), job)
        return MAPE_OK.rawValue
    }
    unsafe wait.pointee.status = status
    return status == MAPE_OK.rawValue ? 1 : 0
}

/// Checks where fetched events are to go.
func checkRoom(_ wait: CFrame<mapb_wait>) throws(MapError) {
    _ = try unsafe checkSize(wait.pointee.events, "out")
    try unsafe checkArray(UnsafePointer(wait.pointee.events), wait.pointee.capacity, "out")
    wait.pointee.capacity = min(wait.pointee.capacity, Policy.fetchedAtOnce)
}

@_cdecl("mapb_wait_step")
func waitStep(_ wait: UnsafeMutablePointer<mapb_wait>) -> Int32 {
    unsafe Unmanaged<Pool>.fromOpaque(wait.pointee.pool).takeUnretainedValue().wait(CFrame(wait)) ? 1 : 0
}

@_cdecl("mapb_wait_left")
func waitLeft(_ wait: UnsafeMutablePointer<mapb_wait>) {
    let pool = unsafe Unmanaged<Pool>.fromOpaque(wait.pointee.pool).takeUnretainedValue()
    unsafe pool.leave(CFrame(wait))
    var none: [Ready] = []
    unsafe pool.release(CFrame(wait), &none)
}
