// Threads of the host that sleep until something has changed: a counter, and how many sleep on it.

import CMapBridge

@safe final class Waiters: Sendable {
    private let word = Word32()
    private let sleepers = Word32()

    /// The counter. Read it before checking whether there is anything to wait for.
    var changes: UInt32 { word.loaded }

    /// Makes every waiting thread check again. With the pool's lock held, so that one thread at a time changes the
    /// counter.
    func wake() {
        word.advance()
        mapb_fence()
        if sleepers.peeked > 0 { word.wake() }
    }

    /// Sleeps until the counter is no longer `seen`, or the deadline. Without the pool's lock.
    func sleep(_ seen: UInt32, _ deadline: Int64) {
        _ = unsafe beginSleep()
        let rest = deadline == .max ? -1 : max(0, deadline - mapb_clock())
        word.wait(while: seen, rest)
        endSleep()
    }

    /// Announces that the calling thread is about to sleep on the counter.
    func beginSleep() -> UnsafePointer<UInt32> {
        sleepers.add(1)
        mapb_fence()
        return unsafe UnsafePointer(word.pointer)
    }

    func endSleep() { sleepers.add(UInt32.max) }
}
