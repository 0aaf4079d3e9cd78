// Parts of a worker: the history of its process, what the host has seen of it, failed starts of its place, captured
// output.

/// What a worker process has learned and done. When it is spent, another replaces it.
struct History {
    /// How many requests it gets first, for modules and setups. It is ready when it has answered them.
    var firstRequests = 0
    /// Functions that it has run the setup of, by number.
    private var functions: [Bool] = []
    /// After how many items it is spent; 0: never.
    let limit: UInt64
    /// How many items were assigned to it, and how many of them have ended.
    var itemsAssigned: UInt64 = 0
    var itemsEnded: UInt64 = 0
    /// Its memory has grown by more than it may.
    var hasGrown = false

    init(limit: UInt64) { self.limit = limit }

    var isSpent: Bool { hasGrown || (limit > 0 && itemsAssigned >= limit) }

    func knows(_ function: UInt32) -> Bool { Int(function) < functions.count && functions[Int(function)] }

    mutating func learn(_ function: UInt32) {
        while functions.count <= Int(function) { functions.append(false) }
        functions[Int(function)] = true
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
