// The zygote: a process with one thread that forks workers, reaps them, and reports.
//
//   host ──INIT, LOAD, SPAWN, KILL──► zygote ──fork──► workers
//   host ◄──HELLO, LOADED, SPAWNED, DIED, NOTE── zygote ◄──pidfds, SIGCHLD── workers
//
// It runs after a fork of the host (MAPE_START_FORK) or as a program of its own (MAPE_START_EXEC); the code is the same. Every
// function here is @_noLocks: the compiler proves that none touches the Swift runtime, whose locks a fork may have left taken.

import CMapBridge

typealias ZygoteState = UnsafeMutablePointer<mapb_zygote>

/// The zygote's life: until the host closes the control socket, or ends.
@_noLocks
@_cdecl("mapb_zygote_run")
func zygoteRun(_ control: Int32, _ parent: Int32) -> Never {
    let zygote: ZygoteState = unsafe mapb_zygote_state()
    // The host, to which the same is denied, names what it is.
    if unsafe mapb_calls_denied(MAPB_CALLS_ZYGOTE, mapb_control_text(&zygote.pointee.answer), 4096) > 0 {
        mapb_exit(Int32(bitPattern: MAPB_EXIT_DENIED.rawValue))
    }
    mapb_fill_standard_files()
    unsafe zygote.pointee.control = control
    unsafe zygote.pointee.signals = mapb_zygote_signals()
    unsafe zygote.pointee.input = -1
    unsafe zygote.pointee.pid = mapb_process_id()
    if unsafe zygote.pointee.signals < 0 || mapb_zygote_process(parent) != 0 { mapb_exit(1) }
    if unsafe mapb_zygote_open(zygote) != 0 { mapb_exit(1) }
    mapb_crash_prepare()
    // What a program has printed before it became the zygote is its own to write, and not the workers'. With a snapshot, the streams
    // are the host's, and empty.
    mapb_flush_streams()
    let exitsHang = mapb_exit_prepare() != 0
    let threads = mapb_thread_count()
    unsafe zygote.pointee.threads = threads
    unsafe zygoteSend(
        zygote, MAPB_CONTROL_HELLO, 0, 0, Int32(truncatingIfNeeded: threads), Int32(MAPB_PROTOCOL))
    unsafe zygoteTellsOfDenied(zygote)
    if exitsHang {
        unsafe zygoteNote(
            zygote, MAPE_LOG_WARNING,
            "a thread of the host was registering an exit handler when the snapshot was made: a function that calls exit will hang"
        )
    }
    while true {
        let what = unsafe mapb_zygote_wait(zygote)
        if what == Int32(MAPB_ZYGOTE_CHILD.rawValue) || what == Int32(MAPB_ZYGOTE_WORKER.rawValue) {
            unsafe zygoteReap(zygote, ofWorker: what == Int32(MAPB_ZYGOTE_WORKER.rawValue))
        }
        if unsafe what == Int32(MAPB_ZYGOTE_CONTROL.rawValue) && !zygoteReceive(zygote) { unsafe zygoteEnd(zygote) }
    }
}

/// Names the system calls that are denied here and can be done without: some setting is not in force then.
@_noLocks
func zygoteTellsOfDenied(_ zygote: ZygoteState) {
    unsafe withUnsafeMutablePointer(to: &zygote.pointee.answer) { answer in
        let text = unsafe mapb_control_text(answer)!
        if unsafe mapb_denied_text(text, 4096) > 0 { unsafe zygoteSendNote(zygote, answer, MAPE_LOG_WARNING) }
    }
}

/// The host is gone, or wants us gone: so are the workers, and what they have started. Killed processes leave their children to this
/// one, so that it goes on until it has none, or time is over.
@_noLocks
func zygoteEnd(_ zygote: ZygoteState) -> Never {
    let end = mapb_clock() &+ zygotePatience()
    while true {
        var workers: UInt32 = 0
        var slot: UInt32 = 0
        while unsafe slot < zygote.pointee.workers {
            let pid = unsafe mapb_zygote_child(zygote, slot).pointee.pid
            if pid > 0 {
                mapb_kill_group(pid)
                workers &+= 1
            }
            slot &+= 1
        }
        let strays = unsafe mapb_kill_strays(zygote, 1)
        if strays <= 0 && workers == 0 { mapb_exit(0) }
        if unsafe mapb_wait_children(zygote.pointee.signals) == 0 || mapb_clock() >= end { mapb_exit(0) }
        while true {
            let pid = mapb_ended_child()
            if pid <= 0 { break }
            _ = mapb_reap(pid)
            _ = unsafe zygoteForget(zygote, pid)
        }
    }
}

/// The host kills the zygote after Policy.zygoteGrace; it is to have ended before.
@_noLocks @inline(__always)
func zygotePatience() -> Int64 { 800_000_000 }

/// Takes an ended worker off the table. Its place; nil when it was none.
@_noLocks
func zygoteForget(_ zygote: ZygoteState, _ pid: Int32) -> UInt32? {
    var slot: UInt32 = 0
    while unsafe slot < zygote.pointee.workers {
        let child = unsafe mapb_zygote_child(zygote, slot)!
        if unsafe child.pointee.pid == pid {
            unsafe mapb_zygote_unwatch(zygote, child)
            return slot
        }
        slot &+= 1
    }
    return nil
}

/// Sends a message without text. A host that does not listen is a host that is gone: the next receive tells.
@_noLocks
func zygoteSend(
    _ zygote: ZygoteState, _ kind: mapb_control_kind, _ slot: UInt32, _ generation: UInt64, _ pid: Int32, _ code: Int32
) {
    unsafe withUnsafeMutablePointer(to: &zygote.pointee.answer) { answer in
        unsafe answer.pointee.kind = kind.rawValue
        unsafe answer.pointee.slot = slot
        unsafe answer.pointee.generation = generation
        unsafe answer.pointee.pid = pid
        unsafe answer.pointee.code = code
        unsafe answer.pointee.size = UInt64(MAPB_VERSION)
        unsafe answer.pointee.text_size = 0
        _ = unsafe mapb_control_send(zygote.pointee.control, answer, nil, 0, 1)
    }
}

/// Reports every child that has ended. Orphans of workers are reaped as well, and not reported; those whose worker is gone are
/// killed. Their end comes here again, and by then what they had started are orphans: so it ends when none is left.
/// - ofWorker: a watch has told of it.
@_noLocks
func zygoteReap(_ zygote: ZygoteState, ofWorker: Bool) {
    unsafe mapb_notifier_drain(zygote.pointee.signals)
    let looksAgain = unsafe zygote.pointee.looks_left > 0
    var hasReaped = false
    while true {
        let pid = mapb_ended_child()
        if pid <= 0 { break }
        unsafe zygoteReapOne(zygote, pid)
        hasReaped = true
    }
    if ofWorker && !hasReaped { unsafe zygoteReapUnseen(zygote) }
    if !hasReaped && !ofWorker && !looksAgain { return }
    let strays = unsafe mapb_kill_strays(zygote, 0)
    // SIGCHLD tells of their end, unless another thread of this process takes it.
    if strays == 0 { unsafe zygote.pointee.looks_left = 0 }
    if unsafe strays > 0 && zygote.pointee.looks_left == 0 { unsafe zygote.pointee.looks_left = strayLooks() }
}

/// A second: what lives on after SIGKILL for so long is in the kernel's hands.
@_noLocks @inline(__always)
func strayLooks() -> UInt32 { 100 }

@_noLocks
func zygoteReapOne(_ zygote: ZygoteState, _ pid: Int32) {
    let status = mapb_reap(pid)
    guard let slot = unsafe zygoteForget(zygote, pid) else { return }
    let generation = unsafe mapb_zygote_child(zygote, slot).pointee.generation
    unsafe zygoteSend(zygote, MAPB_CONTROL_DIED, slot, generation, pid, status)
}

/// Workers that somebody else in this process has waited for, or nobody can, since SIGCHLD is ignored: their watch tells, and only it.
@_noLocks
func zygoteReapUnseen(_ zygote: ZygoteState) {
    var slot: UInt32 = 0
    while unsafe slot < zygote.pointee.workers {
        let child = unsafe mapb_zygote_child(zygote, slot)!
        if unsafe child.pointee.pid > 0 && mapb_has_ended(child) != 0 {
            unsafe zygoteReapOne(zygote, child.pointee.pid)
        }
        slot &+= 1
    }
}

/// Handles one message. False: the host is gone.
@_noLocks
func zygoteReceive(_ zygote: ZygoteState) -> Bool {
    var first: Int32 = -1
    var second: Int32 = -1
    var third: Int32 = -1
    let got = unsafe withUnsafeMutablePointer(to: &zygote.pointee.message) { message in
        unsafe mapb_control_receive_three(zygote.pointee.control, message, &first, &second, &third)
    }
    if got < 0 { return true }
    if got == 0 { return false }
    switch unsafe zygote.pointee.message.kind {
    case MAPB_CONTROL_INIT.rawValue:
        unsafe zygote.pointee.input = first
        unsafe zygote.pointee.bells.0 = second
        unsafe zygote.pointee.bells.1 = third
        unsafe zygote.pointee.input_size = unsafe zygote.pointee.message.size
        unsafe zygote.pointee.memory_limit = unsafe zygote.pointee.message.memory_limit
        unsafe zygote.pointee.nice = unsafe zygote.pointee.message.nice
        unsafe zygote.pointee.flags = unsafe zygote.pointee.message.flags
        unsafe zygote.pointee.oom = unsafe zygote.pointee.message.oom
        unsafe zygote.pointee.growth = unsafe zygote.pointee.message.growth
        let workers = unsafe zygote.pointee.message.workers
        unsafe zygote.pointee.workers = workers < MAPB_MAX_WORKERS ? workers : MAPB_MAX_WORKERS
        if unsafe mapb_kill_strays(zygote, 0) < 0 {
            unsafe zygoteNote(
                zygote, MAPE_LOG_INFO,
                "this system does not list the children of a process (CONFIG_PROC_CHILDREN): processes that leave a worker's process group are not ended with it"
            )
        }
        return true
    case MAPB_CONTROL_LOAD.rawValue:
        unsafe zygoteLoad(zygote)
    case MAPB_CONTROL_SPAWN.rawValue:
        unsafe zygoteSpawn(zygote, first, second, third)
    case MAPB_CONTROL_KILL.rawValue:
        let slot = unsafe zygote.pointee.message.slot
        if unsafe slot < zygote.pointee.workers {
            let child = unsafe mapb_zygote_child(zygote, slot)!
            if unsafe child.pointee.generation == zygote.pointee.message.generation {
                unsafe mapb_kill_group(child.pointee.pid)
            }
        }
    default:
        break
    }
    mapb_close(first)
    mapb_close(second)
    mapb_close(third)
    return true
}

/// Loads a library now, so that the workers forked later have it. A failure is told, and met again by the workers. A library that
/// leaves something in this process which workers cannot have from it, or which it cannot bear, is told too, and is the end of it:
/// another zygote will do without.
@_noLocks
func zygoteLoad(_ zygote: ZygoteState) {
    var before = mapb_surroundings()
    unsafe mapb_look_around(zygote, &before)
    let number = unsafe zygote.pointee.message.slot
    unsafe withUnsafeMutablePointer(to: &zygote.pointee.answer) { answer in
        unsafe withUnsafeMutablePointer(to: &zygote.pointee.message) { message in
            let text = unsafe mapb_control_text(answer)!
            // Some libraries change how numbers are computed when they are loaded (gcc's -ffast-math does).
            var floating = mapb_floating()
            unsafe mapb_floating_get(&floating)
            let status = unsafe mapb_load_named(message, text, 4096)
            unsafe mapb_floating_set(&floating)
            // What a constructor has printed is the zygote's: workers begin with empty streams.
            mapb_flush_streams()
            if status != 0 { unsafe zygoteSendNote(zygote, answer, MAPE_LOG_ERROR) }
        }
    }
    let change = unsafe mapb_what_changed(zygote, &before)
    unsafe zygoteSend(zygote, MAPB_CONTROL_LOADED, number, 0, 0, change)
    if change != Int32(MAPB_CHANGE_NONE.rawValue) { mapb_zygote_resign() }
}

/// Sends a text for the host's log.
@_noLocks
func zygoteNote(_ zygote: ZygoteState, _ level: mape_log_level, _ message: StaticString) {
    unsafe withUnsafeMutablePointer(to: &zygote.pointee.answer) { answer in
        let text = unsafe mapb_control_text(answer)!
        let size = message.utf8CodeUnitCount < 4095 ? message.utf8CodeUnitCount : 4095
        unsafe mapb_copy(text, message.utf8Start, UInt64(size))
        unsafe text[size] = 0
        unsafe zygoteSendNote(zygote, answer, level)
    }
}

/// Sends the text that stands in `answer`.
@_noLocks
func zygoteSendNote(_ zygote: ZygoteState, _ answer: UnsafeMutablePointer<mapb_control>, _ level: mape_log_level) {
    unsafe answer.pointee.kind = MAPB_CONTROL_NOTE.rawValue
    unsafe answer.pointee.code = Int32(bitPattern: level.rawValue)
    unsafe answer.pointee.text_size = unsafe UInt32(mapb_length(mapb_control_text(answer), 4095)) &+ 1
    _ = unsafe mapb_control_send(zygote.pointee.control, answer, nil, 0, 1)
}

/// Forks a worker. In the child this does not return.
@_noLocks
func zygoteSpawn(_ zygote: ZygoteState, _ output: Int32, _ out: Int32, _ err: Int32) {
    let slot = unsafe zygote.pointee.message.slot
    let generation = unsafe zygote.pointee.message.generation
    if unsafe slot >= zygote.pointee.workers { return }
    mapb_zygote_mind_children()
    let pid = mapb_fork()
    if pid == 0 {
        unsafe mapb_zygote_leave(zygote)
        unsafe mapb_worker_process(zygote, slot, out, err)
        unsafe workerRun(zygote, slot, output, zygote.pointee.message.size)
    }
    if pid < 0 {
        unsafe zygoteSend(zygote, MAPB_CONTROL_SPAWNED, slot, generation, 0, -pid)
        return
    }
    let child = unsafe mapb_zygote_child(zygote, slot)!
    unsafe mapb_zygote_watch(zygote, child, pid)
    unsafe child.pointee.generation = generation
    unsafe zygoteSend(zygote, MAPB_CONTROL_SPAWNED, slot, generation, pid, 0)
}
