// What a pool counts. It counts where other processes of the user can read it: in the first page of the input memory (mapb_figures.h), so that
// `mapengine top` costs the host nothing. Guarded by the pool's lock.

import CMapBridge

/// Safe, because the input memory stays mapped as long as the pool that has this.
@safe struct Figures {
    private let page: UnsafeMutablePointer<mapb_figures>
    /// Figures of all output memories together.
    let output = OutputFigures()

    init(_ input: InputMemory) {
        unsafe page = input.figures
        unsafe page.pointee.host = mapb_process_id()
        unsafe page.pointee.created = mapb_clock()
    }

    /// Where they lie. They have one writer, so plain loads and stores are enough; a reader may see one that is about to be written.
    private var shown: mapb_figures {
        @inline(__always) unsafeAddress { unsafe UnsafePointer(page) }
        @inline(__always) nonmutating unsafeMutableAddress { unsafe page }
    }

    var jobs: UInt64 {
        get { shown.jobs }
        nonmutating set { shown.jobs = newValue }
    }
    var ranges: UInt64 {
        get { shown.ranges }
        nonmutating set { shown.ranges = newValue }
    }
    /// Those that have ended.
    var items: UInt64 { shown.items }
    /// What has become of a job's items since it was counted last.
    func count(ended: UInt64, submitted: UInt64) {
        shown.items &+= ended
        shown.submitted &+= submitted
    }

    var workersStarted: UInt64 {
        get { shown.started }
        nonmutating set { shown.started = newValue }
    }
    var workersDied: UInt64 {
        get { shown.died }
        nonmutating set { shown.died = newValue }
    }
    var workersKilled: UInt64 {
        get { shown.killed }
        nonmutating set { shown.killed = newValue }
    }
    var zygotesStarted: UInt64 {
        get { shown.zygotes }
        nonmutating set { shown.zygotes = newValue }
    }
}

// MARK: - For others alone

extension Figures {
    func show(_ stage: mapb_stage) { shown.stage = stage.rawValue }
    func show(zygote: Int32) { shown.zygote = zygote }
    func show(nodes: UInt32) { shown.nodes = nodes }

    /// How many workers there are to be, how many there were to be at most, and which places are lanes'.
    func show(_ size: PoolSize) {
        shown.places = UInt32(size.count)
        shown.lines = max(shown.lines, UInt32(size.count))
        shown.first_lane = UInt32(size.firstLane)
    }

    /// An item was blamed for the death of its worker.
    func show(crashOf item: UInt64, job: UInt64, function: String, worker: Int, signal: Int32) {
        shown.crashed &+= 1
        unsafe mapb_store(&shown.crash.changes, shown.crash.changes | 1)
        mapb_fence()
        shown.crash.item = item
        shown.crash.job = job
        shown.crash.at = mapb_clock()
        shown.crash.worker = Int32(worker)
        shown.crash.signal = signal
        unsafe withUnsafeMutableBytes(of: &shown.crash.function) { unsafe write(function, to: $0) }
        unsafe mapb_store(&shown.crash.changes, (shown.crash.changes | 1) &+ 1)
    }

    /// The machine that has answered last through a lane.
    func show(host: String, ofLane slot: Int) {
        let inbox = 4096 + slot * Int(MAPB_INBOX_BYTES) - Int(MAPB_FIGURES_OFFSET)
        let at = unsafe UnsafeMutableRawPointer(page) + inbox + Int(MAPB_HOST_OFFSET)
        unsafe write(host, to: UnsafeMutableRawBufferPointer(start: at, count: Int(MAPB_HOST_NAME)))
    }

    /// Cut between characters, and ended with NUL.
    private func write(_ text: String, to place: UnsafeMutableRawBufferPointer) {
        var size = 0
        for character in text.unicodeScalars {
            let bytes = UTF8.encode(character)!
            if size + bytes.count >= place.count { break }
            for byte in bytes {
                unsafe place[size] = byte
                size += 1
            }
        }
        while size < place.count {
            unsafe place[size] = 0
            size += 1
        }
    }
}
