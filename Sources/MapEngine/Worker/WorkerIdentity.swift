// Keeps a worker one process, in the state that each function expects: checked wherever user code has run or is about
// to run.

import CMapBridge

/// After user's code: ends a process that was forked there, and has come back from it.
@_noLocks @inline(__always)
func workerOnly(_ task: WorkerTask) {
    if !task.isAlone { mapb_stray_exit() }
}

/// Making a process takes longer than this on any machine: if less time has passed, none was made.
@_noLocks @inline(__always)
func quickestProcess() -> Int64 { 5_000 }

/// Called after a request's user code, which took `took`: ends a process that was made there by vfork(2) and has come
/// back. That process shares the worker's memory, so all that it wrote stands, and its item is unknown: the whole
/// request is suspected, and the host searches for the item by running parts of it. The worker ends too, because its
/// stack is overwritten.
@_noLocks
func workerVouch(_ task: WorkerTask, took: Int64) {
    workerOnly(task)
    if took < quickestProcess() || mapb_process_id() == task.pid { return }
    workerMark(task, MAPB_MARK_RANGE | ~MAPB_MARK_RANGE)
    workerLog(
        task,
        "a process that a function has made by vfork came back from the function, which ends its worker: it has to end by _exit or exec"
    )
    mapb_end_worker(task.pid)
}

/// A system call takes longer than this, with the reading of the clock, however fast the machine: a function that was through earlier has
/// changed nothing that only the kernel could have changed for it.
@_noLocks @inline(__always)
func quickestCall() -> Int64 { 60 }

/// Sends a text to the host's log.
@_noLocks
func workerLog(_ task: WorkerTask, _ text: StaticString) {
    unsafe taskLog(
        task, Int32(bitPattern: MAPE_LOG_WARNING.rawValue),
        UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self))
}

/// Ends a worker whose process is no longer as it must be. What it has published counts, and no item is blamed, because
/// nothing is marked. The zygote reports the end to the host, which starts another worker.
@_noLocks
func workerRetire(_ task: WorkerTask, _ why: StaticString) -> Never {
    workerLog(task, why)
    mapb_worker_exit(Int32(bitPattern: MAPB_EXIT_RETIRED.rawValue))
}

/// Called before code of a function: restores the process to the state that the function's setup left. Nothing may be
/// marked meanwhile: what an earlier function has left may still end the worker, and the next item is not the culprit.
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

/// Called after a setup, a cleanup or a module, which may have changed anything.
@_noLocks
func workerSuspect(_ task: WorkerTask) {
    workerVouch(task, took: .max)
    task.isSuspect = true
}
