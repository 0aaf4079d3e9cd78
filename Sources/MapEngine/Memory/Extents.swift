// The free stretches of an address range, sorted, neighbours merged.

/// A stretch: from offset, count bytes.
struct Extent: Equatable {
    var offset: UInt64
    var count: UInt64
    var end: UInt64 { offset + count }
}

/// Free stretches in order of offset. Allocation is first fit, so that low addresses, whose pages are warm, are used
/// first.
///
/// They stand in runs of some hundred. Of each run the longest stretch is known, so that a search passes over runs that have none
/// long enough, and a stretch that comes or goes moves its own run alone: thousands of small stretches, which jobs that were released
/// here and there leave behind, cost next to nothing.
struct Extents {
    private struct Run {
        var stretches: [Extent]
        var longest: UInt64

        init(_ stretches: [Extent]) {
            self.stretches = stretches
            longest = 0
            measure()
        }

        mutating func measure() {
            longest = 0
            for stretch in stretches where stretch.count > longest { longest = stretch.count }
        }
    }

    /// At least one. None is empty but the only one, which keeps its memory: most often there is nothing free, or one stretch.
    private var runs = [Run([])]
    private(set) var total: UInt64 = 0

    /// Longer runs are cut in two.
    private static let longestRun = 128

    init() {}
    init(_ whole: Extent) {
        if whole.count > 0 { runs = [Run([whole])] }
        total = whole.count
    }

    /// All of them.
    var free: [Extent] { runs.flatMap { $0.stretches } }

    /// Allocates `count` bytes. Returns their offset; nil when no free stretch is large enough. `alignment` is a power
    /// of two.
    mutating func allocate(_ count: UInt64, alignment: UInt64) -> UInt64? {
        for r in runs.indices where runs[r].longest >= count {
            for i in runs[r].stretches.indices {
                let whole = runs[r].stretches[i]
                let start = (whole.offset + alignment - 1) & ~(alignment - 1)
                guard start <= whole.end, whole.end - start >= count else { continue }
                cut(Extent(offset: start, count: count), out: r, i)
                return start
            }
        }
        return nil
    }

    /// Allocates a certain stretch. Returns false when not all of it is free.
    mutating func allocate(_ extent: Extent) -> Bool {
        let r = run(of: extent.offset + 1)
        let i = place(of: extent.offset + 1, in: r) - 1
        guard i >= 0, runs[r].stretches[i].offset <= extent.offset, runs[r].stretches[i].end >= extent.end else {
            return false
        }
        cut(extent, out: r, i)
        return true
    }

    /// Allocates the whole first stretch of at least `least` bytes.
    mutating func allocateWhole(least: UInt64) -> Extent? {
        guard let r = runs.firstIndex(where: { $0.longest >= least }),
            let i = runs[r].stretches.firstIndex(where: { $0.count >= least })
        else { return nil }
        let whole = runs[r].stretches[i]
        total -= whole.count
        remove(r, i)
        return whole
    }

    /// Removes the last stretch if it ends at `end`.
    mutating func removeLast(endingAt end: UInt64) -> Extent? {
        let r = runs.count - 1
        guard let last = runs[r].stretches.last, last.end == end else { return nil }
        total -= last.count
        remove(r, runs[r].stretches.count - 1)
        return last
    }

    /// Frees a stretch.
    mutating func free(_ extent: Extent) {
        if extent.count == 0 { return }
        total += extent.count
        let r = run(of: extent.offset)
        let i = place(of: extent.offset, in: r)
        let left: (Int, Int)? = i > 0 ? (r, i - 1) : nil
        let right: (Int, Int)? = i < runs[r].stretches.count ? (r, i) : r + 1 < runs.count ? (r + 1, 0) : nil
        let joinsLeft = left.map { runs[$0.0].stretches[$0.1].end == extent.offset } ?? false
        let joinsRight = right.map { runs[$0.0].stretches[$0.1].offset == extent.end } ?? false
        if joinsLeft, let (a, at) = left {
            var whole = runs[a].stretches[at]
            whole.count += extent.count
            if joinsRight, let (b, next) = right {
                whole.count += runs[b].stretches[next].count
                remove(b, next)
            }
            change(a, at, to: whole)
        } else if joinsRight, let (b, next) = right {
            change(b, next, to: Extent(offset: extent.offset, count: extent.count + runs[b].stretches[next].count))
        } else {
            insert(extent, r, i)
        }
    }

    // MARK: - Runs

    /// The run that a stretch belongs to: the last that begins before it, or the first.
    private func run(of offset: UInt64) -> Int {
        if runs.count == 1 { return 0 }
        var low = 0
        var high = runs.count
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].stretches[0].offset < offset { low = middle + 1 } else { high = middle }
        }
        return max(0, low - 1)
    }

    /// Its place in the run.
    private func place(of offset: UInt64, in run: Int) -> Int {
        if let last = runs[run].stretches.last, last.offset < offset { return runs[run].stretches.count }
        var low = 0
        var high = runs[run].stretches.count
        while low < high {
            let middle = (low + high) / 2
            if runs[run].stretches[middle].offset < offset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Takes a part of a stretch.
    private mutating func cut(_ part: Extent, out r: Int, _ i: Int) {
        let whole = runs[r].stretches[i]
        let head = Extent(offset: whole.offset, count: part.offset - whole.offset)
        let tail = Extent(offset: part.end, count: whole.end - part.end)
        total -= part.count
        if head.count > 0 {
            change(r, i, to: head)
            if tail.count > 0 { insert(tail, r, i + 1) }
        } else if tail.count > 0 {
            change(r, i, to: tail)
        } else {
            remove(r, i)
        }
    }

    private mutating func change(_ r: Int, _ i: Int, to stretch: Extent) {
        let before = runs[r].stretches[i].count
        runs[r].stretches[i] = stretch
        if stretch.count >= runs[r].longest {
            runs[r].longest = stretch.count
        } else if before == runs[r].longest {
            runs[r].measure()
        }
    }

    private mutating func insert(_ stretch: Extent, _ r: Int, _ i: Int) {
        runs[r].stretches.insert(stretch, at: i)
        runs[r].longest = max(runs[r].longest, stretch.count)
        let count = runs[r].stretches.count
        guard count > Self.longestRun else { return }
        // What comes in order fills its run, and begins another.
        let half = r == runs.count - 1 && i == count - 1 ? count - 1 : count / 2
        let upper = Run(Array(runs[r].stretches[half...]))
        runs[r].stretches.removeSubrange(half...)
        runs[r].measure()
        runs.insert(upper, at: r + 1)
    }

    private mutating func remove(_ r: Int, _ i: Int) {
        let count = runs[r].stretches.remove(at: i).count
        if runs[r].stretches.isEmpty && runs.count > 1 {
            runs.remove(at: r)
        } else if count == runs[r].longest {
            runs[r].measure()
        }
    }
}
