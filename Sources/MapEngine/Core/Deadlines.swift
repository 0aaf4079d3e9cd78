// When the pool must check a job next: for its time limit, or its interval of progress.
//
// It holds one time per job, the earlier of both. Jobs without either are not in it, and a job that is done leaves.

struct Deadlines {
    private struct Entry: HeapElement {
        let time: Int64
        let job: Job

        func isBefore(_ other: Entry) -> Bool { time < other.time }
        var place: Int {
            get { job.places.clock }
            nonmutating set { job.places.clock = newValue }
        }
    }

    private var heap = IndexedHeap<Entry>()

    var count: Int { heap.count }

    /// Sets the time of a job; an earlier time that is set stays.
    mutating func set(_ job: Job, by time: Int64) {
        guard time < job.places.clockTime else { return }
        remove(job)
        job.places.clockTime = time
        heap.insert(Entry(time: time, job: job))
    }

    mutating func remove(_ job: Job) {
        guard job.places.clock >= 0 else { return }
        heap.remove(at: job.places.clock)
        job.places.clockTime = .max
    }

    /// The earliest time; Int64.max: there is none.
    var next: Int64 { heap.first?.time ?? .max }

    /// Removes and returns a job whose time has come.
    mutating func popDue(_ now: Int64) -> Job? {
        guard let entry = heap.first, entry.time <= now else { return nil }
        heap.remove(at: 0)
        entry.job.places.clockTime = .max
        return entry.job
    }
}
