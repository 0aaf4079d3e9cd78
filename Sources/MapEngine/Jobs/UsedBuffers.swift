// Which buffers a job keeps.

/// The buffers that one job's items lie in, each once, in the order they were met.
struct UsedBuffers {
    private(set) var list: [Buffer] = []
    /// By where they begin; made when there are more than a few.
    private var known: [UInt: Buffer] = [:]

    private static let few = 8

    /// True when it was not in here.
    @discardableResult mutating func add(_ buffer: Buffer) -> Bool {
        if list.last === buffer { return false }
        if list.count < Self.few {
            if list.contains(where: { $0 === buffer }) { return false }
        } else {
            if known.isEmpty { for one in list { known[UInt(one.block.offset)] = one } }
            if known[UInt(buffer.block.offset)] != nil { return false }
            known[UInt(buffer.block.offset)] = buffer
        }
        list.append(buffer)
        return true
    }

    /// The last one that was met holds this too: the usual case, without a search.
    func lastHolding(_ offset: UInt64, _ count: UInt64) -> Buffer? {
        guard let last = list.last, last.contains(offset, count) else { return nil }
        return last
    }
}
