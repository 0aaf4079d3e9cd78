// What follows from a change, done in one place. Whoever changes a job or a worker says so (`touch`), and need not know what hangs on it:
//
//   a job   is it done? does the host hear of it? when has it to be looked at? has it items for workers? is it needed any more?
//   a place of a worker   is a process to be started in it?
//   all of them together  ranges are assigned, requests published, waiting threads woken, the engine thread woken earlier
//
// `GuardedCore` does it before it leaves the lock, and `pump` for those who look at what has come of it under the same lock.

import CMapBridge

/// What has changed since it was last followed up.
struct Touched {
    private var jobs: [Job] = []
    private var next = 0
    /// A worker's place is empty, or may be filled again.
    var places = false
    /// Threads of the host that wait have to look again.
    var wakes = false

    mutating func add(_ job: Job) {
        if job.places.isTouched { return }
        job.places.isTouched = true
        jobs.append(job)
    }

    /// The jobs, each once, in the order in which they were touched.
    mutating func nextJob() -> Job? {
        guard next < jobs.count else {
            if next > 0 { jobs.removeAll(keepingCapacity: true) }
            next = 0
            return nil
        }
        defer { next += 1 }
        jobs[next].places.isTouched = false
        return jobs[next]
    }

    var hasJobs: Bool { next < jobs.count }

    mutating func takePlaces() -> Bool {
        defer { places = false }
        return places
    }

    mutating func takeWakes() -> Bool {
        defer { wakes = false }
        return wakes
    }
}

extension Core {
    /// Something of a job has changed.
    func touch(_ job: Job) { touched.add(job) }

    /// Has the engine thread look again at `time` at the latest.
    func engineMustWake(by time: Int64) { clock.lookAgain(by: time) }

    func followUp() {
        repeat {
            while let job = touched.nextJob() { follow(job) }
            assign()
        } while fillPlaces() || touched.hasJobs
        publish()
        if touched.takeWakes() {
            fixed.waiters.wake()
            if doorbell.leaderSleeps { mapb_bell_ring(doorbell.leaderBell) }
        }
        if clock.takeNotice() { mapb_notifier_notify(fixed.engineWake.number) }
    }

    /// True when places were to be filled: one that cannot be may end the pool, and all its jobs with it.
    private func fillPlaces() -> Bool {
        let isDue = touched.takePlaces()
        if isDue { refill(mapb_clock()) }
        return isDue
    }

    private func follow(_ job: Job) {
        figures.items += job.tally.report()
        if !job.isDone {
            watchTimes(of: job)
            queueForWork(job)
        } else if job.life.doneAt == 0 {
            job.becomeDone(now: mapb_clock())
            jobs.done(job)
            clock.jobs.remove(job)
            work.remove(job)
            freeInput(job)
            touched.wakes = true
        }
        queueForDelivery(job)
        if job.isDone && job.isReleased { jobs.remove(job) }
    }
}
