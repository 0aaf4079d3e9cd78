// Entry points on proxies.

import CMapBridge

@implementation @_cdecl("mape_proxy_create")
public func mape_proxy_create(
    _ out: UnsafeMutablePointer<mape_native_fn?>!, _ pool: OpaquePointer!, _ function: mape_function_id,
    _ config: UnsafePointer<mape_job_config>!, _ on_error: mape_proxy_error_fn!,
    _ context: UnsafeMutableRawPointer!
) -> Int32 {
    unsafe out?.pointee = nil
    return enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        guard let out = unsafe out else { throw .null("out") }
        var settings = mape_job_config()
        if let config = unsafe config {
            settings = try unsafe checked(config, "config")
        }
        var jobConfig = try JobConfig(settings, isStream: false)
        jobConfig.onItem = nil
        jobConfig.onProgress = nil
        jobConfig.onDone = nil
        jobConfig.deliver = 0
        jobConfig.drop = false
        let (callee, native) = try pool.core.with { (core) throws(MapError) in
            try core.checkOpen()
            return try typed(core, function)
        }
        if case .text = native.prototype.result {
            throw MapError(
                MAPE_E_UNSUPPORTED,
                "function \(function), \"\(callee.name)\", returns a text: whose would its memory be? Let it write to char *out [n] instead"
            )
        }
        let data = settings.data_size == 0 ? nil : try unsafe pool.jobData(settings.data, settings.data_size)
        let proxy: Proxy
        do throws(MapError) { proxy = try unsafe Proxy(pool, callee, native, jobConfig, data, on_error, context) } catch
        {
            if let data { pool.release(data) }
            throw error
        }
        let object = unsafe Unmanaged.passRetained(proxy)
        guard let made = unsafe mapb_proxy_make(proxy.prepared.memory, object.toOpaque()) else {
            unsafe object.release()
            throw MapError(MAPE_E_MEMORY, "1024 proxies are in use: release some")
        }
        unsafe out.pointee = made
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_proxy_release")
public func mape_proxy_release(_ proxy: mape_native_fn!) -> Int32 {
    guard let proxy, notHost() == nil else { return notHost() ?? MAPE_OK.rawValue }
    if mapb_proxy_is_foreign(proxy) != 0 { return foreign }
    return enter { () throws(MapError) in
        let none = MapError(MAPE_E_HANDLE, "proxy is no live proxy: it was released, or never was one")
        guard let object = unsafe mapb_proxy_claim(proxy) else { throw none }
        let reference = unsafe Unmanaged<Proxy>.fromOpaque(object)
        if unsafe reference.takeUnretainedValue().isReportingHere {
            mapb_proxy_keep(proxy)
            throw MapError(
                MAPE_E_BUSY, "proxy cannot be released from inside its on_error: its call has not returned yet")
        }
        unsafe reference.takeUnretainedValue().close()
        mapb_proxy_await(proxy)
        mapb_proxy_free(proxy)
        unsafe reference.release()
    }
}
