// Threads of the host that sleep until something has changed: a counter, and how many sleep on it.

import CMapBridge

@safe final class Waiters: Sendable {
    private let word = Word32()
    private let sleepers = Word32()
    /// Of a pool that is interruptible: wakes those whose sleep a signal ends. Negative: nobody's is.
    let notifier: Int32
    private let owner: Descriptor?

    init() {
        notifier = -1
        owner = nil
    }

    /// For a pool that is interruptible.
    init(notifying: consuming Descriptor) {
        notifier = notifying.number
        owner = consume notifying
    }

    /// The counter. Read it before checking whether there is anything to wait for.
    var changes: UInt32 { word.loaded }

    /// Where the counter is, for mapb_interrupt, which changes it without the pool's lock.
    var place: UnsafeMutablePointer<UInt32> { unsafe word.pointer }

    /// Makes every waiting thread check again.
    func wake() {
        word.add(1)
        mapb_fence()
        if sleepers.peeked > 0 {
            word.wake()
            if notifier >= 0 { mapb_notifier_notify(notifier) }
        }
    }

    /// Sleeps until the counter is no longer `seen`, or the deadline. Without the pool's lock.
    func sleep(_ seen: UInt32, _ deadline: Int64) {
        let word = unsafe beginSleep()
        let rest = deadline == .max ? -1 : max(0, deadline - mapb_clock())
        unsafe mapb_word_wait_local(word, seen, rest)
        endSleep()
    }

    /// The same, until a signal's handler has run, which it returns. For threads that sleep lightly.
    func sleep(_ seen: UInt32, _ deadline: Int64, _ held: inout mapb_signals) -> Bool {
        let word = unsafe beginSleep()
        defer { endSleep() }
        let rest = deadline == .max ? -1 : max(0, deadline - mapb_clock())
        unsafe mapb_signals_prepare(&held, notifier)
        return unsafe mapb_signals_wait_changes(&held, word, seen, rest) != 0
    }

    /// Announces that the calling thread is about to sleep on the counter.
    func beginSleep() -> UnsafePointer<UInt32> {
        sleepers.add(1)
        mapb_fence()
        return unsafe UnsafePointer(word.pointer)
    }

    func endSleep() { sleepers.add(UInt32.max) }
}
