// Where the bytes of results are. Results of workers of this machine stay in their output memories; a worker without an
// output memory would be one more case here, and no other code would change.

enum ResultStore {
    /// Nowhere: only results have bytes.
    case none
    /// In a worker's output memory, in these parts.
    case shared(OutputRegion, Used)

    /// Where a stretch is; good as long as this is. Nil: it does not lie in here.
    func bytes(_ offset: UInt64, _ count: UInt64) -> UnsafeRawPointer? {
        switch self {
        case .none: nil
        case .shared(let region, _): unsafe region.bytes(offset, count)
        }
    }

    /// Frees the bytes.
    @inline(never) func free() {
        switch self {
        case .none: break
        case .shared(let region, let used): region.free(used)
        }
    }

    /// Joins the memory that the next range has used, if that lies right behind. Returns whether it does.
    mutating func join(_ next: ResultStore) -> Bool {
        guard case .shared(let region, var used) = self, case .shared(let following, let more) = next,
            region === following,
            used.joins(more)
        else { return false }
        used.hole.count += more.hole.count
        used.frontier.count += more.frontier.count
        self = .shared(region, used)
        return true
    }
}
