// The jobs of a pool, and how many of them are in which state.

struct JobRegister {
    private var byHandle = JobTable()
    /// Jobs without a handle, until they have released themselves.
    private var own: [ObjectIdentifier: Job] = [:]
    private var sequence: UInt64 = 0
    /// How many jobs have unfinished items, and how many of these still run.
    private(set) var unended = 0
    private(set) var toRun = 0
    /// How many unfinished jobs deliver items or progress as they come.
    private(set) var prompt = 0

    subscript(handle: UInt) -> Job? { byHandle[handle] }

    var isEmpty: Bool { byHandle.isEmpty && own.isEmpty }

    /// Every job; used by what ends all jobs.
    var all: [Job] { byHandle.values + own.values }

    /// The number of the next job.
    mutating func next() -> UInt64 {
        sequence += 1
        return sequence
    }

    /// Adds a job. From now on its items count.
    /// - handle: 0: the host has none, and the job releases itself.
    mutating func add(_ job: Job, handle: UInt) {
        job.owner.handle = handle
        job.owner.isItself = handle == 0
        if job.owner.isItself { own[ObjectIdentifier(job)] = job } else { byHandle[handle] = job }
        if job.isPrompt { prompt += 1 }
        unended += 1
        if job.ending == nil { toRun += 1 }
    }

    /// Ends a job that is not done.
    mutating func ends() { toRun -= 1 }

    /// Called when all items of a job have ended.
    mutating func done(_ job: Job) {
        unended -= 1
        if job.ending == nil { toRun -= 1 }
        if job.isPrompt { prompt -= 1 }
    }

    mutating func remove(_ job: Job) {
        if job.owner.isItself { own[ObjectIdentifier(job)] = nil } else { byHandle[job.handle] = nil }
    }
}
