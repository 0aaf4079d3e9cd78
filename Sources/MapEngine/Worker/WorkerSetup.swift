// Loading, setup and cleanup of functions, and loading of modules, each as a request of its own: so each has a reply, a place in
// the order of things, and a time limit.
//
// What is marked unsafe here are addresses of the user's code and data, which C finds, and calls.

import CMapBridge

@_noLocks
func functionSetup(_ task: WorkerTask, _ request: mapb_request) {
    let record = functionRecord(task, request)
    guard functionMakesTable(task, record.id) else {
        task.failSize = 0
        replyFail(task, MAPE_CAUSE_SETUP, MAPE_E_MEMORY.rawValue)
        return
    }
    let loaded = functionLoaded(task, record.id)
    if loaded.isReady { return }
    functionForget(task, record.id)
    workerEnter(task, nil, record.id)
    // An earlier function may have closed them: this one is not blamed for it.
    let hadBells = task.hasBells
    var before = mapb_surroundings()
    unsafe mapb_look_around(nil, &before)
    defer {
        workerSuspect(task)
        unsafe mapb_state_setup_ended(&loaded.fields.own)
        unsafe task.fields.own = loaded.own
    }
    var setup: UnsafeMutableRawPointer?
    if unsafe functionFind(task, record.run, 0, &loaded.fields.run) != 0 { return }
    if unsafe functionFind(task, record.setup, 1, &setup) != 0 { return }
    if unsafe functionFind(task, record.cleanup, 2, &loaded.fields.cleanup) != 0 { return }
    if hadBells && !task.hasBells {
        taskSay(
            task, "the library has closed descriptors that are not its own: by these the worker wakes the host")
        replyFail(task, MAPE_CAUSE_LOAD, MAPE_E_LOAD.rawValue)
        return
    }
    if unsafe mapb_what_changed(nil, &before) != Int32(MAPB_CHANGE_NONE.rawValue) {
        task.reply.flags |= MAPB_REPLY_CHANGED.rawValue
    }
    workerMark(task, MAPB_AT_SETUP)
    loaded.fields.is_range = record.is_range
    if record.native != 0 && !nativeSetup(task, record, loaded) { return }
    if let setup = unsafe setup {
        taskPrepare(task, request.first)
        var data: UnsafeRawPointer?
        if record.data_is_pointer != 0 {
            unsafe data = UnsafeRawPointer(bitPattern: UInt(record.data))
        } else if record.data_size > 0 {
            unsafe data = task.input(at: record.data)
        }
        let before = growthSetupBegins(task)
        let code = unsafe mapb_call_setup(setup, task.pointer, data, Int(record.data_size), &loaded.fields.state)
        workerOnly(task)
        growthSetupEnded(task, before)
        task.mode = MAPB_MODE_NONE.rawValue
        if code != 0 || task.hasFailed {
            if !task.hasFailed { task.failSize = 0 }
            replyFail(task, MAPE_CAUSE_SETUP, task.hasFailed ? task.failCode : code)
            return
        }
        if hadBells && !task.hasBells {
            taskSay(task, "it has closed descriptors that are not its own: by these the worker wakes the host")
            replyFail(task, MAPE_CAUSE_SETUP, 1)
            return
        }
    }
    loaded.isReady = true
}

@_noLocks
func functionCleanup(_ task: WorkerTask, _ request: mapb_request) {
    let record = functionRecord(task, request)
    // A worker that ends while it starts may be asked to clean up a function whose setup it never ran.
    guard functionHasTable(task, record.id) else { return }
    let loaded = functionLoaded(task, record.id)
    if loaded.isReady { functionCleanUp(task, request, record, loaded) }
    functionForget(task, record.id)
}

@_noLocks
func functionCleanUp(_ task: WorkerTask, _ request: mapb_request, _ record: mapb_function, _ loaded: LoadedFunction) {
    guard let cleanup = unsafe loaded.fields.cleanup else { return }
    unsafe workerEnter(task, loaded.own, record.id)
    unsafe mapb_state_range(loaded.own)
    workerMark(task, 1)
    taskPrepare(task, request.first)
    unsafe mapb_call_cleanup(cleanup, task.pointer, loaded.fields.state)
    workerSuspect(task)
    task.mode = MAPB_MODE_NONE.rawValue
}

@_noLocks
func moduleLoad(_ task: WorkerTask, _ request: mapb_request) {
    workerEnter(task, nil, UInt32.max)
    let hadBells = task.hasBells
    workerMark(task, MAPB_AT_PLACE)
    let path = unsafe task.input(at: request.record).assumingMemoryBound(to: CChar.self)
    let place = request.first
    let file = unsafe place == 0 ? nil : task.input(at: place).assumingMemoryBound(to: mapb_file.self)
    var floating = mapb_floating()
    unsafe mapb_floating_get(&floating)
    let status = unsafe mapb_load_library(path, file, task.text, UInt64(MAPB_TEXT))
    unsafe mapb_floating_set(&floating)
    workerSuspect(task)
    if status == 0 {
        if !hadBells || task.hasBells {
            mapb_state_again()
            return
        }
        taskSay(
            task, "the module has closed descriptors that are not its own: by these the worker wakes the host")
        replyFail(task, MAPE_CAUSE_LOAD, MAPE_E_LOAD.rawValue)
        return
    }
    task.measureText()
    replyFail(task, MAPE_CAUSE_LOAD, status)
}

@_noLocks
func functionRecord(_ task: WorkerTask, _ request: mapb_request) -> mapb_function {
    unsafe task.input(at: request.record).assumingMemoryBound(to: mapb_function.self).pointee
}

/// Finds the code of one of a function's places (0 run, 1 setup, 2 cleanup); on failure fills the reply.
@_noLocks
func functionFind(
    _ task: WorkerTask, _ place: mapb_place, _ which: UInt32, _ out: UnsafeMutablePointer<UnsafeMutableRawPointer?>
) -> Int32 {
    workerMark(task, MAPB_AT_PLACE &+ which)
    var place = place
    // Some libraries change how numbers are computed when they are loaded (gcc's -ffast-math does).
    var floating = mapb_floating()
    unsafe mapb_floating_get(&floating)
    let status = unsafe mapb_find_code(task.fields.input, &place, out, task.text, UInt64(MAPB_TEXT))
    unsafe mapb_floating_set(&floating)
    workerOnly(task)
    if status == 0 { return 0 }
    task.measureText()
    replyFail(task, MAPE_CAUSE_LOAD, status)
    return status
}

@_noLocks
func taskPrepare(_ task: WorkerTask, _ globals: UInt64) {
    task.mode = MAPB_MODE_SETUP.rawValue
    task.globals = globals
    task.hasFailed = false
    task.failSize = 0
    task.failPlace = 0
}

/// Sets the task's text.
@_noLocks
func taskSay(_ task: WorkerTask, _ text: StaticString) {
    let size = text.utf8CodeUnitCount < Int(MAPB_TEXT) ? text.utf8CodeUnitCount : Int(MAPB_TEXT) &- 1
    unsafe task.setText(text.utf8Start, UInt64(size))
}

/// Fills the reply with a failure; the text is the task's.
@_noLocks
func replyFail(_ task: WorkerTask, _ cause: mape_cause, _ code: Int32) {
    task.reply.code = code
    task.reply.detail = cause.rawValue
    guard taskPlaceText(task) else { return }
    task.reply.base = task.failPlace
    task.reply.size = UInt64(task.failSize)
}
