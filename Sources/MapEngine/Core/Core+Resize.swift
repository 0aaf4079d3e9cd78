// How many workers there are: more, fewer, and with config.idle_shrink_ns none that nobody needs. PoolSize decides which places are wanted.
//
// A worker whose place is no longer wanted is dismissed: it gets no more work, what it has not begun is requeued, and as any spent worker it
// is asked to end once it has nothing more (Core+Recycle): it runs its cleanups, and exits. Then its place is empty, and stays so. A
// place that is wanted again keeps its worker, if that was not asked to end yet; otherwise the next one is started when it has
// ended.

import CMapBridge

extension Core {
    /// Sets how many workers the pool is to have. They come and go afterwards.
    func resize(to count: Int) throws(MapError) {
        try checkOpen()
        guard count <= table.firstLane else {
            throw .argument(
                "workers", "is \(count); at most \(table.firstLane) are possible beside config.remote_workers")
        }
        let change = table.size.resize(to: count)
        table.add(upTo: count, itemsPerWorker: config.limits.itemsPerWorker)
        figures.show(table.size)
        for slot in change.new { want(slot) }
        dismiss(change.gone.map { table[$0] })
        // A thread that waits for the start may have what it waits for.
        touched.wakes = true
    }

    /// A place is wanted again, or for the first time.
    private func want(_ slot: Int) {
        let worker = table[slot]
        worker.dismiss(false)
        unpark(for: worker)
        touched.places = true
    }

    private func dismiss(_ workers: [Worker]) {
        for worker in workers { worker.dismiss(true) }
        reclaim(from: workers.filter { $0.isBusy })
        for worker in workers { recycleIfDue(worker) }
    }

    // MARK: - Idle workers

    /// Called after replies were accepted: an idle worker may have to end one day.
    @inline(never) func watchIdle() {
        guard life.stage == .running, table.hasIdle else { return }
        table.size.watchIdle(clock.now())
        engineMustWake(by: table.size.checkAt)
    }

    /// Ends workers that have been idle for too long. Returns when to look again at the latest.
    func restIfDue(_ now: Int64) -> Int64 {
        guard life.stage == .running else { return .max }
        guard now >= table.size.checkAt else { return table.size.checkAt }
        var idle: [(slot: Int, since: Int64)] = []
        for slot in table.ready where slot < table.firstLane && !table[slot].isBusy && !table[slot].isSpent {
            idle.append((slot, table[slot].seen.since))
        }
        dismiss(table.size.rest(idle, now: now).map { table[$0] })
        return table.size.checkAt
    }

    /// Called while work waits that no worker has room for.
    func wakeResting(items: UInt64, _ now: Int64) {
        let (woken, again) = table.size.wake(items: items, now: now)
        for slot in woken { want(slot) }
        if let again { engineMustWake(by: again) }
    }
}
