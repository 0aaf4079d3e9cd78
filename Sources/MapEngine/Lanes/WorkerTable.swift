// The workers of a pool, and which of them there is something to do for.
//
// A pool may have 1,024 workers on two cores, and most of them sleep. So no code walks over all workers. Each worker
// reports a change of its state (`refresh`), and the table keeps the sets that the pool walks over: workers that hold
// requests, workers with unpublished requests, workers with room, by how many requests they hold.

import CMapBridge

@safe final class WorkerTable {
    /// By slot. None is ever removed: a place that is no longer wanted has no process in the end.
    private(set) var workers: [Worker] = []
    /// A line per worker. There is room for the most that a pool may ever have, so that none moves; it has pages as far as it is used.
    let watches: Cells<Watch>
    /// How many workers there are to be on this machine, and in which places.
    var size: PoolSize

    /// Those that have requests to answer.
    private(set) var busy = SlotSet()
    /// Workers that may send replies or texts: the busy ones, and those that start.
    private(set) var listening = SlotSet()
    /// Those that hold more than the item they are on.
    private(set) var holders = SlotSet()
    /// Workers that can be assigned ranges.
    private(set) var ready = SlotSet()
    /// The places without a process that are to have one.
    private(set) var empty = SlotSet()
    /// Workers with requests that are not yet published.
    private(set) var unpublished = SlotSet()
    /// Workers that have room for ranges.
    private struct Room {
        /// How many they are.
        var workers = 0
        /// Whether one has more than when this was last consumed.
        var isNew = false
        /// Those whose last request is a call of a function whose calls are short: another call may wait behind it.
        var brief = SlotSet()
    }
    private var room = Room()
    /// How many of them may be busy at once.
    var slowStart = SlowStart()
    /// What is recorded of the workers, if anything.
    var tracing = Tracing()

    /// Workers that can be assigned ranges now, by how many requests they hold.
    private let byLoad: Cells<SlotSet>
    /// Bit i: byLoad[i] is not empty.
    private var usedLoads: UInt64 = 0
    /// Per worker: where in byLoad it is; -1: nowhere.
    private var loadOf: [Int] = []

    /// A worker with this many requests has no room for another.
    private static var loads: Int { WorkerLink.capacity }

    init(_ size: PoolSize, itemsPerWorker: UInt64) {
        self.size = size
        watches = Cells(unset: Int(MAPB_MAX_WORKERS))
        byLoad = Cells(repeating: SlotSet(), count: Self.loads)
        add(upTo: size.hasLanes ? firstLane : size.count, itemsPerWorker: itemsPerWorker)
        if size.hasLanes { add(upTo: Int(MAPB_MAX_WORKERS), itemsPerWorker: 0) }
    }

    /// Adds places, unless there have been so many before.
    /// - itemsPerWorker: after how many items a worker is replaced; 0: never.
    func add(upTo count: Int, itemsPerWorker: UInt64) {
        for slot in workers.count..<max(count, workers.count) {
            watches[slot] = Watch()
            loadOf.append(-1)
            workers.append(Worker(slot: slot, table: self, itemsPerWorker: itemsPerWorker))
            stateChanged(workers[slot])
        }
    }

    deinit {
        workers = []
    }

    subscript(slot: Int) -> Worker { workers[slot] }

    /// Called when a worker's state has changed, or whether its place is wanted.
    func stateChanged(_ worker: Worker) {
        ready.set(worker.slot, worker.state == .ready)
        empty.set(worker.slot, worker.state == .none && size.wants(worker.slot))
        refresh(worker)
    }

    /// Called when something else has changed that the sets depend on: what a worker holds, or whether it can be
    /// assigned more.
    func refresh(_ worker: Worker) {
        let slot = worker.slot
        let held = worker.inFlight
        let state = worker.state
        let isHeard = state != .none && state != .dying && (held > 0 || state == .starting)
        busy.set(slot, held > 0)
        listening.set(slot, isHeard)
        holders.set(slot, held > 0 && (watches[slot].mayHoldMore || slot >= firstLane))
        let hasRoom = worker.isReadyForWork && held < Self.loads && worker.backlog.isEmpty && !worker.isSpent
        let load = hasRoom ? held : -1
        let before = loadOf[slot]
        if load == before { return }
        if load >= 0 && (before < 0 || load < before) { room.isNew = true }
        loadOf[slot] = load
        if before >= 0 {
            byLoad[before].remove(slot)
            if byLoad[before].isEmpty { usedLoads &= ~(1 << UInt64(before)) }
            room.workers -= 1
        }
        if load >= 0 {
            byLoad[load].insert(slot)
            usedLoads |= 1 << UInt64(load)
            room.workers += 1
        }
    }

    /// Called before ranges are assigned to whoever has room.
    func consumeNewRoom() { room.isNew = false }

    /// Whether a worker can be assigned more than when this was last consumed.
    var hasNewRoom: Bool { room.isNew }

    /// How many workers can be assigned ranges now.
    var available: Int { room.workers }

    /// The smallest number of requests, `load` or more, that an available worker holds; nil: there is none.
    @inline(__always)
    func lowestLoad(from load: Int) -> Int? {
        guard load < Self.loads else { return nil }
        let rest = usedLoads >> UInt64(load)
        return rest == 0 ? nil : load + rest.trailingZeroBitCount
    }

    /// The available workers that hold this many requests.
    func available(holding load: Int) -> SlotSet { byLoad[load] }

    /// The first of them.
    @inline(__always)
    func firstAvailable(holding load: Int) -> Int? { byLoad[load].first }

    /// The next of them; a worker that was assigned something meanwhile holds more.
    func nextAvailable(holding load: Int, after slot: Int) -> Int? { byLoad[load].next(after: slot) }

    /// The first and the next of them behind whose last request a call may wait.
    func firstBrief(holding load: Int) -> Int? { byLoad[load].next(after: -1, in: room.brief) }
    func nextBrief(holding load: Int, after slot: Int) -> Int? { byLoad[load].next(after: slot, in: room.brief) }

    /// Called when a worker is assigned a request.
    /// - isBrief: it is a call of a function whose calls were short.
    @inline(__always)
    func wasAssigned(_ worker: Worker, isBrief: Bool) {
        unpublished.insert(worker.slot)
        room.brief.set(worker.slot, isBrief)
    }

    /// Whether `matches` accepts one of the available workers.
    func hasAvailable(where matches: (Worker) -> Bool) -> Bool {
        var load = 0
        while let next = lowestLoad(from: load) {
            for slot in byLoad[next] where matches(workers[slot]) { return true }
            load = next + 1
        }
        return false
    }

    /// The workers of this machine, and the lanes.
    var locals: ArraySlice<Worker> { workers.prefix(firstLane) }
    var remotes: ArraySlice<Worker> { workers.dropFirst(firstLane) }
    var firstLane: Int { size.firstLane }

    /// Sets whether a lane is to be in its place.
    func want(_ lane: Worker, _ isWanted: Bool) {
        size.wantLane(lane.slot, isWanted)
        stateChanged(lane)
    }

    /// Whether a worker that can be assigned ranges is idle.
    var hasIdle: Bool { ready.hasMember(notIn: busy) }
    /// Whether all workers that there are to be are ready.
    var isComplete: Bool { !size.wanted.hasMember(notIn: ready) }

    // MARK: - Publishing

    var hasUnpublished: Bool { !unpublished.isEmpty }

    /// Removes and returns a worker with unpublished requests.
    func nextToPublish() -> Worker? {
        guard let slot = unpublished.first else { return nil }
        unpublished.remove(slot)
        return workers[slot]
    }
}
