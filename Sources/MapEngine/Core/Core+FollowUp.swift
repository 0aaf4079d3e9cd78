// What follows from a change, done in one place. Code that changes a job or a worker calls `touch`, and need not know
// what depends on it:
//
//   a job   is it done? has it events? when is its next deadline? has it items to assign? can it be freed?
//   a place of a worker   must a process be started in it?
//   all of them together  ranges are assigned, requests published, waiting threads woken, the engine thread woken earlier
//
// `GuardedCore` does it before it leaves the lock, and `pump` for those who look at what has come of it under the same lock.

import CMapBridge

/// What has changed since it was last followed up.
struct Touched {
    /// The first job: mostly the only one, so that a change costs no array.
    private var first: Job?
    /// The jobs behind it, those before `next` already handed out.
    private var others: [Job] = []
    private var next = 0
    /// A place of a worker is empty, or can be filled again.
    var places = false
    /// Whether waiting host threads must check again.
    var wakes = false

    mutating func add(_ job: Job) {
        if job.places.isTouched { return }
        job.places.isTouched = true
        if first == nil && others.isEmpty { first = job } else { others.append(job) }
    }

    /// The jobs, each once, in the order in which they were touched.
    mutating func nextJob() -> Job? {
        if let job = first {
            first = nil
            job.places.isTouched = false
            return job
        }
        if others.isEmpty { return nil }
        return nextOther()
    }

    @inline(never)
    private mutating func nextOther() -> Job? {
        guard next < others.count else {
            others.removeAll(keepingCapacity: true)
            next = 0
            return nil
        }
        defer { next += 1 }
        others[next].places.isTouched = false
        return others[next]
    }

    var hasJobs: Bool { first != nil || next < others.count }
    var isEmpty: Bool { !hasJobs && !places && !wakes }

    mutating func consumePlaces() -> Bool {
        defer { places = false }
        return places
    }

    mutating func consumeWakes() -> Bool {
        defer { wakes = false }
        return wakes
    }
}

extension Core {
    /// Called when something of a job has changed.
    @inline(never)
    func touch(_ job: Job) { touched.add(job) }

    /// Makes the engine thread check again at `time` at the latest.
    func engineMustWake(by time: Int64) { clock.checkAgain(by: time) }

    /// Most calls find nothing to do, and leave at once. Enqueued jobs alone are nothing to do: their ranges can be assigned when one of
    /// them is touched, when a worker has room again, and when the slow start lets more workers work (`turn`).
    @inline(__always)
    func followUp() {
        if !touched.isEmpty || table.hasUnpublished || clock.hasNotice || (table.hasNewRoom && !work.isEmpty) {
            followUpChanges()
        }
    }

    @inline(never)
    private func followUpChanges() {
        repeat {
            while let job = touched.nextJob() { follow(job) }
            assign()
        } while fillPlaces() || touched.hasJobs
        publish()
        if touched.consumeWakes() {
            fixed.waiters.wake()
            if doorbell.leaderSleeps { mapb_bell_ring(doorbell.leaderBell) }
        }
        if clock.consumeNotice() { mapb_notifier_notify(fixed.engineWake.number) }
        clock.forget()
    }

    /// Fills empty places. Returns whether there were any: a place that cannot be filled may fail the pool, and all its
    /// jobs with it.
    private func fillPlaces() -> Bool {
        let isDue = touched.consumePlaces()
        if isDue { refill(mapb_clock()) }
        return isDue
    }

    private func follow(_ job: Job) {
        let news = job.tally.report()
        figures.count(ended: news.ended, submitted: news.submitted)
        if remote != nil { endIfNowhere(job) }
        if !job.isDone {
            watchTimes(of: job)
            queueForWork(job)
        } else if job.life.doneAt == 0 {
            job.becomeDone(now: clock.now())
            if trace != nil { traceEnd(of: job, clock.now()) }
            jobs.done(job)
            clock.jobs.remove(job)
            work.remove(job)
            freeInput(job)
            jobEnded(of: job.function)
            touched.wakes = true
        }
        if job.places.withholds { work.note(job, withholds: job.hasUnassigned && !job.isQueuedForWork) }
        queueForDelivery(job)
        if job.isDone && job.isReleased { jobs.remove(job) }
    }
}
