// Where the bytes of results are. Results of workers of this machine stay in their output memories; a worker that has none of its own
// would be one more case here, and nobody else would know.

enum ResultStore {
    /// Nowhere: what ended otherwise has no bytes.
    case none
    /// In a worker's output memory, of which they use these parts.
    case shared(OutputRegion, Used)

    /// Where a stretch is; good as long as this is. Nil: it does not lie in here.
    func bytes(_ offset: UInt64, _ count: UInt64) -> UnsafeRawPointer? {
        switch self {
        case .none: nil
        case .shared(let region, _): unsafe region.bytes(offset, count)
        }
    }

    /// Nobody needs the bytes any more.
    @inline(never) func free() {
        switch self {
        case .none: break
        case .shared(let region, let used): region.give(used)
        }
    }

    /// Takes over what the next range has used, when that lies right behind. False: it does not.
    mutating func join(_ next: ResultStore) -> Bool {
        guard case .shared(let region, var used) = self, case .shared(let its, let more) = next, region === its,
            used.joins(more)
        else { return false }
        used.hole.count += more.hole.count
        used.wild.count += more.wild.count
        self = .shared(region, used)
        return true
    }
}
