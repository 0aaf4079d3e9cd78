// Entry points on traces: check, call, translate errors.

import CMapBridge

@implementation @_cdecl("mape_pool_trace_start")
public func mape_pool_trace_start(_ pool: OpaquePointer!, _ config: UnsafePointer<mape_trace_config>!) -> Int32 {
    enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        var settings = mape_trace_config()
        if let config = unsafe config { settings = try unsafe checked(config, "config") }
        try pool.startTrace(capacity: settings.capacity)
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_pool_trace_stop")
public func mape_pool_trace_stop(_ pool: OpaquePointer!) -> Int32 {
    enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        try pool.stopTrace()
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_pool_trace_read")
public func mape_pool_trace_read(
    _ out: UnsafeMutablePointer<mape_trace_event>!, _ capacity: Int, _ out_count: UnsafeMutablePointer<Int>!,
    _ out_lost: UnsafeMutablePointer<UInt64>!, _ pool: OpaquePointer!
) -> Int32 {
    unsafe out_count?.pointee = 0
    unsafe out_lost?.pointee = 0
    return enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        guard let out = unsafe out else { throw .null("out") }
        guard let out_count = unsafe out_count else { throw .null("out_count") }
        // A size_t: more than half of an address space is room enough as well.
        let room = UInt64(UInt(bitPattern: capacity))
        guard room > 0 else { throw .argument("capacity", "is 0") }
        _ = try unsafe checkSize(out, "out")
        var count = 0
        let lost = try pool.readTrace(min(room, Policy.fetchedAtOnce)) { events in
            for event in events {
                unsafe out[count] = event
                count += 1
            }
        }
        unsafe out_count.pointee = count
        unsafe out_lost?.pointee = lost
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_pool_trace_write")
public func mape_pool_trace_write(_ pool: OpaquePointer!, _ path: UnsafePointer<CChar>!) -> Int32 {
    enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        guard let path = unsafe path else { throw .null("path") }
        let name = unsafe UserText(path)
        if name.isEmpty { throw .argument("path", "is an empty text") }
        try pool.writeTrace(name)
        return MAPE_OK.rawValue
    }
}
