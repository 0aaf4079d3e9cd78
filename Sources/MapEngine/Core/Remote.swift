// Other machines, as the pool sees them: the helper that speaks with them, what it offers, and who has answered.
//
//   host ──CLUSTER, SPAWN──► mapengine-remote ◄──► server ◄──► nodes
//    ▲──NODES, LANE, FUNCTION──┘  its workers are *lanes*: each stands for room on some machine
//
// The helper is a zygote to the pool, and a lane a worker. Guarded by the pool's lock.

import CMapBridge

final class Remote {
    let cluster: Cluster
    /// Wakes the helper: for requests, for what is taken back, for jobs that end.
    let bell: Descriptor
    /// Nil: there is none now.
    var helper: Zygote?
    /// When to start one; Int64.max: it is there, or is being started.
    var retryAt = Int64.max
    /// How many have ended since a lane was ready.
    var failures: UInt32 = 0
    /// How many lanes the machines have room for.
    var offered = 0
    var figures = Figures()
    /// Why the server could not be used, as it was told last.
    var refusal = ""
    /// By lane: who has answered last.
    private(set) var routes: [Route]
    /// Names of machines, which stay: the host may look at them as long as the pool is there.
    private var hosts: [String: CText] = [:]
    private let nobody = CText("")

    struct Figures {
        var nodes: UInt32 = 0
        /// To the server and back, in nanoseconds; 0: not known.
        var roundTrip: Int64 = 0
        var sent: UInt64 = 0
        var received: UInt64 = 0
        /// Items that were taken back or lost.
        var again: UInt64 = 0
    }

    struct Route {
        var host: CText
        var roundTrip: Int64 = 0
        /// Since when there is this lane.
        var since: Int64 = 0

        var isUnknown: Bool { unsafe host.bytes.pointee == 0 }
    }

    init(_ cluster: Cluster) throws(MapError) {
        self.cluster = cluster
        bell = try Descriptor(checking: mapb_notifier_open(), MAPB_NAME_NOTIFIER_OPEN)
        routes = Array(repeating: Route(host: nobody), count: cluster.lanes)
    }

    func ring() { mapb_notifier_notify(bell.number) }

    /// - lane: counted from the first.
    func note(_ host: String, roundTrip: Int64, of lane: Int) {
        if hosts[host] == nil && hosts.count < Policy.hosts { hosts[host] = CText(host) }
        routes[lane].host = hosts[host] ?? nobody
        routes[lane].roundTrip = max(0, roundTrip)
    }

    /// A lane is new: nobody has answered through it yet.
    func begin(_ lane: Int, now: Int64) { routes[lane] = Route(host: nobody, since: now) }

    /// Counts a helper that has ended, or could not be started. Returns how long to wait before the next.
    func countFailure() -> Int64 {
        failures += 1
        return Policy.helperPause << Int64(min(failures - 1, Policy.helperDoublings))
    }
}
