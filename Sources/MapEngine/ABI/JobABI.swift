// Entry points on jobs: check, call, translate errors.

import CMapBridge

/// The common part of apply, map, map_columns and stream_open. `prepare` prepares the input, before the job is made
/// under the lock.
func submit(
    _ pool: OpaquePointer?, _ function: UInt32, _ config: UnsafePointer<mape_job_config>?,
    _ out: UnsafeMutablePointer<OpaquePointer?>?,
    isStream: Bool = false, _ prepare: (Pool, () throws(MapError) -> Function) throws(MapError) -> Prepared
) -> Int32 {
    unsafe out?.pointee = nil
    return enter(pool, .pool, "pool") { (pool, _) throws(MapError) in
        var settings = mape_job_config()
        if let config = unsafe config {
            settings = try unsafe checked(config, "config")
        }
        let jobConfig = try JobConfig(settings, isStream: isStream)
        let check = { () throws(MapError) -> Function in
            try pool.core.with { (core) throws(MapError) in
                try core.checkOpen()
                return try core.function(function)
            }
        }
        var data: JobData?
        defer { if let data { pool.release(data) } }
        var prepared: Prepared
        let began = pool.traceClock
        do throws(MapError) {
            if settings.data_size != 0 { data = try unsafe pool.jobData(settings.data, settings.data_size) }
            prepared = try prepare(pool, check)
        } catch {
            // A closed pool or an unknown function is reported first.
            _ = try check()
            throw error
        }
        if began != 0 {
            prepared.copied.began = began
            prepared.copied.ended = mapb_clock()
        }
        let handle: UInt
        do throws(MapError) { handle = unsafe out == nil ? 0 : try pool.newHandle(.job) } catch {
            pool.core.with { $0.discard(prepared) }
            throw error
        }
        // Before any event can name it.
        unsafe out?.pointee = OpaquePointer(bitPattern: handle)
        let job: Job
        do throws(MapError) { job = try pool.submit(function, jobConfig, data, prepared, handle: handle) } catch {
            unsafe out?.pointee = nil
            Handles.shared.remove(handle)
            throw error
        }
        while pool.fill(job) {}
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_apply")
public func mape_apply(
    _ out_job: UnsafeMutablePointer<OpaquePointer?>!, _ pool: OpaquePointer!, _ function: mape_function_id,
    _ input: UnsafeRawPointer!,
    _ size: Int, _ config: UnsafePointer<mape_job_config>!
) -> Int32 {
    unsafe submit(pool, function, config, out_job) { (pool, _) throws(MapError) in
        guard unsafe input != nil || size == 0 else { throw .argument("input", "is NULL, but size is \(size)") }
        guard size >= 0 else { throw MapError(MAPE_E_OVERFLOW, "size is more than memory can hold") }
        try checkRange(input, UInt64(size), "input: size (\(size))")
        return try unsafe pool.prepare(.strided(input, count: 1, stride: UInt64(size), size: UInt64(size)))
    }
}

@implementation @_cdecl("mape_map")
public func mape_map(
    _ out_job: UnsafeMutablePointer<OpaquePointer?>!, _ pool: OpaquePointer!, _ function: mape_function_id,
    _ items: UnsafePointer<mape_items>!, _ config: UnsafePointer<mape_job_config>!
) -> Int32 {
    unsafe submit(pool, function, config, out_job) { (pool, check) throws(MapError) in
        let items = try unsafe checked(items, "items")
        guard items.count <= UInt64(Int64.max) else {
            throw MapError(MAPE_E_OVERFLOW, "items.count is more than memory can hold")
        }
        guard items.item_size >= 0, items.stride >= 0 else {
            throw MapError(MAPE_E_OVERFLOW, "items.item_size or items.stride is more than memory can hold")
        }
        if let spans = unsafe items.spans {
            guard unsafe items.base == nil else {
                throw .argument("items.base", "and items.spans are both given; one of them must be NULL")
            }
            guard unsafe items.pieces == nil else {
                throw .argument("items.pieces", "and items.spans are both given; one of them must be NULL")
            }
            try checkArray(spans, items.count, "items.count (spans)")
            return try unsafe pool.prepare(.spans(spans, count: items.count))
        }
        if let pieces = unsafe items.pieces {
            guard unsafe items.base == nil else {
                throw .argument("items.base", "and items.pieces are both given; one of them must be NULL")
            }
            try checkTakesPieces(try check())
            try checkArray(pieces, items.count, "items.count (pieces)")
            return try unsafe pool.prepare(pieces, items.count)
        }
        guard unsafe items.base != nil || items.item_size == 0 || items.count == 0 else {
            throw .argument(
                "items.base",
                "and items.spans are both NULL, but there are \(items.count) items of \(items.item_size) bytes")
        }
        let stride = items.stride == 0 ? items.item_size : items.stride
        if let base = unsafe items.base {
            guard
                AddressRange(
                    UInt(bitPattern: base), count: items.count, stride: stride, size: UInt64(items.item_size)) != nil
            else {
                throw pastTheEnd(
                    "items.count (\(items.count)) items of items.item_size (\(items.item_size)) bytes, items.stride (\(stride)) apart,"
                )
            }
        }
        return try unsafe pool.prepare(
            .strided(items.base, count: items.count, stride: UInt64(stride), size: UInt64(items.item_size)))
    }
}

@implementation @_cdecl("mape_stream_open")
public func mape_stream_open(
    _ out: UnsafeMutablePointer<OpaquePointer?>!, _ pool: OpaquePointer!, _ function: mape_function_id,
    _ config: UnsafePointer<mape_job_config>!
) -> Int32 {
    if notHost() == nil, unsafe out == nil && pool != nil {
        return enter(pool, .pool, "pool") { (_, _) throws(MapError) in throw .null("out") }
    }
    return unsafe submit(pool, function, config, out, isStream: true) { (_, _) throws(MapError) in .ofStream }
}

@implementation @_cdecl("mape_job_wait")
public func mape_job_wait(_ job: OpaquePointer!, _ timeout_ns: Int64) -> Int32 {
    unsafe mapb_wait_for(MAPB_WAIT_JOB.rawValue, UnsafeMutableRawPointer(job), timeout_ns)
}

@implementation @_cdecl("mape_job_result")
public func mape_job_result(_ out: UnsafeMutablePointer<mape_result>!, _ job: OpaquePointer!, _ index: UInt64) -> Int32
{
    enter(job, .job, "job") { (pool, number) throws(MapError) in
        var result = mape_result()
        result.struct_size = MemoryLayout<mape_result>.size
        unsafe result.message = emptyText
        let hasEnded = try pool.core.with { (core) throws(MapError) -> Bool in
            let job = try core.liveJob(number, "job")
            guard !job.drops else {
                throw MapError(MAPE_E_STATE, "job drops its results: take them from its ITEM events")
            }
            guard index < job.tally.total else {
                throw MapError(MAPE_E_INDEX, "index is \(index); the job has \(job.tally.total) items")
            }
            if !job.isDone { core.pump() }
            guard job.readResult(index, into: &result) else { return false }
            result.attempts = job.attempts(of: index, result)
            return true
        }
        let out = try unsafe checkSize(out, "out")
        out.pointee = result
        if !hasEnded { throw MapError(MAPE_E_AGAIN, "index: item \(index) has not ended") }
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_job_crash")
public func mape_job_crash(_ out: UnsafeMutablePointer<mape_crash>!, _ job: OpaquePointer!, _ index: UInt64) -> Int32 {
    unsafe enterJob(job, "job") { (core, job) throws(MapError) in
        let out = try unsafe checkSize(out, "out")
        guard !job.drops else {
            throw MapError(
                MAPE_E_STATE, "job drops its results: crashes are told by LOG events, and in the item's message")
        }
        guard index < job.tally.total else {
            throw MapError(MAPE_E_INDEX, "index is \(index); the job has \(job.tally.total) items")
        }
        if !job.isDone { core.pump() }
        guard let segment = job.segment(holding: index) else {
            throw MapError(MAPE_E_AGAIN, "index: item \(index) has not ended")
        }
        guard let crash = segment.entry(index - segment.first).ended?.crash else {
            throw MapError(MAPE_E_STATE, "index: item \(index) did not end by the death of its worker")
        }
        out.pointee = crash.publicForm
        return MAPE_OK.rawValue
    }
}

/// Runs a call that copies the results of a job that is done. The results stay meanwhile, even if the job is released;
/// no lock is held.
func gather(
    _ handle: OpaquePointer?, check: (Job) throws(MapError) -> Void = { (_) throws(MapError) in },
    _ body: (Job, Results) throws(MapError) -> Int32
) -> Int32 {
    enter(handle, .job, "job") { (pool, number) throws(MapError) in
        let (job, results) = try pool.core.with { (core) throws(MapError) -> (Job, Results) in
            let job = try core.liveJob(number, "job")
            try check(job)
            guard !job.drops else {
                throw MapError(MAPE_E_STATE, "job drops its results: take them from its ITEM events")
            }
            if !job.isDone { core.pump() }
            guard job.isDone else { throw MapError(MAPE_E_AGAIN, "job is not done") }
            return (job, job.pinResults())
        }
        defer { pool.core.with { _ in job.unpinResults() } }
        return try body(job, results)
    }
}

@implementation @_cdecl("mape_job_gather")
public func mape_job_gather(
    _ dst: UnsafeMutableRawPointer!, _ dst_size: Int, _ stride: Int, _ out_missing: UnsafeMutablePointer<UInt64>!,
    _ job: OpaquePointer!
) -> Int32 {
    unsafe gather(job) { (_, results) throws(MapError) in
        guard dst_size >= 0, stride >= 0 else {
            throw MapError(MAPE_E_OVERFLOW, "dst_size or stride is more than memory can hold")
        }
        guard let dst = unsafe dst else {
            guard dst_size == 0 else { throw .null("dst") }
            // Nothing to write to; fine when there is nothing to write.
            var nothing: UInt8 = 0
            let missing = try unsafe withUnsafeMutablePointer(to: &nothing) { (place) throws(MapError) in
                try unsafe results.gather(into: UnsafeMutableRawPointer(place), size: 0, stride: UInt64(stride))
            }
            unsafe out_missing?.pointee = missing
            return MAPE_OK.rawValue
        }
        try checkRange(dst, UInt64(dst_size), "dst: dst_size (\(dst_size))")
        let missing = try unsafe results.gather(into: dst, size: UInt64(dst_size), stride: UInt64(stride))
        unsafe out_missing?.pointee = missing
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_job_progress")
public func mape_job_progress(_ out: UnsafeMutablePointer<mape_progress>!, _ job: OpaquePointer!) -> Int32 {
    enter(job, .job, "job") { (pool, number) throws(MapError) in
        let progress = try pool.core.with { (core) throws(MapError) in
            let job = try core.liveJob(number, "job")
            core.pump()
            return job.progress(now: mapb_clock(), partial: core.partial(of: job))
        }
        let out = try unsafe checkSize(out, "out")
        out.pointee = progress
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_job_cancel")
public func mape_job_cancel(_ job: OpaquePointer!) -> Int32 {
    unsafe enterJob(job, "job") { (core, job) throws(MapError) in
        core.pump()
        core.end(job, Outcome(MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, "its job was cancelled"), now: mapb_clock())
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_job_cancel_waiting")
public func mape_job_cancel_waiting(_ out_count: UnsafeMutablePointer<UInt64>!, _ job: OpaquePointer!) -> Int32 {
    unsafe out_count?.pointee = 0
    return unsafe enterJob(job, "job") { (core, job) throws(MapError) in
        core.pump()
        let before = job.tally[MAPE_ITEM_CANCELLED]
        let outcome = Outcome(MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, "its job was cancelled before it began")
        guard core.withdraw(job, outcome, now: mapb_clock()) else { return MAPE_OK.rawValue }
        // Workers that were asked to yield may have answered by now.
        core.pump()
        unsafe out_count?.pointee = job.tally[MAPE_ITEM_CANCELLED] - before
        return MAPE_OK.rawValue
    }
}

@implementation @_cdecl("mape_job_release")
public func mape_job_release(_ job: OpaquePointer!) -> Int32 {
    if let status = notHost() { return status }
    if unsafe job == nil { return MAPE_OK.rawValue }
    return enter(job, .job, "job") { (pool, handle) throws(MapError) in
        try pool.core.with { (core) throws(MapError) -> Int32 in
            let live = try core.liveJob(handle, "job")
            Handles.shared.remove(handle)
            core.release(live)
            core.touched.wakes = true
            return MAPE_OK.rawValue
        }
    }
}
