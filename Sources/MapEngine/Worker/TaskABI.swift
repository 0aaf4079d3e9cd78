// The mape_task_ functions: what a user's function can ask of the worker it runs in.
//
// A process that the function forks can read its task, but can neither make results nor tell the host anything: mapb_is_alone. What
// mape_task_output gives it lies in memory that it does not have.

import CMapBridge

@_noLocks @implementation @_cdecl("mape_task_index")
public func mape_task_index(_ task: UnsafePointer<mape_task>!) -> UInt64 {
    guard let task = unsafe task else { return 0 }
    // In a range function `position` counts the items begun.
    let begun = unsafe task.pointee.mode == MAPB_MODE_RANGE.rawValue && task.pointee.begun != 0
    return unsafe task.pointee.first &+ task.pointee.position &- (begun ? 1 : 0)
}

@_noLocks @implementation @_cdecl("mape_task_worker")
public func mape_task_worker(_ task: UnsafePointer<mape_task>!) -> UInt32 {
    guard let task = unsafe task else { return 0 }
    return unsafe task.pointee.slot
}

@_noLocks @implementation @_cdecl("mape_task_output")
public func mape_task_output(_ task: UnsafeMutablePointer<mape_task>!, _ size: Int) -> UnsafeMutableRawPointer! {
    guard let task = unsafe task, unsafe taskRunsItem(task) else { return nil }
    return unsafe taskOutput(task, size)
}

/// Memory for the running item's result, or nil when there is none.
@_noLocks
func taskOutput(_ task: Task, _ size: Int) -> UnsafeMutableRawPointer? {
    if size <= 0 {
        unsafe task.pointee.has_result = 0
        // More than half of an address space arrives as a negative number.
        if size < 0 { unsafe task.pointee.out_of_memory = 1 }
        return nil
    }
    let wanted = UInt64(size)
    let place: UInt64?
    if unsafe task.pointee.has_result == 0 {
        place = unsafe outputTake(task, wanted, outputAlignment(wanted))
    } else {
        place = unsafe outputResize(task, wanted)
    }
    guard let place else {
        unsafe task.pointee.out_of_memory = 1
        return nil
    }
    unsafe task.pointee.has_result = 1
    unsafe task.pointee.result = place
    unsafe task.pointee.result_size = wanted
    return unsafe UnsafeMutableRawPointer(task.pointee.output + Int(place))
}

/// True while an item runs: per item, or in a range function after mape_task_begin.
@_noLocks @inline(__always)
func taskRunsItem(_ task: Task) -> Bool {
    let mode = unsafe task.pointee.mode
    return unsafe mode == MAPB_MODE_ITEM.rawValue || (mode == MAPB_MODE_RANGE.rawValue && task.pointee.begun != 0)
}

@_noLocks @implementation @_cdecl("mape_task_output_range")
public func mape_task_output_range(_ task: UnsafeMutablePointer<mape_task>!, _ item_size: Int)
    -> UnsafeMutableRawPointer!
{
    guard let task = unsafe task, unsafe task.pointee.mode == MAPB_MODE_RANGE.rawValue, unsafe task.pointee.begun == 0,
        unsafe mapb_is_alone(task) != 0
    else {
        return nil
    }
    if item_size == 0 { return nil }
    let (bytes, overflow) = unsafe UInt64(UInt(bitPattern: item_size)).multipliedReportingOverflow(
        by: task.pointee.part_count)
    // The results of later ranges of a request lie right behind those of the first, if they can.
    let alignment = unsafe task.pointee.part == 0 ? 64 : outputAlignment(bytes)
    guard !overflow, bytes < 1 << 62, let place = unsafe outputTake(task, bytes, alignment) else {
        unsafe task.pointee.out_of_memory = 1
        return nil
    }
    unsafe task.pointee.has_range_result = 1
    unsafe task.pointee.result = place
    unsafe task.pointee.result_size = UInt64(item_size)
    return unsafe UnsafeMutableRawPointer(task.pointee.output + Int(place))
}

@_noLocks @implementation @_cdecl("mape_task_begin")
public func mape_task_begin(
    _ task: UnsafeMutablePointer<mape_task>!, _ i: Int, _ out_size: UnsafeMutablePointer<Int>!
) -> UnsafeRawPointer! {
    guard let task = unsafe task, unsafe task.pointee.mode == MAPB_MODE_RANGE.rawValue,
        unsafe task.pointee.has_range_result == 0, unsafe mapb_is_alone(task) != 0
    else { return nil }
    let start = unsafe task.pointee.part
    let next = unsafe task.pointee.position
    guard i >= 0, UInt64(i) == next &- start, unsafe UInt64(i) < task.pointee.part_count else { return nil }
    // The one before ends here, also when no other begins. Recorded before the next one is marked: the host takes all items before the
    // marked one for finished.
    if unsafe next > start && !itemEnd(task, next &- 1, 0) { return nil }
    if unsafe taskCancelled(task) {
        unsafe task.pointee.reply.pointee.flags |= MAPB_REPLY_STOPPED.rawValue
        return nil
    }
    unsafe workerMark(task, UInt32(truncatingIfNeeded: next) &+ 1)
    if unsafe workerYields(task) {
        // A crash before the function returns is that of the one before.
        let mark = UInt32(truncatingIfNeeded: next)
        unsafe workerMark(task, next > start ? mark : MAPB_MARK_RANGE | mark)
        unsafe task.pointee.reply.pointee.flags |= MAPB_REPLY_STOPPED.rawValue
        return nil
    }
    unsafe itemBegin(task, next)
    unsafe task.pointee.begun = 1
    unsafe task.pointee.position = next &+ 1
    var size: UInt64 = 0
    let input = unsafe itemInput(task, next, &size)
    if let out_size = unsafe out_size { unsafe out_size.pointee = Int(size) }
    return unsafe input
}

@_noLocks @implementation @_cdecl("mape_task_item")
public func mape_task_item(
    _ task: UnsafePointer<mape_task>!, _ i: Int, _ out_size: UnsafeMutablePointer<Int>!
) -> UnsafeRawPointer! {
    guard let task = unsafe task, unsafe task.pointee.mode == MAPB_MODE_RANGE.rawValue, i >= 0,
        unsafe UInt64(i) < task.pointee.part_count
    else { return nil }
    var size: UInt64 = 0
    let input = unsafe itemInput(task, task.pointee.part &+ UInt64(i), &size)
    if let out_size = unsafe out_size { unsafe out_size.pointee = Int(size) }
    return unsafe input
}

@_noLocks @implementation @_cdecl("mape_task_fail")
public func mape_task_fail(_ task: UnsafeMutablePointer<mape_task>!, _ code: Int32, _ message: UnsafePointer<CChar>!)
    -> Int32
{
    let code = code == 0 ? 1 : code
    guard let task = unsafe task, unsafe task.pointee.mode != MAPB_MODE_NONE.rawValue else { return code }
    unsafe task.pointee.failed = 1
    unsafe task.pointee.fail_code = code
    unsafe task.pointee.fail_size = 0
    if let message = unsafe message {
        let size = unsafe mapb_length(message, UInt64(MAPB_TEXT) &- 1)
        unsafe mapb_copy(mapb_task_text(task), message, size)
        unsafe task.pointee.fail_size = UInt32(truncatingIfNeeded: size)
    }
    return code
}

@_noLocks @implementation @_cdecl("mape_task_global")
public func mape_task_global(
    _ task: UnsafePointer<mape_task>!, _ name: UnsafePointer<CChar>!, _ out_size: UnsafeMutablePointer<Int>!
) -> UnsafeRawPointer! {
    if let out_size = unsafe out_size { unsafe out_size.pointee = 0 }
    guard let task = unsafe task, let name = unsafe name, unsafe task.pointee.globals != 0 else { return nil }
    let input = unsafe task.pointee.input!
    let hash = unsafe mapb_hash(name)
    var rest = hash
    var place = unsafe task.pointee.globals
    repeat {
        let node = unsafe UnsafeRawPointer(input + Int(place &- place & UInt64(MAPB_GLOBALS_NODE)))
        let slots = unsafe node.assumingMemoryBound(to: UInt64.self)
        place = unsafe slots[Int(rest & UInt64(MAPB_GLOBALS_WIDTH &- 1))]
        rest >>= UInt64(MAPB_GLOBALS_BITS)
    } while place & UInt64(MAPB_GLOBALS_NODE) != 0
    while place != 0 {
        let line = unsafe UnsafeRawPointer(input + Int(place)).assumingMemoryBound(to: mapb_global.self)
        let other = unsafe UnsafeRawPointer(line + 1).assumingMemoryBound(to: CChar.self)
        if unsafe line.pointee.hash == hash && mapb_same_text(name, other) != 0 {
            if let out_size = unsafe out_size { unsafe out_size.pointee = unsafe Int(line.pointee.size) }
            return unsafe UnsafeRawPointer(input + Int(line.pointee.data))
        }
        place = unsafe line.pointee.next
    }
    return nil
}

@_noLocks @implementation @_cdecl("mape_task_cancelled")
public func mape_task_cancelled(_ task: UnsafePointer<mape_task>!) -> Int32 {
    guard let task = unsafe task, unsafe taskCancelled(task) else { return 0 }
    return 1
}

@_noLocks @inline(__always)
func taskCancelled(_ task: UnsafePointer<mape_task>) -> Bool {
    guard unsafe task.pointee.mode != MAPB_MODE_SETUP.rawValue, let job = unsafe task.pointee.job else { return false }
    return unsafe mapb_job_cancelled(job) != 0
}

@_noLocks @implementation @_cdecl("mape_task_progress")
public func mape_task_progress(_ task: UnsafeMutablePointer<mape_task>!, _ fraction: Double) {
    guard let task = unsafe task, unsafe mapb_is_alone(task) != 0 else { return }
    unsafe mapb_store(&task.pointee.outbox.pointee.fraction, fraction.bitPattern)
}

@_noLocks @implementation @_cdecl("mape_task_log")
public func mape_task_log(_ task: UnsafeMutablePointer<mape_task>!, _ level: Int32, _ message: UnsafePointer<CChar>!) {
    guard let task = unsafe task, let message = unsafe message, unsafe mapb_is_alone(task) != 0 else { return }
    unsafe taskLog(task, level, message)
}

@_noLocks
func taskLog(_ task: Task, _ level: Int32, _ message: UnsafePointer<CChar>) {
    let size = unsafe mapb_length(message, UInt64(MAPB_TEXT) &- 1)
    if unsafe task.pointee.logs_here != 0 {
        unsafe mapb_say(message, size)
        return
    }
    let ring = UInt64(MAPB_MESSAGES)
    let bytes = (UInt64(MemoryLayout<mapb_message_head>.size) &+ size &+ 7) & ~7
    let outbox = unsafe task.pointee.outbox!
    let tail = unsafe outbox.pointee.message_tail
    let head = unsafe mapb_message_head_of(task.pointee.inbox)
    if bytes > ring &- (tail &- head) {
        unsafe mapb_store(&outbox.pointee.message_lost, outbox.pointee.message_lost &+ size)
        return
    }
    var what = mapb_message_head(size: UInt32(truncatingIfNeeded: size), level: UInt32(bitPattern: level))
    unsafe ringCopy(task, tail, &what, UInt64(MemoryLayout<mapb_message_head>.size))
    unsafe ringCopy(task, tail &+ UInt64(MemoryLayout<mapb_message_head>.size), message, size)
    unsafe mapb_store(&outbox.pointee.message_tail, tail &+ bytes)
    mapb_fence()
    // Without a bell the worker notices when it has published what it is on.
    _ = unsafe workerRing(task)
}

/// Copies into the message ring at a position that counts on past the ring's end.
@_noLocks
func ringCopy(_ task: Task, _ position: UInt64, _ bytes: UnsafeRawPointer, _ size: UInt64) {
    let ring = UInt64(MAPB_MESSAGES)
    let at = position & (ring &- 1)
    let start = unsafe task.pointee.output + Int(MAPB_MESSAGES_OFFSET)
    let first = size < ring &- at ? size : ring &- at
    unsafe mapb_copy(start + Int(at), bytes, first)
    unsafe mapb_copy(start, bytes + Int(first), size &- first)
}
