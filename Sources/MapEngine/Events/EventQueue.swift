// The undelivered events. Items are not enqueued one by one: a job with events is enqueued once, and its events are
// made from its segments when the host fetches them. So a host that never fetches costs no memory per event.

import CMapBridge

/// A worker's output, or a log text.
struct PoolMessage {
    let isLog: Bool
    let code: Int32
    let worker: Int32
    let text: CText
    var lost: UInt32 = 0
}

/// Events made ready under the lock, to be delivered outside it.
enum Ready {
    case message(PoolMessage)
    /// Items of one segment, from `offset` on; and the job's crashes, which change under the lock as workers die.
    case items(Job, Segment, place: Int, offset: UInt64, count: UInt64, crashes: [UInt64: UInt32])
    case progress(Job, mape_progress)
    case done(Job, mape_progress)

    /// The job that they are of; nil: none.
    var job: Job? {
        switch self {
        case .message: nil
        case .items(let job, _, _, _, _, _), .progress(let job, _), .done(let job, _): job
        }
    }

    /// How many events these are.
    var events: UInt64 {
        if case .items(let job, _, _, _, let count, _) = self { job.config.deliversRanges ? 1 : count } else { 1 }
    }
}

/// What a dispatch is delivery: C holds it while callbacks run.
final class EventBatch {
    let ready: Ready
    init(_ ready: Ready) { self.ready = ready }
}

/// A segment whose event a callback is reading: it must not be freed meanwhile.
struct HeldSegment {
    let job: Job
    let place: Int
    /// The segment itself, when its job was released meanwhile.
    var orphan: Segment?
}

/// What fetched events point to and nothing else holds: it lives until the next call that fetches.
struct FetchedEvents {
    /// Of jobs that drop their results.
    var segments: [Segment] = []
    var texts: [PoolMessage] = []
    /// Done jobs without a handle, whose results the host may be reading.
    var jobs: [Job] = []

    var isEmpty: Bool { segments.isEmpty && texts.isEmpty && jobs.isEmpty }
}

@safe struct EventQueue: ~Copyable {
    /// Includes jobs that were removed meanwhile, which are skipped.
    private var jobs = Queue<Job>()
    /// How many of them were not removed.
    private var jobCount = 0
    private var messages = Queue<PoolMessage>()
    private var messageBytes = 0
    private var lostBytes: UInt32 = 0
    private var file: Int32 = -1
    private var fileIsReadable = false
    private var notice = false
    /// The thread that fetches events, and the frame from which it calls the host. A mark without a place: it waits for
    /// an event.
    var caller: mapb_mark?
    /// The events that it delivers now.
    var delivery: EventBatch?
    var held: HeldSegment?
    var fetched = FetchedEvents()
    /// Empty, with room for the next fetched events.
    var spare: [Ready] = []

    var isEmpty: Bool { jobCount == 0 && messages.isEmpty }
    var messageCount: Int { messages.count }

    deinit { mapb_close(file) }

    /// Returns true once after events came in when there were none: then the wakeup hook is due.
    mutating func consumeNotice() -> Bool {
        defer { notice = false }
        return notice && !isEmpty
    }

    private mutating func filled() {
        notice = true
        if file >= 0 && !fileIsReadable {
            fileIsReadable = true
            mapb_notifier_notify(file)
        }
    }

    private mutating func drained() {
        if isEmpty && fileIsReadable {
            fileIsReadable = false
            mapb_notifier_drain(file)
        }
    }

    mutating func descriptor() throws(MapError) -> Int32 {
        if file < 0 {
            let made = mapb_notifier_open()
            if made < 0 { throw .system(MAPB_NAME_NOTIFIER_OPEN, -made) }
            file = made
            if !isEmpty {
                fileIsReadable = true
                mapb_notifier_notify(file)
            }
        }
        return file
    }

    // MARK: - Jobs

    mutating func enqueue(_ job: Job) {
        guard !job.delivery.isQueued else { return }
        job.delivery.isQueued = true
        let wasEmpty = isEmpty
        jobs.append(job)
        jobCount += 1
        if wasEmpty { filled() }
    }

    mutating func dequeue(_ job: Job) {
        guard job.delivery.isQueued else { return }
        job.delivery.isQueued = false
        jobCount -= 1
        if jobs.first === job { _ = jobs.popFirst() }
        // Removed jobs never take more memory than the others.
        if jobs.count > 2 * jobCount + 32 { jobs.removeAll { !$0.delivery.isQueued } }
        drained()
    }

    var firstJob: Job? {
        mutating get {
            while let job = jobs.first {
                if job.delivery.isQueued { return job }
                _ = jobs.popFirst()
            }
            return nil
        }
    }

    /// Moves the first job to the back, or removes it when it has no events left.
    mutating func rotate() {
        guard let job = firstJob else { return }
        _ = jobs.popFirst()
        if job.hasEvents {
            jobs.append(job)
        } else {
            job.delivery.isQueued = false
            jobCount -= 1
        }
        drained()
    }

    // MARK: - Messages

    /// Adds a text. Beyond Policy.messageBytes the oldest are dropped, and the next text says how many bytes were lost.
    mutating func add(message: PoolMessage) {
        let wasEmpty = isEmpty
        messages.append(message)
        messageBytes += message.text.count + 64
        while messageBytes > Policy.messageBytes, messages.count > 1, let oldest = messages.popFirst() {
            messageBytes -= oldest.text.count + 64
            lostBytes = lostBytes &+ UInt32(clamping: oldest.text.count) &+ oldest.lost
        }
        if wasEmpty { filled() }
    }

    mutating func nextMessage() -> PoolMessage? {
        guard var message = messages.popFirst() else { return nil }
        messageBytes -= message.text.count + 64
        message.lost = message.lost &+ lostBytes
        lostBytes = 0
        drained()
        return message
    }
}
