// That a worker stays one process, in the state that each function expects: looked at wherever user's code has run or is to run.

import CMapBridge

/// After user's code: ends a process that was forked there, and has come back from it.
@_noLocks @inline(__always)
func workerOnly(_ task: Task) {
    if unsafe mapb_is_alone(task) == 0 { mapb_stray_exit() }
}

/// A process takes longer to make than this, however fast the machine: where less time has passed, none was made.
@_noLocks @inline(__always)
func quickestProcess() -> Int64 { 5_000 }

/// After a request's user code, which took so long: ends a process that was made there by vfork(2) and has come back. It shares the
/// worker's memory, so all that it wrote stands, and whose item it was cannot be told: the whole request is suspected, and the host
/// looks for the item by running parts of it. The worker goes as well, since its stack was run over.
@_noLocks
func workerVouch(_ task: Task, took: Int64) {
    unsafe workerOnly(task)
    if unsafe took < quickestProcess() || mapb_process_id() == task.pointee.pid { return }
    unsafe workerMark(task, MAPB_MARK_RANGE | ~MAPB_MARK_RANGE)
    unsafe workerTell(
        task,
        "a process that a function has made by vfork came back from the function, which ends its worker: it has to end by _exit or exec"
    )
    unsafe mapb_end_worker(task.pointee.pid)
}

/// A system call takes longer than this, with the reading of the clock, however fast the machine: a function that was through earlier has
/// changed nothing that only the kernel could have changed for it.
@_noLocks @inline(__always)
func quickestCall() -> Int64 { 60 }

/// Says something for the host's log.
@_noLocks
func workerTell(_ task: Task, _ text: StaticString) {
    unsafe taskLog(
        task, Int32(bitPattern: MAPE_LOG_WARNING.rawValue),
        UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self))
}

/// The end of a worker whose process is no longer what it has to be. What it has published counts, and nobody is blamed: nothing is
/// marked. Its zygote tells the host, which starts another.
@_noLocks
func workerRetire(_ task: Task, _ why: StaticString) -> Never {
    unsafe workerTell(task, why)
    mapb_worker_exit(Int32(bitPattern: MAPB_EXIT_RETIRED.rawValue))
}

/// Whether the bells are there.
@_noLocks
func workerHasBells(_ task: Task) -> Bool {
    unsafe task.pointee.bells.0 < 0
        || (mapb_bell_is_there(task.pointee.bells.0, &task.pointee.bell_files.0) != 0
            && mapb_bell_is_there(task.pointee.bells.1, &task.pointee.bell_files.1) != 0)
}

/// Before code of a function: has the process in the state that the function's setup left. Nothing may be marked meanwhile: what a
/// function before has left may still end the worker, and the one to come is not to blame.
@_noLocks
func workerEnter(_ task: Task, _ own: OpaquePointer?, _ id: UInt32) {
    if unsafe task.pointee.is_suspect == 0 && task.pointee.own == own {
        unsafe mapb_state_enter_lightly(own)
        unsafe task.pointee.entered = id &+ 1
        return
    }
    unsafe workerMark(task, 0)
    if let what = unsafe mapb_state_enter(own, Int32(task.pointee.is_suspect)) {
        let text = unsafe mapb_task_text(task)!
        unsafe mapb_retire_text(text, what)
        unsafe taskLog(task, Int32(bitPattern: MAPE_LOG_WARNING.rawValue), text)
        mapb_worker_exit(Int32(bitPattern: MAPB_EXIT_RETIRED.rawValue))
    }
    unsafe task.pointee.is_suspect = 0
    unsafe task.pointee.own = unsafe own
    unsafe task.pointee.entered = id &+ 1
}

/// After a setup, a cleanup or a module, which may have done anything.
@_noLocks
func workerSuspect(_ task: Task) {
    unsafe workerVouch(task, took: .max)
    unsafe task.pointee.is_suspect = 1
}
