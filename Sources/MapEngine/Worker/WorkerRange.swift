// Running the ranges of a request: the loop over items, and how results are recorded in the reply.
//
// As long as every item ends well with a result of one size, base and size describe them all, and nothing is written per item but
// outbox.current. At the first item that differs a table is begun, with a line per item.

import CMapBridge

@_noLocks
func rangeRun(_ task: Task, _ request: UnsafePointer<mapb_request>) {
    // Taken back before it began: others have run it, its job may be over, and its record given to something else.
    unsafe workerMark(task, 1)
    if unsafe workerYields(task) {
        _ = unsafe rangeStop(task)
        return
    }
    let job = unsafe UnsafeRawPointer(task.pointee.input + Int(request.pointee.record)).assumingMemoryBound(
        to: mapb_job.self)
    let id = unsafe job.pointee.function
    let function = unsafe functionLoaded(task, id)
    if unsafe task.pointee.entered != id &+ 1 {
        unsafe workerEnter(task, function.pointee.own, id)
        unsafe workerMark(task, 1)
        if unsafe workerYields(task) {
            _ = unsafe rangeStop(task)
            return
        }
    }
    unsafe mapb_state_range(function.pointee.own)
    unsafe task.pointee.job = unsafe job
    unsafe task.pointee.globals = unsafe job.pointee.globals
    unsafe task.pointee.first = unsafe request.pointee.first
    unsafe task.pointee.count = unsafe UInt64(request.pointee.count)
    unsafe task.pointee.position = 0
    unsafe task.pointee.ended = 0
    unsafe task.pointee.fail_size = 0
    if unsafe task.pointee.growth > 0 { unsafe growthBegin(task) }
    let began = mapb_clock()
    if let native = unsafe function.pointee.native {
        unsafe nativeRun(task, native)
    } else if unsafe function.pointee.is_range != 0 {
        let step = unsafe UInt64(request.pointee.step)
        unsafe rangeCalls(task, function, step > 0 ? step : task.pointee.count)
    } else {
        unsafe rangeLoop(task, function)
    }
    unsafe task.pointee.mode = MAPB_MODE_NONE.rawValue
    unsafe task.pointee.reply.pointee.done = unsafe UInt32(truncatingIfNeeded: task.pointee.ended)
    let now = mapb_clock()
    if unsafe task.pointee.growth > 0 { unsafe growthLook(task, now) }
    let took = now &- began
    unsafe workerVouch(task, took: took)
    if took > quickestCall() { unsafe task.pointee.is_suspect = 1 }
    unsafe task.pointee.reply.pointee.detail = took < Int64(UInt32.max) ? UInt32(truncatingIfNeeded: took) : UInt32.max
}

/// Calls a function per item.
@_noLocks
func rangeLoop(_ task: Task, _ function: UnsafeMutablePointer<mapb_loaded>) {
    let run = unsafe function.pointee.run!
    let state = unsafe function.pointee.state
    let job = unsafe task.pointee.job!
    let count = unsafe task.pointee.count
    let alone = unsafe task.pointee.alone!
    unsafe task.pointee.mode = MAPB_MODE_ITEM.rawValue
    var i: UInt64 = 0
    while i < count {
        unsafe itemBegin(task, i)
        if unsafe mapb_job_cancelled(job) != 0 || workerYields(task) {
            _ = unsafe rangeStop(task)
            return
        }
        var size: UInt64 = 0
        let input = unsafe itemInput(task, i, &size)
        let code = unsafe mapb_call_run(run, task, state, input, Int(size))
        if unsafe mapb_peek32(alone) == 0 { mapb_stray_exit() }
        if unsafe !itemEnd(task, i, code) { return }
        i &+= 1
    }
}

/// Calls a function for each range of a request, `step` items at a time.
@_noLocks
func rangeCalls(_ task: Task, _ function: UnsafeMutablePointer<mapb_loaded>, _ step: UInt64) {
    unsafe task.pointee.mode = MAPB_MODE_RANGE.rawValue
    var start: UInt64 = 0
    while unsafe start < task.pointee.count {
        let left = unsafe task.pointee.count &- start
        let count = step < left ? step : left
        unsafe task.pointee.part = start
        unsafe task.pointee.part_count = count
        if unsafe !rangeCall(task, function) { return }
        start &+= count
    }
}

/// Calls a function for one range. False: no more ranges of this request are to be begun.
@_noLocks
func rangeCall(_ task: Task, _ function: UnsafeMutablePointer<mapb_loaded>) -> Bool {
    let job = unsafe task.pointee.job!
    let start = unsafe task.pointee.part
    let end = unsafe start &+ task.pointee.part_count
    var range = unsafe mape_range()
    unsafe range.first = unsafe task.pointee.first &+ start
    unsafe range.count = unsafe Int(task.pointee.part_count)
    if unsafe job.pointee.spans == 0 {
        var size: UInt64 = 0
        unsafe range.base = unsafe itemInput(task, start, &size)
        unsafe range.stride = unsafe Int(job.pointee.stride)
        unsafe range.item_size = unsafe Int(job.pointee.size)
    }
    unsafe task.pointee.position = start
    unsafe task.pointee.begun = 0
    unsafe task.pointee.has_range_result = 0
    unsafe task.pointee.failed = 0
    unsafe task.pointee.fail_size = 0
    unsafe task.pointee.out_of_memory = 0
    unsafe workerMark(task, MAPB_MARK_RANGE | UInt32(truncatingIfNeeded: start))
    if unsafe workerYields(task) || taskCancelled(task) { return unsafe rangeStop(task) }
    let code = unsafe mapb_call_range(function.pointee.run, task, function.pointee.state, &range)
    unsafe workerOnly(task)
    let stopped = unsafe task.pointee.reply.pointee.flags & MAPB_REPLY_STOPPED.rawValue != 0
    if unsafe task.pointee.begun != 0 {
        // Told to stop: the item before had ended with that, whatever the function returns.
        if stopped { return false }
        // The item that was begun last ends with the call; those never begun fail with the call's code.
        let last = unsafe task.pointee.position &- 1
        if unsafe !itemEnd(task, last, code) { return false }
        if unsafe last &+ 1 < end && taskCancelled(task) { return unsafe rangeStop(task) }
        return unsafe rangeFail(task, last &+ 1, end, code != 0 ? code : 1)
    }
    // It was told to stop before its first item.
    if stopped { return false }
    if unsafe code == 0 && task.pointee.failed == 0 && task.pointee.out_of_memory == 0 {
        return unsafe rangeEnd(task, start, end)
    }
    if unsafe task.pointee.failed == 0 && task.pointee.out_of_memory != 0 { return unsafe itemNoMemory(task) }
    return unsafe rangeFail(task, start, end, code != 0 ? code : 1)
}

@_noLocks
func rangeStop(_ task: Task) -> Bool {
    unsafe task.pointee.reply.pointee.flags |= MAPB_REPLY_STOPPED.rawValue
    return false
}

/// Records the results of a whole range: what mape_task_output_range gave, or empty ones without it.
@_noLocks
func rangeEnd(_ task: Task, _ start: UInt64, _ end: UInt64) -> Bool {
    let reply = unsafe task.pointee.reply!
    let size = unsafe task.pointee.has_range_result != 0 ? task.pointee.result_size : 0
    let base = unsafe size > 0 ? task.pointee.result : 0
    if unsafe reply.pointee.flags & MAPB_REPLY_TABLE.rawValue == 0 {
        if start == 0 {
            unsafe reply.pointee.base = base
            unsafe reply.pointee.size = size
        }
        if unsafe size == reply.pointee.size && (size == 0 || base == reply.pointee.base &+ start &* size) {
            unsafe task.pointee.ended = end
            return true
        }
        if unsafe !tableBegin(task, start) { return unsafe itemNoMemory(task) }
    }
    var i = start
    while i < end {
        let line = unsafe tableLine(task, i)
        unsafe line.pointee.where =
            UInt64(MAPB_ENTRY_OK.rawValue) << 56 | (size > 0 ? base &+ (i &- start) &* size : 0)
        unsafe line.pointee.size = size
        i &+= 1
    }
    unsafe task.pointee.ended = end
    return true
}

/// Fails the items from `start` to `end`.
@_noLocks
func rangeFail(_ task: Task, _ start: UInt64, _ end: UInt64, _ code: Int32) -> Bool {
    let failed = unsafe task.pointee.failed
    let failCode = unsafe task.pointee.fail_code
    let text = unsafe task.pointee.fail_size
    var i = start
    while i < end {
        unsafe task.pointee.failed = failed
        unsafe task.pointee.fail_code = failCode
        unsafe task.pointee.fail_size = text
        unsafe task.pointee.has_result = 0
        unsafe task.pointee.out_of_memory = 0
        if unsafe !itemEnd(task, i, code) { return false }
        i &+= 1
    }
    return true
}

/// Where an item's input is.
@_noLocks @inline(__always)
func itemInput(_ task: UnsafePointer<mape_task>, _ i: UInt64, _ size: inout UInt64) -> UnsafeRawPointer {
    let job = unsafe task.pointee.job!
    let index = unsafe task.pointee.first &+ i
    if unsafe job.pointee.spans == 0 {
        size = unsafe job.pointee.size
        return unsafe UnsafeRawPointer(task.pointee.input + Int(job.pointee.base &+ index &* job.pointee.stride))
    }
    let spans = unsafe UnsafeRawPointer(task.pointee.input + Int(job.pointee.spans)).assumingMemoryBound(
        to: mapb_span.self)
    let span = unsafe spans + Int(index & job.pointee.span_mask)
    size = unsafe span.pointee.size
    return unsafe UnsafeRawPointer(task.pointee.input + Int(span.pointee.offset))
}

@_noLocks @inline(__always)
func itemBegin(_ task: Task, _ i: UInt64) {
    unsafe task.pointee.position = i
    unsafe task.pointee.has_result = 0
    unsafe task.pointee.out_of_memory = 0
    unsafe task.pointee.failed = 0
    unsafe workerMark(task, UInt32(truncatingIfNeeded: i) &+ 1)
}

/// Records how item i ended. False: it could not be recorded, the range has to stop.
@_noLocks @inline(__always)
func itemEnd(_ task: Task, _ i: UInt64, _ code: Int32) -> Bool {
    let reply = unsafe task.pointee.reply!
    if unsafe code == 0 && task.pointee.failed == 0 && task.pointee.out_of_memory == 0
        && reply.pointee.flags & MAPB_REPLY_TABLE.rawValue == 0
    {
        let size = unsafe task.pointee.has_result != 0 ? task.pointee.result_size : 0
        if i == 0 {
            unsafe reply.pointee.base = unsafe task.pointee.result
            unsafe reply.pointee.size = size
            unsafe task.pointee.ended = 1
            return true
        }
        if unsafe size == reply.pointee.size && (size == 0 || task.pointee.result == reply.pointee.base &+ i &* size) {
            unsafe task.pointee.ended = i &+ 1
            return true
        }
    }
    return unsafe itemEndInTable(task, i, code)
}

@_noLocks
func itemEndInTable(_ task: Task, _ i: UInt64, _ code: Int32) -> Bool {
    let reply = unsafe task.pointee.reply!
    if unsafe reply.pointee.flags & MAPB_REPLY_TABLE.rawValue == 0 && !tableBegin(task, i) {
        return unsafe itemNoMemory(task)
    }
    let line = unsafe tableLine(task, i)
    if unsafe code == 0 && task.pointee.failed == 0 {
        if unsafe task.pointee.out_of_memory != 0 { return unsafe itemNoMemory(task) }
        let size = unsafe task.pointee.has_result != 0 ? task.pointee.result_size : 0
        unsafe line.pointee.where = unsafe UInt64(MAPB_ENTRY_OK.rawValue) << 56 | (size > 0 ? task.pointee.result : 0)
        unsafe line.pointee.size = size
    } else {
        let text = unsafe task.pointee.failed != 0 ? UInt64(task.pointee.fail_size) : 0
        let size = UInt64(MemoryLayout<mapb_failure>.size) &+ text
        guard let place = unsafe outputTake(task, size, 8) else { return unsafe itemNoMemory(task) }
        let failure = unsafe UnsafeMutableRawPointer(task.pointee.output + Int(place)).assumingMemoryBound(
            to: mapb_failure.self)
        unsafe failure.pointee.code = unsafe task.pointee.failed != 0 ? task.pointee.fail_code : code
        unsafe mapb_copy(failure + 1, mapb_task_text(task), text)
        unsafe line.pointee.where = UInt64(MAPB_ENTRY_FAILED.rawValue) << 56 | place
        unsafe line.pointee.size = size
    }
    unsafe task.pointee.ended = i &+ 1
    return true
}

@_noLocks
func itemNoMemory(_ task: Task) -> Bool {
    unsafe task.pointee.reply.pointee.flags |= MAPB_REPLY_NO_MEMORY.rawValue
    return false
}

/// Begins the table, with lines for the items before i, which ended alike.
@_noLocks
func tableBegin(_ task: Task, _ i: UInt64) -> Bool {
    let reply = unsafe task.pointee.reply!
    let bytes = unsafe task.pointee.count &* UInt64(MemoryLayout<mapb_entry>.stride)
    guard let table = unsafe outputTake(task, bytes, 16) else { return false }
    unsafe reply.pointee.table = table
    var k: UInt64 = 0
    while k < i {
        let line = unsafe tableLine(task, k)
        let size = unsafe reply.pointee.size
        unsafe line.pointee.where =
            unsafe UInt64(MAPB_ENTRY_OK.rawValue) << 56 | (size > 0 ? reply.pointee.base &+ k &* size : 0)
        unsafe line.pointee.size = size
        k &+= 1
    }
    unsafe reply.pointee.flags |= MAPB_REPLY_TABLE.rawValue
    return true
}

@_noLocks @inline(__always)
func tableLine(_ task: Task, _ i: UInt64) -> UnsafeMutablePointer<mapb_entry> {
    let at = unsafe task.pointee.output + Int(task.pointee.reply.pointee.table)
    return unsafe UnsafeMutableRawPointer(at).assumingMemoryBound(to: mapb_entry.self) + Int(i)
}
