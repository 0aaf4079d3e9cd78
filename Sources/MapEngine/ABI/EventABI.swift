// Entry points for events: check, call, translate errors.

import CMapBridge

@implementation @_cdecl("mape_pool_dispatch")
public func mape_pool_dispatch(_ pool: OpaquePointer!, _ max_events: UInt32, _ budget_ns: Int64) -> Int32 {
    unsafe mapb_dispatch(UnsafeMutableRawPointer(pool), max_events, budget_ns)
}

@implementation @_cdecl("mape_pool_next_event")
public func mape_pool_next_event(_ out: UnsafeMutablePointer<mape_event>!, _ pool: OpaquePointer!, _ timeout_ns: Int64)
    -> Int32
{
    unsafe mapb_wait_events(UnsafeMutableRawPointer(pool), timeout_ns, out, 1, nil)
}

@implementation @_cdecl("mape_pool_next_events")
public func mape_pool_next_events(
    _ out: UnsafeMutablePointer<mape_event>!, _ capacity: Int, _ out_count: UnsafeMutablePointer<Int>!,
    _ pool: OpaquePointer!, _ timeout_ns: Int64
) -> Int32 {
    unsafe out_count?.pointee = 0
    let room = UInt64(UInt(bitPattern: capacity))
    guard unsafe out_count != nil, room > 0 else {
        return enter(pool, .pool, "pool") { (_, _) throws(MapError) in
            if unsafe out_count == nil { throw .null("out_count") }
            throw .argument("capacity", "is 0")
        }
    }
    return unsafe mapb_wait_events(UnsafeMutableRawPointer(pool), timeout_ns, out, room, out_count)
}

/// In signal handlers as well: it goes to C at once, where there is no lock and nothing is allocated.
@implementation @_cdecl("mape_pool_interrupt")
public func mape_pool_interrupt(_ pool: OpaquePointer!) -> Int32 {
    unsafe mapb_interrupt(UnsafeMutableRawPointer(pool))
}

@implementation @_cdecl("mape_pool_event_fd")
public func mape_pool_event_fd(_ out: UnsafeMutablePointer<Int32>!, _ pool: OpaquePointer!) -> Int32 {
    unsafe out?.pointee = -1
    return enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        guard let out = unsafe out else { throw .null("out") }
        unsafe out.pointee = try pool.core.with { (core) throws(MapError) in try core.events.descriptor() }
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_pool_set_wakeup")
public func mape_pool_set_wakeup(
    _ pool: OpaquePointer!, _ wakeup: (@convention(c) (UnsafeMutableRawPointer?) -> Void)!,
    _ context: UnsafeMutableRawPointer!
) -> Int32 {
    enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        unsafe pool.setHook(wakeup, context)
        return MAPE_OK.rawValue
    }
}
