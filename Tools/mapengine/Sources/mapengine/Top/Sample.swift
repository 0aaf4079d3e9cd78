import CPools

/// A pool, as it was at one moment.
struct PoolSample {
    /// Which memory it is: its host's pools have different ones.
    struct Identity: Hashable {
        let device: UInt64
        let inode: UInt64
    }

    let identity: Identity
    let host: Int32
    /// The host's program, and its command line.
    let program: String
    let command: String
    /// What its user knows it by: of an interpreter also which script.
    let name: String
    /// When it was read: CLOCK_MONOTONIC, as all times here.
    let time: Int64
    let figures: mapb_figures
    /// Bytes of input memory that have pages.
    let inputUsed: UInt64
    let lastCrash: Crash?
    var workers: [WorkerSample]

    struct Crash {
        let item: UInt64
        let job: UInt64
        let function: String
        let signal: Int32
        let worker: Int32
        let at: Int64
    }

    var stage: String {
        switch figures.stage {
        case MAPB_STAGE_CREATED.rawValue: "created"
        case MAPB_STAGE_RUNNING.rawValue: "running"
        case MAPB_STAGE_CLOSING.rawValue: "closing"
        case MAPB_STAGE_CLOSED.rawValue: "closed"
        case MAPB_STAGE_FAILED.rawValue: "failed"
        default: "?"
        }
    }

    /// Items that jobs have had and that have not ended.
    var queue: UInt64 { figures.submitted > figures.items ? figures.submitted - figures.items : 0 }
    var resident: UInt64 { workers.reduce(0) { $0 &+ ($1.process?.resident ?? 0) } }
    var busy: Int { workers.reduce(0) { $0 + ($1.state == .busy ? 1 : 0) } }
}

/// A worker, or a lane of another machine.
struct WorkerSample {
    enum State: String {
        case none, starting, idle, busy, stopping
        case unknown = "?"
    }

    let index: Int
    /// The machine that a lane's items run on; nil: a worker of this one.
    let machine: String?
    let generation: UInt64
    let pid: Int32
    var state: State
    let items: UInt64
    /// When it last answered, or was assigned something while idle.
    let since: Int64
    var work = Work()
    /// Nil: not known.
    var process: pools_process?
    /// Bytes of its output memory that have pages.
    var outputUsed: UInt64 = 0

    /// Identifies what runs: as long as it is the same, so is that.
    struct Key: Hashable {
        let generation: UInt64
        let word: UInt64
    }
    var key: Key { Key(generation: generation, word: work.word) }
}

/// What a worker is on.
struct Work {
    enum What: Equatable {
        case nothing
        case item(UInt64)
        /// A range function, which has not said at which item it is.
        case range(first: UInt64, count: UInt64)
        case setup
        case cleanup
        /// It loads a library.
        case loading
        /// The zygote's hook in a new worker.
        case hook
        /// It changed while it was read, or says what cannot be.
        case unknown
    }

    var what = What.nothing
    /// The blame word.
    var word: UInt64 = 0
    /// The function's name; of what loads, the library's path; "?": not known.
    var name = ""
    /// Its job's number, counted from 1; 0: none.
    var job: UInt64 = 0
    /// How far the item says it is; nil: it does not say.
    var fraction: Double?
}
