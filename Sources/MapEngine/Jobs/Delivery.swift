// The undelivered events of a job: ended items, progress, the end.

struct Delivery {
    /// The places of the segments to deliver, in order of delivery.
    private(set) var places = Queue<Int>()
    /// How many items of the first of them were delivered.
    private(set) var offset: UInt64 = 0
    /// How many ended items are not delivered.
    private(set) var undelivered: UInt64 = 0
    /// When items are delivered in order: segments that wait for those before, the lowest last; and where the next one begins.
    private var early: [Early] = []
    private var next: UInt64 = 0

    /// When and where progress was last delivered, and whether it is due again.
    var progressIsDue = false
    var lastProgress: Int64 = 0
    var lastFraction: Double = 0
    /// When the DONE event was delivered; 0: it was not.
    var toldDoneAt: Int64 = 0
    var toldDone: Bool { toldDoneAt != 0 }
    /// Whether it is in the queue of jobs with undelivered events.
    var isQueued = false

    private struct Early {
        let first: UInt64
        let end: UInt64
        let place: Int
    }

    /// Called when the items of a segment have ended, with its place.
    mutating func add(_ items: Range<UInt64>, at place: Int, inOrder: Bool) {
        undelivered += items.upperBound - items.lowerBound
        if !inOrder || items.lowerBound == next && early.isEmpty {
            next = items.upperBound
            places.append(place)
            return
        }
        insert(Early(first: items.lowerBound, end: items.upperBound, place: place))
        while let lowest = early.last, lowest.first == next {
            early.removeLast()
            next = lowest.end
            places.append(lowest.place)
        }
    }

    /// Keeps the descending order by first item; few segments wait.
    private mutating func insert(_ segment: Early) {
        var low = 0
        var high = early.count
        while low < high {
            let middle = (low + high) / 2
            if early[middle].first > segment.first { low = middle + 1 } else { high = middle }
        }
        early.insert(segment, at: low)
    }

    /// Called when this many items of the first segment, of `size` items, were delivered. Returns whether these were
    /// the last.
    mutating func delivered(_ count: UInt64, of size: UInt64) -> Bool {
        undelivered -= count
        offset += count
        guard offset == size else { return false }
        _ = places.popFirst()
        offset = 0
        return true
    }

    /// The results are dropped: no item is delivered any more.
    mutating func forgetItems() {
        places = Queue()
        early = []
        undelivered = 0
    }
}
