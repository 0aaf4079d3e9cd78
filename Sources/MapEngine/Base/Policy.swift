// Every number that could have been another, with its reason.

import CMapBridge

enum Policy {
    /// A worker's queue is filled up to about this much work, so that it never waits for the host, and little has to be run
    /// elsewhere when it dies. A wakeup costs about 30 µs.
    static let queueTime: Int64 = 200_000
    /// A range is to take about this long: long against the 0.1 µs it costs, short against what a person notices.
    static let rangeTime: Int64 = 250_000
    /// Shorter ones are not made for the sake of an even spread: a range costs host and worker some 2 µs together.
    static let shortRange: Int64 = 5_000
    /// Before anything was measured, a range has at most this many items.
    static let firstRange: UInt64 = 64
    /// No range is larger, so that counts fit into the layout's words.
    static let largestRange: UInt64 = 1 << 20
    /// Ranges a worker holds at least: one running, one waiting, so that it need not wait for the host.
    static let depth = 2
    /// Ranges longer than this are given out one by one: a hand-over is small against them, and one that waits behind another could
    /// be run elsewhere.
    static let longRange = 5_000_000.0
    /// When a worker has nothing to do, and another has had no step for so long, what that one has not begun is taken back from it.
    static let takeBackAfter: Int64 = 2_000_000

    /// Workers that begin at once when work comes to an idle pool; as long as it is not done, twice as many every slowStart.
    static let workersAtOnce = 32
    static let slowStart: Int64 = 2_000_000
    /// A pool of more workers looks for the texts of idle ones no more often than this.
    static let fewWorkers = 64
    static let idleLook: Int64 = 10_000_000

    /// Work, in nanoseconds, or in items whose time is not known, for which workers that are woken together are spread over processors.
    static let worthMoving = 300_000.0
    static let manyItems: UInt64 = 16
    /// How often an idle worker looks for work before it sleeps: about 20 to 50 µs, the price of a sleep and a wakeup.
    static let workerLooks: UInt32 = 1000
    /// How long a waiting host thread looks for replies before it sleeps; only while a core is free, and no worker had to be woken: it
    /// may have been woken onto this thread's processor.
    static let waiterSpin: Int64 = 30_000

    /// A host thread that came twice within this time is expected again within it. Nobody is woken for replies meanwhile, so this is also
    /// how late they may be noticed when it does not come: ten times what a wakeup takes.
    static let attention: Int64 = 300_000

    /// Address space that a pool needs at least, for inputs and for each worker's results.
    static let leastReserve: UInt64 = 1 << 20
    static let inputReserve: UInt64 = 64 << 30
    static let outputReserve: UInt64 = 16 << 30
    /// Free memory whose pages are kept, because touching fresh ones costs 0.25 µs each. What is beyond is given back when it was not
    /// used again for a while.
    static let trimAfter: Int64 = 1_000_000_000
    static let warmInput: UInt64 = 64 << 20
    static let warmOutput: UInt64 = 64 << 20
    /// So often a thread that waits for a function of the host to return looks whether it was left by a jump, or with its thread.
    static let lookForLeft: Int64 = 20_000_000
    /// Free input memory is given back in pieces of this size: so long an allocation may have to wait.
    static let trimPiece: UInt64 = 16 << 20
    /// Smaller free stretches are not given back: a system call per stretch.
    static let giveBackLeast: UInt64 = 256 << 10
    /// Results go into a freed stretch again from this size on.
    static let holeLeast: UInt64 = 1 << 20

    /// While something with a time limit runs, the engine looks at least this often. So a deadline that is no longer needed makes
    /// one wakeup soon, and none long after.
    static let longestTick: Int64 = 100_000_000
    static let setupTimeout: Int64 = 60_000_000_000
    static let cleanupTimeout: Int64 = 5_000_000_000
    static let grace: Int64 = 2_000_000_000
    /// Failed starts in a row, with no item ended in between, after which the pool, or the function whose setup they died in, is given
    /// up.
    static let restarts: UInt32 = 5
    /// After a failed fork the next try waits so long, doubled each time, but not more often than so: 51 s.
    static let forkRetry: Int64 = 50_000_000
    static let forkDoublings: UInt32 = 10
    /// After a worker has died in its start the next one in its place waits so long, doubled each time up to 320 ms: where others do
    /// the work this goes on for ever, and shall cost little.
    static let restartPause: Int64 = 5_000_000
    static let restartDoublings: UInt32 = 6
    /// How often a range may be lost with a worker that had not begun it, or an item with its zygote, before it is suspected itself.
    static let suspicion: UInt32 = 3
    /// Zygotes that may die in a row with no worker ready and no item ended in between.
    static let zygoteRestarts: UInt32 = 5
    /// Once told to end, a zygote has so long before it is killed.
    static let zygoteGrace: Int32 = 1000

    /// Workers are ended by the kernel before what has half of the memory of the machine more than they: proc(5), oom_score_adj.
    static let oomScore: Int32 = 500

    /// Input is copied in pieces of this many bytes: workers begin with the first while the second is copied.
    static let copyPiece: UInt64 = 1 << 20

    /// Crash files that a pool makes at most: a function that crashes at every item shall not fill a disk.
    static let crashFiles = 32
    /// Input, data and globals of one crash file together: what is larger would keep the pool waiting while it is copied.
    static let crashFileBytes: UInt64 = 256 << 20

    static let window: UInt64 = 4096
    static let largestWindow: UInt64 = 1 << 24
    static let progressInterval: Int64 = 50_000_000
    /// Items that a push to a stream handles at a time, and bytes of them that are small enough to be copied twice: first out of the
    /// host's memory, then, under the lock, into the stream's. It saves taking the lock once more.
    static let pushedAtOnce = 1024
    static let stagedBytes = 8192
    /// Stream items are packed into blocks of this size.
    static let streamBlock: UInt64 = 256 << 10
    /// Texts of workers and of the pool that wait for the host, in bytes; beyond it the oldest go, and are counted.
    static let messageBytes = 1 << 20
    /// Items whose events are made ready under one lock.
    static let dispatchBatch: UInt64 = 256
}
