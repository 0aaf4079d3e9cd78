// The steps of a dispatch: host_wait.c makes them, and calls callbacks between them, in frames that a callback may
// leave.

import CMapBridge

@_cdecl("mapb_deliver_begin")
func deliverBegin(_ t: UnsafeMutablePointer<mapb_delivery>, _ handle: UnsafeMutableRawPointer?, _ budget: Int64)
    -> Int32
{
    enterHeld(OpaquePointer(handle), .pool, "pool") { (pool, _) throws(MapError) in
        try unsafe pool.beginDelivery(CFrame(t), budget: budget)
        return MAPE_OK.rawValue
    }
}

private func pool(of t: CFrame<mapb_delivery>) -> Pool {
    unsafe Unmanaged<Pool>.fromOpaque(t.pointee.pool).takeUnretainedValue()
}

@_cdecl("mapb_deliver_next")
func deliverNext(_ t: UnsafeMutablePointer<mapb_delivery>) -> Int32 {
    unsafe pool(of: CFrame(t)).deliverNext(CFrame(t)) ? 1 : 0
}

@_cdecl("mapb_deliver_item")
func deliverItem(_ t: UnsafeMutablePointer<mapb_delivery>) { unsafe pool(of: CFrame(t)).deliverItem(CFrame(t)) }

@_cdecl("mapb_delivered")
func delivered(_ t: UnsafeMutablePointer<mapb_delivery>) -> Int64 { unsafe pool(of: CFrame(t)).delivered(CFrame(t)) }

@_cdecl("mapb_deliver_end")
func deliverEnd(_ t: UnsafeMutablePointer<mapb_delivery>) { unsafe pool(of: CFrame(t)).endDelivery(CFrame(t)) }
