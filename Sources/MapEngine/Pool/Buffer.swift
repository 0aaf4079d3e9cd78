// A mape_buffer: a stretch of the input memory that the host writes itself. Lives until the host and all jobs have let go.

import CMapBridge

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

/// A table of globals in the input memory. Never changed: setting a global makes a new one, and jobs keep theirs.
final class Globals {
    /// A global's name and bytes, shared by all tables it is in.
    final class Value {
        let name: UserText
        let nameBlock: Block
        let block: Block
        let size: UInt64
        private let input: InputMemory

        init(name: UserText, nameBlock: Block, block: Block, size: UInt64, input: InputMemory) {
            self.name = name
            self.nameBlock = nameBlock
            self.block = block
            self.size = size
            self.input = input
        }

        deinit {
            input.give(block)
            input.give(nameBlock)
        }
    }

    let values: [Value]
    let block: Block
    private let input: InputMemory

    init(_ values: [Value], input: InputMemory) throws(MapError) {
        self.values = values
        self.input = input
        let line = MemoryLayout<mapb_global>.stride
        block = try input.take(UInt64(MemoryLayout<mapb_globals>.size + values.count * line))
        unsafe input.at(block.offset, as: mapb_globals.self).pointee.count = UInt64(values.count)
        let lines = unsafe input.at(block.offset + UInt64(MemoryLayout<mapb_globals>.size), as: mapb_global.self)
        for (i, value) in values.enumerated() {
            unsafe lines[i] = unsafe mapb_global(
                name: value.nameBlock.offset, hash: value.name.withCString { unsafe mapb_hash($0) }, data: value.block.offset, size: value.size)
        }
    }

    deinit { input.give(block) }
}
