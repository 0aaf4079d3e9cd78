// The zygote: a process with one thread that forks workers, reaps them, and reports.
//
//   host ──INIT, STDERR, LOAD, SPAWN, KILL, INTERRUPT──► zygote ──fork──► workers
//   host ◄──HELLO, LOADED, HOOK, SPAWNED, DIED, NOTE── zygote ◄──pidfds, SIGCHLD── workers
//
// It runs after a fork of the host (MAPE_START_FORK) or as a program of its own (MAPE_START_EXEC); the code is the same. Every
// function here is @_noLocks: the compiler proves that none touches the Swift runtime, whose locks a fork may have left taken. What is
// marked unsafe are calls of C that are given the state or a text in it.

import CMapBridge

/// The zygote's life: until the host closes the control socket, or ends.
@_noLocks
@_cdecl("mapb_zygote_run")
func zygoteRun(_ control: Int32, _ parent: Int32) -> Never {
    let zygote = unsafe ZygoteState(mapb_zygote_state())
    // The host, to which the same is denied, names what it is.
    if unsafe mapb_calls_denied(MAPB_CALLS_ZYGOTE, zygote.text, 4096) > 0 {
        mapb_exit(Int32(bitPattern: MAPB_EXIT_DENIED.rawValue))
    }
    mapb_fill_standard_files()
    zygote.control = control
    zygote.signals = mapb_zygote_signals()
    zygote.input = -1
    zygote.pid = mapb_process_id()
    zygote.mark = mapb_own_mark()
    if zygote.signals < 0 || mapb_zygote_process(parent) != 0 { mapb_exit(1) }
    if unsafe mapb_zygote_open(zygote.pointer) != 0 { mapb_exit(1) }
    mapb_crash_prepare()
    // What a program has printed before it became the zygote is its own to write, and not the workers'. With a snapshot, the streams
    // are the host's, and empty.
    mapb_flush_streams()
    let exitsHang = mapb_exit_prepare() != 0
    let threads = mapb_thread_count()
    zygote.threads = threads
    zygoteSend(
        zygote, MAPB_CONTROL_HELLO, mapb_has_hooks() != 0 ? 1 : 0, 0, Int32(truncatingIfNeeded: threads),
        Int32(MAPB_PROTOCOL))
    zygoteReportsDenied(zygote)
    if exitsHang {
        zygoteNote(
            zygote, MAPE_LOG_WARNING,
            "a thread of the host was registering an exit handler when the snapshot was made: a function that calls exit will hang"
        )
    }
    while true {
        let what = unsafe mapb_zygote_wait(zygote.pointer)
        if what == Int32(MAPB_ZYGOTE_CHILD.rawValue) || what == Int32(MAPB_ZYGOTE_WORKER.rawValue) {
            zygoteReap(zygote, ofWorker: what == Int32(MAPB_ZYGOTE_WORKER.rawValue))
        }
        if what == Int32(MAPB_ZYGOTE_CONTROL.rawValue) && !zygoteReceive(zygote) { zygoteEnd(zygote) }
    }
}

/// Reports the denied system calls that the zygote can do without: some setting is not in force then.
@_noLocks
func zygoteReportsDenied(_ zygote: ZygoteState) {
    if unsafe mapb_denied_text(zygote.text, 4096) > 0 { zygoteSendNote(zygote, MAPE_LOG_WARNING) }
}

/// The host is gone, or wants us gone: so are the workers, and what they have started. Killed processes leave their children to this
/// one, so that it goes on until it has none, or time is over.
@_noLocks
func zygoteEnd(_ zygote: ZygoteState) -> Never {
    let end = mapb_clock() &+ zygotePatience()
    while true {
        var workers: UInt32 = 0
        var slot: UInt32 = 0
        while slot < zygote.workers {
            let pid = zygote[slot].pid
            if pid > 0 {
                mapb_kill_group(pid)
                workers &+= 1
            }
            slot &+= 1
        }
        let strays = unsafe mapb_kill_strays(zygote.pointer, 1)
        if strays <= 0 && workers == 0 { mapb_exit(0) }
        if mapb_wait_children(zygote.signals) == 0 || mapb_clock() >= end { mapb_exit(0) }
        while true {
            let pid = mapb_ended_child()
            if pid <= 0 { break }
            _ = mapb_reap(pid)
            _ = zygoteForget(zygote, pid)
        }
    }
}

/// The host kills the zygote after Policy.zygoteGrace; it is to have ended before.
@_noLocks @inline(__always)
func zygotePatience() -> Int64 { 800_000_000 }

/// Removes an ended worker from the table. Returns its place; nil when the process was no worker.
@_noLocks
func zygoteForget(_ zygote: ZygoteState, _ pid: Int32) -> UInt32? {
    var slot: UInt32 = 0
    while slot < zygote.workers {
        if zygote[slot].pid == pid {
            unsafe mapb_zygote_unwatch(zygote.pointer, &zygote[slot])
            return slot
        }
        slot &+= 1
    }
    return nil
}

/// Sends a message without text. If the host is gone, the next receive notices it.
@_noLocks
func zygoteSend(
    _ zygote: ZygoteState, _ kind: mapb_control_kind, _ slot: UInt32, _ generation: UInt64, _ pid: Int32, _ code: Int32
) {
    zygote.answer.kind = kind.rawValue
    zygote.answer.slot = slot
    zygote.answer.generation = generation
    zygote.answer.pid = pid
    zygote.answer.code = code
    zygote.answer.size = UInt64(MAPB_VERSION)
    zygote.answer.text_size = 0
    _ = unsafe mapb_control_send(zygote.control, &zygote.answer, nil, 0, 1)
}

/// Reports every child that has ended. Orphans of workers are reaped as well, and not reported; those whose worker is gone are
/// killed. Their end comes here again, and by then what they had started are orphans: so it ends when none is left.
/// - ofWorker: a watch has reported it.
@_noLocks
func zygoteReap(_ zygote: ZygoteState, ofWorker: Bool) {
    mapb_notifier_drain(zygote.signals)
    let checksAgain = zygote.looksLeft > 0
    var hasReaped = false
    while true {
        let pid = mapb_ended_child()
        if pid <= 0 { break }
        zygoteReapOne(zygote, pid)
        hasReaped = true
    }
    if ofWorker && !hasReaped { zygoteReapUnseen(zygote) }
    if !hasReaped && !ofWorker && !checksAgain { return }
    let strays = unsafe mapb_kill_strays(zygote.pointer, 0)
    // SIGCHLD reports their end, unless another thread of this process receives it.
    if strays == 0 { zygote.looksLeft = 0 }
    if strays > 0 && zygote.looksLeft == 0 { zygote.looksLeft = strayChecks() }
}

/// A second in all: a process that lives on after SIGKILL for that long is stuck in the kernel.
@_noLocks @inline(__always)
func strayChecks() -> UInt32 { 100 }

@_noLocks
func zygoteReapOne(_ zygote: ZygoteState, _ pid: Int32) {
    let status = mapb_reap(pid)
    guard let slot = zygoteForget(zygote, pid) else { return }
    let generation = zygote[slot].generation
    zygoteSend(zygote, MAPB_CONTROL_DIED, slot, generation, pid, status)
}

/// Reports workers that other code in this process has waited for, or that nobody can wait for because SIGCHLD is
/// ignored: only their watch shows their end.
@_noLocks
func zygoteReapUnseen(_ zygote: ZygoteState) {
    var slot: UInt32 = 0
    while slot < zygote.workers {
        if unsafe zygote[slot].pid > 0 && mapb_has_ended(&zygote[slot]) != 0 { zygoteReapOne(zygote, zygote[slot].pid) }
        slot &+= 1
    }
}

/// Handles one message. False: the host is gone.
@_noLocks
func zygoteReceive(_ zygote: ZygoteState) -> Bool {
    var first: Int32 = -1
    var second: Int32 = -1
    var third: Int32 = -1
    let got = unsafe mapb_control_receive_three(zygote.control, &zygote.message, &first, &second, &third)
    if got < 0 { return true }
    if got == 0 { return false }
    switch zygote.message.kind {
    case MAPB_CONTROL_INIT.rawValue:
        zygote.input = first
        zygote.engineBell = second
        zygote.waiterBell = third
        zygote.inputSize = zygote.message.size
        zygote.memoryLimit = zygote.message.memory_limit
        zygote.nice = zygote.message.nice
        zygote.depth = zygote.message.depth
        zygote.line = zygote.message.line
        zygote.flags = zygote.message.flags
        zygote.oom = zygote.message.oom
        zygote.growth = zygote.message.growth
        zygote.cancelSignal = zygote.message.cancel_signal
        if unsafe mapb_kill_strays(zygote.pointer, 0) < 0 {
            zygoteNote(
                zygote, MAPE_LOG_INFO,
                "this system does not list the children of a process (CONFIG_PROC_CHILDREN): processes that leave a worker's process group are not ended with it"
            )
        }
        return true
    case MAPB_CONTROL_LOAD.rawValue:
        zygoteLoad(zygote)
    case MAPB_CONTROL_SPAWN.rawValue:
        zygoteSpawn(zygote, first, second, third)
    case MAPB_CONTROL_KILL.rawValue:
        let slot = zygote.message.slot
        if slot < zygote.workers && zygote[slot].generation == zygote.message.generation {
            mapb_kill_group(zygote[slot].pid)
        }
    case MAPB_CONTROL_STDERR.rawValue:
        mapb_print_to(first)
    case MAPB_CONTROL_INTERRUPT.rawValue:
        let slot = zygote.message.slot
        if slot < zygote.workers && zygote[slot].generation == zygote.message.generation {
            mapb_interrupt_worker(zygote[slot].pid)
        }
    default:
        break
    }
    mapb_close(first)
    mapb_close(second)
    mapb_close(third)
    return true
}

/// Loads a library now, so that the workers forked later have it. Reports a failure, which the workers meet again.
/// Reports as well a library that leaves in this process what workers cannot inherit, or what makes it unfit; then it
/// ends, and another zygote does not load that library.
@_noLocks
func zygoteLoad(_ zygote: ZygoteState) {
    var before = mapb_surroundings()
    unsafe mapb_look_around(zygote.pointer, &before)
    let number = zygote.message.slot
    // Some libraries change how numbers are computed when they are loaded (gcc's -ffast-math does).
    var floating = mapb_floating()
    unsafe mapb_floating_get(&floating)
    let status = unsafe mapb_load_named(&zygote.message, zygote.text, 4096)
    unsafe mapb_floating_set(&floating)
    // What a constructor has printed is the zygote's: workers begin with empty streams.
    mapb_flush_streams()
    if status != 0 { zygoteSendNote(zygote, MAPE_LOG_ERROR) }
    let change = unsafe mapb_what_changed(zygote.pointer, &before)
    zygoteSend(zygote, MAPB_CONTROL_LOADED, number, 0, 0, change)
    if change != Int32(MAPB_CHANGE_NONE.rawValue) { mapb_zygote_resign() }
}

/// Sends a text for the host's log.
@_noLocks
func zygoteNote(_ zygote: ZygoteState, _ level: mape_log_level, _ message: StaticString) {
    let size = message.utf8CodeUnitCount < 4095 ? message.utf8CodeUnitCount : 4095
    unsafe mapb_copy(zygote.text, message.utf8Start, UInt64(size))
    unsafe zygote.text[size] = 0
    zygoteSendNote(zygote, level)
}

/// Sends the text that stands in `answer`.
@_noLocks
func zygoteSendNote(_ zygote: ZygoteState, _ level: mape_log_level) {
    zygote.answer.kind = MAPB_CONTROL_NOTE.rawValue
    zygote.answer.code = Int32(bitPattern: level.rawValue)
    zygote.answer.text_size = unsafe UInt32(mapb_length(zygote.text, 4095)) &+ 1
    _ = unsafe mapb_control_send(zygote.control, &zygote.answer, nil, 0, 1)
}

/// Forks a worker. In the child this does not return.
@_noLocks
func zygoteSpawn(_ zygote: ZygoteState, _ output: Int32, _ out: Int32, _ err: Int32) {
    let slot = zygote.message.slot
    let generation = zygote.message.generation
    if slot >= MAPB_MAX_WORKERS { return }
    if slot >= zygote.workers { zygote.workers = slot &+ 1 }
    mapb_zygote_mind_children()
    zygoteHook(zygote, MAPB_HOOK_BEFORE)
    let pid = mapb_fork()
    if pid == 0 {
        unsafe mapb_zygote_leave(zygote.pointer)
        unsafe mapb_worker_process(zygote.pointer, slot, out, err)
        workerRun(zygote, slot, output, zygote.message.size)
    }
    if pid > 0 {
        unsafe mapb_zygote_watch(zygote.pointer, &zygote[slot], pid)
        zygote[slot].generation = generation
    }
    zygoteHook(zygote, MAPB_HOOK_AFTER_IN_ZYGOTE)
    if pid < 0 {
        zygoteSend(zygote, MAPB_CONTROL_SPAWNED, slot, generation, 0, -pid)
        return
    }
    zygoteSend(zygote, MAPB_CONTROL_SPAWNED, slot, generation, pid, 0)
}

/// Runs a hook of the program, if there is one. The host hears of it first: it names the hook when the zygote dies there, and ends a
/// zygote that stays there. SPAWNED tells that it is over.
@_noLocks
func zygoteHook(_ zygote: ZygoteState, _ which: mapb_hook) {
    if mapb_has_hook(which.rawValue) == 0 { return }
    zygoteSend(zygote, MAPB_CONTROL_HOOK, 0, 0, 0, Int32(bitPattern: which.rawValue))
    mapb_run_hook(which.rawValue)
}
