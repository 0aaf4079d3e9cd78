// Items of a job that were lost with their worker, and how often.

struct LostItems {
    /// With a worker that they have ended.
    private(set) var crashes: [UInt64: UInt32] = [:]
    /// With a zygote.
    private var withZygote: [UInt64: UInt32] = [:]

    /// Returns how often by now.
    mutating func countCrash(_ item: UInt64) -> UInt32 {
        crashes[item, default: 0] += 1
        return crashes[item]!
    }

    /// Other machines have counted these.
    mutating func countCrash(_ item: UInt64, _ times: UInt32) { crashes[item, default: 0] &+= times }

    /// Returns how often by now.
    mutating func countWithZygote(_ item: UInt64) -> UInt32 {
        withZygote[item, default: 0] += 1
        return withZygote[item]!
    }
}
