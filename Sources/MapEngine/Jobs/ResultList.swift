// What has ended of a job: segments by place. Places stay what they are; those of dropped segments are used again.

import CMapBridge

struct ResultList {
    private(set) var segments: [Segment?] = []
    private var freePlaces: [Int] = []
    /// Segments sorted by first item, made on demand, for finding an item.
    private var index: [Int] = []
    private var indexed = 0
    /// How many threads copy out of it without the lock: it stays unchanged until they are done.
    private var pins = 0
    /// Whether it must be dropped when they are done.
    private var isDue = false

    /// The segment at a place. Nil: it was dropped.
    subscript(place: Int) -> Segment? { segments.indices.contains(place) ? segments[place] : nil }

    /// How many items the segment at a place has. 0: it was dropped.
    func count(at place: Int) -> UInt64 {
        unsafe segments.withUnsafeBufferPointer { unsafe place < $0.count ? $0[place]?.count ?? 0 : 0 }
    }

    /// Reads the result of the i-th item of the segment at a place, which is there. Returns the item's index.
    func read(_ i: UInt64, at place: Int, into out: inout mape_result) -> UInt64 {
        // In place: to copy a segment is to count the references to all that it has.
        unsafe segments.withUnsafeBufferPointer { segments in
            unsafe segments[place]?.read(i, into: &out)
            return (unsafe segments[place]?.first ?? 0) + i
        }
    }

    /// Returns the segment's place.
    mutating func keep(_ segment: consuming Segment) -> Int {
        if let place = freePlaces.popLast() {
            segments[place] = segment
            return place
        }
        segments.append(segment)
        return segments.count - 1
    }

    /// Joins a segment to the last one if its results lie right behind: many short ranges make few segments. Returns
    /// whether it did.
    mutating func join(_ segment: Segment) -> Bool {
        let last = segments.count - 1
        guard last >= 0, indexed <= last else { return false }
        return segments[last]?.join(segment) ?? false
    }

    /// Drops a segment, and returns it: the caller frees its bytes.
    mutating func drop(_ place: Int) -> Segment? {
        guard let segment = segments[place].take() else { return nil }
        freePlaces.append(place)
        return segment
    }

    /// Removes and returns a segment. Its place is not used again.
    mutating func remove(_ place: Int) -> Segment? {
        guard let segment = self[place] else { return nil }
        segments[place] = nil
        return segment
    }

    /// The segment that holds an item, or nil when it has not ended.
    mutating func holding(_ item: UInt64) -> Segment? { place(of: item).flatMap { segments[$0] } }

    /// Reads an item's result. Returns false when it has not ended.
    mutating func read(_ item: UInt64, into out: inout mape_result) -> Bool {
        guard let place = place(of: item) else { return false }
        // In place, as above.
        return unsafe segments.withUnsafeBufferPointer { segments in
            guard let first = unsafe segments[place]?.first else { return false }
            unsafe segments[place]?.read(item - first, into: &out)
            return true
        }
    }

    /// Where the segment is that holds an item.
    private mutating func place(of item: UInt64) -> Int? {
        if segments.count == 1 { return holds(item, at: 0) ? 0 : nil }
        if indexed < segments.count {
            index.append(contentsOf: indexed..<segments.count)
            indexed = segments.count
            // Nearly sorted already: ranges end about in the order in which they were assigned.
            let segments = segments
            index.sort { segments[$0]!.first < segments[$1]!.first }
        }
        var low = 0
        var high = index.count
        while low < high {
            let middle = (low + high) / 2
            if segments[index[middle]]!.first <= item { low = middle + 1 } else { high = middle }
        }
        guard low > 0, holds(item, at: index[low - 1]) else { return nil }
        return index[low - 1]
    }

    private func holds(_ item: UInt64, at place: Int) -> Bool {
        unsafe segments.withUnsafeBufferPointer { segments in
            guard let first = unsafe segments[place]?.first, let end = unsafe segments[place]?.end else { return false }
            return item >= first && item < end
        }
    }

    // MARK: - While it is copied

    mutating func pin() { pins += 1 }

    mutating func unpin() {
        pins -= 1
        if pins == 0 && isDue { drop() }
    }

    /// Drops all segments; if a thread copies them, when it is done.
    mutating func drop() {
        isDue = pins > 0
        if isDue { return }
        // Moved out, not copied.
        while let segment = segments.popLast() { segment?.store.free() }
        self = ResultList()
    }
}
