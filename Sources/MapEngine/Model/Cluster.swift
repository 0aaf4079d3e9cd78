// Other machines that take ranges of a pool's jobs, as the host describes them.

import CMapBridge

/// The server, the helper that speaks with it, and how many lanes there are at most. A *lane* is a worker of the helper's: what it is assigned
/// runs on another machine.
struct Cluster {
    /// For the helper, which alone understands it.
    let url: UserText
    /// The helper's program; nil: the one that is installed.
    let program: UserText?
    let lanes: Int
    /// Whether there are no workers on this machine.
    let isAlone: Bool

    private static let longestURL = 4000

    /// Nil: the pool has none.
    init?(_ c: mape_pool_config) throws(MapError) {
        guard c.cluster_flags & ~MAPE_CLUSTER_ONLY.rawValue == 0 else {
            throw .argument("config.cluster_flags", "is \(c.cluster_flags): not of enum mape_cluster_flags")
        }
        guard c.remote_workers < MAPB_MAX_WORKERS else {
            throw .argument(
                "config.remote_workers", "is \(c.remote_workers); at most \(MAPB_MAX_WORKERS - 1) are possible")
        }
        guard let text = unsafe c.cluster else {
            guard c.cluster_flags == 0 else {
                throw .argument("config.cluster", "is NULL, but config.cluster_flags is \(c.cluster_flags)")
            }
            return nil
        }
        url = unsafe UserText(text)
        guard !url.isEmpty, url.bytes.count <= Self.longestURL else {
            throw .argument("config.cluster", "has \(url.bytes.count) bytes; 1 to \(Self.longestURL) are possible")
        }
        var path = unsafe c.remote_path.map { unsafe UserText($0) }
        if let name = path, name.hasFolder || name.isEmpty { path = try name.absolute("config.remote_path") }
        program = path
        lanes = Int(c.remote_workers == 0 ? Policy.lanes : c.remote_workers)
        isAlone = c.cluster_flags & MAPE_CLUSTER_ONLY.rawValue != 0
    }
}
