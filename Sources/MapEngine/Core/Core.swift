// The core: everything of a pool that its lock guards.
//
//   host threads ──ABI──► Pool ──┐
//                                ├─► core.with { … } ─► ┌ Core ──────────────────────────────────────────┐
//   engine thread ───────────────┘                      │ jobs → work → assign ─► workers' inboxes       │
//   (bells, control socket,                             │ events ◄ jobs ◄ pump ◄─ workers' outboxes      │
//    pipes, deadlines)                                  │ registry, clock, doorbell, brake, zygote       │
//                                                       └── followUp() ──► unlock ──► wakeup hook ───────┘
//
// Nothing in the core blocks, calls the host, or knows threads: these belong to the pool (Engine/). The thread that
// holds the lock may move data: the engine thread when a bell or a deadline wakes it, a host thread that waits for a
// job or dispatches. Per range the lock is taken at most once, per item never. Work whose length depends on the host's
// bytes (copying, mapping, unmapping, writing files) is done outside.
//
// Files:
//   GuardedCore                        the lock, and `with`, the only way in
//   Core+FollowUp                      what follows from each change, done once before unlocking
//   Core+Jobs, +Streams, +Delivery     a job from its submission to its release; its items; what the host hears of it
//   Core+Assign, +Pump, +TakeBack      assigning ranges, accepting replies, reclaiming unstarted items
//   Core+Deaths, +Crashes, Postmortem  deaths of workers, and their reports (CrashFolder)
//   Core+Start, +Recycle, +Zygote      workers and zygote (ZygoteClient, its ZygoteProgram and ZygoteErrors); RestartBrake
//   Core+Resize                        more workers, and fewer
//   Core+Remote, +Lanes, Remote        other machines: the helper that speaks with them, and its lanes
//   Core+Registry, +Libraries          functions, globals, modules, buffers
//   Core+Turn, +Deadlines, +Doorbell   a turn of the engine thread; time limits; whom workers wake
//   Core+Waits, Waiters                whether what a host thread waits for is there; what such threads sleep on
//   Core+Output, +Stats, +Shutdown     what workers print; what the host may ask; the steps of a shutdown
//   Figures                            what the pool counts, where other processes can read it
//   Parts, Fixtures                    the small parts; what a pool keeps as it is, used with and without the lock
//   WorkQueue, JobRegister, JobTable, Deadlines   the jobs: in order of their turn, by handle, by time

import CMapBridge

final class Core {
    let fixed: Fixtures
    var life = Life()
    let table: WorkerTable
    var registry = Registry()
    var jobs = JobRegister()
    /// Jobs that have items for workers.
    var work = WorkQueue()
    var clock = Clock()
    var doorbell = Doorbell()
    var brake = RestartBrake()
    var events = EventQueue()
    let figures: Figures
    var zygote: Zygote? { didSet { figures.show(zygote: zygote?.pid ?? 0) } }
    var errands = Errands()
    var touched = Touched()
    /// Nil: there are no other machines.
    let remote: Remote?

    init(_ fixed: Fixtures) throws(MapError) {
        self.fixed = fixed
        figures = Figures(fixed.input)
        let config = fixed.config
        table = WorkerTable(
            PoolSize(
                count: config.workers, idleTime: config.limits.idleTime, least: config.limits.leastWorkers,
                lanes: config.cluster?.lanes ?? 0),
            itemsPerWorker: config.limits.itemsPerWorker)
        if let cluster = config.cluster { remote = try Remote(cluster) } else { remote = nil }
        figures.show(table.size)
        // Each worker loads modules, whatever their standing.
        let modules = Libraries()
        for path in config.zygote.modules { registry.modules.append(try modules.at(path, in: fixed.input)) }
    }

    var config: PoolConfig { fixed.config }
    var input: InputMemory { fixed.input }
    var workers: [Worker] { table.workers }
    /// Those that workers load, or have loaded.
    var functions: [Function] { registry.functions.loaded }
    var globals: Globals? { registry.globals }
    var failure: Outcome? { life.failure }

    // MARK: - Is it open?

    var isOpen: Bool { life.stage != .closing && life.stage != .closed }

    func checkOpen() throws(MapError) {
        if !isOpen { throw MapError(MAPE_E_CLOSED, "pool was shut down") }
        if let failure {
            throw unsafe MapError(MAPE_E_WORKERS, "pool has failed: " + String(cString: failure.text.bytes))
        }
    }

    // MARK: - What others are told

    @inline(never) func log(_ level: mape_log_level, _ text: String) {
        add(PoolMessage(isLog: true, code: Int32(bitPattern: level.rawValue), worker: -1, text: CText(text)))
    }

    func add(_ message: PoolMessage) {
        events.add(message: message)
        touched.wakes = true
    }
}
