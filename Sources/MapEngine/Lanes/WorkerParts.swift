// Parts of a worker: the history of its process, what the host has seen of it, failed starts of its place, captured
// output.

/// What a worker process has learned and done. When it is spent, it gets no more work and ends; another replaces it, if its place is wanted.
struct History {
    /// How many requests it gets first, for modules and setups. It is ready when it has answered them.
    var firstRequests = 0
    /// Functions that it has run the setup of, by line.
    private var functions: [Bool] = []
    /// Functions that were unregistered and whose cleanup it has still to run, or to end.
    private var owed: [Function] = []
    /// After how many items it is spent; 0: never.
    let limit: UInt64
    /// How many items were assigned to it, and how many of them have ended.
    var itemsAssigned: UInt64 = 0
    var itemsEnded: UInt64 = 0
    /// Its memory has grown by more than it may.
    var hasGrown = false
    /// Its place is not wanted any more.
    var isDismissed = false

    init(limit: UInt64) { self.limit = limit }

    var isSpent: Bool { hasGrown || isDismissed || (limit > 0 && itemsAssigned >= limit) }

    func knows(_ line: UInt32) -> Bool { Int(line) < functions.count && functions[Int(line)] }

    mutating func learn(_ function: Function) {
        while functions.count <= Int(function.line) { functions.append(false) }
        functions[Int(function.line)] = true
    }

    /// It gets no more of its ranges, and owes its cleanup.
    mutating func forget(_ function: Function) {
        if knows(function.line) { functions[Int(function.line)] = false }
        owed.append(function)
    }

    /// False: it did not owe that function's.
    mutating func noLongerOwes(_ function: Function) -> Bool {
        guard let place = owed.firstIndex(where: { $0 === function }) else { return false }
        owed.remove(at: place)
        return true
    }

    mutating func removeOwed() -> [Function] {
        defer { owed = [] }
        return owed
    }
}

/// When a worker last made a step, for time limits and reclaiming.
struct Seen {
    /// Its blame word when the host last read it, and since when it is unchanged.
    var word: UInt64 = 0
    var since: Int64 = 0
    /// The item that the pool has asked to stop, as `word`, and since when.
    var asked: UInt64 = 0
    var askedSince: Int64 = 0
    /// When it last answered, or was assigned something while idle.
    var progress: Int64 = 0
    /// Of all processes that its place has had.
    var times = WorkerTimes()

    /// Another process begins.
    mutating func renew(_ now: Int64) {
        times.begin(now)
        self = Seen(since: now, times: times)
    }
}

/// How often the start of a process in a worker's place failed.
struct Tries {
    /// Before that no other is started.
    var retryAt: Int64 = 0
    /// Starts that have failed since one went well.
    var failed: UInt32 = 0
}

/// A worker's standard output and error, when they are captured.
struct CapturedOutput {
    /// Read ends; -1: none.
    var pipes: [Int32] = [-1, -1]
    /// The beginning of a character at the end of what came from each, which goes with what comes next.
    var partial: [[UInt8]] = [[], []]
}
