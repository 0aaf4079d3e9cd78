// One worker of a pool: the process that has its place now, what it was given, and what was seen of it.

import CMapBridge

/// A request that a worker was given and has not answered. This, not what lies in shared memory, is what replies are held against.
struct Assignment {
    enum Work {
        /// Shrinks when its last items are taken back.
        case range(Job, ItemRange)
        case setup(Function, Globals?)
        case cleanup(Function, Globals?)
        case module(Block, String)
        case exit
    }
    let ticket: UInt64
    var work: Work
    /// Items per range.
    var step: UInt64 = 0
    /// What had not begun of it was taken back: there is no more to take.
    var wasTakenBack = false
}

/// Why the pool has killed a worker.
enum Verdict {
    /// An item, a setup or a cleanup took too long.
    case timeout
    /// A cancelled item did not stop within the grace.
    case cancel
    /// Its replies were not valid.
    case hostile(String)
    /// The pool is being shut down.
    case shutdown
}

final class Worker {
    enum State {
        /// No process; a new one may be asked for at `retryAt`.
        case none
        /// Loads modules and runs setups.
        case starting
        /// Takes ranges.
        case ready
        /// Was told to clean up and exit; what it holds it still does.
        case stopping
        /// Was sent SIGKILL.
        case dying
    }

    let slot: Int
    var state = State.none
    var generation: UInt64 = 0
    var pid: Int32 = 0
    var region: OutputRegion?
    var given = Queue<Assignment>()
    var published: UInt64 = 0
    var answered: UInt64 = 0
    var items: UInt64 = 0
    var starts: UInt64 = 0
    /// Requests up to this one it was told to end early: only there may it say that it has.
    var yieldedTo: UInt64 = 0
    var messageHead: UInt64 = 0
    var messageLost: UInt64 = 0
    var verdict: Verdict?
    var retryAt: Int64 = 0
    var failedForks: UInt32 = 0
    /// Functions it has run the setup of.
    var prepared: [Bool] = []
    /// Requests other than ranges that the inbox had no room for.
    var backlog = Queue<Assignment.Work>()
    /// Items it was given, finished or not.
    var itemsGiven: UInt64 = 0
    var initialRequests = 0
    /// When it last took a step, and the word that showed it.
    var seenWord: UInt64 = 0
    var seenSince: Int64 = 0
    var progressSince: Int64 = 0
    /// Read ends of its standard output and error, when captured.
    var pipes: [Int32] = [-1, -1]

    init(slot: Int) { self.slot = slot }

    var isAlive: Bool { state != .none }
    var inFlight: Int { given.count }
    /// Has something to answer.
    var isBusy: Bool { !given.isEmpty }
    func isPrepared(_ function: UInt32) -> Bool { Int(function) < prepared.count && prepared[Int(function)] }

    func prepare(_ function: UInt32) {
        while prepared.count <= Int(function) { prepared.append(false) }
        prepared[Int(function)] = true
    }

    /// May be given ranges.
    var takesWork: Bool { state == .ready }
}
