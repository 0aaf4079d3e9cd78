// The jobs that have items for workers: highest priority first, then oldest.
//
// A job is in the queue at most once, and only the first job costs anything: no code walks over the jobs behind it.
// Jobs whose function no worker can run yet are parked beside the queue, by function, so that the pool does not check
// them again and again.

struct WorkQueue {
    private struct Entry: HeapElement {
        let priority: Int32
        let sequence: UInt64
        let job: Job

        func isBefore(_ other: Entry) -> Bool {
            priority != other.priority ? priority > other.priority : sequence < other.sequence
        }
        var place: Int {
            get { job.places.work }
            nonmutating set { job.places.work = newValue }
        }
    }

    /// Jobs of one function. Jobs that were removed meanwhile are skipped.
    private struct Parked {
        var jobs: [Job] = []
        var live = 0
    }

    private var heap = IndexedHeap<Entry>()
    /// Jobs that no worker can run, by their function's line.
    private var parked: [UInt32: Parked] = [:]
    private var parkedCount = 0
    /// Jobs beside the queue that have items which cannot be assigned now: not copied yet, or more than the window has room for.
    private var withheld = 0
    /// Since when there have been items that no worker has: Int64.max: there are none.
    private(set) var owedSince = Int64.max

    /// Called when a job leaves the queue, having nothing to assign now, or when it has changed.
    @inline(__always)
    mutating func note(_ job: Job, withholds: Bool) {
        if withholds == job.places.withholds { return }
        job.places.withholds = withholds
        withheld += withholds ? 1 : -1
    }

    /// Called when workers were assigned what they have room for.
    @inline(__always)
    mutating func noteRest(_ now: Int64) {
        if isEmpty && withheld == 0 { owedSince = .max } else if owedSince == .max { owedSince = now }
    }

    var isEmpty: Bool { heap.isEmpty && parkedCount == 0 }
    var count: Int { heap.count + parkedCount }
    var hasParked: Bool { parkedCount > 0 }

    /// Enqueues a job that is not in the queue.
    mutating func add(_ job: Job) {
        guard !job.isQueuedForWork else { return }
        heap.insert(Entry(priority: job.config.priority, sequence: job.sequence, job: job))
    }

    /// The first job that has items to assign; removes the ones before it, which have none left.
    mutating func first() -> Job? {
        while let job = heap.first?.job {
            if job.waiting > 0 { return job }
            heap.remove(at: 0)
        }
        return nil
    }

    /// Removes the first job, which has nothing to assign now.
    mutating func removeFirst() {
        if !heap.isEmpty { heap.remove(at: 0) }
    }

    /// Parks the first job until a worker can run its function.
    mutating func parkFirst() {
        guard !heap.isEmpty else { return }
        let job = heap.remove(at: 0).job
        job.places.isParked = true
        parked[job.function.line, default: Parked()].jobs.append(job)
        parked[job.function.line]!.live += 1
        parkedCount += 1
    }

    /// Enqueues the parked jobs whose function `canRun` accepts.
    mutating func unpark(where canRun: (UInt32) -> Bool) {
        guard parkedCount > 0 else { return }
        for function in Array(parked.keys) where canRun(function) {
            for job in parked.removeValue(forKey: function)!.jobs where job.places.isParked {
                job.places.isParked = false
                parkedCount -= 1
                add(job)
            }
        }
    }

    /// Removes a job, wherever it is.
    mutating func remove(_ job: Job) {
        if job.places.work >= 0 { heap.remove(at: job.places.work) }
        guard job.places.isParked else { return }
        job.places.isParked = false
        parkedCount -= 1
        let function = job.function.line
        parked[function]!.live -= 1
        let live = parked[function]!.live
        if live == 0 {
            parked[function] = nil
        } else if parked[function]!.jobs.count > 2 * live + 32 {
            parked[function]!.jobs.removeAll { !$0.places.isParked }
        }
    }
}
