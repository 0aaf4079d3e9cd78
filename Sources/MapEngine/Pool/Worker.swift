// One worker of a pool: the process that has its place now, what it was given, and what was seen of it.

import CMapBridge

/// A request that a worker was given and has not answered. This, not what lies in shared memory, is what replies are held against.
struct Assignment {
    enum Work {
        /// Shrinks when its last items are taken back.
        case range(Job, ItemRange)
        case setup(Function, Globals?)
        case cleanup(Function, Globals?)
        case module(Library)
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

/// What is looked at of every worker each time the pool looks for news. All of a pool's lie side by side in plain memory, so that a look at
/// those that have none costs a few loads.
@safe struct Watch {
    /// Nil: no process.
    var outbox: UnsafeMutablePointer<mapb_outbox>?
    var published: UInt64 = 0
    var answered: UInt64 = 0
    /// Bytes of the message ring that were read.
    var messageHead: UInt64 = 0
    /// Items of the last request; 0: it is no range.
    var lastItems: UInt64 = 0

    var isBusy: Bool { unsafe outbox != nil && published != answered }

    /// It has answered, or sent a text.
    var hasNews: Bool {
        guard let outbox = unsafe outbox else { return false }
        return unsafe mapb_load(&outbox.pointee.tail) != answered
            || mapb_peek(&outbox.pointee.message_tail) != messageHead
    }

    /// It holds more than the item it is on, if it is on one.
    var mayHoldMore: Bool { isBusy && (published - answered > 1 || lastItems > 1) }
}

@safe final class Worker {
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
    var state = State.none { didSet { unsafe table.stateChanged(self) } }
    var generation: UInt64 = 0
    var pid: Int32 = 0
    var region: OutputRegion? { didSet { unsafe watch.pointee.outbox = unsafe region?.outbox } }
    var given = Queue<Assignment>() { didSet { unsafe table.refresh(self) } }
    var items: UInt64 = 0
    var starts: UInt64 = 0
    /// Requests up to this one it was told to end early: only there may it say that it has.
    var yieldedTo: UInt64 = 0
    var messageLost: UInt64 = 0
    var verdict: Verdict?
    /// How its process ended, while that is being dealt with.
    var death: Death?
    var retryAt: Int64 = 0
    /// Starts in this place that have failed since one went well.
    var failedStarts: UInt32 = 0
    /// Functions it has run the setup of.
    var prepared: [Bool] = []
    /// Requests other than ranges that the inbox had no room for.
    var backlog = Queue<Assignment.Work>() { didSet { unsafe table.refresh(self) } }
    /// It has said that it has grown by more than config.memory_growth.
    var hasGrown = false { didSet { unsafe table.refresh(self) } }
    /// Pages of its memory are being given back: it is given nothing that it could write for.
    var isTrimming = false { didSet { unsafe table.refresh(self) } }
    /// Items it was given, finished or not.
    var itemsGiven: UInt64 = 0
    /// After so many items another process takes its place; 0: never.
    private let itemsPerWorker: UInt64
    var initialRequests = 0
    /// When it last took a step, and the word that showed it.
    var seenWord: UInt64 = 0
    var seenSince: Int64 = 0
    var progressSince: Int64 = 0
    /// Read ends of its standard output and error, when captured.
    var pipes: [Int32] = [-1, -1]
    /// The beginning of a character at the end of what came from each, which goes with what comes next.
    var partial: [[UInt8]] = [[], []]

    private let watch: UnsafeMutablePointer<Watch>
    /// Hears of every change that matters to others.
    private unowned(unsafe) let table: WorkerTable

    /// - watch: its line in the pool's table, which outlives it.
    init(slot: Int, watch: UnsafeMutablePointer<Watch>, table: WorkerTable, itemsPerWorker: UInt64) {
        self.slot = slot
        unsafe self.watch = unsafe watch
        unsafe self.table = table
        self.itemsPerWorker = itemsPerWorker
    }

    /// Requests published, and those of them that were answered.
    var published: UInt64 {
        get { unsafe watch.pointee.published }
        set { unsafe watch.pointee.published = newValue }
    }
    var answered: UInt64 {
        get { unsafe watch.pointee.answered }
        set { unsafe watch.pointee.answered = newValue }
    }
    var messageHead: UInt64 {
        get { unsafe watch.pointee.messageHead }
        set { unsafe watch.pointee.messageHead = newValue }
    }

    /// The last request in a row that is of the same job as the first.
    var lastTicketOfFirstJob: UInt64 {
        guard let first = given.first, case .range(let job, _) = first.work else { return answered + 1 }
        var last = first.ticket
        given.forEach { assignment in
            if assignment.ticket == last + 1, case .range(let its, _) = assignment.work, its === job { last += 1 }
        }
        return last
    }

    /// Notes a request that was put into the inbox.
    func note(_ assignment: Assignment) {
        var items: UInt64 = 0
        if case .range(_, let range) = assignment.work { items = range.count }
        unsafe watch.pointee.published = assignment.ticket
        unsafe watch.pointee.lastItems = items
        given.append(assignment)
        unsafe table.wasGiven(self)
    }

    /// A new process comes in its place.
    func renew(_ region: OutputRegion) {
        self.region = region
        generation += 1
        starts += 1
        state = .starting
        pid = 0
        given = Queue()
        published = 0
        answered = 0
        yieldedTo = 0
        items = 0
        messageHead = 0
        messageLost = 0
        verdict = nil
        prepared = []
        itemsGiven = 0
        hasGrown = false
        isTrimming = false
        seenWord = 0
        seenSince = mapb_clock()
        initialRequests = 0
    }

    /// It has had its items, or has grown too much: it gets no more, and another takes its place.
    var isSpent: Bool { hasGrown || (itemsPerWorker > 0 && itemsGiven >= itemsPerWorker) }

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
    var takesWork: Bool { state == .ready && !isTrimming }
}
