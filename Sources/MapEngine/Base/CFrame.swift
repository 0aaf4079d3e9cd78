import CMapBridge

/// A structure of the function of C that has called the engine, and goes on when the engine returns: a wait, a dispatch, a call of a
/// proxy (mapb_wait.h), or where the host wants an answer. Safe, because it is there until then, is one thread's, and nobody keeps this
/// any longer. A pointer that stands in the structure is as unsafe as ever.
@safe struct CFrame<Value> {
    let pointer: UnsafeMutablePointer<Value>

    @inline(__always) init(_ pointer: UnsafeMutablePointer<Value>) { unsafe self.pointer = pointer }

    var pointee: Value {
        @inline(__always) unsafeAddress { unsafe UnsafePointer(pointer) }
        @inline(__always) nonmutating unsafeMutableAddress { unsafe pointer }
    }
}

extension CFrame<mapb_calling> {
    /// The wait for the call's end.
    var wait: CFrame<mapb_wait> { unsafe CFrame<mapb_wait>(&pointee.wait) }
}
