// A worker: answers the requests of its inbox one after another, and publishes a reply for each.
//
//   inbox.tail     host writes    requests published           worker waits for it (spin, then futex)
//   outbox.tail    worker writes  replies published            host looks at it, or is woken by a bell
//   outbox.current worker writes  the item it is on            read by the host when the worker has died
//
// Requests are answered in order. A reply is filled in its slot while the range runs, and published by outbox.tail;
// from what stands in the slot when the worker dies the host knows which items were done.

import CMapBridge

/// A worker's life, in the child of the zygote.
@_noLocks
func workerRun(_ zygote: ZygoteState, _ slot: UInt32, _ outputFile: Int32, _ outputSize: UInt64) -> Never {
    guard let input = unsafe mapb_shared_map(zygote.input, zygote.inputSize, 0),
        let output = unsafe mapb_shared_map(outputFile, outputSize, 1),
        let functions = unsafe functionTables(),
        let pointer = unsafe mapb_worker_task(output, outputSize)
    else { mapb_exit(Int32(bitPattern: MAPB_EXIT_NO_MEMORY.rawValue)) }
    let task = unsafe WorkerTask(pointer)
    task.openReport(outputFile, outputSize)
    mapb_close(zygote.input)
    mapb_become_worker()
    unsafe mapb_crash_watch(output)
    mapb_exit_watch()
    unsafe workerPrepare(task, input, output, outputSize, functions, slot)
    task.adoptBells(zygote.engineBell, zygote.waiterBell)
    task.growth = zygote.growth
    if zygote.cancelSignal != 0 { unsafe mapb_interrupt_watch(task.pointer, zygote.cancelSignal) }
    task.storeYields(mapb_join_barriers() != 0 ? 1 : 0)
    workerHook(task)
    if zygote.flags & MAPB_INIT_SANDBOX.rawValue != 0 { workerEnterSandbox(task) }
    mapb_state_begin()
    var ticket: UInt64 = 0
    while true {
        ticket &+= 1
        let slept = workerAwait(task, ticket)
        if slept { workerSpread(task, ticket) }
        workerAnswer(task, ticket)
        workerPublish(task, ticket)
        mapb_fence()
        if ticket >= task.ringAt && !workerNotify(task) {
            workerRetire(
                task, "a function has closed descriptors that are the worker's own, such as the host is woken with")
        }
    }
}

/// Runs the hook of the zygote's program, if there is one, under a mark that says so.
@_noLocks
func workerHook(_ task: WorkerTask) {
    if mapb_has_hook(MAPB_HOOK_AFTER_IN_WORKER.rawValue) == 0 { return }
    workerMark(task, MAPB_AT_HOOK)
    mapb_run_hook(MAPB_HOOK_AFTER_IN_WORKER.rawValue)
    workerOnly(task)
    workerMark(task, 0)
}

/// Enters the sandbox. If that fails, the worker ends, and its exit code and the log say why.
@_noLocks
func workerEnterSandbox(_ task: WorkerTask) {
    let code = unsafe mapb_task_enters_sandbox(task.pointer, task.text)
    if code == 0 { return }
    unsafe taskLog(task, Int32(bitPattern: MAPE_LOG_ERROR.rawValue), task.text)
    mapb_exit(code)
}

/// Sets up a task with the addresses of its memory. The mappings and the tables are its own from here on.
@_noLocks
func workerPrepare(
    _ task: WorkerTask, _ input: UnsafeMutablePointer<UInt8>, _ output: UnsafeMutablePointer<UInt8>,
    _ outputSize: UInt64,
    _ functions: UnsafeMutablePointer<UnsafeMutablePointer<mapb_loaded>?>, _ slot: UInt32
) {
    unsafe task.fields.input = UnsafePointer(input)
    unsafe task.fields.output = output
    unsafe task.fields.head = UnsafeRawPointer(input).assumingMemoryBound(to: mapb_pool_head.self)
    unsafe task.fields.inbox = mapb_inbox_at(input, slot)
    unsafe task.fields.outbox = UnsafeMutableRawPointer(output).assumingMemoryBound(to: mapb_outbox.self)
    unsafe task.fields.functions = functions
    task.slot = slot
    task.wildCursor = UInt64(MAPB_RESULTS_OFFSET)
    task.frontierLimit = outputSize &- UInt64(MAPB_REPORT_BYTES)
}

/// Waits until a request has been published: spins, then sleeps. Returns whether it slept.
@_noLocks
func workerAwait(_ task: WorkerTask, _ ticket: UInt64) -> Bool {
    if task.published >= ticket { return false }
    var slept = false
    var looks = workerMaySpin(task) ? task.spin : 0
    if looks > 0 && task.isSuspect {
        while task.published < ticket && mapb_state_look() != 0 {}
    }
    while task.published < ticket {
        if looks > 0 {
            looks &-= 1
            mapb_pause()
            continue
        }
        if !slept { mapb_state_idle() }
        // Announce, then check again: the host publishes, then checks for the announcement.
        task.storeSleeping(1)
        mapb_fence()
        let seen = task.published
        if seen < ticket { task.sleep(seen: seen) }
        task.storeSleeping(0)
        slept = true
    }
    return slept
}

/// The kernel tends to wake a worker on the processor of the thread that wakes it; several that are woken together
/// would share it.
@_noLocks
func workerSpread(_ task: WorkerTask, _ ticket: UInt64) {
    if task.request(ticket).flags & MAPB_SPREAD.rawValue != 0 { mapb_go_home(task.slot) }
}

/// False on the processor of the host thread that waits for this worker's reply: spinning would keep that thread from
/// running. When that happens again and again the worker moves to another processor, where both can spin.
@_noLocks
func workerMaySpin(_ task: WorkerTask) -> Bool {
    let processor = mapb_processor()
    if task.waiter != processor &+ 1 { return true }
    let now = mapb_clock()
    let again = now &- task.crowdedAt < crowdedAgain()
    task.crowdedAt = now
    if !again { return false }
    mapb_step_aside(processor)
    return true
}

/// How closely requests must follow one another to be worth a move, which takes about 100 µs.
@_noLocks @inline(__always)
func crowdedAgain() -> Int64 { 200_000 }

/// Wakes the thread that waits for replies, once per epoch of the doorbell. Call it after a fence, so that the reply is
/// visible before the doorbell is read. False: the bell is gone, and only the worker's end can wake the host.
@_noLocks
func workerNotify(_ task: WorkerTask) -> Bool {
    let bell = task.doorbell
    let target = UInt32(truncatingIfNeeded: bell & 3)
    if target == MAPB_BELL_NONE.rawValue || bell == task.bellEpoch { return true }
    if !task.ring(engine: target == MAPB_BELL_ENGINE.rawValue) { return false }
    task.bellEpoch = bell
    return true
}

/// Runs one request and fills its reply.
@_noLocks
func workerAnswer(_ task: WorkerTask, _ ticket: UInt64) {
    let request = task.request(ticket)
    task.ticket = ticket
    task.setReply(ticket)
    if request.flags & MAPB_SET_HOLE.rawValue != 0 {
        task.holeCursor = request.hole_base
        task.holeLimit = request.hole_limit
    }
    if request.flags & MAPB_SET_FRONTIER.rawValue != 0 {
        task.wildCursor = request.frontier_base
    }
    task.reply.ticket = ticket
    task.reply.done = 0
    task.reply.flags = 0
    task.reply.base = 0
    task.reply.size = 0
    task.reply.table = 0
    task.reply.code = 0
    task.reply.detail = 0
    if request.kind == MAPB_REQUEST_RANGE.rawValue { rangeRun(task, request) } else { workerPrepares(task, request) }
    task.reply.hole_end = task.holeCursor
    task.reply.frontier_end = task.wildCursor
}

/// Runs a request that is no range. The reply says how long that took.
@_noLocks
func workerPrepares(_ task: WorkerTask, _ request: mapb_request) {
    let began = mapb_clock()
    timesBegin(task, began)
    switch request.kind {
    case MAPB_REQUEST_SETUP.rawValue: functionSetup(task, request)
    case MAPB_REQUEST_CLEANUP.rawValue: functionCleanup(task, request)
    case MAPB_REQUEST_MODULE.rawValue: moduleLoad(task, request)
    default: mapb_worker_exit(0)
    }
    let now = mapb_clock()
    timesEnd(task, now)
    task.reply.table = UInt64(bitPattern: now &- began)
}

/// Publishes a reply, and only then clears the word `current`: a host that finds it cleared, and reads `tail` after
/// that, can tell a finished request from one that has not begun.
@_noLocks
func workerPublish(_ task: WorkerTask, _ ticket: UInt64) {
    task.storePublished(ticket)
}

/// Whether the host reclaims the rest of this range. Call it after workerMark, never before: see mapb_yield_after_mark.
@_noLocks @inline(__always)
func workerYields(_ task: WorkerTask) -> Bool {
    task.yieldAfterMark >= task.ticket
}

/// Marks the item that runs, in case it kills the worker.
@_noLocks @inline(__always)
func workerMark(_ task: WorkerTask, _ index: UInt32) {
    task.storeMark(index)
}
