// Entry points for events: check, call, translate errors.

import CMapBridge

@implementation @_cdecl("mape_dispatch")
public func mape_dispatch(_ pool: OpaquePointer!, _ max_events: UInt32, _ budget_ns: Int64) -> Int32 {
    unsafe mapb_dispatch(UnsafeMutableRawPointer(pool), max_events, budget_ns)
}

@implementation @_cdecl("mape_next_event")
public func mape_next_event(_ pool: OpaquePointer!, _ out: UnsafeMutablePointer<mape_event>!, _ timeout_ns: Int64)
    -> Int32
{
    unsafe mapb_wait_for(MAPB_WAIT_EVENT.rawValue, UnsafeMutableRawPointer(pool), timeout_ns, out)
}

@implementation @_cdecl("mape_event_fd")
public func mape_event_fd(_ pool: OpaquePointer!, _ out_fd: UnsafeMutablePointer<Int32>!) -> Int32 {
    unsafe out_fd?.pointee = -1
    return enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        guard let out = unsafe out_fd else { throw .null("out_fd") }
        unsafe out.pointee = try pool.core.with { (core) throws(MapError) in try core.events.descriptor() }
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_set_wakeup")
public func mape_set_wakeup(
    _ pool: OpaquePointer!, _ wakeup: (@convention(c) (UnsafeMutableRawPointer?) -> Void)!,
    _ context: UnsafeMutableRawPointer!
) -> Int32 {
    enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        unsafe pool.setHook(wakeup, context)
        return MAPE_OK.rawValue
    }
}
