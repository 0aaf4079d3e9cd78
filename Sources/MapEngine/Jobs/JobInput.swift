// A job's input, and its holders: it is freed when all items have ended, and no thread copies into it or out of it.

struct JobInput {
    /// The block in the input memory: the job's record, and the copied input behind it.
    let record: Block
    /// As they were when it was submitted.
    let globals: Globals?
    /// Its own; nil: it has none, or is done.
    private(set) var data: JobData?
    /// What is not copied yet.
    var copying: Copying?
    /// Buffers that items lie in, each kept once.
    private var used: UsedBuffers
    /// How many threads copy without the lock.
    private var pins = 0
    /// Whether it must be freed when they are done.
    private var isDue = false

    init(record: Block, globals: Globals?, used: consuming UsedBuffers, data: JobData? = nil) {
        if let buffer = data?.buffer, used.add(buffer) { buffer.retain() }
        self.record = record
        self.globals = globals
        self.used = used
        self.data = data
    }

    var buffers: [Buffer] { used.list }

    /// Keeps a buffer until all items have ended.
    mutating func keep(_ buffer: Buffer) {
        if used.add(buffer) { buffer.retain() }
    }

    /// The buffer of them that holds a stretch of the input memory.
    func buffer(holding offset: UInt64, _ count: UInt64) -> Buffer? { used.holding(offset, count) }

    mutating func pin() { pins += 1 }

    /// Its data go with the last job that has them.
    mutating func forgetData() { data = nil }

    /// Whether it may be freed now; if not, `unpin` returns true later.
    mutating func mayFree() -> Bool {
        isDue = pins > 0
        return !isDue
    }

    /// Unpins it. Returns whether it must be freed now, because it could not be before.
    mutating func unpin() -> Bool {
        pins -= 1
        return isDue && pins == 0
    }
}
