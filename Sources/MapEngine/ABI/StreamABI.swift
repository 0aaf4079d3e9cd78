// Entry points on open streams: check, call, translate errors.

import CMapBridge

@implementation @_cdecl("mape_stream_push")
public func mape_stream_push(
    _ out_accepted: UnsafeMutablePointer<Int>!, _ stream: OpaquePointer!, _ items: UnsafePointer<mape_span>!,
    _ count: Int
) -> Int32 {
    unsafe push(stream, items, count, out_accepted) { (pool, job, open, items) throws(MapError) in
        unsafe pool.push(job, open, items, count)
    }
}

@implementation @_cdecl("mape_stream_push_pieces")
public func mape_stream_push_pieces(
    _ out_accepted: UnsafeMutablePointer<Int>!, _ stream: OpaquePointer!, _ items: UnsafePointer<mape_pieces>!,
    _ count: Int
) -> Int32 {
    unsafe push(stream, items, count, out_accepted) { (pool, job, open, items) throws(MapError) in
        try checkTakesPieces(job.function)
        return unsafe pool.push(job, open, items, count)
    }
}

/// The common part of both.
private func push<T>(
    _ stream: OpaquePointer?, _ items: UnsafePointer<T>?, _ count: Int, _ out_accepted: UnsafeMutablePointer<Int>?,
    _ body: (Pool, Job, Stream, UnsafePointer<T>) throws(MapError) -> (Int, MapError?)
) -> Int32 {
    if let out = unsafe out_accepted { unsafe out.pointee = 0 }
    return enter(stream, .job, "stream") { (pool, number) throws(MapError) in
        let job = try pool.core.with { (core) throws(MapError) in try core.liveJob(number, "stream") }
        guard let open = job.stream else {
            throw MapError(MAPE_E_STATE, "stream is the handle of a job that is no stream")
        }
        guard count >= 0 else { throw MapError(MAPE_E_OVERFLOW, "count is more than memory can hold") }
        guard count > 0 else { return MAPE_OK.rawValue }
        guard let items = unsafe items else { throw .null("items") }
        guard unsafe out_accepted != nil || count == 1 else {
            throw .argument("out_accepted", "is NULL, but count is \(count)")
        }
        try checkArray(items, UInt64(count), "items: count (\(count))")
        let (accepted, failure) = try unsafe body(pool, job, open, items)
        unsafe out_accepted?.pointee = accepted
        if let failure { throw failure }
        if accepted < count {
            throw MapError(
                MAPE_E_AGAIN, "stream's window is full: fetch events, then push the rest")
        }
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_stream_finish")
public func mape_stream_finish(_ stream: OpaquePointer!) -> Int32 {
    unsafe enterJob(stream, "stream") { (core, job) throws(MapError) in
        guard let open = job.stream else {
            throw MapError(MAPE_E_STATE, "stream is the handle of a job that is no stream")
        }
        open.finish()
        core.touch(job)
        return MAPE_OK.rawValue
    }
}

/// An item of a typed function is one record.
func checkTakesPieces(_ function: Function) throws(MapError) {
    if function.native == nil { return }
    throw MapError(MAPE_E_STATE, "items have pieces, but an item of a typed function is one record")
}
