// The functions whose setup a worker was asked for: a table of tables, each made when the first of its functions comes.

import CMapBridge

/// Safe, because nothing frees the table that its line is in, and one thread uses it. Its pointers are code and state of the user's:
/// they are only ever handed back, by mapb_call_….
@safe struct LoadedFunction {
    private let pointer: UnsafeMutablePointer<mapb_loaded>

    @_noLocks @inline(__always)
    init(_ pointer: UnsafeMutablePointer<mapb_loaded>) { unsafe self.pointer = pointer }

    var fields: mapb_loaded {
        @_noLocks @inline(__always) unsafeAddress { unsafe UnsafePointer(pointer) }
        @_noLocks @inline(__always) nonmutating unsafeMutableAddress { unsafe pointer }
    }

    var isReady: Bool {
        @_noLocks @inline(__always) get { fields.ready != 0 }
        @_noLocks @inline(__always) nonmutating set { fields.ready = newValue ? 1 : 0 }
    }

    /// The process's state as its setup left it; nil: as the worker began.
    var own: OpaquePointer? {
        @_noLocks @inline(__always) get { unsafe fields.own }
    }
}

/// The tables of what a worker has loaded, none of which is made yet.
@_noLocks
func functionTables() -> UnsafeMutablePointer<UnsafeMutablePointer<mapb_loaded>?>? {
    let count = UInt64(MAPB_MAX_FUNCTIONS / MAPB_FUNCTIONS_PER_TABLE)
    let memory = unsafe mapb_private_memory(count &* UInt64(MemoryLayout<UnsafeRawPointer>.stride))
    return unsafe memory?.assumingMemoryBound(to: UnsafeMutablePointer<mapb_loaded>?.self)
}

@_noLocks @inline(__always)
func functionHasTable(_ task: WorkerTask, _ id: UInt32) -> Bool {
    unsafe id < MAPB_MAX_FUNCTIONS && task.fields.functions[Int(id / MAPB_FUNCTIONS_PER_TABLE)] != nil
}

/// Makes the table that a function's line is in. False: there is no memory for it.
@_noLocks
func functionMakesTable(_ task: WorkerTask, _ id: UInt32) -> Bool {
    if functionHasTable(task, id) { return true }
    let size = UInt64(MAPB_FUNCTIONS_PER_TABLE) &* UInt64(MemoryLayout<mapb_loaded>.stride)
    guard id < MAPB_MAX_FUNCTIONS, let memory = unsafe mapb_private_memory(size) else { return false }
    unsafe task.fields.functions[Int(id / MAPB_FUNCTIONS_PER_TABLE)] = memory.assumingMemoryBound(to: mapb_loaded.self)
    return true
}

/// What a worker has loaded of a function whose setup it was asked for.
@_noLocks @inline(__always)
func functionLoaded(_ task: WorkerTask, _ id: UInt32) -> LoadedFunction {
    let table = unsafe task.fields.functions[Int(id / MAPB_FUNCTIONS_PER_TABLE)]!
    return unsafe LoadedFunction(table + Int(id % MAPB_FUNCTIONS_PER_TABLE))
}

/// Frees what a worker has of a function: its line is another's from now on.
@_noLocks
func functionForget(_ task: WorkerTask, _ id: UInt32) {
    let loaded = functionLoaded(task, id)
    if let native = unsafe loaded.fields.native {
        unsafe mapb_private_memory_free(native, loaded.fields.native_size)
    }
    if unsafe loaded.own != nil {
        // The next function's state may lie at the same address.
        if unsafe task.fields.own == loaded.own {
            workerSuspect(task)
            unsafe task.fields.own = nil
        }
        unsafe mapb_state_forget(&loaded.fields.own)
    }
    if task.entered == id &+ 1 { task.entered = 0 }
    loaded.fields = mapb_loaded()
}
