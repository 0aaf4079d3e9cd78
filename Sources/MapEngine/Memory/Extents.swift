// The free stretches of an address range, sorted, neighbours merged.

/// A stretch: from offset, count bytes.
struct Extent: Equatable {
    var offset: UInt64
    var count: UInt64
    var end: UInt64 { offset + count }
}

/// Free stretches in order of offset. Taking is first fit, so that low addresses, whose pages are warm, are used first; giving back
/// costs a binary search, and no shifting when stretches come back in order.
struct Extents {
    private(set) var free: [Extent] = []
    private(set) var total: UInt64 = 0

    init() {}
    init(_ whole: Extent) {
        free = whole.count > 0 ? [whole] : []
        total = whole.count
    }

    /// Takes a stretch; `alignment` is a power of two.
    mutating func take(_ count: UInt64, alignment: UInt64) -> UInt64? {
        for i in free.indices {
            let start = (free[i].offset + alignment - 1) & ~(alignment - 1)
            guard start <= free[i].end, free[i].end - start >= count else { continue }
            let tail = Extent(offset: start + count, count: free[i].end - start - count)
            let head = start - free[i].offset
            total -= count
            if head > 0 {
                free[i].count = head
                if tail.count > 0 { free.insert(tail, at: i + 1) }
            } else if tail.count > 0 {
                free[i] = tail
            } else {
                free.remove(at: i)
            }
            return start
        }
        return nil
    }

    /// Takes a certain stretch; false when not all of it is free.
    mutating func take(_ extent: Extent) -> Bool {
        let i = firstIndex(after: extent.offset) - 1
        guard i >= 0, free[i].offset <= extent.offset, free[i].end >= extent.end else { return false }
        let head = Extent(offset: free[i].offset, count: extent.offset - free[i].offset)
        let tail = Extent(offset: extent.end, count: free[i].end - extent.end)
        total -= extent.count
        if head.count > 0 {
            free[i] = head
            if tail.count > 0 { free.insert(tail, at: i + 1) }
        } else if tail.count > 0 {
            free[i] = tail
        } else {
            free.remove(at: i)
        }
        return true
    }

    /// Takes the whole first stretch of at least `least` bytes.
    mutating func takeWhole(least: UInt64) -> Extent? {
        guard let i = free.firstIndex(where: { $0.count >= least }) else { return nil }
        total -= free[i].count
        return free.remove(at: i)
    }

    /// Takes the last stretch when it ends at `end`.
    mutating func takeLast(endingAt end: UInt64) -> Extent? {
        guard let last = free.last, last.end == end else { return nil }
        total -= last.count
        return free.removeLast()
    }

    /// Gives a stretch back.
    mutating func give(_ extent: Extent) {
        if extent.count == 0 { return }
        total += extent.count
        let i = firstIndex(after: extent.offset)
        let joinsLeft = i > 0 && free[i - 1].end == extent.offset
        let joinsRight = i < free.count && extent.end == free[i].offset
        if joinsLeft && joinsRight {
            free[i - 1].count += extent.count + free[i].count
            free.remove(at: i)
        } else if joinsLeft {
            free[i - 1].count += extent.count
        } else if joinsRight {
            free[i].offset = extent.offset
            free[i].count += extent.count
        } else {
            free.insert(extent, at: i)
        }
    }

    private func firstIndex(after offset: UInt64) -> Int {
        if let last = free.last, last.offset <= offset { return free.count }
        var low = 0
        var high = free.count
        while low < high {
            let middle = (low + high) / 2
            if free[middle].offset <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
