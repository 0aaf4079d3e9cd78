// Entry points on figures of functions and jobs: check, call, translate errors.

import CMapBridge

@implementation @_cdecl("mape_function_stats")
public func mape_function_stats(
    _ out: UnsafeMutablePointer<mape_work_stats>!, _ pool: OpaquePointer!, _ function: mape_function_id
) -> Int32 {
    enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        let out = try unsafe checkSize(out, "out")
        out.pointee = try pool.core.with { (core) throws(MapError) in
            core.pump()
            return core.stats(of: try core.work(of: function))
        }
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_job_stats")
public func mape_job_stats(_ out: UnsafeMutablePointer<mape_work_stats>!, _ job: OpaquePointer!) -> Int32 {
    unsafe enterJob(job, "job") { (core, job) throws(MapError) in
        let out = try unsafe checkSize(out, "out")
        if !job.isDone { core.pump() }
        out.pointee = core.stats(of: job)
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_function_histogram")
public func mape_function_histogram(
    _ out: UnsafeMutablePointer<mape_bucket>!, _ capacity: Int, _ out_count: UnsafeMutablePointer<Int>!,
    _ pool: OpaquePointer!, _ function: mape_function_id
) -> Int32 {
    unsafe out_count?.pointee = 0
    return enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        let times = try pool.core.with { (core) throws(MapError) in
            core.pump()
            return try core.work(of: function).measured.times
        }
        try unsafe copy(times.buckets, out, capacity, out_count)
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_job_histogram")
public func mape_job_histogram(
    _ out: UnsafeMutablePointer<mape_bucket>!, _ capacity: Int, _ out_count: UnsafeMutablePointer<Int>!,
    _ job: OpaquePointer!
) -> Int32 {
    unsafe out_count?.pointee = 0
    return unsafe enterJob(job, "job") { (core, job) throws(MapError) in
        if !job.isDone { core.pump() }
        try unsafe copy(job.measured.times.buckets, out, capacity, out_count)
        return MAPE_OK.rawValue
    }
}

/// Copies as many buckets as there is room for.
private func copy(
    _ buckets: [Histogram.Bucket], _ out: UnsafeMutablePointer<mape_bucket>?, _ capacity: Int,
    _ count: UnsafeMutablePointer<Int>?
) throws(MapError) {
    guard let count = unsafe count else { throw .null("out_count") }
    // A size_t: more than half of an address space is room enough as well.
    let room = capacity < 0 ? Int.max : capacity
    if room > 0 {
        guard let out = unsafe out else { throw .argument("out", "is NULL, but capacity is \(room)") }
        for (i, bucket) in buckets.prefix(room).enumerated() {
            unsafe out[i] = mape_bucket(from_ns: bucket.low, to_ns: bucket.high, items: bucket.count)
        }
    }
    unsafe count.pointee = buckets.count
    guard buckets.count <= room else {
        throw MapError(MAPE_E_OVERFLOW, "capacity is \(room): too small for \(buckets.count) buckets")
    }
}
