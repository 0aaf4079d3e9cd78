// What every entry point does first and last: it checks that this is the host and the handle is alive, and keeps the
// error. A thread cannot be cancelled inside an entry point, because it would leave locks behind. Calls that sleep
// allow it during the sleep: host_wait.c.
//
// In this folder the host's pointers come in. Whether they are good the header demands and nobody can check: where one is followed, or
// handed further in, is marked unsafe.

import CMapBridge

/// The status that every call returns in a process that has made no pool, although one that it was forked from may have; else nil.
func notHost() -> Int32? {
    if mapb_process_number() != 0 || (mapb_is_worker() == 0 && mapb_is_forked_child() == 0) { return nil }
    return foreign
}

/// What is refused because it is another process's.
var foreign: Int32 { mapb_is_worker() != 0 ? MAPE_E_IN_WORKER.rawValue : MAPE_E_FORKED.rawValue }

/// Makes this process one that may have pools, or throws. A worker may have some; a process that shares the memory of another none.
func becomeHost() throws(MapError) {
    if mapb_shares_host() != 0 {
        throw MapError(
            MAPE_E_FORKED, "a child of vfork uses the memory of its parent: only a child of fork can make pools")
    }
    var call: UnsafePointer<CChar>?
    let why = unsafe mapb_remember_host(&call)
    if why != 0 { throw unsafe .system(call.map { unsafe String(cString: $0) } ?? "", why) }
    guard mapb_is_worker() != 0 else { return }
    let refusal: String? =
        if mapb_is_worker_itself() == 0 {
            "this process is no worker, but a zygote, or was forked by a worker's function: it can make no pool"
        } else if mapb_is_sandboxed() != 0 {
            "a worker in a sandbox (config.sandbox) can make no processes, and so no pool"
        } else if mapb_depth() >= Policy.deepestWorker {
            "this worker is \(mapb_depth()) pools deep: at most \(Policy.deepestWorker) pools can be one inside another"
        } else if Handles.shared.pools >= Policy.poolsInWorker {
            "this worker has \(Policy.poolsInWorker) pools, which is the most"
        } else {
            nil
        }
    if let refusal { throw MapError(MAPE_E_IN_WORKER, refusal) }
}

/// The pool that a live handle belongs to.
func poolOf(_ handle: UInt, _ kind: Handles.Kind) -> Pool? {
    // Nobody but the pool's own calls adds handles.
    Handles.shared.owner(of: handle, kind).map { unsafe unsafeDowncast($0, to: Pool.self) }
}

/// Runs a call that is not on something of a pool.
func enter(_ body: () throws(MapError) -> Void) -> Int32 {
    let cancel = mapb_hold_cancel()
    defer { mapb_let_cancel(cancel) }
    return enterHeld(body)
}

@inline(never) private func enterHeld(_ body: () throws(MapError) -> Void) -> Int32 {
    do {
        try body()
        return MAPE_OK.rawValue
    } catch {
        Handles.shared.setMessage(error.message)
        return error.status
    }
}

/// Runs a call on something of a pool. `name` is the argument's, for messages. Safe, as those below: a handle is a number, which is
/// looked up and never followed.
@safe func enter(
    _ handle: OpaquePointer?, _ kind: Handles.Kind, _ name: String, _ body: (Pool, UInt) throws(MapError) -> Int32
) -> Int32 {
    // The thread may end in the second of these calls: the call between them holds the references.
    let cancel = mapb_hold_cancel()
    defer { mapb_let_cancel(cancel) }
    return enterHeld(handle, kind, name, body)
}

/// The same on a thread that already defers cancellation.
@safe @inline(never) func enterHeld(
    _ handle: OpaquePointer?, _ kind: Handles.Kind, _ name: String, _ body: (Pool, UInt) throws(MapError) -> Int32
) -> Int32 {
    if let status = notHost() { return status }
    guard let handle = unsafe handle else {
        Handles.shared.setMessage("\(name) is NULL")
        return MAPE_E_ARGUMENT.rawValue
    }
    let number = UInt(bitPattern: handle)
    guard let pool = poolOf(number, kind) else {
        if Handles.shared.isForeign(number) {
            Handles.shared.setMessage(
                "\(name) is a handle of the process that this one was forked from: it has to make its own")
            return foreign
        }
        Handles.shared.setMessage("\(name) is no live handle of a \(kind.name): it was released, or never was one")
        return MAPE_E_HANDLE.rawValue
    }
    do {
        return try body(pool, number)
    } catch {
        pool.core.with { $0.life.lastMessage = error.message }
        return error.status
    }
}

/// Runs a call on a job, under its pool's lock.
func enterJob(
    _ handle: OpaquePointer?, _ name: String, _ body: (Core, Job) throws(MapError) -> Int32
) -> Int32 {
    enter(handle, .job, name) { (pool, number) throws(MapError) in
        try pool.core.with { (core) throws(MapError) -> Int32 in try body(core, try core.liveJob(number, name)) }
    }
}

extension Core {
    func liveJob(_ number: UInt, _ name: String) throws(MapError) -> Job {
        guard let job = jobs[number], !job.isReleased else { throw .released(name) }
        return job
    }
}

/// Checks a structure's size field, and reads the structure.
func checked<T: BitwiseCopyable>(_ pointer: UnsafePointer<T>?, _ name: String) throws(MapError) -> T {
    guard let pointer = unsafe pointer else { throw .null(name) }
    // The size comes first: the library reads nothing else before it knows the size.
    let declared = unsafe UnsafeRawPointer(pointer).loadUnaligned(as: Int.self)
    guard declared == MemoryLayout<T>.size else {
        throw MapError(
            MAPE_E_SIZE,
            "\(name)->struct_size is \(declared); this library knows \(MemoryLayout<T>.size): initialise the structure with its _INIT macro"
        )
    }
    return unsafe pointer.pointee
}

func checkSize<T: BitwiseCopyable>(_ pointer: UnsafeMutablePointer<T>?, _ name: String) throws(MapError) -> CFrame<T> {
    guard let pointer = unsafe pointer else { throw .null(name) }
    _ = try unsafe checked(UnsafePointer(pointer), name)
    return unsafe CFrame(pointer)
}
