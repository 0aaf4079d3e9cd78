// Running the ranges of a typed function: C calls it item by item and marks each; here it is recorded how they ended.
//
// Results of one size lie side by side in memory that is taken for the whole range before its first item, so that nothing is
// written per item but outbox.current and the result itself.

import CMapBridge

/// Prepares calls by the plan of a function's record, in a setup request. False: the reply tells why.
@_noLocks
func nativeSetup(
    _ task: Task, _ record: UnsafePointer<mapb_function>, _ loaded: UnsafeMutablePointer<mapb_loaded>
) -> Bool {
    let plan = unsafe UnsafeRawPointer(task.pointee.input + Int(record.pointee.native)).assumingMemoryBound(
        to: mapb_native.self)
    guard let memory = unsafe mapb_private_memory(mapb_native_memory(plan)) else {
        unsafe task.pointee.fail_size = 0
        unsafe replyFail(task, MAPE_CAUSE_LOAD, MAPE_E_MEMORY.rawValue)
        return false
    }
    let status = unsafe mapb_native_prepare(plan, mapb_native_code(loaded.pointee.run), memory)
    if status != 0 {
        unsafe task.pointee.fail_size = 0
        unsafe replyFail(task, MAPE_CAUSE_LOAD, status)
        return false
    }
    unsafe loaded.pointee.native = unsafe memory
    return true
}

@_noLocks
func nativeRun(_ task: Task, _ native: UnsafeMutableRawPointer) {
    unsafe task.pointee.mode = MAPB_MODE_ITEM.rawValue
    if unsafe mapb_native_flags_of(native) & MAPB_NATIVE_VARIES.rawValue != 0 {
        unsafe nativeEach(task, native)
    } else {
        unsafe nativeAll(task, native)
    }
}

/// Items whose results have one size.
@_noLocks
func nativeAll(_ task: Task, _ native: UnsafeMutableRawPointer) {
    let reply = unsafe task.pointee.reply!
    let size = unsafe mapb_native_record_size(native)
    var count = unsafe task.pointee.count
    var base: UInt64 = 0
    if size > 0 {
        // Where memory is short a part of the range is run, and the host gives the rest out again.
        while true {
            let (bytes, over) = size.multipliedReportingOverflow(by: count)
            if !over, bytes < 1 << 62, let place = unsafe outputTake(task, bytes, 64) {
                base = place
                break
            }
            if count <= 1 {
                _ = unsafe itemNoMemory(task)
                return
            }
            count /= 2
        }
    }
    unsafe reply.pointee.base = base
    unsafe reply.pointee.size = size
    var i: UInt64 = 0
    while i < count {
        unsafe task.pointee.failed = 0
        unsafe task.pointee.out_of_memory = 0
        unsafe task.pointee.has_result = 0
        let how = unsafe mapb_native_run(task, native, task.pointee.output + Int(base), &i, count)
        unsafe task.pointee.ended = i
        if how == Int32(MAPB_NATIVE_STOPPED.rawValue) {
            unsafe outputReturn(task, base &+ size &* count, size &* (count &- i))
            _ = unsafe rangeStop(task)
            return
        }
        if how == Int32(MAPB_NATIVE_FAILED.rawValue) {
            let hadTable = unsafe reply.pointee.flags & MAPB_REPLY_TABLE.rawValue != 0
            if unsafe !itemEndInTable(task, i, task.pointee.fail_code) { return }
            i &+= 1
            if !hadTable { unsafe nativeFill(task, i, count, base, size) }
        }
    }
    if unsafe count < task.pointee.count { _ = unsafe rangeStop(task) }
}

/// The lines of items still to come, as if they ended well: the host reads those of items that have.
@_noLocks
func nativeFill(_ task: Task, _ start: UInt64, _ end: UInt64, _ base: UInt64, _ size: UInt64) {
    var i = start
    while i < end {
        let line = unsafe tableLine(task, i)
        unsafe line.pointee.where = UInt64(MAPB_ENTRY_OK.rawValue) << 56 | (size > 0 ? base &+ i &* size : 0)
        unsafe line.pointee.size = size
        i &+= 1
    }
}

/// Items whose results differ in size, one after another.
@_noLocks
func nativeEach(_ task: Task, _ native: UnsafeMutableRawPointer) {
    let job = unsafe task.pointee.job!
    let count = unsafe task.pointee.count
    var i: UInt64 = 0
    while i < count {
        unsafe itemBegin(task, i)
        if unsafe mapb_job_cancelled(job) != 0 || workerYields(task) {
            _ = unsafe rangeStop(task)
            return
        }
        let size = unsafe mapb_native_measure(task, native, i)
        if size > 0, let place = unsafe taskOutput(task, Int(size)) {
            let how = unsafe mapb_native_call(
                task, native, i, place.assumingMemoryBound(to: UInt8.self), size)
            if how != 0 { unsafe task.pointee.has_result = 0 }
        }
        let code = unsafe task.pointee.failed != 0 ? task.pointee.fail_code : 0
        if unsafe !itemEnd(task, i, code) { return }
        i &+= 1
    }
}
