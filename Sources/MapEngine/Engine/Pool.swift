// The pool, as threads meet it: the host's, which call in through the C interface, and the engine thread. It may block and call the host;
// what its lock guards is the core's, and `core.with { … }` the only way there.
//
// Files:
//   Pool+Start, Pool+Shutdown, EngineThread   the thread and the zygote, from their start to their end
//   Pool+Register, Pool+Prepare, Pool+Columns what the host submits: checked and copied without the lock, then passed
// to the core
//   Pool+Submit, Pool+Streams                 how that becomes a job, and more items of it
//   Waiting, Pool+Waits                       host threads that wait, and what they wait for
//   Pool+Dispatch                             callbacks of the host, and events that it fetches
//   Proxy                                     a function pointer whose calls are jobs

import CMapBridge

final class Pool: Sendable {
    let fixed: Fixtures
    let hook = Hook()
    let core: GuardedCore

    var config: PoolConfig { fixed.config }
    var waiters: Waiters { fixed.waiters }

    init(_ config: PoolConfig) throws(MapError) {
        fixed = try Fixtures(config)
        core = GuardedCore(try Core(fixed), hook)
    }

    func setHook(_ function: Hook.Function?, _ context: UnsafeMutableRawPointer?) {
        unsafe hook.set(function, context)
        // Otherwise events that came in before there was a hook would wait for the next one.
        if core.with({ !$0.events.isEmpty }) { hook.notify() }
    }
}
