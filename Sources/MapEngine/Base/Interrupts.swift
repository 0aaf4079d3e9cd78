// The interrupts of a pool, where a signal handler finds them: mapb_interrupt.

import CMapBridge

@safe struct Interrupts: ~Copyable, @unchecked Sendable {
    /// Never freed; another pool's after `close`.
    private let pointer: UnsafeMutablePointer<mapb_interrupts>

    /// - counter: what threads sleep on that do not lead. bell: what wakes the one that does. They are good until `close` has returned.
    /// notifier: what wakes those that a signal wakes as well; negative: there are none.
    init(counter: UnsafeMutablePointer<UInt32>, bell: Int32, notifier: Int32) throws(MapError) {
        guard let made = unsafe mapb_interrupts_open(counter, bell, notifier) else {
            throw MapError(MAPE_E_MEMORY, "out of memory")
        }
        unsafe pointer = made
    }

    /// Lets them be found by the pool's handle; 0: no more.
    func name(_ handle: UInt) { unsafe mapb_interrupts_name(pointer, UnsafeMutableRawPointer(bitPattern: handle)) }

    func close() { unsafe mapb_interrupts_close(pointer) }

    /// For how many of them waits have returned.
    var seen: UInt32 { unsafe mapb_interrupts_seen(pointer) }

    /// Whether there was one since so many. A wait that asks returns for it.
    func came(since seen: UInt32) -> Bool {
        let count = unsafe mapb_interrupts_count(pointer)
        if count == seen { return false }
        unsafe mapb_store32(&pointer.pointee.seen, count)
        return true
    }
}
