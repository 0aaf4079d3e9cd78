// Entry points on pools: check, call, translate errors.

import CMapBridge

@implementation @_cdecl("mape_pool_create")
public func mape_pool_create(_ out: UnsafeMutablePointer<OpaquePointer?>!, _ config: UnsafePointer<mape_pool_config>!)
    -> Int32
{
    enter { () throws(MapError) in
        guard let out = unsafe out else { throw .null("out") }
        unsafe out.pointee = nil
        try becomeHost()
        var settings = mape_pool_config()
        if let config = unsafe config {
            settings = try unsafe checked(config, "config")
        }
        let pool = try Pool(try PoolConfig(settings))
        let handle = Handles.shared.add(.pool, pool)
        guard handle != 0 else { throw MapError(MAPE_E_MEMORY, "out of handles: a million are in use") }
        pool.fixed.interrupts.name(handle)
        unsafe out.pointee = OpaquePointer(bitPattern: handle)
    }
}

@implementation @_cdecl("mape_pool_start")
public func mape_pool_start(_ pool: OpaquePointer!, _ timeout_ns: Int64) -> Int32 {
    unsafe mapb_wait_for(MAPB_WAIT_START.rawValue, UnsafeMutableRawPointer(pool), timeout_ns)
}

@implementation @_cdecl("mape_pool_shutdown")
public func mape_pool_shutdown(_ pool: OpaquePointer!, _ how: Int32, _ timeout_ns: Int64) -> Int32 {
    enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        guard how == Int32(MAPE_SHUTDOWN_DRAIN.rawValue) || how == Int32(MAPE_SHUTDOWN_CANCEL.rawValue) else {
            throw .argument("how", "is \(how), no enum mape_shutdown")
        }
        switch pool.shutDown(mape_shutdown(UInt32(how)), timeout: timeout_ns, isInterruptible: true) {
        case .well: return MAPE_OK.rawValue
        case .byForce:
            throw MapError(MAPE_E_TIMEOUT, "the pool is shut down, but something had to be killed or abandoned")
        case .interrupted: throw .interrupted
        }
    }
}

@implementation @_cdecl("mape_pool_release")
public func mape_pool_release(_ pool: OpaquePointer!) -> Int32 {
    if let status = notHost() { return status }
    if unsafe pool == nil { return MAPE_OK.rawValue }
    return enter(pool, .pool, "pool") { (pool, handle) throws(MapError) in
        Handles.shared.remove(handle)
        pool.fixed.interrupts.name(0)
        _ = pool.shutDown(MAPE_SHUTDOWN_CANCEL, timeout: 0, isInterruptible: false)
        pool.dismantle()
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_pool_resize")
public func mape_pool_resize(_ pool: OpaquePointer!, _ workers: UInt32) -> Int32 {
    enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        let count = try workerCount(workers, "workers")
        try pool.core.with { (core) throws(MapError) in try core.resize(to: count) }
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_pool_stats")
public func mape_pool_stats(_ out: UnsafeMutablePointer<mape_stats>!, _ pool: OpaquePointer!) -> Int32 {
    enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        let out = try unsafe checkSize(out, "out")
        out.pointee = pool.core.with { core in
            core.pump()
            return core.stats()
        }
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_pool_worker")
public func mape_pool_worker(_ out: UnsafeMutablePointer<mape_worker_info>!, _ pool: OpaquePointer!, _ index: UInt32)
    -> Int32
{
    enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        let out = try unsafe checkSize(out, "out")
        out.pointee = try pool.core.with { (core) throws(MapError) in
            guard Int(index) < core.workers.count else {
                throw MapError(
                    MAPE_E_INDEX, "index is \(index); the pool has had \(core.workers.count) workers at the most")
            }
            return core.info(of: core.workers[Int(index)])
        }
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_function_register")
public func mape_function_register(
    _ out: UnsafeMutablePointer<mape_function_id>!, _ pool: OpaquePointer!,
    _ function: UnsafePointer<mape_function>!
) -> Int32 {
    unsafe out?.pointee = 0
    return enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        guard let out = unsafe out else { throw .null("out") }
        let description = try unsafe checked(function, "function")
        unsafe out.pointee = try pool.register(description)
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_function_unregister")
public func mape_function_unregister(_ pool: OpaquePointer!, _ function: mape_function_id) -> Int32 {
    enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        try pool.core.with { (core) throws(MapError) in try core.unregister(function) }
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_function_alias")
public func mape_function_alias(
    _ out: UnsafeMutablePointer<mape_function_id>!, _ pool: OpaquePointer!, _ function: mape_function_id,
    _ name: UnsafePointer<CChar>!
) -> Int32 {
    unsafe out?.pointee = 0
    return enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        guard let out = unsafe out else { throw .null("out") }
        let text = unsafe name.map { unsafe String(cString: $0) }
        guard text != "" else { throw .argument("name", "is an empty text") }
        unsafe out.pointee = try pool.core.with { (core) throws(MapError) in try core.add(alias: text, of: function) }
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_pool_set_global")
public func mape_pool_set_global(
    _ pool: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ data: UnsafeRawPointer!, _ size: Int
) -> Int32 {
    enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        guard let name = unsafe name else { throw .null("name") }
        let text = unsafe UserText(name)
        guard !text.isEmpty, text.bytes.count <= 255 else {
            throw .argument("name", "has \(text.bytes.count) bytes; 1 to 255 are possible")
        }
        guard unsafe data != nil || size == 0 else { throw .argument("data", "is NULL, but size is \(size)") }
        guard size >= 0 else { throw MapError(MAPE_E_OVERFLOW, "size is more than memory can hold") }
        try checkRange(data, UInt64(size), "data: size (\(size))")
        try unsafe pool.setGlobal(text, data, size)
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_buffer_create")
public func mape_buffer_create(_ out: UnsafeMutablePointer<OpaquePointer?>!, _ pool: OpaquePointer!, _ size: Int)
    -> Int32
{
    unsafe out?.pointee = nil
    return enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        guard let out = unsafe out else { throw .null("out") }
        guard size != 0 else { throw .argument("size", "is 0") }
        guard size > 0 else { throw MapError(MAPE_E_OVERFLOW, "size is more than memory can hold") }
        unsafe out.pointee = OpaquePointer(bitPattern: try pool.makeBuffer(UInt64(size)))
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_buffer_data")
public func mape_buffer_data(
    _ out_data: UnsafeMutablePointer<UnsafeMutableRawPointer?>!, _ out_size: UnsafeMutablePointer<Int>!,
    _ buffer: OpaquePointer!
) -> Int32 {
    enter(buffer, .buffer, "buffer") { (pool, handle) throws(MapError) in
        guard let out = unsafe out_data else { throw .null("out_data") }
        guard let found = pool.core.with({ $0.registry.buffers[handle] }) else {
            throw MapError(MAPE_E_HANDLE, "buffer was released")
        }
        unsafe out.pointee = UnsafeMutableRawPointer(pool.fixed.input.base + Int(found.block.offset))
        if let size = unsafe out_size { unsafe size.pointee = Int(found.size) }
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_buffer_release")
public func mape_buffer_release(_ buffer: OpaquePointer!) -> Int32 {
    if let status = notHost() { return status }
    if unsafe buffer == nil { return MAPE_OK.rawValue }
    return enter(buffer, .buffer, "buffer") { (pool, handle) throws(MapError) in
        Handles.shared.remove(handle)
        guard pool.destroyBuffer(handle) else {
            throw MapError(MAPE_E_HANDLE, "buffer was released")
        }
        return MAPE_OK.rawValue
    }
}
