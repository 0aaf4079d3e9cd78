import CPools

/// What one sample does not tell: how fast items end, how busy processes are, and for how long a worker is on what it is on.
struct Meter {
    /// How long something has lasted, in nanoseconds.
    struct Duration: Equatable {
        let least: Int64
        let most: Int64
        /// Close enough for one figure.
        var isExact: Bool { most - least <= max(most / 8, 300_000_000) }
    }

    private struct Place: Hashable {
        let pool: PoolSample.Identity
        let index: Int
    }
    /// What a worker is on: since when at the latest, and whether it was seen to begin.
    private struct Seen {
        var key: WorkerSample.Key
        var since: Int64
        var beganBefore: Int64
    }

    private var before: [PoolSample.Identity: PoolSample] = [:]
    private var now: [PoolSample.Identity: PoolSample] = [:]
    private var seen: [Place: Seen] = [:]
    private var durations: [Place: Duration] = [:]
    /// Items per second of the last samples, the newest last.
    private(set) var history: [PoolSample.Identity: [Double]] = [:]
    static let most = 60

    /// Takes in the samples of one moment.
    mutating func add(_ samples: [PoolSample]) {
        before = now
        now = [:]
        var kept: [Place: Seen] = [:]
        for sample in samples {
            now[sample.identity] = sample
            for worker in sample.workers {
                let place = Place(pool: sample.identity, index: worker.index)
                kept[place] = follow(seen[place], worker.key, worker.since, at: sample.time)
            }
            if let rate = rate(sample) {
                history[sample.identity, default: []].append(rate)
                if history[sample.identity]!.count > Meter.most { history[sample.identity]!.removeFirst() }
            }
        }
        seen = kept
        durations = [:]
        for sample in samples {
            for worker in sample.workers where worker.work.what != .nothing {
                let place = Place(pool: sample.identity, index: worker.index)
                if let known = kept[place] { durations[place] = duration(sample, worker, known) }
            }
        }
        history = history.filter { now[$0.key] != nil }
    }

    /// Takes in a worker's blame word between two samples.
    mutating func add(_ pool: PoolSample, _ worker: WorkerSample, word: UInt64, at time: Int64) {
        let place = Place(pool: pool.identity, index: worker.index)
        let key = WorkerSample.Key(generation: worker.generation, word: word)
        guard let old = seen[place], old.key != key else { return }
        seen[place] = Seen(key: key, since: time, beganBefore: old.since)
    }

    private func follow(_ old: Seen?, _ key: WorkerSample.Key, _ since: Int64, at time: Int64) -> Seen {
        if let old, old.key == key { return old }
        // It began after the last look, or, the first time, after the host saw the worker's last step.
        return Seen(key: key, since: time, beganBefore: old == nil ? since : max(lastLook(time), since))
    }

    private func lastLook(_ time: Int64) -> Int64 { before.values.map(\.time).filter { $0 < time }.max() ?? 0 }

    /// For how long it is on what it is on; nil: on nothing.
    func duration(_ pool: PoolSample, _ worker: WorkerSample) -> Duration? {
        durations[Place(pool: pool.identity, index: worker.index)]
    }

    private func duration(_ pool: PoolSample, _ worker: WorkerSample, _ seen: Seen) -> Duration {
        let least = max(0, pool.time - seen.since)
        let began = max(seen.beganBefore, worker.since)
        return Duration(least: least, most: began > 0 ? max(least, pool.time - began) : least)
    }

    /// Items per second since the sample before; nil: there is none.
    func rate(_ pool: PoolSample) -> Double? {
        guard let old = before[pool.identity], pool.time > old.time, pool.figures.items >= old.figures.items else {
            return nil
        }
        return Double(pool.figures.items - old.figures.items) * 1e9 / Double(pool.time - old.time)
    }

    private func old(_ pool: PoolSample, _ worker: WorkerSample) -> (worker: WorkerSample, seconds: Double)? {
        guard let old = before[pool.identity], pool.time > old.time,
            let before = old.workers.first(where: { $0.index == worker.index && $0.generation == worker.generation })
        else { return nil }
        return (before, Double(pool.time - old.time) / 1e9)
    }

    func rate(_ pool: PoolSample, _ worker: WorkerSample) -> Double? {
        guard let (before, seconds) = old(pool, worker), worker.items >= before.items else { return nil }
        return Double(worker.items - before.items) / seconds
    }

    /// Of one processor; 1 is all of it.
    func processor(_ pool: PoolSample, _ worker: WorkerSample) -> Double? {
        guard let (before, seconds) = old(pool, worker), let now = worker.process, let then = before.process,
            now.ticks >= then.ticks
        else { return nil }
        return Double(now.ticks - then.ticks) / OtherProcess.ticks / seconds
    }
}
