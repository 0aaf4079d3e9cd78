// The jobs that have items for workers: highest priority first, then oldest.
//
// A job is in here at most once, and only its turn to be first costs anything: nobody goes through those that wait behind it. Jobs whose
// function no worker can run yet wait beside the queue, by function, so that they are not looked at again and again.

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

    /// Jobs of one function. Those that were taken out meanwhile are passed over.
    private struct Parked {
        var jobs: [Job] = []
        var live = 0
    }

    private var heap = IndexedHeap<Entry>()
    /// Jobs that no worker can run, by their function's number.
    private var parked: [UInt32: Parked] = [:]
    private var parkedCount = 0

    var isEmpty: Bool { heap.isEmpty && parkedCount == 0 }
    var count: Int { heap.count + parkedCount }
    var hasParked: Bool { parkedCount > 0 }

    /// Queues a job that is not in here.
    mutating func add(_ job: Job) {
        guard !job.isQueuedForWork else { return }
        heap.insert(Entry(priority: job.config.priority, sequence: job.sequence, job: job))
    }

    /// The job whose turn it is. Those that have nothing left are dropped.
    mutating func first() -> Job? {
        while let job = heap.first?.job {
            if job.waiting > 0 { return job }
            heap.remove(at: 0)
        }
        return nil
    }

    /// Takes the first job out, when it has nothing to give now.
    mutating func removeFirst() {
        if !heap.isEmpty { heap.remove(at: 0) }
    }

    /// Puts the first job aside until a worker can run its function.
    mutating func parkFirst() {
        guard !heap.isEmpty else { return }
        let job = heap.remove(at: 0).job
        job.places.isParked = true
        parked[job.function.id, default: Parked()].jobs.append(job)
        parked[job.function.id]!.live += 1
        parkedCount += 1
    }

    /// Queues the parked jobs again whose function is one of those.
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

    /// Takes a job out, wherever it is.
    mutating func remove(_ job: Job) {
        if job.places.work >= 0 { heap.remove(at: job.places.work) }
        guard job.places.isParked else { return }
        job.places.isParked = false
        parkedCount -= 1
        let function = job.function.id
        parked[function]!.live -= 1
        let live = parked[function]!.live
        if live == 0 {
            parked[function] = nil
        } else if parked[function]!.jobs.count > 2 * live + 32 {
            parked[function]!.jobs.removeAll { !$0.places.isParked }
        }
    }
}
