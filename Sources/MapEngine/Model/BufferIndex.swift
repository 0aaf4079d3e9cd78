// Buffers by where they lie in the input memory.
//
// Found in O(log n). They stand in short sorted runs, so that adding and removing move a few hundred entries at most, however many
// buffers there are.

struct BufferIndex {
    private struct Entry {
        let start: UInt64
        let buffer: Buffer
    }

    private var runs: [[Entry]] = []
    /// Where the first buffer of each run begins.
    private var starts: [UInt64] = []

    /// Longer runs are cut in two.
    private static let longest = 256

    /// In order.
    var all: [Buffer] { runs.flatMap { $0.map { $0.buffer } } }

    /// The buffer that holds a stretch of the input memory wholly.
    func holding(_ offset: UInt64, _ count: UInt64) -> Buffer? {
        let run = run(of: offset)
        guard run >= 0 else { return nil }
        let place = Self.place(in: runs[run], after: offset)
        guard place > 0, runs[run][place - 1].buffer.contains(offset, count) else { return nil }
        return runs[run][place - 1].buffer
    }

    mutating func insert(_ buffer: Buffer) {
        let start = buffer.block.offset
        guard !runs.isEmpty else {
            runs = [[Entry(start: start, buffer: buffer)]]
            starts = [start]
            return
        }
        let run = max(0, run(of: start))
        let place = Self.place(in: runs[run], after: start)
        runs[run].insert(Entry(start: start, buffer: buffer), at: place)
        starts[run] = runs[run][0].start
        guard runs[run].count > Self.longest else { return }
        // What comes in order fills its run, and begins another.
        let half = run == runs.count - 1 && place == Self.longest ? Self.longest : Self.longest / 2
        let upper = Array(runs[run][half...])
        runs[run].removeSubrange(half...)
        runs.insert(upper, at: run + 1)
        starts.insert(upper[0].start, at: run + 1)
    }

    mutating func remove(_ buffer: Buffer) {
        let run = run(of: buffer.block.offset)
        guard run >= 0 else { return }
        let place = Self.place(in: runs[run], after: buffer.block.offset) - 1
        guard place >= 0, runs[run][place].buffer === buffer else { return }
        runs[run].remove(at: place)
        if runs[run].isEmpty {
            runs.remove(at: run)
            starts.remove(at: run)
        } else {
            starts[run] = runs[run][0].start
        }
    }

    /// The last run that does not begin above an offset; -1: there is none.
    private func run(of offset: UInt64) -> Int {
        var low = 0
        var high = starts.count
        while low < high {
            let middle = (low + high) / 2
            if starts[middle] <= offset { low = middle + 1 } else { high = middle }
        }
        return low - 1
    }

    private static func place(in run: [Entry], after offset: UInt64) -> Int {
        var low = 0
        var high = run.count
        while low < high {
            let middle = (low + high) / 2
            if run[middle].start <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// The buffers that one job's items lie in, each once, in the order they were met.
struct UsedBuffers {
    /// Nil: there are none. Most jobs have none, and to copy this costs them nothing.
    private var held: Held?

    private final class Held {
        var list: [Buffer]
        /// Made when there are more than a few.
        var index: BufferIndex

        init(list: [Buffer], index: BufferIndex) {
            self.list = list
            self.index = index
        }
    }

    private static let few = 8

    var list: [Buffer] { held?.list ?? [] }

    /// True when it was not in here.
    @discardableResult mutating func add(_ buffer: Buffer) -> Bool {
        if holding(buffer.block.offset, buffer.size) != nil { return false }
        if !isKnownUniquelyReferenced(&held) {
            held = Held(list: held?.list ?? [], index: held?.index ?? BufferIndex())
        }
        guard let held else { return false }
        held.list.append(buffer)
        if held.list.count == Self.few + 1 {
            for one in held.list { held.index.insert(one) }
        } else if held.list.count > Self.few {
            held.index.insert(buffer)
        }
        return true
    }

    /// The one that holds a stretch of the input memory wholly.
    func holding(_ offset: UInt64, _ count: UInt64) -> Buffer? {
        guard let held else { return nil }
        // Items of one buffer mostly follow one another.
        if let last = held.list.last, last.contains(offset, count) { return last }
        if held.list.count > Self.few { return held.index.holding(offset, count) }
        return held.list.first { $0.contains(offset, count) }
    }
}
