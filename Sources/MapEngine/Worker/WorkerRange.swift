// Running the ranges of a request: the loop over items, and how results are recorded in the reply.
//
// As long as every item ends well with a result of one size, base and size describe them all, and nothing is written per item but
// outbox.current. At the first item that differs a table is begun, with a line per item.

import CMapBridge

@_noLocks
func rangeRun(_ task: WorkerTask, _ request: mapb_request) {
    // Reclaimed before it began: other workers have run it, its job may be over, and its record freed.
    workerMark(task, 1)
    if workerYields(task) {
        _ = rangeStop(task)
        return
    }
    let job = task.jobRecord(at: request.record)
    let id = job.fields.function
    let function = functionLoaded(task, id)
    if task.entered != id &+ 1 {
        unsafe workerEnter(task, function.own, id)
        workerMark(task, 1)
        if workerYields(task) {
            _ = rangeStop(task)
            return
        }
    }
    unsafe mapb_state_range(function.own)
    task.setJob(job)
    task.globals = job.fields.globals
    task.first = request.first
    task.count = UInt64(request.count)
    task.position = 0
    task.ended = 0
    task.failSize = 0
    if task.growth > 0 { growthBegin(task) }
    if task.fields.reports != 0 { task.clearReport() }
    let began = mapb_clock()
    timesBegin(task, began)
    if let native = unsafe function.fields.native {
        unsafe nativeRun(task, native)
    } else if function.fields.is_range != 0 {
        let step = UInt64(request.step)
        rangeCalls(task, function, step > 0 ? step : task.count)
    } else {
        rangeLoop(task, function)
    }
    // Of a function that takes its range as a whole it is not known which item took longest.
    if task.mode & MAPB_MODE_RANGE.rawValue == 0 || task.hasBegun { lapEnded(task, at: task.ended) }
    task.mode = MAPB_MODE_NONE.rawValue
    task.reply.done = UInt32(truncatingIfNeeded: task.ended)
    let now = mapb_clock()
    timesEnd(task, now)
    if task.growth > 0 { growthCheck(task, now) }
    let took = now &- began
    workerVouch(task, took: took)
    if took > quickestCall() { task.isSuspect = true }
    if task.fields.cancel_signal != 0 { unsafe mapb_interrupt_absorb(task.pointer) }
    task.reply.detail = took < Int64(UInt32.max) ? UInt32(truncatingIfNeeded: took) : UInt32.max
}

/// Calls a function per item.
@_noLocks
func rangeLoop(_ task: WorkerTask, _ function: LoadedFunction) {
    let run = unsafe function.fields.run!
    let state = unsafe function.fields.state
    let job = task.job
    let alone = unsafe task.fields.alone!
    let isArmed = task.fields.cancel_signal != 0
    task.mode = MAPB_MODE_ITEM.rawValue
    var i: UInt64 = 0
    while i < task.count {
        lapBegin(task)
        while i < task.fields.lap_stop {
            itemBegin(task, i)
            if job.isCancelled || workerYields(task) {
                _ = rangeStop(task)
                return
            }
            var size: UInt64 = 0
            let input = unsafe itemInput(task, i, &size)
            let code =
                unsafe isArmed
                ? mapb_call_run_armed(run, task.pointer, state, input, Int(size))
                : mapb_call_run(run, task.pointer, state, input, Int(size))
            if unsafe mapb_peek32(alone) == 0 { mapb_stray_exit() }
            if !itemEnd(task, i, code) { return }
            i &+= 1
        }
        lapEnded(task, at: i)
    }
}

/// Calls a function for each range of a request, `step` items at a time.
@_noLocks
func rangeCalls(_ task: WorkerTask, _ function: LoadedFunction, _ step: UInt64) {
    task.mode = MAPB_MODE_RANGE.rawValue | (task.isTimed ? MAPB_MODE_TIMED.rawValue : 0)
    var start: UInt64 = 0
    while start < task.count {
        let left = task.count &- start
        let count = step < left ? step : left
        task.part = start
        task.partCount = count
        if !rangeCall(task, function) { return }
        start &+= count
    }
}

/// Calls a function for one range. False: no more ranges of this request are to be begun.
@_noLocks
func rangeCall(_ task: WorkerTask, _ function: LoadedFunction) -> Bool {
    let job = task.job
    let start = task.part
    let end = start &+ task.partCount
    var range = mape_range()
    range.first = task.first &+ start
    range.count = Int(task.partCount)
    if job.fields.spans == 0 {
        var size: UInt64 = 0
        unsafe range.base = itemInput(task, start, &size)
        range.stride = Int(job.fields.stride)
        range.item_size = Int(job.fields.size)
    }
    task.position = start
    task.hasBegun = false
    task.hasRangeResult = false
    task.hasFailed = false
    task.failSize = 0
    task.isOutOfMemory = false
    workerMark(task, MAPB_MARK_RANGE | UInt32(truncatingIfNeeded: start))
    if workerYields(task) || task.isCancelled { return rangeStop(task) }
    let code =
        unsafe task.fields.cancel_signal != 0
        ? mapb_call_range_armed(function.fields.run, task.pointer, function.fields.state, &range)
        : mapb_call_range(function.fields.run, task.pointer, function.fields.state, &range)
    workerOnly(task)
    let stopped = task.reply.flags & MAPB_REPLY_STOPPED.rawValue != 0
    if task.hasBegun {
        // The function was asked to stop: the item before had ended by then, whatever the function returns.
        if stopped { return false }
        // The item that was begun last ends with the call; those never begun fail with the call's code.
        let last = task.position &- 1
        if !itemEnd(task, last, code) { return false }
        if last &+ 1 < end && task.isCancelled { return rangeStop(task) }
        return rangeFail(task, last &+ 1, end, code != 0 ? code : 1)
    }
    // It was asked to stop before its first item.
    if stopped { return false }
    if code == 0 && !task.hasFailed && !task.isOutOfMemory {
        return rangeEnd(task, start, end)
    }
    if !task.hasFailed && task.isOutOfMemory { return itemNoMemory(task) }
    return rangeFail(task, start, end, code != 0 ? code : 1)
}

@_noLocks
func rangeStop(_ task: WorkerTask) -> Bool {
    task.reply.flags |= MAPB_REPLY_STOPPED.rawValue
    return false
}

/// Records the results of a whole range: the memory of mape_task_output_range, or empty results without it.
@_noLocks
func rangeEnd(_ task: WorkerTask, _ start: UInt64, _ end: UInt64) -> Bool {
    let size = task.hasRangeResult ? task.resultSize : 0
    let base = size > 0 ? task.result : 0
    if task.reply.flags & MAPB_REPLY_TABLE.rawValue == 0 {
        if start == 0 {
            task.reply.base = base
            task.reply.size = size
        }
        if size == task.reply.size && (size == 0 || base == task.reply.base &+ start &* size) {
            task.ended = end
            return true
        }
        if !tableBegin(task, start) { return itemNoMemory(task) }
    }
    var i = start
    while i < end {
        task.setLine(i, MAPB_ENTRY_OK, at: size > 0 ? base &+ (i &- start) &* size : 0, size: size)
        i &+= 1
    }
    task.ended = end
    return true
}

/// Fails the items from `start` to `end`.
@_noLocks
func rangeFail(_ task: WorkerTask, _ start: UInt64, _ end: UInt64, _ code: Int32) -> Bool {
    let failed = task.hasFailed
    let failCode = task.failCode
    let text = task.failSize
    var i = start
    while i < end {
        task.hasFailed = failed
        task.failCode = failCode
        task.failSize = text
        task.hasResult = false
        task.isOutOfMemory = false
        if !itemEnd(task, i, code) { return false }
        i &+= 1
    }
    return true
}

/// Where an item's input is.
@_noLocks @inline(__always)
func itemInput(_ task: WorkerTask, _ i: UInt64, _ size: inout UInt64) -> UnsafeRawPointer {
    let job = task.job
    let index = task.first &+ i
    if job.fields.spans == 0 {
        size = job.fields.size
        return unsafe task.input(at: job.fields.base &+ index &* job.fields.stride)
    }
    let span = task.span(at: job.fields.spans, index & job.fields.stride)
    if span.size & MAPB_PIECES != 0 { return unsafe firstPiece(task, span, &size) }
    size = span.size
    return unsafe task.input(at: span.offset)
}

@_noLocks @inline(__always)
func itemBegin(_ task: WorkerTask, _ i: UInt64) {
    task.position = i
    task.hasResult = false
    task.isOutOfMemory = false
    task.hasFailed = false
    workerMark(task, UInt32(truncatingIfNeeded: i) &+ 1)
}

/// Records how item i ended. False: there is no memory to record it, and the range must stop.
@_noLocks @inline(__always)
func itemEnd(_ task: WorkerTask, _ i: UInt64, _ code: Int32) -> Bool {
    if code == 0 && !task.hasFailed && !task.isOutOfMemory
        && task.reply.flags & MAPB_REPLY_TABLE.rawValue == 0
    {
        let size = task.hasResult ? task.resultSize : 0
        if i == 0 {
            task.reply.base = task.result
            task.reply.size = size
            task.ended = 1
            return true
        }
        if size == task.reply.size && (size == 0 || task.result == task.reply.base &+ i &* size) {
            task.ended = i &+ 1
            return true
        }
    }
    return itemEndInTable(task, i, code)
}

@_noLocks
func itemEndInTable(_ task: WorkerTask, _ i: UInt64, _ code: Int32) -> Bool {
    if task.reply.flags & MAPB_REPLY_TABLE.rawValue == 0 && !tableBegin(task, i) {
        return itemNoMemory(task)
    }
    if code == 0 && !task.hasFailed {
        if task.isOutOfMemory { return itemNoMemory(task) }
        let size = task.hasResult ? task.resultSize : 0
        task.setLine(i, MAPB_ENTRY_OK, at: size > 0 ? task.result : 0, size: size)
    } else if !task.hasFailed && wasStopped(task) {
        task.setLine(i, MAPB_ENTRY_STOPPED, at: 0, size: 0)
    } else {
        let size = UInt64(MemoryLayout<mapb_failure>.size)
        var failure = mapb_failure()
        failure.code = code
        if task.hasFailed {
            if !taskPlaceText(task) { return itemNoMemory(task) }
            failure.code = task.failCode
            failure.text = task.failPlace
            failure.text_size = task.failSize
        }
        if task.hasResult {
            failure.data = task.result
            failure.data_size = task.resultSize
        }
        guard let place = outputAllocate(task, size, 8) else { return itemNoMemory(task) }
        task.writeFailure(failure, at: place)
        task.setLine(i, MAPB_ENTRY_FAILED, at: place, size: size)
    }
    task.ended = i &+ 1
    return true
}

/// Whether the item that ends was asked to stop, and knew.
@_noLocks
func wasStopped(_ task: WorkerTask) -> Bool { task.stoppedAt != 0 && task.stoppedAt == task.mark }

@_noLocks
func itemNoMemory(_ task: WorkerTask) -> Bool {
    task.reply.flags |= MAPB_REPLY_NO_MEMORY.rawValue
    return false
}

/// Begins the table, with lines for the items before i, which ended alike.
@_noLocks
func tableBegin(_ task: WorkerTask, _ i: UInt64) -> Bool {
    let bytes = task.count &* UInt64(MemoryLayout<mapb_entry>.stride)
    guard let table = outputAllocate(task, bytes, 16) else { return false }
    task.reply.table = table
    var k: UInt64 = 0
    while k < i {
        let size = task.reply.size
        task.setLine(k, MAPB_ENTRY_OK, at: size > 0 ? task.reply.base &+ k &* size : 0, size: size)
        k &+= 1
    }
    task.reply.flags |= MAPB_REPLY_TABLE.rawValue
    return true
}
