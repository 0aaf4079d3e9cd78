// That a worker stays one process, in the state that each function expects: looked at wherever user's code has run or is to run.

import CMapBridge

/// After user's code: ends a process that was forked there, and has come back from it.
@_noLocks @inline(__always)
func workerOnly(_ task: WorkerTask) {
    if !task.isAlone { mapb_stray_exit() }
}

/// A process takes longer to make than this, however fast the machine: where less time has passed, none was made.
@_noLocks @inline(__always)
func quickestProcess() -> Int64 { 5_000 }

/// After a request's user code, which took so long: ends a process that was made there by vfork(2) and has come back. It shares the
/// worker's memory, so all that it wrote stands, and whose item it was cannot be told: the whole request is suspected, and the host
/// looks for the item by running parts of it. The worker goes as well, since its stack was run over.
@_noLocks
func workerVouch(_ task: WorkerTask, took: Int64) {
    workerOnly(task)
    if took < quickestProcess() || mapb_process_id() == task.pid { return }
    workerMark(task, MAPB_MARK_RANGE | ~MAPB_MARK_RANGE)
    workerTell(
        task,
        "a process that a function has made by vfork came back from the function, which ends its worker: it has to end by _exit or exec"
    )
    mapb_end_worker(task.pid)
}

/// A system call takes longer than this, with the reading of the clock, however fast the machine: a function that was through earlier has
/// changed nothing that only the kernel could have changed for it.
@_noLocks @inline(__always)
func quickestCall() -> Int64 { 60 }

/// Says something for the host's log.
@_noLocks
func workerTell(_ task: WorkerTask, _ text: StaticString) {
    unsafe taskLog(
        task, Int32(bitPattern: MAPE_LOG_WARNING.rawValue),
        UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self))
}

/// The end of a worker whose process is no longer what it has to be. What it has published counts, and nobody is blamed: nothing is
/// marked. Its zygote tells the host, which starts another.
@_noLocks
func workerRetire(_ task: WorkerTask, _ why: StaticString) -> Never {
    workerTell(task, why)
    mapb_worker_exit(Int32(bitPattern: MAPB_EXIT_RETIRED.rawValue))
}

/// Before code of a function: has the process in the state that the function's setup left. Nothing may be marked meanwhile: what a
/// function before has left may still end the worker, and the one to come is not to blame.
@_noLocks
func workerEnter(_ task: WorkerTask, _ own: OpaquePointer?, _ id: UInt32) {
    if unsafe !task.isSuspect && task.fields.own == own {
        unsafe mapb_state_enter_lightly(own)
        task.entered = id &+ 1
        return
    }
    workerMark(task, 0)
    if let what = unsafe mapb_state_enter(own, task.isSuspect ? 1 : 0) {
        unsafe mapb_retire_text(task.text, what)
        unsafe taskLog(task, Int32(bitPattern: MAPE_LOG_WARNING.rawValue), task.text)
        mapb_worker_exit(Int32(bitPattern: MAPB_EXIT_RETIRED.rawValue))
    }
    task.isSuspect = false
    unsafe task.fields.own = own
    task.entered = id &+ 1
}

/// After a setup, a cleanup or a module, which may have done anything.
@_noLocks
func workerSuspect(_ task: WorkerTask) {
    workerVouch(task, took: .max)
    task.isSuspect = true
}
