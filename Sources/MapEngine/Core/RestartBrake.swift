// When the pool fails: after too many deaths of workers or zygotes with no item ended in between.

/// Counts failures in a row. An ended item, or a start that goes well, resets the count.
struct RestartBrake {
    /// How many starts of workers have failed in a row.
    private(set) var failedStarts: UInt32 = 0
    private var itemsAtFailedStart: UInt64 = 0
    /// Zygotes that have died in a row.
    private(set) var zygoteDeaths: UInt32 = 0
    private var itemsAtZygoteDeath: UInt64 = 0
    /// Zygotes that have ended in a row before they had begun; whether there was one that had.
    private var zygotesNotBegun: UInt32 = 0
    private var hasHadZygote = false
    /// How the last worker died.
    var lastDeath = ""

    /// Counts a failed start of a worker. Returns how many failed in a row.
    /// - items: how many items of the pool have ended so far.
    mutating func startFailed(_ why: String, items: UInt64) -> UInt32 {
        if items != itemsAtFailedStart { failedStarts = 0 }
        itemsAtFailedStart = items
        failedStarts += 1
        lastDeath = why
        return failedStarts
    }

    /// Called when the start of a worker can fail no more. Returns how many had failed before.
    mutating func startWentWell() -> UInt32 {
        defer { failedStarts = 0 }
        return failedStarts
    }

    /// Called when a worker is there.
    mutating func zygoteForks() { zygoteDeaths = 0 }

    /// Counts the death of a zygote that no library has ended. Returns how many died in a row.
    mutating func zygoteDied(items: UInt64) -> UInt32 {
        if items == itemsAtZygoteDeath { zygoteDeaths += 1 } else { zygoteDeaths = 1 }
        itemsAtZygoteDeath = items
        return zygoteDeaths
    }

    mutating func zygoteHasBegun() {
        hasHadZygote = true
        zygotesNotBegun = 0
    }

    /// Counts a zygote that has ended before it had begun. Returns whether another is to be tried.
    /// - byItself: its program has exited, or taken too long: it would do so again.
    mutating func zygoteHasNotBegun(byItself: Bool) -> Bool {
        zygotesNotBegun += 1
        return zygotesNotBegun < (byItself && !hasHadZygote ? Policy.zygoteStarts : Policy.zygoteStartsAgain)
    }
}
