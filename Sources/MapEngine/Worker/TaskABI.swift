// The mape_task_ functions, by which a user's function uses the worker that it runs in.
//
// A process that the function forks can read its task, but can neither make results nor send the host anything:
// mapb_is_alone. The memory of mape_task_output is not mapped in it.
//
// What is marked unsafe here are pointers of the user's function, or for it: its task, texts, and memory for inputs and results.

import CMapBridge

@_noLocks @implementation @_cdecl("mape_task_index")
public func mape_task_index(_ task: UnsafePointer<mape_task>!) -> UInt64 {
    guard let task = unsafe WorkerTask(user: task) else { return 0 }
    // In a range function `position` counts the items begun.
    let begun = task.mode & MAPB_MODE_RANGE.rawValue != 0 && task.hasBegun
    return task.first &+ task.position &- (begun ? 1 : 0)
}

@_noLocks @implementation @_cdecl("mape_task_worker")
public func mape_task_worker(_ task: UnsafePointer<mape_task>!) -> UInt32 {
    guard let task = unsafe WorkerTask(user: task) else { return 0 }
    return task.slot
}

@_noLocks @implementation @_cdecl("mape_task_output")
public func mape_task_output(_ task: UnsafeMutablePointer<mape_task>!, _ size: Int) -> UnsafeMutableRawPointer! {
    guard let task = unsafe WorkerTask(user: task), taskRunsItem(task) else { return nil }
    return unsafe taskOutput(task, size)
}

/// Memory for the running item's result, or nil when there is none.
@_noLocks
func taskOutput(_ task: WorkerTask, _ size: Int) -> UnsafeMutableRawPointer? {
    if size <= 0 {
        task.hasResult = false
        // More than half of an address space arrives as a negative number.
        if size < 0 { task.isOutOfMemory = true }
        return nil
    }
    let wanted = UInt64(size)
    let place: UInt64?
    if !task.hasResult {
        place = outputAllocate(task, wanted, outputAlignment(wanted))
    } else {
        place = outputResize(task, wanted)
    }
    guard let place else {
        task.isOutOfMemory = true
        return nil
    }
    task.hasResult = true
    task.result = place
    task.resultSize = wanted
    return unsafe task.output(at: place)
}

/// True while an item runs: per item, or in a range function after mape_task_begin.
@_noLocks @inline(__always)
func taskRunsItem(_ task: WorkerTask) -> Bool {
    let mode = task.mode
    return mode == MAPB_MODE_ITEM.rawValue || (mode & MAPB_MODE_RANGE.rawValue != 0 && task.hasBegun)
}

@_noLocks @implementation @_cdecl("mape_task_output_range")
public func mape_task_output_range(_ task: UnsafeMutablePointer<mape_task>!, _ item_size: Int)
    -> UnsafeMutableRawPointer!
{
    guard let task = unsafe WorkerTask(user: task), task.mode & MAPB_MODE_RANGE.rawValue != 0, !task.hasBegun,
        task.isAlone
    else {
        return nil
    }
    if item_size == 0 { return nil }
    let (bytes, overflow) = UInt64(UInt(bitPattern: item_size)).multipliedReportingOverflow(
        by: task.partCount)
    // The results of later ranges of a request lie right behind those of the first, if they can.
    let alignment = task.part == 0 ? 64 : outputAlignment(bytes)
    guard !overflow, bytes < 1 << 62, let place = outputAllocate(task, bytes, alignment) else {
        task.isOutOfMemory = true
        return nil
    }
    task.hasRangeResult = true
    task.result = place
    task.resultSize = UInt64(item_size)
    return unsafe task.output(at: place)
}

@_noLocks @implementation @_cdecl("mape_task_begin")
public func mape_task_begin(
    _ out_size: UnsafeMutablePointer<Int>!, _ task: UnsafeMutablePointer<mape_task>!, _ i: Int
) -> UnsafeRawPointer! {
    guard let task = unsafe WorkerTask(user: task),
        task.mode == MAPB_MODE_RANGE.rawValue || lapGoesOn(task),
        !task.hasRangeResult, task.isAlone
    else { return nil }
    let start = task.part
    let next = task.position
    guard i >= 0, UInt64(i) == next &- start, UInt64(i) < task.partCount else { return nil }
    // The one before ends here, also when no other begins. Recorded before the next one is marked: the host takes all items before the
    // marked one for finished.
    if next > start && !itemEnd(task, next &- 1, 0) { return nil }
    if task.isCancelled {
        task.reply.flags |= MAPB_REPLY_STOPPED.rawValue
        return nil
    }
    workerMark(task, UInt32(truncatingIfNeeded: next) &+ 1)
    if workerYields(task) {
        // A crash before the function returns is that of the one before.
        let mark = UInt32(truncatingIfNeeded: next)
        workerMark(task, next > start ? mark : MAPB_MARK_RANGE | mark)
        task.reply.flags |= MAPB_REPLY_STOPPED.rawValue
        return nil
    }
    itemBegin(task, next)
    task.hasBegun = true
    task.position = next &+ 1
    var size: UInt64 = 0
    let input = unsafe itemInput(task, next, &size)
    unsafe out_size?.pointee = Int(size)
    return unsafe input
}

@_noLocks @implementation @_cdecl("mape_task_item")
public func mape_task_item(
    _ out_size: UnsafeMutablePointer<Int>!, _ task: UnsafePointer<mape_task>!, _ i: Int
) -> UnsafeRawPointer! {
    guard let task = unsafe WorkerTask(user: task), task.mode & MAPB_MODE_RANGE.rawValue != 0, i >= 0,
        UInt64(i) < task.partCount
    else { return nil }
    var size: UInt64 = 0
    let input = unsafe itemInput(task, task.part &+ UInt64(i), &size)
    unsafe out_size?.pointee = Int(size)
    return unsafe input
}

@_noLocks @implementation @_cdecl("mape_task_fail")
public func mape_task_fail(_ task: UnsafeMutablePointer<mape_task>!, _ code: Int32, _ message: UnsafePointer<CChar>!)
    -> Int32
{
    let code = code == 0 ? 1 : code
    guard let task = unsafe WorkerTask(user: task), task.mode != MAPB_MODE_NONE.rawValue else { return code }
    task.hasFailed = true
    task.failCode = code
    unsafe taskSetText(task, message)
    return code
}

@_noLocks @implementation @_cdecl("mape_task_global")
public func mape_task_global(
    _ out_size: UnsafeMutablePointer<Int>!, _ task: UnsafePointer<mape_task>!, _ name: UnsafePointer<CChar>!
) -> UnsafeRawPointer! {
    unsafe out_size?.pointee = 0
    guard let task = unsafe WorkerTask(user: task), let name = unsafe name, task.globals != 0 else { return nil }
    let hash = unsafe mapb_hash(name)
    var rest = hash
    var place = task.globals
    repeat {
        place = task.globalsSlot(place &- place & UInt64(MAPB_GLOBALS_NODE), rest & UInt64(MAPB_GLOBALS_WIDTH &- 1))
        rest >>= UInt64(MAPB_GLOBALS_BITS)
    } while place & UInt64(MAPB_GLOBALS_NODE) != 0
    while place != 0 {
        let line = task.global(at: place)
        if unsafe line.hash == hash && mapb_same_text(name, task.nameOfGlobal(at: place)) != 0 {
            unsafe out_size?.pointee = Int(line.size)
            return unsafe task.input(at: line.data)
        }
        place = line.next
    }
    return nil
}

@_noLocks @implementation @_cdecl("mape_task_job_data")
public func mape_task_job_data(
    _ out_size: UnsafeMutablePointer<Int>!, _ task: UnsafePointer<mape_task>!
) -> UnsafeRawPointer! {
    guard let task = unsafe WorkerTask(user: task) else {
        unsafe out_size?.pointee = 0
        return nil
    }
    return unsafe task.jobData(out_size)
}

@_noLocks @implementation @_cdecl("mape_task_cancelled")
public func mape_task_cancelled(_ task: UnsafePointer<mape_task>!) -> Int32 {
    guard let task = unsafe WorkerTask(user: task), task.isCancelled || task.isInterrupted else { return 0 }
    if task.isAlone { task.stoppedAt = task.mark }
    return 1
}

@_noLocks @implementation @_cdecl("mape_task_report_fd")
public func mape_task_report_fd(_ task: UnsafePointer<mape_task>!) -> Int32 {
    guard let task = unsafe WorkerTask(user: task) else { return -1 }
    return task.askForReport()
}

@_noLocks @implementation @_cdecl("mape_task_mark")
public func mape_task_mark(_ task: UnsafeMutablePointer<mape_task>!, _ n: UInt64) {
    guard let task = unsafe WorkerTask(user: task), task.isAlone else { return }
    task.storeProgressMark(n)
}

@_noLocks @implementation @_cdecl("mape_task_progress")
public func mape_task_progress(_ task: UnsafeMutablePointer<mape_task>!, _ fraction: Double) {
    guard let task = unsafe WorkerTask(user: task), task.isAlone else { return }
    task.storeFraction(fraction)
}

@_noLocks @implementation @_cdecl("mape_task_log")
public func mape_task_log(_ task: UnsafeMutablePointer<mape_task>!, _ level: Int32, _ message: UnsafePointer<CChar>!) {
    guard let task = unsafe WorkerTask(user: task), let message = unsafe message, task.isAlone else { return }
    unsafe taskLog(task, level, message)
}

@_noLocks
func taskLog(_ task: WorkerTask, _ level: Int32, _ message: UnsafePointer<CChar>) {
    let size = unsafe mapb_length(message, UInt64(MAPB_TEXT) &- 1)
    if task.logsHere {
        unsafe mapb_say(message, size)
        return
    }
    let ring = UInt64(MAPB_MESSAGES)
    let bytes = (UInt64(MemoryLayout<mapb_message_head>.size) &+ size &+ 7) & ~7
    let tail = task.messageTail
    if bytes > ring &- (tail &- task.messagesRead) {
        task.storeMessagesLost(size)
        return
    }
    var what = mapb_message_head(size: UInt32(truncatingIfNeeded: size), level: UInt32(bitPattern: level))
    unsafe ringCopy(task, tail, &what, UInt64(MemoryLayout<mapb_message_head>.size))
    unsafe ringCopy(task, tail &+ UInt64(MemoryLayout<mapb_message_head>.size), message, size)
    task.storeMessageTail(tail &+ bytes)
    mapb_fence()
    // Without a bell the worker notices when it has published what it is on.
    _ = workerNotify(task)
}

/// Copies into the message ring at a position that counts on past the ring's end.
@_noLocks
func ringCopy(_ task: WorkerTask, _ position: UInt64, _ bytes: UnsafeRawPointer, _ size: UInt64) {
    let ring = UInt64(MAPB_MESSAGES)
    let at = position & (ring &- 1)
    let start = unsafe task.output(at: UInt64(MAPB_MESSAGES_OFFSET))
    let first = size < ring &- at ? size : ring &- at
    unsafe mapb_copy(start + Int(at), bytes, first)
    unsafe mapb_copy(start, bytes + Int(first), size &- first)
}
