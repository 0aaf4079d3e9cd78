// A mape_buffer: a stretch of the input memory that the host writes itself. It lives until the host and all jobs have
// released it.

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

    /// Releases one use. Returns whether that was the last.
    func release() -> Bool {
        users -= 1
        return users == 0
    }

    func contains(_ offset: UInt64, _ count: UInt64) -> Bool {
        offset >= block.offset && count <= size && offset - block.offset <= size - count
    }
}
