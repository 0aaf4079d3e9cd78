// A mape_buffer: a stretch of the input memory that the host writes itself. Lives until the host and all jobs have let go.

final class Buffer {
    let block: Block
    let size: UInt64
    var handle: UInt = 0
    private var users = 1

    init(block: Block, size: UInt64) {
        self.block = block
        self.size = size
    }

    func retain() { users += 1 }

    /// True when nobody uses it any more.
    func release() -> Bool {
        users -= 1
        return users == 0
    }

    func contains(_ offset: UInt64, _ count: UInt64) -> Bool {
        offset >= block.offset && count <= size && offset - block.offset <= size - count
    }
}
