// The parts of the core that are little more than their fields.

import CMapBridge

/// Where a pool stands between its creation and its end.
struct Life {
    enum Stage { case created, starting, running, closing, closed }
    var stage = Stage.created
    /// Why the last start came to nothing.
    var startError: MapError?
    /// The engine thread, until somebody has joined it.
    var thread: UInt64 = 0
    /// What zygotes, the first and those that take its place, have as environment.
    var environment: [UserText] = []
    /// Set when the pool cannot go on: what its items end with.
    var failure: Outcome?
    /// A call has asked for the pool's end without waiting for its jobs; and when they end at the latest, of all who asked.
    var shutdownCancels = false
    var shutdownEnd = Int64.max
    /// A worker was killed in its cleanup.
    var cleanupsWereKilled = false
    var engineShouldEnd = false
    /// What went wrong in the last call that did.
    var lastMessage = ""
}

/// What the host has registered.
struct Registry {
    var functions: [Function] = []
    var globals: Globals?
    var modules: [Library] = []
    /// Why a module could not be loaded.
    var moduleFailure: String?
    var buffers = BufferTable()
}

/// When the engine thread has to look at something, although nobody rings.
struct Clock {
    /// Jobs that have a time limit, or tell of their progress.
    var jobs = Deadlines()
    /// When to look what can be taken back from workers; Int64.max: not known that there is anything.
    var takeBackAt = Int64.max
    /// When messages of idle workers were looked for.
    var idleLookedAt: Int64 = 0
    /// When free memory is given back; Int64.max: there is not enough of it.
    var trimAt = Int64.max
    /// Until when the engine thread sleeps at most; while it is awake, the earliest time that was asked for.
    private var sleepsUntil = Int64.max
    private var isAwake = false
    /// It sleeps, and has to be woken to sleep less long.
    private var isEarlier = false

    /// Has the engine thread look again at `time` at the latest.
    mutating func lookAgain(by time: Int64) {
        guard time < sleepsUntil else { return }
        sleepsUntil = time
        isEarlier = !isAwake
    }

    /// A turn of the engine thread begins.
    mutating func beginTurn() {
        sleepsUntil = .max
        isAwake = true
        isEarlier = false
    }

    /// It ends. Returns until when the thread may sleep.
    mutating func endTurn(_ next: Int64) -> Int64 {
        sleepsUntil = min(sleepsUntil, next)
        isAwake = false
        return sleepsUntil
    }

    /// True once when the engine thread has to be woken.
    mutating func takeNotice() -> Bool {
        defer { isEarlier = false }
        return isEarlier
    }
}

/// What the engine thread does for the core without the lock, because it takes its time.
struct Errands {
    /// Free pages of the input memory, and of idle workers, are to be given back.
    var trimsInput = false
    typealias Trim = (worker: Worker, region: OutputRegion, free: [Extent])
    var trims: [Trim] = []
    /// Ended by the engine thread, which then starts another.
    var goneZygote: GoneZygote?
    /// Items that have crashed are to be saved.
    var crashFiles = CrashQueue()

    var isEmpty: Bool { !trimsInput && trims.isEmpty && goneZygote == nil && crashFiles.isEmpty }
}

struct Figures {
    var workersStarted: UInt64 = 0
    var workersDied: UInt64 = 0
    var workersKilled: UInt64 = 0
    var zygotesStarted: UInt64 = 0
    var jobs: UInt64 = 0
    var items: UInt64 = 0
    var ranges: UInt64 = 0
    /// What all output memories hold together.
    let output = OutputFigures()
}
