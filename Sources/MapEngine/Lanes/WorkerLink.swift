// The link between the pool and one worker process: its inbox, its output memory, and what the host knows about both.
// No other code of the host reads or writes requests, replies, messages or the blame word; callers get values.
//
//   Worker.give ──request──► inbox ──publish: tail──► worker process          written by the host: requests, tail, yield, notify_at,
//                                                         │                    message_head
//   accept ◄──reply, checked── output memory ◄──tail──────┤
//   mark   ◄──────────────────────────────── current ─────┤                    written by the worker: all of its output memory, of which
//   messages ◄────────────────────────────── message ring ┘                    each word is read once and then checked
//
// A link is good as long as its process lives. Guarded by the pool's lock.

import CMapBridge

/// A text that one of a worker's functions has sent.
struct WorkerMessage {
    /// A mape_log_level.
    let level: UInt32
    let text: CText
    /// Bytes of texts before it that had no room in the ring.
    let lost: UInt32
}

/// A handle: all that changes lies behind it, in shared memory and in the worker's line of the pool's table.
@safe struct WorkerLink {
    /// Requests that an inbox has room for.
    static var capacity: Int { Int(MAPB_RING) }

    /// The worker's, which holds it as long as the link is used.
    unowned(unsafe) private let memory: OutputRegion
    private let inbox: Inbox
    private let outbox: Outbox
    /// Its worker's line in the pool's table.
    private let watch: UnsafeMutablePointer<Watch>

    /// For a process that is not forked yet.
    /// - watch: outlives the link. generation: counts the processes of this place.
    init(inbox: Inbox, region: OutputRegion, watch: UnsafeMutablePointer<Watch>, generation: UInt64) {
        unsafe memory = region
        self.inbox = inbox
        outbox = region.outbox
        unsafe self.watch = watch
        unsafe watch.pointee = Watch(outbox: region.outbox)
        inbox.storeTail(0)
        inbox.storeMessageHead(0)
        inbox.storeRingAt(0)
        inbox.storeYield(0)
        inbox.storeInterrupt(0)
        inbox.showNew(generation)
    }

    /// Called when the process is gone: the host no longer checks it. Results keep the output memory as long as they
    /// need it.
    func close() {
        inbox.show(state: MAPE_WORKER_NONE)
        unsafe watch.pointee.outbox = nil
        region.retire()
    }

    var region: OutputRegion { unsafe memory }

    /// How many requests were assigned, and how many of them are answered.
    var published: UInt64 { unsafe watch.pointee.published }
    var answered: UInt64 { unsafe watch.pointee.answered }

    /// What others see of the worker: Inbox.
    func show(_ state: Worker.State) { inbox.show(state: state.shown) }
    func show(pid: Int32) { inbox.show(pid: pid) }
    func show(items: UInt64) { inbox.show(items: items) }
    func show(since: Int64) { inbox.show(since: since) }

    // MARK: - Requests

    /// Writes a request into the inbox. The worker sees it once it is published.
    /// - isSpread: other workers get work at the same time. isIdle: the worker holds no other request.
    @inline(__always)
    func assign(_ assignment: Assignment, isSpread: Bool, isIdle: Bool) {
        var request = mapb_request()
        var items: UInt64 = 0
        request.ticket = assignment.ticket
        request.flags = isSpread ? MAPB_SPREAD.rawValue : 0
        switch assignment.work {
        case .range(let job, let range):
            items = range.count
            request.kind = MAPB_REQUEST_RANGE.rawValue
            request.record = job.input.record.offset
            request.first = job.config.firstIndex &+ range.first
            request.count = UInt32(items)
            request.step = assignment.step == items ? 0 : UInt32(assignment.step)
            request.flags |= UInt32(truncatingIfNeeded: job.sequence) << MAPB_JOB_SHIFT
        case .setup(let function, let globals):
            request.kind = MAPB_REQUEST_SETUP.rawValue
            request.record = function.record.offset
            request.first = globals?.block.offset ?? 0
            request.count = UInt32(truncatingIfNeeded: globals?.serial ?? 0)
        case .cleanup(let function, let globals):
            request.kind = MAPB_REQUEST_CLEANUP.rawValue
            request.record = function.record.offset
            request.first = globals?.block.offset ?? 0
            request.count = UInt32(truncatingIfNeeded: globals?.serial ?? 0)
        case .module(let module):
            request.kind = MAPB_REQUEST_MODULE.rawValue
            request.record = module.pathOffset
            request.first = module.fileOffset
        case .exit:
            request.kind = MAPB_REQUEST_EXIT.rawValue
        }
        region.placeOutput(&request, ticket: assignment.ticket, idle: isIdle)
        inbox.write(request, assignment.ticket)
        unsafe watch.pointee.published = assignment.ticket
        unsafe watch.pointee.lastItems = items
    }

    enum Publishing {
        /// There was nothing new.
        case none
        /// The worker spins for requests, or will when it has done its present one.
        case seen
        /// The worker slept, and was woken.
        case woke
    }

    /// Publishes the worker's requests, and wakes it if it sleeps.
    func publish() -> Publishing {
        guard inbox.tail != published else { return .none }
        inbox.storeTail(published)
        mapb_fence()
        guard outbox.sleeping != 0 else { return .seen }
        inbox.wake()
        return .woke
    }

    /// The same for a lane. Returns whether the lanes' bell has to be rung.
    func publishRemote() -> Bool {
        guard inbox.tail != published else { return false }
        inbox.storeTail(published)
        mapb_fence()
        return outbox.sleeping != 0
    }

    /// The worker rings the doorbell for its reply to this request and for later ones, and for none before.
    func ring(from ticket: UInt64) { inbox.storeRingAt(ticket) }

    // MARK: - Answers: WorkerLink+Replies

    /// How many requests the worker has answered by now.
    func answers() throws(InvalidReply) -> UInt64 {
        let tail = outbox.tail
        guard tail >= answered, tail <= published else {
            throw InvalidReply("it says it has answered \(tail) of \(published) requests")
        }
        return tail
    }

    var yieldedTo: UInt64 { unsafe watch.pointee.yieldedTo }

    /// Counts a request as answered.
    func noteAnswer(_ ticket: UInt64) { unsafe watch.pointee.answered = ticket }

    // MARK: - What the worker is on

    /// What the worker is on now, as it says.
    var mark: BlameMark { BlameMark(outbox.current) }

    /// How far the item that the worker is on was, as it said last: mape_task_mark. Nil: it has said nothing. Read once its process has
    /// ended.
    var progressMark: UInt64? {
        let (word, number) = (outbox.current, outbox.progressMark)
        return word != 0 && outbox.marked == word ? number : nil
    }

    /// How many items of a request have ended, with the progress that running ones have reported. By the worker's own
    /// account.
    func progress(of assignment: Assignment) -> Double {
        let point = assignment.point(mark)
        let told = Double(bitPattern: outbox.fraction)
        return Double(point.finished) + (told > 0 && told <= 1 ? told * Double(point.running) : 0)
    }

    /// The same of a lane: how many items have ended on the machine that has them, with the progress of running ones.
    func remoteProgress(of assignment: Assignment) -> Double {
        guard case .range(_, let range) = assignment.work, outbox.marked == assignment.ticket else { return 0 }
        let told = Double(bitPattern: outbox.fraction)
        return told > 0 ? min(told, Double(range.count)) : 0
    }

    /// Makes the worker end its requests before their next item. Returns false when it does not read the word: it may stop early all
    /// the same, and its reply then says so.
    func askToYield() -> Bool {
        guard outbox.yields == 1 else { return false }
        inbox.storeYield(published)
        unsafe watch.pointee.yieldedTo = published
        return true
    }

    /// What the worker is on, once it was asked to yield and a barrier was made (mapb_barrier): only that, and what it has
    /// answered before, can have begun.
    var stand: (mark: BlameMark, answered: UInt64) {
        // In this order: the worker publishes a reply, then clears the word. In the other order, a request that ends
        // between the two loads would look like one that has not begun.
        let mark = mark
        return (mark, outbox.tail)
    }

    /// Asks the item with this blame word to stop. What is to begin after it is reclaimed before `isStill` is asked.
    /// - isLate: it has passed its own time limit.
    func ask(_ word: BlameMark, isLate: Bool) {
        unsafe watch.pointee.asked = word.word
        unsafe watch.pointee.wasLate = isLate
        inbox.storeInterrupt(word.word)
    }

    /// Whether the item that was asked still runs, so that a signal can be sent for it: the worker does not leave its request before
    /// that has come. If not, the worker need not wait for a signal.
    func isStill(on ticket: UInt64) -> Bool {
        guard outbox.yields == 1, mapb_barrier() != 0, unsafe outbox.current == watch.pointee.asked,
            outbox.leaving < ticket
        else {
            inbox.storeInterrupt(0)
            return false
        }
        return true
    }

    /// Whether the item that was asked to stop last has passed its own time limit.
    var askedForTime: Bool { unsafe watch.pointee.wasLate }

    /// Whether that item is of this request.
    func wasLate(_ ticket: UInt64) -> Bool { unsafe askedForTime && BlameMark(watch.pointee.asked).isOn(ticket) }

    /// The report that the worker's signal handler has left: one copy of it, so that what is checked is what is used.
    var crashRecord: [UInt8] {
        region.copyBytes(at: UInt64(MAPB_CRASH_OFFSET), count: UInt64(MemoryLayout<mapb_crash>.size))
    }

    /// What a function has written to the descriptor of mape_task_report_fd since its range began.
    var report: [UInt8] { outbox.reports == 0 ? [] : region.report }

    // MARK: - Messages: texts that functions send with mape_task_log

    var hasMessages: Bool { unsafe outbox.messageTail != watch.pointee.messageHead }

    /// Reads the texts from the ring. Each is copied before it is checked. `isValid`: false when the ring cannot be as
    /// it is; then the texts are those before that place.
    func readMessages() -> (messages: [WorkerMessage], isValid: Bool) {
        let tail = outbox.messageTail
        let lost = outbox.messageLost
        var head = unsafe watch.pointee.messageHead
        var known = unsafe watch.pointee.messageLost
        defer {
            unsafe watch.pointee.messageHead = head
            unsafe watch.pointee.messageLost = known
        }
        guard tail >= head, tail - head <= UInt64(MAPB_MESSAGES) else { return ([], false) }
        var messages: [WorkerMessage] = []
        while head < tail {
            let start = unsafe bytes(head, 8).withUnsafeBytes { unsafe $0.loadUnaligned(as: mapb_message_head.self) }
            let whole = (8 + UInt64(start.size) + 7) & ~7
            guard start.size < MAPB_TEXT, whole <= tail - head else { return (messages, false) }
            messages.append(
                WorkerMessage(
                    level: min(start.level, MAPE_LOG_ERROR.rawValue),
                    text: CText(array: bytes(head + 8, UInt64(start.size))),
                    lost: lost > known ? UInt32(clamping: lost - known) : 0))
            known = max(lost, known)
            head += whole
        }
        inbox.storeMessageHead(head)
        return (messages, true)
    }

    private func bytes(_ position: UInt64, _ count: UInt64) -> [UInt8] {
        let start = position & UInt64(MAPB_MESSAGES - 1)
        let first = min(count, UInt64(MAPB_MESSAGES) - start)
        let ring = UInt64(MAPB_MESSAGES_OFFSET)
        return region.copyBytes(at: ring + start, count: first) + region.copyBytes(at: ring, count: count - first)
    }
}
