// A job's input before there is a job.

/// When inputs were copied.
struct Copied {
    /// 0: nobody wants to know.
    var began: Int64 = 0
    var ended: Int64 = 0
}

/// A block with its record, the buffers that items lie in, and what is still to be copied.
struct Prepared {
    let block: Block
    let total: UInt64
    var record = JobRecord()
    /// Each retained once.
    var used = UsedBuffers()
    /// The input that is not copied yet.
    private(set) var copying: Copying?
    /// Items that are in place.
    private(set) var ready: UInt64
    var moved = Moved()
    /// When that was done.
    var copied = Copied()

    init(block: Block, total: UInt64) {
        self.block = block
        self.total = total
        ready = total
    }

    /// Of a stream there is nothing yet: its block is made with the job, and items come later.
    static var ofStream: Prepared { Prepared(block: Block(offset: 0, count: 0), total: 0) }

    var isOfStream: Bool { block.count == 0 }

    /// Copies the first piece of items; `copying` is what is left.
    @inline(__always)
    mutating func copy(_ items: HostItems, into input: InputMemory) {
        ready = items.pieceEnd(from: 0, of: total)
        let began = moved.begin(ready &* items.bytesEach)
        items.copy(0, ready, into: input)
        moved.end(began)
        copying = ready == total ? nil : Copying(items, from: ready, total: total)
    }
}
