// A job's input, and who holds it: it is freed when all items have ended, and no thread copies into it, or out of it.

struct JobInput {
    /// The job's record in the input memory, and with it what was copied there.
    let record: Block
    /// As they were when it was submitted.
    let globals: Globals?
    /// Buffers that items lie in, each kept once.
    private var used: UsedBuffers
    /// Threads that copy without the lock.
    private var pins = 0
    /// It was to be freed while they did.
    private var isDue = false

    init(record: Block, globals: Globals?, used: UsedBuffers) {
        self.record = record
        self.globals = globals
        self.used = used
    }

    var buffers: [Buffer] { used.list }

    /// Keeps a buffer until all items have ended.
    mutating func keep(_ buffer: Buffer) {
        if used.add(buffer) { buffer.retain() }
    }

    /// The buffer of them that holds a stretch of the input memory.
    func buffer(holding offset: UInt64, _ count: UInt64) -> Buffer? { used.holding(offset, count) }

    mutating func pin() { pins += 1 }

    /// True when it may be freed now; false: `unpin` says so later.
    mutating func mayFree() -> Bool {
        isDue = pins > 0
        return !isDue
    }

    /// True when it is to be freed now that could not be before.
    mutating func unpin() -> Bool {
        pins -= 1
        return isDue && pins == 0
    }
}
