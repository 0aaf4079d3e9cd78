// A lane: an inbox and an output memory, and the requests that have not been answered. Replies go out in the order of requests.

import CLanes
import CNet
import Cluster
import Glibc

/// A range on its way.
final class Part {
    let request: mapb_request
    let line: UInt32
    /// Of the message that is out now.
    var serial: UInt64 = 0
    var sentAt: Int64 = 0
    /// How often nodes were lost that had it.
    var losses = 0
    /// How many pieces its message has on the server; 0: it is in the stream.
    var pieces = 0
    /// How many of its items have ended where it is; running ones count as far as they are.
    var progress = 0.0
    var state = State.waiting

    enum State {
        case waiting
        case answered(AnswerHead, AnswerItems, Payload)
        /// It goes back to the engine, with no item done.
        case givenBack
    }

    init(_ request: mapb_request, line: UInt32) {
        self.request = request
        self.line = line
    }
}

@safe final class Lane {
    var memory = unsafe lane()
    let slot: UInt32
    let generation: UInt64
    /// Read, and not answered. The others are answered at once, when it is their turn.
    var open = Queue<Request>()
    /// Ends once it holds nothing.
    var isLeaving = false
    var node = ""
    /// What the engine was told of that, and when.
    var toldNode = ""
    var toldAt: Int64 = 0
    /// Where the output of its workers goes; -1: to the helper's own.
    private let pipes: (Int32, Int32)

    enum Request {
        case part(Part)
        case other(mapb_request)
    }

    /// - pipes: closed with the lane.
    init?(
        _ message: borrowing HostMessage, output: Int32, pipes: (Int32, Int32), input: UnsafePointer<UInt8>,
        inputSize: UInt64
    ) {
        self.pipes = pipes
        slot = message.message.slot
        generation = message.message.generation
        guard unsafe lane_open(&memory, output, message.message.size, input, inputSize, slot) == 1 else { return nil }
    }

    deinit {
        unsafe lane_close(&memory)
        for pipe in [pipes.0, pipes.1] where pipe >= 0 { close(pipe) }
    }

    /// Hands on what a worker has printed. What the engine does not read in time is dropped.
    func print(_ text: UnsafeRawBufferPointer, isError: Bool) {
        let pipe = isError ? pipes.1 : pipes.0
        let descriptor = pipe >= 0 ? pipe : isError ? 2 : 1
        var left = unsafe text[...]
        while unsafe !left.isEmpty, cnet_wait(descriptor, 1, 20) == 1 {
            let part = unsafe UnsafeRawBufferPointer(rebasing: left.prefix(4096))
            let put = unsafe Glibc.write(descriptor, part.baseAddress, part.count)
            if put <= 0 { return }
            unsafe left = left.dropFirst(put)
        }
    }

    /// Hands on what a worker has logged.
    func log(_ level: UInt32, _ text: UnsafeRawBufferPointer) {
        unsafe lane_message(&memory, level, text.baseAddress, UInt32(clamping: text.count))
    }

    func isTakenBack(_ request: mapb_request) -> Bool { unsafe lane_yield(&memory) >= request.ticket }

    /// Publishes what can be published. Returns whether anything was.
    func answer() -> Bool {
        var published = false
        while let first = open.first {
            switch first {
            case .other(let request):
                _ = begin(request)
                unsafe lane_publish(&memory, 0, 0, 0, 0, 0, 0)
            case .part(let part):
                if case .waiting = part.state { return published }
                let stands = begin(part.request)
                if stands, case .answered(let head, let items, let payload) = part.state {
                    unsafe payload.read { unsafe write(head, items, $0) }
                } else {
                    unsafe lane_publish(&memory, 0, MAPB_REPLY_STOPPED.rawValue, 0, 0, 0, 0)
                }
            }
            open.removeFirst()
            published = true
        }
        return published
    }

    /// Says how far the first request is.
    func showProgress() {
        guard case .part(let part)? = open.first, part.progress > 0 else { return }
        unsafe lane_progress(&memory, part.request.ticket, part.progress)
    }

    private func begin(_ request: mapb_request) -> Bool {
        var request = request
        return unsafe lane_begin(&memory, &request) == 1
    }

    private func allocate(_ size: UInt64, alignment: UInt64 = 0) -> UInt64? {
        // As mape_task_output aligns results.
        let natural = min(64, size == 0 ? 64 : size & (~size &+ 1))
        let place = unsafe lane_allocate(&memory, size, alignment == 0 ? natural : alignment)
        return place == 0 ? nil : place
    }

    private func put(_ bytes: UnsafeRawBufferPointer, at place: UInt64) {
        _ = unsafe lane_write(&memory, place, bytes.baseAddress, UInt64(bytes.count))
    }

    private func put<T: BitwiseCopyable>(_ value: T, at place: UInt64) {
        unsafe withUnsafeBytes(of: value) { unsafe put($0, at: place) }
    }

    /// Writes results where the engine reads them.
    private func write(_ head: AnswerHead, _ items: AnswerItems, _ bytes: UnsafeRawBufferPointer) {
        let time = UInt32(clamping: head.took)
        switch items {
        case .even(let size):
            if unsafe bytes.isEmpty {
                unsafe lane_publish(&memory, head.count, 0, 0, 0, 0, time)
                return
            }
            guard let place = allocate(UInt64(bytes.count), alignment: Lane.alignment(UInt64(size))) else {
                return full(0, 0, time)
            }
            unsafe put(bytes, at: place)
            unsafe lane_publish(&memory, head.count, 0, place, UInt64(size), 0, time)
        case .lines(let lines):
            guard let table = allocate(UInt64(lines.count * 16), alignment: 16) else { return full(0, 0, time) }
            for (i, item) in lines.enumerated() {
                guard let entry = unsafe entry(item, head, bytes) else { return full(UInt32(i), table, time) }
                put(entry, at: table + UInt64(i * 16))
            }
            unsafe lane_publish(&memory, head.count, MAPB_REPLY_TABLE.rawValue, 0, 0, table, time)
        }
    }

    private static func alignment(_ size: UInt64) -> UInt64 { min(64, size & (~size &+ 1)) }

    private func full(_ done: UInt32, _ table: UInt64, _ time: UInt32) {
        let flags = MAPB_REPLY_NO_MEMORY.rawValue | (table > 0 ? MAPB_REPLY_TABLE.rawValue : 0)
        unsafe lane_publish(&memory, done, flags, 0, 0, table, time)
    }

    /// Nil: there is no room.
    private func entry(_ item: AnswerItems.Item, _ head: AnswerHead, _ bytes: UnsafeRawBufferPointer) -> mapb_entry? {
        func copy(_ place: Place) -> UInt64? {
            if place.size == 0 { return 0 }
            guard let at = allocate(UInt64(place.size)) else { return nil }
            unsafe put(UnsafeRawBufferPointer(rebasing: bytes[place.offset..<place.offset + place.size]), at: at)
            return at
        }
        let line = item.line
        guard let data = copy(item.data) else { return nil }
        if line.state == MAPE_ITEM_OK.rawValue {
            return mapb_entry(where: UInt64(MAPB_ENTRY_OK.rawValue) << 56 | data, size: line.dataSize)
        }
        let isOfFunction = line.state == MAPE_ITEM_FAILED.rawValue && line.cause == MAPE_CAUSE_FUNCTION.rawValue
        // The engine takes no longer one of an item that was ended.
        let shown = Place(
            offset: item.text.offset, size: isOfFunction ? item.text.size : min(item.text.size, Int(MAPB_TEXT)))
        guard let text = copy(shown) else { return nil }
        if isOfFunction {
            var failure = mapb_failure()
            failure.code = line.code
            failure.text_size = line.textSize
            failure.text = text
            failure.data = data
            failure.data_size = line.dataSize
            let size = UInt64(MemoryLayout<mapb_failure>.size)
            guard let place = allocate(size, alignment: 8) else { return nil }
            put(failure, at: place)
            return mapb_entry(where: UInt64(MAPB_ENTRY_FAILED.rawValue) << 56 | place, size: size)
        }
        guard let report = copy(item.report), let host = self.text(head.node) else { return nil }
        var end = mapb_item_end()
        end.state = UInt32(line.state)
        end.cause = UInt32(line.cause)
        end.code = line.code
        end.attempts = line.attempts
        end.mark = line.mark
        end.has_mark = line.hasMark ? 1 : 0
        end.text_size = UInt32(shown.size)
        end.text = text
        end.report = report
        end.report_size = line.reportSize
        end.signal = line.signal
        end.signal_code = line.signalCode
        end.pid = line.pid
        end.address = line.address
        end.frames = line.frames
        end.host = host
        end.host_size = UInt32(head.node.utf8.count)
        let size = UInt64(MemoryLayout<mapb_item_end>.size)
        guard let place = allocate(size, alignment: 8) else { return nil }
        put(end, at: place)
        return mapb_entry(where: UInt64(MAPB_ENTRY_ENDED.rawValue) << 56 | place, size: size)
    }

    private func text(_ text: String) -> UInt64? {
        let bytes = Array(text.utf8)
        if bytes.isEmpty { return 0 }
        guard let place = allocate(UInt64(bytes.count), alignment: 1) else { return nil }
        unsafe bytes.withUnsafeBytes { unsafe put($0, at: place) }
        return place
    }
}

/// First in, first out.
struct Queue<Element> {
    /// Nil: removed, so that what it had is free at once.
    private var elements: [Element?] = []
    private var start = 0

    var isEmpty: Bool { start == elements.count }
    var first: Element? { isEmpty ? nil : elements[start] }
    var all: [Element] { isEmpty ? [] : elements[start...].compactMap { $0 } }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func removeFirst() {
        elements[start] = nil
        start += 1
        if start == elements.count {
            elements.removeAll(keepingCapacity: true)
            start = 0
        } else if start > 64 {
            elements.removeFirst(start)
            start = 0
        }
    }
}
