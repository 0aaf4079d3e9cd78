// The steps of a dispatch: host_mark.c takes them, and calls back between them, in frames that a callback may leave.

import CMapBridge

@_cdecl("mapb_tell_begin")
func tellBegin(_ t: UnsafeMutablePointer<mapb_telling>, _ handle: UnsafeMutableRawPointer?, _ budget: Int64) -> Int32 {
    enterHeld(OpaquePointer(handle), .pool, "pool") { (pool, _) throws(MapError) in
        try unsafe pool.beginTelling(CFrame(t), budget: budget)
        return MAPE_OK.rawValue
    }
}

private func pool(of t: CFrame<mapb_telling>) -> Pool {
    unsafe Unmanaged<Pool>.fromOpaque(t.pointee.pool).takeUnretainedValue()
}

@_cdecl("mapb_tell_next")
func tellNext(_ t: UnsafeMutablePointer<mapb_telling>) -> Int32 {
    unsafe pool(of: CFrame(t)).tellNext(CFrame(t)) ? 1 : 0
}

@_cdecl("mapb_tell_item")
func tellItem(_ t: UnsafeMutablePointer<mapb_telling>) { unsafe pool(of: CFrame(t)).tellItem(CFrame(t)) }

@_cdecl("mapb_told")
func told(_ t: UnsafeMutablePointer<mapb_telling>) -> Int64 { unsafe pool(of: CFrame(t)).told(CFrame(t)) }

@_cdecl("mapb_tell_end")
func tellEnd(_ t: UnsafeMutablePointer<mapb_telling>) { unsafe pool(of: CFrame(t)).endTelling(CFrame(t)) }
