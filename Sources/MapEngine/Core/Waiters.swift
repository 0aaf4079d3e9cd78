// Threads of the host that sleep until something has changed: a counter, and how many sleep on it.

import CMapBridge

@safe final class Waiters: Sendable {
    private let word = Word32()
    private let sleepers = Word32()

    /// The counter. Read it before checking whether there is anything to wait for.
    var changes: UInt32 { word.loaded }

    /// Where the counter is, for mapb_interrupt, which changes it without the pool's lock.
    var place: UnsafeMutablePointer<UInt32> { unsafe word.pointer }

    /// Makes every waiting thread check again.
    func wake() {
        word.add(1)
        mapb_fence()
        if sleepers.peeked > 0 { word.wake() }
    }

    /// Sleeps until the counter is no longer `seen`, or the deadline. Without the pool's lock.
    func sleep(_ seen: UInt32, _ deadline: Int64) {
        let word = unsafe beginSleep()
        let rest = deadline == .max ? -1 : max(0, deadline - mapb_clock())
        unsafe mapb_word_wait_local(word, seen, rest)
        endSleep()
    }

    /// The same, until a signal's handler has run, which it returns.
    func sleep(_ seen: UInt32, _ deadline: Int64, _ held: mapb_signals) -> Bool {
        var held = held
        let word = unsafe beginSleep()
        defer { endSleep() }
        let rest = deadline == .max ? -1 : max(0, deadline - mapb_clock())
        return unsafe mapb_signals_wait_local(&held, word, seen, rest) != 0
    }

    /// Announces that the calling thread is about to sleep on the counter.
    func beginSleep() -> UnsafePointer<UInt32> {
        sleepers.add(1)
        mapb_fence()
        return unsafe UnsafePointer(word.pointer)
    }

    func endSleep() { sleepers.add(UInt32.max) }
}
