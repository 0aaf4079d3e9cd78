// Every number that could be different, with its reason.

import CMapBridge

enum Policy {
    /// The pool assigns a worker about this much work ahead, so that it never waits for the host, and little is
    /// requeued when it dies. A wakeup costs about 30 µs.
    static let queueTime: Int64 = 200_000
    /// The time that a range should take: long against the 0.1 µs that it costs, short against what a person notices.
    static let rangeTime: Int64 = 250_000
    /// The pool does not make shorter ranges to spread work evenly: a range costs host and worker some 2 µs together.
    static let shortRange: Int64 = 5_000
    /// Before anything was measured, a range has at most this many items.
    static let firstRange: UInt64 = 64
    /// No range is larger, so that counts fit into the layout's words.
    static let largestRange: UInt64 = 1 << 20
    /// Ranges a worker holds at least: one running, one waiting, so that it need not wait for the host.
    static let depth = 2
    /// The pool assigns ranges longer than this one by one: an assignment costs little against them, and a range that
    /// waits behind another could run elsewhere.
    static let longRange = 5_000_000.0
    /// When a worker is idle, and another has made no step for this long, the pool reclaims the other's unstarted
    /// items.
    static let reclaimAfter: Int64 = 2_000_000

    /// For lanes, whose answers cross a network. A range takes about this long, or so many round trips to the server, whichever is longer: what it costs
    /// besides is some 100 µs on all machines together.
    static let laneTime: Int64 = 10_000_000
    static let laneTrips: Int64 = 20
    /// But no longer than this: where a burst of work has made the server slow for a while, ranges would be so long that nobody could take them over.
    static let laneLongest: Int64 = 1_000_000_000
    /// The pool makes no shorter ones to spread work evenly.
    static let laneShort: Int64 = 1_000_000
    /// A range's input has at most this many bytes, or one item: messages of a megabyte go as fast as larger ones, and hold up others less.
    static let laneBytes: UInt64 = 1 << 20
    /// Ranges that a lane holds: while one is on its way, another runs.
    static let laneDepth = 2
    /// What a lane holds runs elsewhere when it is this late, or twice as late as expected; when nothing is known of the job's items, after
    /// laneUnknown and what their bytes take at laneSlowest. Four times as late the next time, and so on, so that an item that takes long ends
    /// one day. A worker of this machine that has nothing to do waits no longer than it would take itself, twice.
    static let laneLate: Int64 = 20_000_000
    static let laneUnknown: Int64 = 1_000_000_000
    /// Bytes a second: what a way of which nothing is known is trusted to do at least. It is that of a link of 100 Mbit/s.
    static let laneSlowest = 10_000_000.0
    static let laneDoublings: UInt8 = 6
    /// How often a range may be lost with its machine before the pool suspects it. Machines are lost for reasons of their own.
    static let laneSuspicion: UInt32 = 6
    /// An item's time limit is kept where it runs; a lane gets twice that for each of its items, and this for the way.
    static let laneGrace: Int64 = 5_000_000_000
    /// How long the pool waits before it starts the helper for other machines again, doubled each time up to 6.4 s, for ever.
    static let helperPause: Int64 = 100_000_000
    static let helperDoublings: UInt32 = 6
    static let lanes: UInt32 = 64
    /// Names of machines that a pool keeps.
    static let hosts = 4096

    /// How many workers begin at once when work comes to an idle pool; while it is not done, the number doubles every
    /// slowStart.
    static let workersAtOnce = 32
    static let slowStart: Int64 = 2_000_000
    /// A pool with more workers than fewWorkers checks idle ones for texts no more often than idleInterval.
    static let fewWorkers = 64
    static let idleInterval: Int64 = 10_000_000

    /// Work, in nanoseconds, or in items whose time is not known, for which workers that are woken together are spread over processors.
    static let worthMoving = 300_000.0
    static let manyItems: UInt64 = 16
    /// How many times an idle worker spins before it sleeps: about 20 to 50 µs, the price of a sleep and a wakeup.
    static let workerSpins: UInt32 = 1000
    /// How long a waiting host thread spins before it sleeps. It spins only while a core is free and it had to wake no
    /// worker, which the kernel may have put on this thread's processor.
    static let waiterSpin: Int64 = 30_000

    /// When host threads poll twice within this time, the pool expects a third poll within it, and workers wake nobody
    /// meanwhile. So replies may be noticed this late if it does not come: ten times what a wakeup takes.
    static let pollingGap: Int64 = 300_000

    /// Address space that a pool needs at least, for inputs and for each worker's results.
    static let leastReserve: UInt64 = 1 << 20
    static let inputReserve: UInt64 = 64 << 30
    static let outputReserve: UInt64 = 16 << 30
    /// How much free memory keeps its pages, because touching fresh ones costs 0.25 µs each. Pages beyond it are
    /// returned to the system when they were not used again for trimAfter.
    static let trimAfter: Int64 = 1_000_000_000
    static let warmInput: UInt64 = 64 << 20
    /// Free input memory keeps no more than this part of the reserve, which is the memory of the machine or cgroup unless the host says
    /// otherwise. What is more is returned at once: the host may need that memory for itself.
    static let warmShare: UInt64 = 8
    static let warmOutput: UInt64 = 64 << 20
    /// How often a thread that waits for a function of the host to return checks whether the function was left by a
    /// jump, or with its thread.
    static let leftInterval: Int64 = 20_000_000
    /// The engine thread returns free input memory to the system in pieces of this size; an allocation may have to wait
    /// for one piece.
    static let trimPiece: UInt64 = 16 << 20
    /// The engine thread does not return smaller free stretches, because each costs a system call.
    static let returnLeast: UInt64 = 256 << 10
    /// Results use a freed stretch again only from this size on.
    static let holeLeast: UInt64 = 1 << 20

    /// Bytes of long texts of failed items in one reply, which are copied under the pool's lock: 4 MiB take less than a millisecond.
    static let longTexts = 4 << 20

    /// While something with a time limit runs, the engine thread wakes at least this often. So a deadline that is no
    /// longer needed makes one wakeup soon, and none long after.
    static let longestTick: Int64 = 100_000_000
    static let setupTimeout: Int64 = 60_000_000_000
    static let cleanupTimeout: Int64 = 5_000_000_000
    static let grace: Int64 = 2_000_000_000
    /// After how many failed starts in a row, with no item ended in between, the pool fails, or the function is
    /// disabled in whose setup the workers died.
    static let restarts: UInt32 = 5
    /// How long the next try waits after a failed fork, doubled each time, but at most forkDoublings times: 51 s.
    static let forkRetry: Int64 = 50_000_000
    static let forkDoublings: UInt32 = 10
    /// How long the next start in a place waits after a worker has died in its start, doubled each time up to 320 ms:
    /// where other workers do the work this goes on for ever, and must cost little.
    static let restartPause: Int64 = 5_000_000
    static let restartDoublings: UInt32 = 6
    /// How often a range may be lost with a worker that had not begun it, or an item with its zygote, before the pool
    /// suspects it.
    static let suspicion: UInt32 = 3
    /// How many zygotes may die in a row, with no worker ready and no item ended in between.
    static let zygoteRestarts: UInt32 = 5
    /// How often a zygote is started whose program ends before the zygote has begun. By itself: it would end so again. By a signal,
    /// which may have been meant for another, or after an earlier one had begun, when the machine was short of something perhaps.
    static let zygoteStarts: UInt32 = 1
    static let zygoteStartsAgain: UInt32 = 5
    /// How long its program may take before it calls mape_zygote_main: an interpreter imports meanwhile.
    static let zygoteTimeout: Int64 = 60_000_000_000
    /// How much of what a zygote prints to its standard error is kept for messages.
    static let zygoteText = 4096
    /// How long a zygote has to end before it is killed.
    static let zygoteGrace: Int32 = 1000

    /// +500: the OOM killer prefers a worker to any process that uses up to half of the machine's memory more: proc(5),
    /// oom_score_adj.
    static let oomScore: Int32 = 500

    /// Input is copied in pieces of this many bytes: workers begin with the first while the second is copied.
    static let copyPiece: UInt64 = 1 << 20

    /// How long a copy of so many bytes takes is measured. A smaller one takes a microsecond or two: looking at the clock would take a good part of
    /// that.
    static let timedCopy: UInt64 = 16 << 10

    /// How many crash files a pool makes at most: a function that crashes at every item must not fill a disk.
    static let crashFiles = 32
    /// The limit for input, data and globals of one crash file together: copying more would delay the pool.
    static let crashFileBytes: UInt64 = 256 << 20

    /// Pools inside workers: a worker so deep makes none, and no worker has more at once. Each is a zygote, a thread and workers.
    static let deepestWorker: UInt32 = 3
    static let poolsInWorker = 16

    /// Events that a trace keeps, unless the host says otherwise; deaths of which it keeps the report, and how many lines of one. A wait that is
    /// shorter is what it takes a worker to go from one request to the next.
    static let tracedEvents: UInt64 = 65_536
    static let tracedDeaths = 256
    static let tracedLines = 12
    static let shortestWait: Int64 = 1_000

    static let window: UInt64 = 4096
    static let largestWindow: UInt64 = 1 << 24
    static let progressInterval: Int64 = 50_000_000
    /// How many items a push to a stream handles at a time, and up to how many bytes of them it copies twice: first out
    /// of the host's memory, then, under the lock, into the stream's. That saves taking the lock once more.
    static let pushedAtOnce = 1024
    static let stagedBytes = 8192
    /// The same for items of several pieces.
    static let piecesAtOnce = 64
    /// Stream items are packed into blocks of this size.
    static let streamBlock: UInt64 = 256 << 10
    /// How many bytes of undelivered texts the pool keeps; beyond it the oldest are dropped and counted.
    static let messageBytes = 1 << 20
    /// For how many items a dispatch makes events ready under one lock.
    static let dispatchBatch: UInt64 = 256
    /// How many events one call of mape_pool_next_events fetches at most: each may be of a job of its own, and that is 0.1 µs under the lock.
    static let fetchedAtOnce: UInt64 = 4096
    /// A longer line of captured output is delivered in parts. 1,024 workers hold 32 MiB of unfinished lines at most.
    static let longestLine = 16384
}
