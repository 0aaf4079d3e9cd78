// Loading, setup and cleanup of functions, and loading of modules, each as a request of its own: so each has a reply, a place in
// the order of things, and a time limit.

import CMapBridge

@_noLocks
func functionSetup(_ task: Task, _ request: UnsafePointer<mapb_request>) {
    let record = unsafe functionRecord(task, request)
    guard unsafe functionMakesTable(task, record.pointee.id) else {
        unsafe task.pointee.fail_size = 0
        unsafe replyFail(task, MAPE_CAUSE_SETUP, MAPE_E_MEMORY.rawValue)
        return
    }
    let loaded = unsafe functionLoaded(task, record.pointee.id)
    if unsafe loaded.pointee.ready != 0 { return }
    unsafe workerEnter(task, nil, record.pointee.id)
    // A function before may have closed them: that is not told of this one.
    let hadBells = unsafe workerHasBells(task)
    var before = mapb_surroundings()
    unsafe mapb_look_around(nil, &before)
    defer {
        unsafe workerSuspect(task)
        unsafe mapb_state_setup_ended(&loaded.pointee.own)
        unsafe task.pointee.own = unsafe loaded.pointee.own
    }
    var setup: UnsafeMutableRawPointer?
    if unsafe functionFind(task, record, 0, &loaded.pointee.run) != 0 { return }
    if unsafe functionFind(task, record, 1, &setup) != 0 { return }
    if unsafe functionFind(task, record, 2, &loaded.pointee.cleanup) != 0 { return }
    if unsafe hadBells && !workerHasBells(task) {
        unsafe taskSay(
            task, "the library has closed descriptors that are not its own: by these the worker wakes the host")
        unsafe replyFail(task, MAPE_CAUSE_LOAD, MAPE_E_LOAD.rawValue)
        return
    }
    if unsafe mapb_what_changed(nil, &before) != Int32(MAPB_CHANGE_NONE.rawValue) {
        unsafe task.pointee.reply!.pointee.flags |= MAPB_REPLY_CHANGED.rawValue
    }
    unsafe workerMark(task, MAPB_AT_SETUP)
    unsafe loaded.pointee.is_range = unsafe record.pointee.is_range
    if unsafe record.pointee.native != 0 && !nativeSetup(task, record, loaded) { return }
    if let setup = unsafe setup {
        unsafe taskPrepare(task, request.pointee.first)
        var data: UnsafeRawPointer?
        if unsafe record.pointee.data_is_pointer != 0 {
            unsafe data = unsafe UnsafeRawPointer(bitPattern: UInt(record.pointee.data))
        } else if unsafe record.pointee.data_size > 0 {
            unsafe data = unsafe UnsafeRawPointer(task.pointee.input + Int(record.pointee.data))
        }
        let before = unsafe growthSetupBegins(task)
        let code = unsafe mapb_call_setup(setup, task, data, Int(record.pointee.data_size), &loaded.pointee.state)
        unsafe workerOnly(task)
        unsafe growthSetupEnded(task, before)
        unsafe task.pointee.mode = MAPB_MODE_NONE.rawValue
        if unsafe code != 0 || task.pointee.failed != 0 {
            if unsafe task.pointee.failed == 0 { unsafe task.pointee.fail_size = 0 }
            unsafe replyFail(task, MAPE_CAUSE_SETUP, task.pointee.failed != 0 ? task.pointee.fail_code : code)
            return
        }
        if unsafe hadBells && !workerHasBells(task) {
            unsafe taskSay(task, "it has closed descriptors that are not its own: by these the worker wakes the host")
            unsafe replyFail(task, MAPE_CAUSE_SETUP, 1)
            return
        }
    }
    unsafe loaded.pointee.ready = 1
}

@_noLocks
func functionCleanup(_ task: Task, _ request: UnsafePointer<mapb_request>) {
    let record = unsafe functionRecord(task, request)
    // Asked to clean up what it was never told of: a worker that ends while it starts.
    guard unsafe functionHasTable(task, record.pointee.id) else { return }
    let loaded = unsafe functionLoaded(task, record.pointee.id)
    if unsafe loaded.pointee.ready == 0 { return }
    unsafe loaded.pointee.ready = 0
    guard let cleanup = unsafe loaded.pointee.cleanup else { return }
    unsafe workerEnter(task, loaded.pointee.own, record.pointee.id)
    unsafe mapb_state_range(loaded.pointee.own)
    unsafe workerMark(task, 1)
    unsafe taskPrepare(task, request.pointee.first)
    unsafe mapb_call_cleanup(cleanup, task, loaded.pointee.state)
    unsafe workerSuspect(task)
    unsafe task.pointee.mode = MAPB_MODE_NONE.rawValue
}

/// The tables of what a worker has loaded, none of which is made yet.
@_noLocks
func functionTables() -> UnsafeMutablePointer<UnsafeMutablePointer<mapb_loaded>?>? {
    let count = UInt64(MAPB_MAX_FUNCTIONS / MAPB_FUNCTIONS_PER_TABLE)
    let memory = unsafe mapb_private_memory(count &* UInt64(MemoryLayout<UnsafeRawPointer>.stride))
    return unsafe memory?.assumingMemoryBound(to: UnsafeMutablePointer<mapb_loaded>?.self)
}

@_noLocks @inline(__always)
func functionHasTable(_ task: Task, _ id: UInt32) -> Bool {
    unsafe id < MAPB_MAX_FUNCTIONS && task.pointee.functions[Int(id / MAPB_FUNCTIONS_PER_TABLE)] != nil
}

/// Makes the table that a function's line is in. False: there is no memory for it.
@_noLocks
func functionMakesTable(_ task: Task, _ id: UInt32) -> Bool {
    if unsafe functionHasTable(task, id) { return true }
    let size = unsafe UInt64(MAPB_FUNCTIONS_PER_TABLE) &* UInt64(MemoryLayout<mapb_loaded>.stride)
    guard id < MAPB_MAX_FUNCTIONS, let memory = unsafe mapb_private_memory(size) else { return false }
    unsafe task.pointee.functions[Int(id / MAPB_FUNCTIONS_PER_TABLE)] = unsafe memory.assumingMemoryBound(
        to: mapb_loaded.self)
    return true
}

/// What a worker has loaded of a function whose setup it was asked for.
@_noLocks @inline(__always)
func functionLoaded(_ task: Task, _ id: UInt32) -> UnsafeMutablePointer<mapb_loaded> {
    unsafe task.pointee.functions[Int(id / MAPB_FUNCTIONS_PER_TABLE)]! + Int(id % MAPB_FUNCTIONS_PER_TABLE)
}

@_noLocks
func moduleLoad(_ task: Task, _ request: UnsafePointer<mapb_request>) {
    unsafe workerEnter(task, nil, UInt32.max)
    let hadBells = unsafe workerHasBells(task)
    unsafe workerMark(task, MAPB_AT_PLACE)
    let path = unsafe UnsafeRawPointer(task.pointee.input + Int(request.pointee.record)).assumingMemoryBound(
        to: CChar.self)
    let text = unsafe mapb_task_text(task)!
    let place = unsafe request.pointee.first
    let file =
        unsafe place == 0
        ? nil
        : UnsafeRawPointer(task.pointee.input + Int(place)).assumingMemoryBound(to: mapb_file.self)
    var floating = mapb_floating()
    unsafe mapb_floating_get(&floating)
    let status = unsafe mapb_load_library(path, file, text, UInt64(MAPB_TEXT))
    unsafe mapb_floating_set(&floating)
    unsafe workerSuspect(task)
    if status == 0 {
        if unsafe !hadBells || workerHasBells(task) {
            mapb_state_again()
            return
        }
        unsafe taskSay(
            task, "the module has closed descriptors that are not its own: by these the worker wakes the host")
        unsafe replyFail(task, MAPE_CAUSE_LOAD, MAPE_E_LOAD.rawValue)
        return
    }
    unsafe task.pointee.fail_size = unsafe UInt32(truncatingIfNeeded: mapb_length(text, UInt64(MAPB_TEXT) &- 1))
    unsafe replyFail(task, MAPE_CAUSE_LOAD, status)
}

@_noLocks
func functionRecord(_ task: Task, _ request: UnsafePointer<mapb_request>) -> UnsafePointer<mapb_function> {
    unsafe UnsafeRawPointer(task.pointee.input + Int(request.pointee.record)).assumingMemoryBound(
        to: mapb_function.self)
}

/// Finds one of a function's places (0 run, 1 setup, 2 cleanup); on failure fills the reply.
@_noLocks
func functionFind(
    _ task: Task, _ record: UnsafePointer<mapb_function>, _ which: Int32,
    _ out: UnsafeMutablePointer<UnsafeMutableRawPointer?>
) -> Int32 {
    let text = unsafe mapb_task_text(task)!
    unsafe workerMark(task, MAPB_AT_PLACE &+ UInt32(which))
    let place = unsafe mapb_function_place(record, which)
    // Some libraries change how numbers are computed when they are loaded (gcc's -ffast-math does).
    var floating = mapb_floating()
    unsafe mapb_floating_get(&floating)
    let status = unsafe mapb_find_code(task.pointee.input, place, out, text, UInt64(MAPB_TEXT))
    unsafe mapb_floating_set(&floating)
    unsafe workerOnly(task)
    if status == 0 { return 0 }
    unsafe task.pointee.fail_size = unsafe UInt32(truncatingIfNeeded: mapb_length(text, UInt64(MAPB_TEXT) &- 1))
    unsafe replyFail(task, MAPE_CAUSE_LOAD, status)
    return status
}

@_noLocks
func taskPrepare(_ task: Task, _ globals: UInt64) {
    unsafe task.pointee.mode = MAPB_MODE_SETUP.rawValue
    unsafe task.pointee.globals = globals
    unsafe task.pointee.failed = 0
    unsafe task.pointee.fail_size = 0
}

/// Makes a text the task's.
@_noLocks
func taskSay(_ task: Task, _ text: StaticString) {
    let size = text.utf8CodeUnitCount < Int(MAPB_TEXT) ? text.utf8CodeUnitCount : Int(MAPB_TEXT) &- 1
    unsafe mapb_copy(mapb_task_text(task), text.utf8Start, UInt64(size))
    unsafe task.pointee.fail_size = UInt32(size)
}

/// Fills the reply with a failure; the text is the task's.
@_noLocks
func replyFail(_ task: Task, _ cause: mape_cause, _ code: Int32) {
    let reply = unsafe task.pointee.reply!
    let size = unsafe UInt64(task.pointee.fail_size)
    unsafe reply.pointee.code = code
    unsafe reply.pointee.detail = cause.rawValue
    guard let place = unsafe outputTake(task, size, 8) else { return }
    unsafe mapb_copy(task.pointee.output + Int(place), mapb_task_text(task), size)
    unsafe reply.pointee.base = place
    unsafe reply.pointee.size = size
}
