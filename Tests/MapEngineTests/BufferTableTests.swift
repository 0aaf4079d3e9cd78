import Testing

@testable import MapEngine

@Suite struct BufferTableTests {
    @Test(arguments: seeds)
    func findsWhatALinearSearchFinds(seed: UInt64) {
        var random = SeededRandom(seed)
        var table = BufferTable()
        var model: [UInt: Buffer] = [:]
        for round in 0..<4000 {
            let page = UInt64.random(in: 0..<2000, using: &random)
            let handle = UInt(page)
            if random.chance(round < 2500 ? 70 : 40) {
                if model[handle] == nil {
                    let size = UInt64.random(in: 1...4096, using: &random)
                    let buffer = Buffer(block: Block(offset: page << 12, count: 4096), size: size)
                    model[handle] = buffer
                    table[handle] = buffer
                }
            } else {
                let mine = model.removeValue(forKey: handle)
                let its = table.removeValue(forKey: handle)
                #expect(mine === its)
            }
            let offset = UInt64.random(in: 0..<(2000 << 12), using: &random)
            let count = UInt64.random(in: 0..<3000, using: &random)
            let expected = model[UInt(offset >> 12)].flatMap { $0.contains(offset, count) ? $0 : nil }
            #expect(table.holding(offset, count) === expected)
            #expect(table.count == model.count)
        }
        for (handle, buffer) in model {
            #expect(table[handle] === buffer)
            #expect(table.holding(buffer.block.offset, buffer.size) === buffer)
            #expect(table.holding(buffer.block.offset, buffer.size + 1) == nil)
        }
        let all = table.removeAll()
        #expect(all.map { $0.block.offset } == model.values.map { $0.block.offset }.sorted())
        #expect(table.count == 0 && table.holding(0, 1) == nil)
    }

    @Test func aHandleThatIsSetAgainHasTheNewBuffer() {
        var table = BufferTable()
        let a = Buffer(block: Block(offset: 4096, count: 4096), size: 4096)
        let b = Buffer(block: Block(offset: 8192, count: 4096), size: 4096)
        table[1] = a
        table[1] = b
        #expect(table.holding(4096, 1) == nil && table.holding(8192, 1) === b && table.count == 1)
        table[1] = nil
        #expect(table.holding(8192, 1) == nil && table.count == 0)
        let gone = table.removeValue(forKey: 1)
        #expect(gone == nil)
    }

    @Test(arguments: [true, false])
    func buffersInOrderAreFoundFromBothEnds(ascending: Bool) {
        var table = BufferTable()
        let places = ascending ? Array(0..<3000) : Array((0..<3000).reversed())
        for place in places {
            table[UInt(place)] = Buffer(block: Block(offset: UInt64(place) << 12, count: 4096), size: 4096)
        }
        for place in 0..<3000 {
            #expect(table.holding(UInt64(place) << 12, 4096)?.block.offset == UInt64(place) << 12)
        }
    }

    @Test func aJobsBuffersAreKnownOnce() {
        let buffers = (0..<100).map { Buffer(block: Block(offset: UInt64($0) << 12, count: 4096), size: 4096) }
        var used = UsedBuffers()
        for buffer in buffers {
            let isNew = [used.add(buffer), used.add(buffer), used.add(buffers[0])]
            #expect(isNew == [true, false, false])
        }
        #expect(used.list.map { $0.block.offset } == buffers.map { $0.block.offset })
        for (i, buffer) in buffers.enumerated() {
            #expect(used.holding(UInt64(i) << 12 + 5, 4091) === buffer)
            #expect(used.holding(UInt64(i) << 12 + 5, 4092) == nil)
        }
        #expect(used.holding(100 << 12, 1) == nil)
    }

    @Test func copiesOfAJobsBuffersAreApart() {
        let buffers = (0..<3).map { Buffer(block: Block(offset: UInt64($0) << 12, count: 4096), size: 4096) }
        var used = UsedBuffers()
        #expect(used.list.isEmpty && used.holding(0, 1) == nil)
        used.add(buffers[0])
        var other = used
        other.add(buffers[1])
        used.add(buffers[2])
        #expect(used.list.map { $0.block.offset } == [0, 8192] && other.list.map { $0.block.offset } == [0, 4096])
    }
}
