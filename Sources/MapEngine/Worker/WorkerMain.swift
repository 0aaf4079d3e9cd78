// A worker: takes requests from its inbox, one after another, and publishes a reply for each.
//
//   inbox.tail     host writes    requests published           worker waits for it (spin, then futex)
//   outbox.tail    worker writes  replies published            host looks at it, or is woken by a bell
//   outbox.current worker writes  the item it is on            read by the host when the worker has died
//
// Requests are answered in order. A reply is filled in its slot while the range runs, and published by outbox.tail; what stands in
// the slot when the worker dies tells the host which items were done.

import CMapBridge

typealias Task = UnsafeMutablePointer<mape_task>

/// A worker's life, in the child of the zygote.
@_noLocks
func workerRun(_ zygote: ZygoteState, _ slot: UInt32, _ outputFile: Int32, _ outputSize: UInt64) -> Never {
    guard let input = unsafe mapb_shared_map(zygote.pointee.input, zygote.pointee.input_size, 0),
        let output = unsafe mapb_shared_map(outputFile, outputSize, 1),
        let functions = unsafe functionTables(),
        let task: Task = unsafe mapb_worker_task(output, outputSize)
    else { mapb_exit(Int32(bitPattern: MAPB_EXIT_NO_MEMORY.rawValue)) }
    mapb_close(outputFile)
    unsafe mapb_close(zygote.pointee.input)
    mapb_become_worker()
    unsafe mapb_crash_watch(output)
    mapb_exit_watch()
    unsafe workerPrepare(task, input, output, outputSize, functions)
    unsafe task.pointee.inbox = unsafe mapb_inbox_at(input, slot)
    unsafe task.pointee.slot = slot
    unsafe task.pointee.bells.0 = unsafe mapb_bell_own(zygote.pointee.bells.0, &task.pointee.bell_files.0)
    unsafe task.pointee.bells.1 = unsafe mapb_bell_own(zygote.pointee.bells.1, &task.pointee.bell_files.1)
    unsafe task.pointee.growth = unsafe zygote.pointee.growth
    unsafe mapb_store32(&task.pointee.outbox.pointee.yields, mapb_join_barriers() != 0 ? 1 : 0)
    if unsafe zygote.pointee.flags & MAPB_INIT_SANDBOX.rawValue != 0 { unsafe workerEnterSandbox(task) }
    mapb_state_begin()
    var ticket: UInt64 = 0
    while true {
        ticket &+= 1
        let slept = unsafe workerAwait(task, ticket)
        if slept { unsafe workerSpread(task, ticket) }
        unsafe workerAnswer(task, ticket)
        unsafe workerPublish(task, ticket)
        mapb_fence()
        if unsafe ticket >= mapb_ring_at(task.pointee.inbox) && !workerRing(task) {
            unsafe workerRetire(
                task, "a function has closed descriptors that are the worker's own, such as the host is woken with")
        }
    }
}

/// From here on this process computes, and can do nothing else. If that cannot be, it ends, and its exit code and the log say why.
@_noLocks
func workerEnterSandbox(_ task: Task) {
    let text = unsafe mapb_task_text(task)!
    let code = unsafe mapb_enter_sandbox(&task.pointee.bells.0, 2, text)
    if code == 0 { return }
    unsafe taskLog(task, Int32(bitPattern: MAPE_LOG_ERROR.rawValue), text)
    mapb_exit(code)
}

/// Tells a task where its memory is.
@_noLocks
func workerPrepare(
    _ task: Task, _ input: UnsafeMutablePointer<UInt8>, _ output: UnsafeMutablePointer<UInt8>, _ outputSize: UInt64,
    _ functions: UnsafeMutablePointer<UnsafeMutablePointer<mapb_loaded>?>
) {
    unsafe task.pointee.input = unsafe UnsafePointer(input)
    unsafe task.pointee.output = unsafe output
    unsafe task.pointee.head = unsafe UnsafeRawPointer(input).assumingMemoryBound(to: mapb_pool_head.self)
    unsafe task.pointee.outbox = unsafe UnsafeMutableRawPointer(output).assumingMemoryBound(to: mapb_outbox.self)
    unsafe task.pointee.functions = unsafe functions
    unsafe task.pointee.wild_cursor = UInt64(MAPB_RESULTS_OFFSET)
    unsafe task.pointee.wild_limit = outputSize
}

/// Waits until a request has been published: looks a few times, then sleeps. True when it slept.
@_noLocks
func workerAwait(_ task: Task, _ ticket: UInt64) -> Bool {
    let tail = unsafe mapb_inbox_tail(task.pointee.inbox)!
    if unsafe mapb_load(tail) >= ticket { return false }
    var slept = false
    var looks = unsafe workerMayLook(task) ? mapb_spin(task.pointee.head) : 0
    if unsafe looks > 0 && task.pointee.is_suspect != 0 {
        while unsafe mapb_load(tail) < ticket && mapb_state_look() != 0 {}
    }
    while unsafe mapb_load(tail) < ticket {
        if looks > 0 {
            looks &-= 1
            mapb_pause()
            continue
        }
        if !slept { mapb_state_idle() }
        // Announce, then look again: the host publishes, then looks for the announcement.
        unsafe mapb_store32(&task.pointee.outbox.pointee.sleeping, 1)
        mapb_fence()
        let seen = unsafe mapb_load(tail)
        if seen < ticket { unsafe mapb_word_wait(tail, UInt32(truncatingIfNeeded: seen)) }
        unsafe mapb_store32(&task.pointee.outbox.pointee.sleeping, 0)
        slept = true
    }
    return slept
}

/// The kernel likes to wake a worker on the processor of whoever wakes it; several that are woken together would share it.
@_noLocks
func workerSpread(_ task: Task, _ ticket: UInt64) {
    let request = unsafe mapb_request_at(task.pointee.inbox, ticket)!
    if unsafe request.pointee.flags & MAPB_SPREAD.rawValue != 0 { unsafe mapb_go_home(task.pointee.slot) }
}

/// False on the processor of the host thread that waits for this worker's reply: looking would keep it from running. When that
/// happens again and again the worker moves to another processor, where both can look.
@_noLocks
func workerMayLook(_ task: Task) -> Bool {
    let processor = mapb_processor()
    if unsafe mapb_waiter(task.pointee.head) != processor &+ 1 { return true }
    let now = mapb_clock()
    let again = unsafe now &- task.pointee.crowded_at < crowdedAgain()
    unsafe task.pointee.crowded_at = now
    if !again { return false }
    mapb_step_aside(processor)
    return true
}

/// Requests that follow one another so closely are worth a move, which takes about 100 µs.
@_noLocks @inline(__always)
func crowdedAgain() -> Int64 { 200_000 }

/// Wakes whoever waits for replies, once per epoch of the doorbell. After a fence: what was published comes before the look at the doorbell.
/// False: the bell is not there any more, and the host has to be woken by the worker's end.
@_noLocks
func workerRing(_ task: Task) -> Bool {
    let bell = unsafe mapb_doorbell(task.pointee.head)
    let target = UInt32(truncatingIfNeeded: bell & 3)
    if unsafe target == MAPB_BELL_NONE.rawValue || bell == task.pointee.bell_epoch { return true }
    let rang =
        unsafe target == MAPB_BELL_ENGINE.rawValue
        ? mapb_bell_ring_own(task.pointee.bells.0, &task.pointee.bell_files.0)
        : mapb_bell_ring_own(task.pointee.bells.1, &task.pointee.bell_files.1)
    if rang == 0 { return false }
    unsafe task.pointee.bell_epoch = bell
    return true
}

/// Works on one request and fills its reply.
@_noLocks
func workerAnswer(_ task: Task, _ ticket: UInt64) {
    let request = unsafe mapb_request_at(task.pointee.inbox, ticket)!
    let reply = unsafe mapb_reply_at(task.pointee.output, ticket)!
    unsafe task.pointee.ticket = ticket
    unsafe task.pointee.reply = unsafe reply
    if unsafe request.pointee.flags & MAPB_SET_HOLE.rawValue != 0 {
        unsafe task.pointee.hole_cursor = unsafe request.pointee.hole_base
        unsafe task.pointee.hole_limit = unsafe request.pointee.hole_limit
    }
    if unsafe request.pointee.flags & MAPB_SET_WILD.rawValue != 0 {
        unsafe task.pointee.wild_cursor = unsafe request.pointee.wild_base
    }
    unsafe reply.pointee.ticket = ticket
    unsafe reply.pointee.done = 0
    unsafe reply.pointee.flags = 0
    unsafe reply.pointee.base = 0
    unsafe reply.pointee.size = 0
    unsafe reply.pointee.table = 0
    unsafe reply.pointee.code = 0
    unsafe reply.pointee.detail = 0
    switch unsafe request.pointee.kind {
    case MAPB_REQUEST_RANGE.rawValue: unsafe rangeRun(task, request)
    case MAPB_REQUEST_SETUP.rawValue: unsafe functionSetup(task, request)
    case MAPB_REQUEST_CLEANUP.rawValue: unsafe functionCleanup(task, request)
    case MAPB_REQUEST_MODULE.rawValue: unsafe moduleLoad(task, request)
    default: mapb_worker_exit(0)
    }
    unsafe reply.pointee.hole_end = unsafe task.pointee.hole_cursor
    unsafe reply.pointee.wild_end = unsafe task.pointee.wild_cursor
}

/// Publishes a reply. The word `current` is cleared only then: a host that finds it cleared, and looks at `tail` after that, can tell a
/// request that is done from one that was not begun.
@_noLocks
func workerPublish(_ task: Task, _ ticket: UInt64) {
    unsafe mapb_store(&task.pointee.outbox.pointee.tail, ticket)
    unsafe mapb_store(&task.pointee.outbox.pointee.current, 0)
}

/// True when the host wants the rest of this range back. Asked after workerMark, never before: see mapb_yield_after_mark.
@_noLocks @inline(__always)
func workerYields(_ task: Task) -> Bool {
    unsafe mapb_yield_after_mark(task.pointee.inbox) >= task.pointee.ticket
}

/// Writes down which item runs, for the case that it kills the worker.
@_noLocks @inline(__always)
func workerMark(_ task: Task, _ index: UInt32) {
    unsafe mapb_store(&task.pointee.outbox.pointee.current, task.pointee.ticket << 32 | UInt64(index))
}
