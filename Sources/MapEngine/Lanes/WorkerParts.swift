// Parts of a worker: the history of its process, what was seen of it, how its place fares, what it prints.

/// What a worker process has learned and been through. When it is spent another takes its place.
struct History {
    /// Requests that it was given before any other: modules and setups. It is ready when it has answered them.
    var firstRequests = 0
    /// Functions that it has run the setup of, by number.
    private var functions: [Bool] = []
    /// After so many items it is spent; 0: never.
    let limit: UInt64
    /// Items it was given, finished or not, and those that have ended.
    var itemsGiven: UInt64 = 0
    var itemsEnded: UInt64 = 0
    /// Its memory has grown by more than it may.
    var hasGrown = false

    init(limit: UInt64) { self.limit = limit }

    var isSpent: Bool { hasGrown || (limit > 0 && itemsGiven >= limit) }

    func knows(_ function: UInt32) -> Bool { Int(function) < functions.count && functions[Int(function)] }

    mutating func learn(_ function: UInt32) {
        while functions.count <= Int(function) { functions.append(false) }
        functions[Int(function)] = true
    }
}

/// When a worker last took a step, for time limits and for taking back.
struct Seen {
    /// Its blame word when that was last looked at, and since when it is the same.
    var word: UInt64 = 0
    var since: Int64 = 0
    /// When it last answered, or was given something while it had nothing.
    var progress: Int64 = 0
}

/// How often no process came to be in a worker's place.
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
