// When to give up: workers and zygotes that end again and again without an item in between.

/// Counts what failed in a row. An item that ends shows that the pool gets on, and so does a start that goes well.
struct RestartBrake {
    /// Starts of workers that have failed in a row.
    private(set) var failedStarts: UInt32 = 0
    private var itemsAtFailedStart: UInt64 = 0
    /// Zygotes that have died in a row.
    private(set) var zygoteDeaths: UInt32 = 0
    private var itemsAtZygoteDeath: UInt64 = 0
    /// How the last worker died.
    var lastDeath = ""

    /// A worker's start has failed. Returns how many in a row.
    /// - items: how many items of the pool have ended so far.
    mutating func startFailed(_ why: String, items: UInt64) -> UInt32 {
        if items != itemsAtFailedStart { failedStarts = 0 }
        itemsAtFailedStart = items
        failedStarts += 1
        lastDeath = why
        return failedStarts
    }

    /// A worker became ready. Returns how many starts had failed before.
    mutating func startWentWell() -> UInt32 {
        defer { failedStarts = 0 }
        zygoteDeaths = 0
        return failedStarts
    }

    /// A zygote has died that no library has ended. Returns how many in a row.
    mutating func zygoteDied(items: UInt64) -> UInt32 {
        if items == itemsAtZygoteDeath { zygoteDeaths += 1 } else { zygoteDeaths = 1 }
        itemsAtZygoteDeath = items
        return zygoteDeaths
    }
}
