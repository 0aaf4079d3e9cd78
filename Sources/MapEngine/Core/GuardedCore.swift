// The pool's core behind its lock: `with` is the only access.

import CMapBridge

final class GuardedCore: @unchecked Sendable {
    private let lock = Lock()
    private let core: Core
    private let leftovers: Leftovers
    private let hook: Hook

    init(_ core: sending Core, _ hook: Hook) {
        leftovers = core.fixed.leftovers
        self.core = core
        self.hook = hook
    }

    /// Runs `body` with the lock held, and follows up on what it has changed. Afterwards, without the lock, notifies the host when events
    /// have come in.
    @inline(__always)
    func with<Result, Failure: Error>(_ body: (Core) throws(Failure) -> Result) throws(Failure) -> Result {
        enter()
        defer { leave() }
        return try body(core)
    }

    @inline(never)
    private func enter() { lock.lock() }

    @inline(never)
    private func leave() {
        core.followUp()
        core.clock.forget()
        let notifies = core.events.consumeNotice()
        lock.unlock()
        if !leftovers.isEmpty { leftovers.clear() }
        if notifies { hook.notify() }
    }
}
