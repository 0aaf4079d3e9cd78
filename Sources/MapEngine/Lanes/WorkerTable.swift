// The workers of a pool, and which of them there is something to do for.
//
// A pool may have 1,024 workers on two cores, and of most of them there is nothing to see: they sleep. So nobody goes through all of
// them. Each worker says when something of it has changed (`refresh`), and the table keeps the sets that others go through: those that
// hold requests, those that were given some since the last publishing, those with room, by how much they hold.

import CMapBridge

@safe final class WorkerTable {
    /// By slot. Never changes.
    private(set) var workers: [Worker] = []
    /// A line per worker.
    let watches: Cells<Watch>

    /// Those that have requests to answer.
    private(set) var busy = SlotSet()
    /// Those of whom replies or messages are to be expected: the busy ones, and those that start.
    private(set) var listening = SlotSet()
    /// Those that hold more than the item they are on.
    private(set) var holders = SlotSet()
    /// Those that take ranges.
    private(set) var ready = SlotSet()
    /// The places without a process.
    private(set) var empty = SlotSet()
    /// Those that were given requests which are not yet published.
    private(set) var unpublished = SlotSet()
    /// How many may be given ranges.
    private(set) var available = 0
    /// How many of them may be busy at once.
    var slowStart = SlowStart()
    /// Called when an assignment ends: Worker.finish.
    var onFinish: ((Worker, Assignment, Assignment.End) -> Void)?

    /// Those that may be given ranges, by how many requests they hold.
    private let byLoad: Cells<SlotSet>
    /// Bit i: byLoad[i] is not empty.
    private var usedLoads: UInt64 = 0
    /// Per worker: where in byLoad it is; -1: nowhere.
    private var loadOf: [Int]

    /// A worker with so many requests has no room for another.
    private static var loads: Int { WorkerLink.capacity }

    /// - itemsPerWorker: after so many a worker is replaced; 0: never.
    init(count: Int, itemsPerWorker: UInt64) {
        watches = Cells(repeating: Watch(), count: count)
        byLoad = Cells(repeating: SlotSet(), count: Self.loads)
        loadOf = [Int](repeating: -1, count: count)
        workers = (0..<count).map { slot in
            Worker(slot: slot, table: self, itemsPerWorker: itemsPerWorker)
        }
        for slot in 0..<count { empty.insert(slot) }
    }

    deinit {
        workers = []
    }

    subscript(slot: Int) -> Worker { workers[slot] }

    /// A worker's state has changed.
    func stateChanged(_ worker: Worker) {
        ready.set(worker.slot, worker.state == .ready)
        empty.set(worker.slot, worker.state == .none)
        refresh(worker)
    }

    /// Something else that the sets depend on has changed of a worker: what it holds, or whether it may be given more.
    func refresh(_ worker: Worker) {
        let slot = worker.slot
        let held = worker.inFlight
        let state = worker.state
        let isHeard = state != .none && state != .dying && (held > 0 || state == .starting)
        busy.set(slot, held > 0)
        listening.set(slot, isHeard)
        holders.set(slot, held > 0 && watches[slot].mayHoldMore)
        let hasRoom = worker.takesWork && held < Self.loads && worker.backlog.isEmpty && !worker.isSpent
        let load = hasRoom ? held : -1
        let before = loadOf[slot]
        if load == before { return }
        loadOf[slot] = load
        if before >= 0 {
            byLoad[before].remove(slot)
            if byLoad[before].isEmpty { usedLoads &= ~(1 << UInt64(before)) }
            available -= 1
        }
        if load >= 0 {
            byLoad[load].insert(slot)
            usedLoads |= 1 << UInt64(load)
            available += 1
        }
    }

    /// The least that one of those holds who may be given ranges, from `load` on; nil: there is none.
    func lowestLoad(from load: Int) -> Int? {
        guard load < Self.loads else { return nil }
        let rest = usedLoads >> UInt64(load)
        return rest == 0 ? nil : load + rest.trailingZeroBitCount
    }

    /// Those that may be given ranges and hold so many requests.
    func available(holding load: Int) -> SlotSet { byLoad[load] }

    /// The first of them.
    func firstAvailable(holding load: Int) -> Int? { byLoad[load].first }

    /// The next of them; those that were given something meanwhile hold more.
    func nextAvailable(holding load: Int, after slot: Int) -> Int? { byLoad[load].next(after: slot) }

    /// Whether one of those that may be given ranges is as asked for.
    func hasAvailable(where matches: (Worker) -> Bool) -> Bool {
        var load = 0
        while let next = lowestLoad(from: load) {
            for slot in byLoad[next] where matches(workers[slot]) { return true }
            load = next + 1
        }
        return false
    }

    /// A worker that takes ranges has nothing to do.
    var hasIdle: Bool { ready.hasMember(notIn: busy) }

    // MARK: - Publishing

    func wasGiven(_ worker: Worker) { unpublished.insert(worker.slot) }

    /// One whose requests are to be published, which it is told of here.
    func nextToPublish() -> Worker? {
        guard let slot = unpublished.first else { return nil }
        unpublished.remove(slot)
        return workers[slot]
    }
}
