// The pool: everything the host's threads and the engine thread share, behind one lock.
//
//   host threads ──ABI──►┌──────────────────────────────────────────────┐
//                        │ Pool (lock)                                  │
//   engine thread ──────►│  jobs → assign → inboxes   outboxes → pump   │
//   (poller: bell,       │  zygote client, workers, deadlines, events   │
//    control socket,     └──────────────────────────────────────────────┘
//    pipes, deadlines)
//
// Whoever holds the lock may move data: the engine thread when a bell or deadline wakes it, a host thread that waits for a job or
// dispatches. Per range the lock is taken at most once; per item never. User code (callbacks, the wakeup hook) runs outside it, and so
// does all that takes as long as the host has bytes: copying them, mapping and unmapping memory, giving pages back, writing files.
//
// Files:
//   Pool+Start, Pool+Recycle, Pool+Shutdown   workers and zygote: the first ones, those that take a place, the end
//   Pool+Jobs, Pool+Columns, Pool+Streams     what the host asks of jobs
//   Pool+Assign, Pool+Pump, Pool+TakeBack     ranges to workers, replies from them, ranges that have to go elsewhere
//   Pool+Deadlines, Pool+Zygote               time limits; messages of the zygote, and its death
//   Pool+Deaths, Pool+Crashes                 deaths of workers, and what is told and saved of them
//   Pool+Events, Pool+Waits                   what the host hears, and its threads that wait
// Beside it: Engine (the thread), Waiting (who looks for news), BlameMark and Postmortem (what a worker was on, and what follows from that).

import CMapBridge

@safe final class Pool: @unchecked Sendable {
    let config: PoolConfig
    let input: InputMemory
    /// Where items that have crashed are saved.
    let crashFolder: CrashFolder?
    let engineBell: Bell
    let waiterBell: Bell
    /// Wakes the engine thread for what other threads ask of it.
    let engineWake: Descriptor
    private let guardLock = Lock()
    let hook = Hook()
    /// Memories that nobody needs any more.
    let leftovers = Leftovers()

    enum Life { case created, starting, running, closing, closed }
    var life = Life.created
    /// A call has asked for the pool's end without waiting for its jobs; and when they end at the latest, of all who asked.
    var shutdownCancels = false
    var shutdownEnd = Int64.max
    /// Set when the pool cannot go on: what its items end with.
    var failure: Outcome?
    var handle: UInt = 0
    var lastMessage = ""

    let table: WorkerTable
    var workers: [Worker] { table.workers }
    /// How many workers may be busy at once.
    var slowStart = SlowStart()
    var functions: [Function] = []
    var globals: Globals?
    let libraries = Libraries()
    var modules: [Library] = []
    var buffers = BufferTable()
    var jobs = JobTable()
    /// Jobs without a handle, until they have released themselves.
    var ownJobs: [ObjectIdentifier: Job] = [:]
    /// Jobs that have items for workers.
    var work = WorkQueue()
    /// When jobs have to be looked at.
    var deadlines = Deadlines()
    /// Jobs with items that have not ended, and those of them that are not to end as they are.
    var unendedJobs = 0
    var jobsToRun = 0
    var sequence: UInt64 = 0
    /// Jobs that are not done and tell of items or progress.
    var promptJobs = 0

    var zygote: Zygote?
    /// What zygotes, the first and those that take its place, have as environment.
    var environment: [UserText] = []
    var engineShouldEnd = false
    var engineSleepsUntil: Int64 = .max
    var bellEpoch: UInt64 = 0
    var bellTarget = MAPB_BELL_NONE
    /// Until then host threads are taken to come back by themselves, and nobody is woken for replies. See Waiting.swift.
    var attendedUntil: Int64 = 0
    var lastAttended: Int64 = 0
    /// What the leader looks at without the lock, and the memories that must not go meanwhile.
    let lookList: UnsafeMutablePointer<LookedReply>
    var lookCount = 0
    var isLooking = false
    var retired: [OutputRegion] = []
    /// A worker that slept was woken since a waiting thread last looked.
    var wokeSleeper = false
    /// When to look what can be taken back from workers; Int64.max: not known that there is anything.
    var takeBackAt = Int64.max
    /// When messages of idle workers were looked for.
    var idleLookedAt: Int64 = 0
    /// What all output memories hold together.
    let outputFigures = OutputFigures()
    /// What the engine thread is giving back, and it alone touches.
    var trimsInput = false
    var trims: [(Worker, OutputRegion, [Extent])] = []
    /// When free memory is given back; Int64.max: there is not enough of it.
    var trimAt = Int64.max
    var failedStarts: UInt32 = 0
    var itemsAtFailedStart: UInt64 = 0
    var zygoteDeaths: UInt32 = 0
    var lastDeath = ""
    var lastZygoteDeath = ""
    var itemsAtZygoteDeath: UInt64 = 0
    var moduleFailure: String?
    /// A worker was killed in its cleanup.
    var cleanupsWereKilled = false
    var startError: MapError?
    var startedThread: UInt64 = 0
    let poller: Descriptor
    /// Cores that this process may use.
    let usable: Int

    var events = EventQueue()
    let waiting = Waiting()
    /// Changes when a job is released: a dispatch that is under way looks again.
    let releases: UnsafeMutablePointer<UInt32>
    /// How many of a dispatch's items were begun to be told.
    let begun: UnsafeMutablePointer<UInt64>
    var figures = Figures()

    struct Figures {
        var workersStarted: UInt64 = 0
        var workersDied: UInt64 = 0
        var workersKilled: UInt64 = 0
        var zygotesStarted: UInt64 = 0
        var jobs: UInt64 = 0
        var items: UInt64 = 0
        var ranges: UInt64 = 0
    }

    init(_ config: PoolConfig) throws(MapError) {
        self.config = config
        var call: UnsafePointer<CChar>?
        let why = unsafe mapb_remember_host(&call)
        if why != 0 { throw unsafe .system(call.map { unsafe String(cString: $0) } ?? "", why) }
        if let path = config.crashFolder { crashFolder = try CrashFolder(path) } else { crashFolder = nil }
        input = try InputMemory(reserve: config.inputReserve, workers: UInt32(config.workers))
        engineBell = try Bell()
        waiterBell = try Bell()
        engineWake = try Descriptor(checking: mapb_notifier_open(), MAPB_NAME_NOTIFIER_OPEN)
        poller = try Descriptor(checking: mapb_poller_open(), MAPB_NAME_POLLER_OPEN)
        var why2 = mapb_poller_add(poller.number, engineBell.reading.number, EngineTag.bell.rawValue)
        if why2 == 0 { why2 = mapb_poller_add(poller.number, engineWake.number, EngineTag.wake.rawValue) }
        if why2 != 0 { throw .system(MAPB_NAME_POLLER_ADD, why2) }
        usable = usableCores()
        unsafe releases = .allocate(capacity: 1)
        unsafe releases.initialize(to: 0)
        unsafe begun = .allocate(capacity: 1)
        unsafe begun.initialize(to: 0)
        unsafe lookList = .allocate(capacity: usable)
        table = WorkerTable(count: config.workers, itemsPerWorker: config.itemsPerWorker)
        let modules = Libraries()
        for path in config.modules { self.modules.append(try modules.at(path, in: input)) }
        if config.start == MAPE_START_EXEC && config.sandbox == MAPE_SANDBOX_NONE { libraries.standing = .shared }
        unsafe input.head.pointee.spin = mapb_cores() > 1 ? Policy.workerLooks : 0
    }

    deinit {
        unsafe lookList.deallocate()
        unsafe releases.deallocate()
        unsafe begun.deallocate()
    }

    /// Runs `body` with the lock held; afterwards tells the host, outside the lock, when events have come in.
    func locked<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        guardLock.lock()
        defer {
            let tell = events.takeNotice()
            guardLock.unlock()
            if !leftovers.isEmpty { leftovers.clear() }
            if tell { callHook() }
        }
        return try body()
    }

    private func callHook() { unsafe mapb_call_hook(Unmanaged.passUnretained(self).toOpaque()) }

    func setHook(_ function: Hook.Function?, _ context: UnsafeMutableRawPointer?) {
        unsafe hook.set(function, context)
        // What came in before there was a hook would otherwise wait for the next event.
        if locked({ !events.isEmpty }) { callHook() }
    }

    // MARK: - Under the lock

    var isOpen: Bool { life != .closing && life != .closed }

    func checkOpen() throws(MapError) {
        if !isOpen { throw MapError(MAPE_E_CLOSED, "pool was shut down") }
        if let failure {
            throw unsafe MapError(MAPE_E_WORKERS, "pool has failed: " + String(cString: failure.text.bytes))
        }
    }

    func log(_ level: mape_log_level, _ text: String) {
        events.add(
            message: PoolMessage(isLog: true, code: Int32(bitPattern: level.rawValue), worker: -1, text: CText(text)))
        waiting.wake()
    }

    var hasUnendedJobs: Bool { unendedJobs > 0 }

    /// Jobs whose items are not all to end as they are.
    var hasJobsToRun: Bool { jobsToRun > 0 }

    /// Every job, with and without a handle: for what ends them all.
    var allJobs: [Job] { jobs.values + ownJobs.values.filter { $0.handle == 0 } }
}
