// What every entry point does first and last: is this the host, is the handle alive, and what became of it.

import CMapBridge

/// The status that answers every call outside the host, or nil in the host.
func notHost() -> Int32? {
    if mapb_is_worker() != 0 { return MAPE_E_IN_WORKER.rawValue }
    if mapb_is_forked_child() != 0 { return MAPE_E_FORKED.rawValue }
    return nil
}

/// Runs a call that has no pool yet.
func enter(_ body: () throws(MapError) -> Void) -> Int32 {
    if let status = notHost() { return status }
    do {
        try body()
        return MAPE_OK.rawValue
    } catch {
        Handles.shared.setMessage(error.message)
        return error.status
    }
}

/// Runs a call on something of a pool. `name` is the argument's, for messages.
func enter(
    _ handle: OpaquePointer?, _ kind: Handles.Kind, _ name: String, _ body: (Pool, UInt) throws(MapError) -> Int32
) -> Int32 {
    if let status = notHost() { return status }
    guard let handle = unsafe handle else {
        Handles.shared.setMessage("\(name) is NULL")
        return MAPE_E_ARGUMENT.rawValue
    }
    let number = UInt(bitPattern: handle)
    guard let pool = Handles.shared.pool(of: number, kind) else {
        Handles.shared.setMessage("\(name) is no live handle of a \(kind.name): it was released, or never was one")
        return MAPE_E_HANDLE.rawValue
    }
    do {
        return try body(pool, number)
    } catch {
        pool.locked { pool.lastMessage = error.message }
        return error.status
    }
}

/// Runs a call on a job, under its pool's lock.
func enterJob(
    _ handle: OpaquePointer?, _ name: String, _ body: (Pool, Job) throws(MapError) -> Int32
) -> Int32 {
    unsafe enter(handle, .job, name) { (pool, number) throws(MapError) in
        try pool.locked { () throws(MapError) -> Int32 in try body(pool, try liveJob(pool, number, name)) }
    }
}

func liveJob(_ pool: Pool, _ number: UInt, _ name: String) throws(MapError) -> Job {
    guard let job = pool.jobs[number], !job.isReleased else {
        throw MapError(MAPE_E_HANDLE, "\(name) is no live handle of a job: it was released")
    }
    return job
}

/// Checks a structure's size field, and reads the structure.
func checked<T>(_ pointer: UnsafePointer<T>?, _ name: String, _ size: (T) -> Int) throws(MapError) -> T {
    guard let pointer = unsafe pointer else { throw .null(name) }
    // The size comes first: nothing else is read before it is known to be there.
    let told = unsafe UnsafeRawPointer(pointer).loadUnaligned(as: Int.self)
    guard told == MemoryLayout<T>.size else {
        throw MapError(
            MAPE_E_SIZE,
            "\(name)->struct_size is \(told); this library knows \(MemoryLayout<T>.size): initialise the structure with its _INIT macro"
        )
    }
    return unsafe pointer.pointee
}

/// The same for a structure that has grown: callers of older headers give its first fields, and the others are as in `zero`.
func checked<T>(_ pointer: UnsafePointer<T>?, _ name: String, zero: T, olderSizes: [Int]) throws(MapError) -> T {
    guard let pointer = unsafe pointer else { throw .null(name) }
    let told = unsafe UnsafeRawPointer(pointer).loadUnaligned(as: Int.self)
    guard olderSizes.contains(told) else { return try unsafe checked(pointer, name) { _ in 0 } }
    var grown = zero
    unsafe withUnsafeMutableBytes(of: &grown) {
        unsafe $0.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: told))
    }
    return grown
}

func checkSize<T>(_ pointer: UnsafeMutablePointer<T>?, _ name: String) throws(MapError) -> UnsafeMutablePointer<T> {
    guard let pointer = unsafe pointer else { throw .null(name) }
    _ = try unsafe checked(UnsafePointer(pointer), name) { _ in 0 }
    return unsafe pointer
}
