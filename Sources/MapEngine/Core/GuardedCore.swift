// The pool's core behind its lock: `with` is the only way to it.

import CMapBridge

struct GuardedCore: Sendable {
    private let guarded: Guarded<Core>
    private let leftovers: Leftovers
    private let hook: Hook

    init(_ core: sending Core, _ hook: Hook) {
        leftovers = core.fixed.leftovers
        guarded = Guarded(core)
        self.hook = hook
    }

    /// Runs `body` with the lock held, and follows up on what it has changed. Afterwards, without the lock, notifies the host when events
    /// have come in.
    func with<Result, Failure: Error>(_ body: (Core) throws(Failure) -> Result) throws(Failure) -> Result {
        var notifies = false
        defer {
            if !leftovers.isEmpty { leftovers.clear() }
            if notifies { hook.notify() }
        }
        return try guarded.with { (core) throws(Failure) in
            defer {
                core.followUp()
                notifies = core.events.takeNotice()
            }
            return try body(core)
        }
    }
}
