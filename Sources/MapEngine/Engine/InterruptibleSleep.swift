// The sleeps of a thread that shuts a pool down: an interrupt ends them, and a signal if the pool is set so.

import CMapBridge

final class InterruptibleSleep {
    private let pool: Pool
    private let isInterruptible: Bool
    private let interrupts: UInt32
    /// Nil: signals do not end it.
    private var held: mapb_signals?
    private var wasSignalled = false

    init(_ pool: Pool, isInterruptible: Bool) {
        self.pool = pool
        self.isInterruptible = isInterruptible
        interrupts = pool.fixed.interrupts.seen
        if isInterruptible && pool.config.interruptible {
            var signals = mapb_signals()
            unsafe mapb_signals_hold(&signals)
            held = signals
        }
    }

    deinit {
        if var held { unsafe mapb_signals_let(&held) }
    }

    /// Asked after the counter was read, and before the thread sleeps on it.
    var isInterrupted: Bool {
        isInterruptible && (wasSignalled || pool.fixed.interrupts.came(since: interrupts))
    }

    func sleep(_ seen: UInt32, _ deadline: Int64) {
        guard var signals = held else { return pool.waiters.sleep(seen, deadline) }
        if pool.waiters.sleep(seen, deadline, &signals) { wasSignalled = true }
        held = signals
    }
}
