// Threads of the host that sleep until something has changed: a counter, and how many sleep on it.

import CMapBridge

@safe final class Waiters: Sendable {
    private let cells = Cells<UInt32>(2, 0)
    private var word: UnsafeMutablePointer<UInt32> { unsafe cells.first }
    private var sleepers: UnsafeMutablePointer<UInt32> { unsafe cells.first + 1 }

    /// The counter; read it before looking whether there is anything to wait for.
    var changes: UInt32 { unsafe mapb_load32(word) }

    /// Has every waiting thread look again. With the pool's lock held, so that one thread at a time counts.
    func wake() {
        unsafe mapb_store32(word, mapb_peek32(word) &+ 1)
        mapb_fence()
        if unsafe mapb_peek32(sleepers) > 0 { unsafe mapb_word_wake_local(word) }
    }

    /// Sleeps until the counter is no longer `seen`, or the deadline. Without the pool's lock.
    func sleep(_ seen: UInt32, _ deadline: Int64) {
        _ = unsafe beginSleep()
        let rest = deadline == .max ? -1 : max(0, deadline - mapb_clock())
        unsafe mapb_word_wait_local(word, seen, rest)
        endSleep()
    }

    /// The calling thread is about to sleep on the counter.
    func beginSleep() -> UnsafePointer<UInt32> {
        unsafe mapb_add32(sleepers, 1)
        mapb_fence()
        return unsafe UnsafePointer(word)
    }

    func endSleep() { unsafe mapb_add32(sleepers, UInt32.max) }
}
