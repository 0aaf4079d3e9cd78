// The worker's own code, run in the test's process: it reads a real inbox and writes a real output memory, when the test says so.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

final class LocalWorker {
    let task: UnsafeMutablePointer<mape_task>
    let region: OutputRegion
    let input: InputMemory
    let slot: Int
    private let functions: UnsafeMutablePointer<mapb_loaded>
    private let tables: UnsafeMutablePointer<UnsafeMutablePointer<mapb_loaded>?>
    private let alone: UnsafeMutablePointer<UInt32>
    /// Requests answered.
    private(set) var answered: UInt64 = 0

    init(input: InputMemory, slot: Int, region: OutputRegion) {
        self.input = input
        self.region = region
        self.slot = slot
        task = .allocate(capacity: 1)
        functions = .allocate(capacity: Int(MAPB_FUNCTIONS_PER_TABLE))
        tables = .allocate(capacity: Int(MAPB_MAX_FUNCTIONS / MAPB_FUNCTIONS_PER_TABLE))
        tables.initialize(repeating: nil, count: Int(MAPB_MAX_FUNCTIONS / MAPB_FUNCTIONS_PER_TABLE))
        tables[0] = functions
        alone = .allocate(capacity: 1)
        memset(task, 0, MemoryLayout<mape_task>.size)
        memset(functions, 0, Int(MAPB_FUNCTIONS_PER_TABLE) * MemoryLayout<mapb_loaded>.stride)
        memset(input.inbox(slot).pointer, 0, MemoryLayout<mapb_inbox>.size)
        alone.initialize(to: 1)
        task.pointee.alone = UnsafePointer(alone)
        task.pointee.pid = getpid()
        task.pointee.input = UnsafePointer(input.base)
        task.pointee.output = region.base
        task.pointee.head = UnsafePointer(input.head)
        task.pointee.inbox = UnsafePointer(input.inbox(slot).pointer)
        task.pointee.outbox = region.outbox.pointer
        task.pointee.functions = tables
        task.pointee.slot = UInt32(slot)
        task.pointee.bells = (-1, -1)
        task.pointee.frontier_cursor = UInt64(MAPB_RESULTS_OFFSET)
        task.pointee.frontier_limit = region.size
    }

    deinit {
        task.deallocate()
        functions.deallocate()
        tables.deallocate()
        alone.deallocate()
    }

    /// The pointer that the function's calls get as their state.
    func setState(_ state: AnyObject?, of function: UInt32) {
        functions[Int(function)].state = state.map { Unmanaged.passUnretained($0).toOpaque() }
    }

    func load(_ function: UInt32, run: mape_run_fn) {
        functions[Int(function)].run = unsafeBitCast(run, to: UnsafeMutableRawPointer.self)
    }

    func load(_ function: UInt32, range: mape_run_range_fn) {
        functions[Int(function)].run = unsafeBitCast(range, to: UnsafeMutableRawPointer.self)
        functions[Int(function)].is_range = 1
    }

    var hasRequests: Bool { mapb_load(mapb_inbox_tail(task.pointee.inbox)) > answered }

    func reply(_ ticket: UInt64) -> UnsafeMutablePointer<mapb_reply> { mapb_reply_at(region.base, ticket)! }

    /// Works on the next request without publishing the reply.
    func work() -> UInt64 {
        answered += 1
        workerAnswer(WorkerTask(task), answered)
        return answered
    }

    func publish() { workerPublish(WorkerTask(task), answered) }

    /// Works on the next request, and publishes the reply.
    @discardableResult func answer() -> mapb_reply {
        let ticket = work()
        publish()
        return reply(ticket).pointee
    }
}

/// One worker without a host: requests are written by the test.
final class Bench {
    let input: InputMemory
    let region: OutputRegion
    let worker: LocalWorker
    var task: UnsafeMutablePointer<mape_task> { worker.task }
    private(set) var record: Block?

    init(output: UInt64 = 4 << 20) throws {
        input = try InputMemory(reserve: 16 << 20)
        region = try OutputRegion(reserve: output)
        worker = LocalWorker(input: input, slot: 0, region: region)
    }

    /// Writes a job of function 1 whose items are these.
    func job<Item: BitwiseCopyable>(_ items: [Item], first: UInt64 = 0) throws {
        let head = JobRecord.bytes
        let stride = UInt64(MemoryLayout<Item>.stride)
        let block = try input.allocate(head + UInt64(items.count) * stride)
        var job = mapb_job()
        job.function = 1
        job.base = block.offset + head &- first &* stride
        job.stride = stride
        job.size = UInt64(MemoryLayout<Item>.size)
        input.at(block.offset, as: mapb_job.self).pointee = job
        items.withUnsafeBytes {
            input.copy($0.baseAddress ?? UnsafeRawPointer(input.base), $0.count, to: block.offset + head)
        }
        record = block
    }

    var jobRecord: UnsafeMutablePointer<mapb_job> { input.at(record!.offset, as: mapb_job.self) }

    /// Puts a request for a range of the job into the inbox, and has it answered.
    func run(first: UInt64 = 0, count: Int, _ change: (inout mapb_request) -> Void = { _ in }) -> mapb_reply {
        let inbox = input.inbox(0).pointer
        let ticket = inbox.pointee.tail + 1
        var request = mapb_request()
        request.ticket = ticket
        request.kind = MAPB_REQUEST_RANGE.rawValue
        request.record = record!.offset
        request.first = first
        request.count = UInt32(count)
        change(&request)
        UnsafeMutablePointer(mutating: mapb_request_at(inbox, ticket)!).pointee = request
        mapb_store(&inbox.pointee.tail, ticket)
        return worker.answer()
    }

    enum Ended: Equatable {
        case ok([UInt8])
        case failed(Int32, String)
        case stopped
    }

    /// A failure as the worker has written it.
    func failure(_ reply: mapb_reply, _ i: Int) -> mapb_failure {
        let lines = UnsafeRawPointer(region.base + Int(reply.table)).assumingMemoryBound(to: mapb_entry.self)
        let place = Int(lines[i].where & (1 << 56 - 1))
        return UnsafeRawPointer(region.base + place).load(as: mapb_failure.self)
    }

    /// What a reply says of its items.
    func ended(_ reply: mapb_reply) -> [Ended] {
        func bytes(_ offset: UInt64, _ size: UInt64) -> [UInt8] {
            Array(UnsafeBufferPointer(start: region.base + Int(offset), count: Int(size)))
        }
        return (0..<UInt64(reply.done)).map { i in
            guard reply.flags & MAPB_REPLY_TABLE.rawValue != 0 else {
                return .ok(bytes(reply.base + i * reply.size, reply.size))
            }
            let lines = UnsafeRawPointer(region.base + Int(reply.table)).assumingMemoryBound(to: mapb_entry.self)
            let (place, size) = (lines[Int(i)].where & (1 << 56 - 1), lines[Int(i)].size)
            if UInt32(lines[Int(i)].where >> 56) == MAPB_ENTRY_OK.rawValue { return .ok(bytes(place, size)) }
            if UInt32(lines[Int(i)].where >> 56) == MAPB_ENTRY_STOPPED.rawValue { return .stopped }
            let failure = failure(reply, Int(i))
            return .failed(
                failure.code, String(decoding: bytes(failure.text, UInt64(failure.text_size)), as: UTF8.self))
        }
    }
}

/// What an item tells its function to do.
struct Order: BitwiseCopyable, Sendable {
    enum Action: UInt32 { case output, code, fail, resize, nothing, outputThenFail, cancel, outputThenNothing }
    var action: UInt32
    var size: UInt32 = 0
    var code: Int32 = 0
    var second: UInt32 = 0

    static func output(_ size: UInt32) -> Order { Order(action: Action.output.rawValue, size: size) }
    static func code(_ code: Int32) -> Order { Order(action: Action.code.rawValue, code: code) }
    static func fail(_ code: Int32) -> Order { Order(action: Action.fail.rawValue, code: code) }
    static func resize(_ size: UInt32, to second: UInt32) -> Order {
        Order(action: Action.resize.rawValue, size: size, second: second)
    }
    static let nothing = Order(action: Action.nothing.rawValue)
    static func outputThenFail(_ size: UInt32, _ code: Int32) -> Order {
        Order(action: Action.outputThenFail.rawValue, size: size, code: code)
    }
    static func outputThenNothing(_ size: UInt32) -> Order {
        Order(action: Action.outputThenNothing.rawValue, size: size)
    }
    /// Ends with a byte of output, and has cancelled its own job.
    static let cancel = Order(action: Action.cancel.rawValue, size: 1)

    /// How an item with this order is to end.
    func wanted(_ index: UInt64) -> Bench.Ended {
        let byte = UInt8(truncatingIfNeeded: index)
        switch Action(rawValue: action)! {
        case .output, .cancel: return .ok([UInt8](repeating: byte, count: Int(size)))
        case .code: return .failed(code, "")
        case .fail, .outputThenFail: return .failed(code, "item \(index)")
        case .resize:
            let kept = min(size, second)
            return .ok(
                [UInt8](repeating: byte, count: Int(kept)) + [UInt8](repeating: ~byte, count: Int(second - kept)))
        case .nothing, .outputThenNothing: return .ok([])
        }
    }
}

func obeyOne(_ task: UnsafeMutablePointer<mape_task>?, _ input: UnsafeRawPointer) -> Int32 {
    let order = input.loadUnaligned(as: Order.self)
    let index = mape_task_index(task)
    let byte = Int32(UInt8(truncatingIfNeeded: index))
    let action = Order.Action(rawValue: order.action)!
    if [.output, .resize, .outputThenFail, .outputThenNothing, .cancel].contains(action) {
        guard let place = mape_task_output(task, Int(order.size)) else { return 0 }
        memset(place, byte, Int(order.size))
    }
    switch action {
    case .output, .nothing: return 0
    case .code: return order.code
    case .fail, .outputThenFail: return mape_task_fail(task, order.code, "item \(index)")
    case .resize:
        guard let place = mape_task_output(task, Int(order.second)) else { return 0 }
        if order.second > order.size { memset(place + Int(order.size), ~byte, Int(order.second - order.size)) }
        return 0
    case .outputThenNothing:
        _ = mape_task_output(task, 0)
        return 0
    case .cancel:
        UnsafeMutablePointer(mutating: task!.pointee.job!).pointee.cancel = 1
        return 0
    }
}

/// Obeys its item's order.
let obey: mape_run_fn = { task, _, input, _ in obeyOne(task, input!) }

/// The same, as a range function that begins its items one by one.
let obeyEach: mape_run_range_fn = { task, _, range in
    for i in 0..<range!.pointee.count {
        guard let input = mape_task_begin(nil, task, i) else { return 0 }
        // As a run function's code would be: fails this item alone.
        let code = obeyOne(task, input)
        if code != 0 {
            _ = mape_task_fail(task, code, task!.pointee.failed != 0 ? "item \(mape_task_index(task))" : "")
        }
    }
    return 0
}
