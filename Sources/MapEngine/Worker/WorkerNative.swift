// Running the ranges of a typed function: C calls it item by item and marks each; here it is recorded how they ended.
//
// Results of one size lie side by side in memory that is allocated for the whole range before its first item, so that
// nothing is written per item but outbox.current and the result itself.

import CMapBridge

/// Prepares calls by the plan of a function's record, in a setup request. False: the reply says why.
@_noLocks
func nativeSetup(
    _ task: WorkerTask, _ record: mapb_function, _ loaded: LoadedFunction
) -> Bool {
    let plan = unsafe task.input(at: record.native).assumingMemoryBound(to: mapb_native.self)
    let size = unsafe mapb_native_memory(plan)
    guard let memory = unsafe mapb_private_memory(size) else {
        task.failSize = 0
        replyFail(task, MAPE_CAUSE_LOAD, MAPE_E_MEMORY.rawValue)
        return false
    }
    unsafe loaded.fields.native = memory
    loaded.fields.native_size = size
    let status = unsafe mapb_native_prepare(plan, mapb_native_code(loaded.fields.run), memory)
    if status != 0 {
        task.failSize = 0
        replyFail(task, MAPE_CAUSE_LOAD, status)
        return false
    }
    return true
}

@_noLocks
func nativeRun(_ task: WorkerTask, _ native: UnsafeMutableRawPointer) {
    task.mode = MAPB_MODE_ITEM.rawValue
    if unsafe mapb_native_flags_of(native) & MAPB_NATIVE_VARIES.rawValue != 0 {
        unsafe nativeEach(task, native)
    } else {
        unsafe nativeAll(task, native)
    }
}

/// Items whose results have one size.
@_noLocks
func nativeAll(_ task: WorkerTask, _ native: UnsafeMutableRawPointer) {
    let size = unsafe mapb_native_record_size(native)
    var count = task.count
    var base: UInt64 = 0
    if size > 0 {
        // Where memory is short the worker runs a part of the range, and the host assigns the rest again.
        while true {
            let (bytes, over) = size.multipliedReportingOverflow(by: count)
            if !over, bytes < 1 << 62, let place = outputAllocate(task, bytes, 64) {
                base = place
                break
            }
            if count <= 1 {
                _ = itemNoMemory(task)
                return
            }
            count /= 2
        }
    }
    task.reply.base = base
    task.reply.size = size
    var i: UInt64 = 0
    while i < count {
        task.hasFailed = false
        task.isOutOfMemory = false
        task.hasResult = false
        let how = unsafe mapb_native_run(
            task.pointer, native, task.fields.output + Int(base), &i,
            task.isTimed && task.fields.lap_end < count ? task.fields.lap_end : count)
        task.ended = i
        if how == Int32(MAPB_NATIVE_STOPPED.rawValue) {
            outputFree(task, base &+ size &* count, size &* (count &- i))
            _ = rangeStop(task)
            return
        }
        if how == Int32(MAPB_NATIVE_FAILED.rawValue) {
            let hadTable = task.reply.flags & MAPB_REPLY_TABLE.rawValue != 0
            if !itemEndInTable(task, i, task.failCode) { return }
            i &+= 1
            if !hadTable { nativeFill(task, i, count, base, size) }
        }
        lapEnded(task, at: i)
    }
    if count < task.count { _ = rangeStop(task) }
}

/// The lines of items still to come, as if they ended well: the host reads those of items that have.
@_noLocks
func nativeFill(_ task: WorkerTask, _ start: UInt64, _ end: UInt64, _ base: UInt64, _ size: UInt64) {
    var i = start
    while i < end {
        task.setLine(i, MAPB_ENTRY_OK, at: size > 0 ? base &+ i &* size : 0, size: size)
        i &+= 1
    }
}

/// Items whose results differ in size, one after another.
@_noLocks
func nativeEach(_ task: WorkerTask, _ native: UnsafeMutableRawPointer) {
    let job = task.job
    var i: UInt64 = 0
    while i < task.count {
        lapBegin(task)
        while i < task.fields.lap_stop {
            itemBegin(task, i)
            if job.isCancelled || workerYields(task) {
                _ = rangeStop(task)
                return
            }
            let size = unsafe mapb_native_measure(task.pointer, native, i)
            if size > 0, let place = unsafe taskOutput(task, Int(size)) {
                let how = unsafe mapb_native_call(
                    task.pointer, native, i, place.assumingMemoryBound(to: UInt8.self), size)
                if how != 0 { task.hasResult = false }
            }
            let code = task.hasFailed ? task.failCode : 0
            if !itemEnd(task, i, code) { return }
            i &+= 1
        }
        lapEnded(task, at: i)
    }
}
