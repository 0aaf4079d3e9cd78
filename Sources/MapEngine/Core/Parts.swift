// The small parts of the core.

import CMapBridge

/// Where a pool stands between its creation and its end.
struct Life {
    enum Stage { case created, starting, running, closing, closed }
    var stage = Stage.created
    /// The error of the last failed start.
    var startError: MapError?
    /// The engine thread, until somebody has joined it.
    var thread: UInt64 = 0
    /// The environment of the zygote and of its replacements.
    var environment: [UserText] = []
    /// The outcome of all unfinished items once the pool has failed; else nil.
    var failure: Outcome?
    /// Whether a shutdown cancels jobs; and the earliest deadline of all shutdown calls.
    var shutdownCancels = false
    var shutdownEnd = Int64.max
    /// The call that had begun the shutdown was interrupted, and nobody goes on with it yet.
    var shutdownWasLeft = false
    /// A worker was killed in its cleanup.
    var cleanupsWereKilled = false
    var engineShouldEnd = false
    /// The message of the last failed call.
    var lastMessage = ""
}

/// What the host has registered.
struct Registry {
    var functions = FunctionTable(most: Int(MAPB_MAX_FUNCTIONS) - 1)
    var globals: Globals?
    /// How often they were changed.
    var globalsSet: UInt64 = 0
    var modules: [Library] = []
    /// Why a module could not be loaded.
    var moduleFailure: String?
    var buffers = BufferTable()
}

/// When the engine thread must act although no bell rings.
struct Clock {
    /// When somebody under the lock last asked what time it is; 0: nobody has since it was taken, or since changes were followed up.
    private var moment: Int64 = 0

    /// The time, read once for what is done under the lock in one go.
    @inline(never)
    mutating func now() -> Int64 {
        if moment == 0 { moment = mapb_clock() }
        return moment
    }

    @inline(__always)
    mutating func forget() { moment = 0 }

    /// Jobs that have a time limit, or deliver progress.
    var jobs = Deadlines()
    /// When to check whether items can be reclaimed; Int64.max: there are none as far as known.
    var reclaimAt = Int64.max
    /// When to check whether items of ended jobs wait in workers; Int64.max: there are none as far as known.
    var takeBackAt = Int64.max
    /// When the pool last checked idle workers for texts.
    var idleCheckedAt: Int64 = 0
    /// When the engine thread trims free memory; Int64.max: there is too little to trim.
    var trimAt = Int64.max
    /// Until when the engine thread sleeps at most; while it is awake, the earliest requested time.
    private var sleepsUntil = Int64.max
    private var isAwake = false
    /// Whether the thread sleeps, so that a nearer deadline must wake it.
    private var isEarlier = false

    /// Makes the engine thread check again at `time` at the latest.
    mutating func checkAgain(by time: Int64) {
        guard time < sleepsUntil else { return }
        sleepsUntil = time
        isEarlier = !isAwake
    }

    /// Called when a turn of the engine thread begins.
    mutating func beginTurn() {
        sleepsUntil = .max
        isAwake = true
        isEarlier = false
    }

    /// Called when a turn ends. Returns until when the thread may sleep.
    mutating func endTurn(_ next: Int64) -> Int64 {
        sleepsUntil = min(sleepsUntil, next)
        isAwake = false
        return sleepsUntil
    }

    var hasNotice: Bool { isEarlier }

    /// Returns true once when the engine thread must be woken.
    mutating func consumeNotice() -> Bool {
        defer { isEarlier = false }
        return isEarlier
    }
}

/// What the engine thread does for the core without the lock, because it takes long.
struct Errands {
    /// Whether free pages of the input memory and of idle workers must be returned to the system.
    var trimsInput = false
    typealias Trim = (worker: Worker, region: OutputRegion, free: [Extent])
    var trims: [Trim] = []
    /// The engine thread ends it, and then starts another.
    var goneZygote: GoneZygote?
    /// The same for the helper for other machines; and whether one has to be started.
    var goneHelper: Zygote?
    var startsHelper = false
    /// Whether the zygote has printed something.
    var readsErrors = false
    /// Whether crashed items wait to be saved.
    var crashFiles = CrashQueue()

    var isEmpty: Bool {
        !trimsInput && trims.isEmpty && goneZygote == nil && !readsErrors && crashFiles.isEmpty && goneHelper == nil
            && !startsHelper
    }
}
