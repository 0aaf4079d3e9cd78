// The zygote's state: C's mapb_zygote, of which there is one in a process, static. Its pointer is used here and nowhere else.

import CMapBridge

/// Safe, because what it points to is static, is the zygote's one thread's alone, and holds numbers, texts and children, but no pointer.
@safe struct ZygoteState {
    /// For C.
    let pointer: UnsafeMutablePointer<mapb_zygote>

    @_noLocks @inline(__always)
    init(_ pointer: UnsafeMutablePointer<mapb_zygote>) { unsafe self.pointer = pointer }

    private var fields: mapb_zygote {
        @_noLocks @inline(__always) unsafeAddress { unsafe UnsafePointer(pointer) }
        @_noLocks @inline(__always) nonmutating unsafeMutableAddress { unsafe pointer }
    }

    /// The message that was received last.
    var message: mapb_control {
        @_noLocks @inline(__always) unsafeAddress { unsafe UnsafePointer(mapb_zygote_message(pointer)) }
        @_noLocks @inline(__always) nonmutating unsafeMutableAddress { unsafe mapb_zygote_message(pointer) }
    }

    /// The message that is sent next.
    var answer: mapb_control {
        @_noLocks @inline(__always) unsafeAddress { unsafe UnsafePointer(mapb_zygote_answer(pointer)) }
        @_noLocks @inline(__always) nonmutating unsafeMutableAddress { unsafe mapb_zygote_answer(pointer) }
    }

    /// Room for 4096 bytes, in the message that is sent next.
    var text: UnsafeMutablePointer<CChar> {
        @_noLocks @inline(__always) get { unsafe mapb_control_text(&answer) }
    }

    /// The child of a place below MAPB_MAX_WORKERS.
    subscript(slot: UInt32) -> mapb_child {
        @_noLocks @inline(__always) unsafeAddress { unsafe UnsafePointer(mapb_zygote_child(pointer, slot)!) }
        @_noLocks @inline(__always) nonmutating unsafeMutableAddress { unsafe mapb_zygote_child(pointer, slot)! }
    }
}

/// The numbers: mapb_zygote says what each is.
extension ZygoteState {
    var control: Int32 {
        @_noLocks @inline(__always) get { fields.control }
        @_noLocks @inline(__always) nonmutating set { fields.control = newValue }
    }
    var signals: Int32 {
        @_noLocks @inline(__always) get { fields.signals }
        @_noLocks @inline(__always) nonmutating set { fields.signals = newValue }
    }
    var input: Int32 {
        @_noLocks @inline(__always) get { fields.input }
        @_noLocks @inline(__always) nonmutating set { fields.input = newValue }
    }
    var inputSize: UInt64 {
        @_noLocks @inline(__always) get { fields.input_size }
        @_noLocks @inline(__always) nonmutating set { fields.input_size = newValue }
    }
    var engineBell: Int32 {
        @_noLocks @inline(__always) get { fields.bells.0 }
        @_noLocks @inline(__always) nonmutating set { fields.bells.0 = newValue }
    }
    var waiterBell: Int32 {
        @_noLocks @inline(__always) get { fields.bells.1 }
        @_noLocks @inline(__always) nonmutating set { fields.bells.1 = newValue }
    }
    var depth: UInt32 {
        @_noLocks @inline(__always) get { fields.depth }
        @_noLocks @inline(__always) nonmutating set { fields.depth = newValue }
    }
    var line: UInt32 {
        @_noLocks @inline(__always) get { fields.line }
        @_noLocks @inline(__always) nonmutating set { fields.line = newValue }
    }
    var mark: Int32 {
        @_noLocks @inline(__always) get { fields.mark }
        @_noLocks @inline(__always) nonmutating set { fields.mark = newValue }
    }
    var pid: Int32 {
        @_noLocks @inline(__always) get { fields.pid }
        @_noLocks @inline(__always) nonmutating set { fields.pid = newValue }
    }
    var nice: Int32 {
        @_noLocks @inline(__always) get { fields.nice }
        @_noLocks @inline(__always) nonmutating set { fields.nice = newValue }
    }
    var workers: UInt32 {
        @_noLocks @inline(__always) get { fields.workers }
        @_noLocks @inline(__always) nonmutating set { fields.workers = newValue }
    }
    var flags: UInt32 {
        @_noLocks @inline(__always) get { fields.flags }
        @_noLocks @inline(__always) nonmutating set { fields.flags = newValue }
    }
    var oom: Int32 {
        @_noLocks @inline(__always) get { fields.oom }
        @_noLocks @inline(__always) nonmutating set { fields.oom = newValue }
    }
    var looksLeft: UInt32 {
        @_noLocks @inline(__always) get { fields.checks_left }
        @_noLocks @inline(__always) nonmutating set { fields.checks_left = newValue }
    }
    var threads: UInt32 {
        @_noLocks @inline(__always) get { fields.threads }
        @_noLocks @inline(__always) nonmutating set { fields.threads = newValue }
    }
    var memoryLimit: UInt64 {
        @_noLocks @inline(__always) get { fields.memory_limit }
        @_noLocks @inline(__always) nonmutating set { fields.memory_limit = newValue }
    }
    var cancelSignal: Int32 {
        @_noLocks @inline(__always) get { fields.cancel_signal }
        @_noLocks @inline(__always) nonmutating set { fields.cancel_signal = newValue }
    }
    var growth: UInt64 {
        @_noLocks @inline(__always) get { fields.growth }
        @_noLocks @inline(__always) nonmutating set { fields.growth = newValue }
    }
}
