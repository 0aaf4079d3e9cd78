// A proxy: a function pointer of the host whose calls run in a worker. host_proxy.c makes the pointer, and comes here with each call.
//
//   caller's arguments ──pack──► item ──submit──► worker ──► record ──unpack──► result, outputs, errno of the caller
//
// A call is a job of one item. Between calls a proxy holds nothing but its slot; it keeps its pool's object, not its processes.

import CMapBridge
import Glibc

@safe final class Proxy: @unchecked Sendable {
    private let pool: Pool
    private let function: Function
    private let prototype: Prototype
    private let config: JobConfig
    private let onError: mape_proxy_error_fn?
    private let context: UnsafeMutableRawPointer?
    let prepared: PreparedCall
    private let guardLock = Lock()
    /// Calls that run are to end. Guarded by the pool's lock.
    private var isClosing = false
    /// Threads that are inside onError.
    private var telling: [UInt64] = []

    init(
        _ pool: Pool, _ function: Function, _ native: NativeFunction, _ config: JobConfig,
        _ onError: mape_proxy_error_fn?, _ context: UnsafeMutableRawPointer?
    ) throws(MapError) {
        self.pool = pool
        self.function = function
        prototype = native.prototype
        self.config = config
        unsafe self.onError = unsafe onError
        unsafe self.context = unsafe context
        prepared = try PreparedCall(native.plan)
    }

    /// A call: `arguments` has the address of each argument, `result` is where libffi wants the result.
    /// - refused: why no call can be made in this process.
    func call(
        _ result: UnsafeMutableRawPointer, _ arguments: UnsafePointer<UnsafeMutableRawPointer?>,
        _ error: inout Int32, refused: Int32?
    ) {
        let call = unsafe ProxyCall(prototype: prototype, result: result, arguments: arguments)
        call.clearResult()
        if let status = refused {
            tell(Self.outcome(status, statusText(status)), inHost: false)
            return
        }
        do {
            if let failed = try packAndRun(call, &error) { tell(failed) }
        } catch let why {
            tell(Self.outcome(why.status, why.message))
        }
    }

    private func packAndRun(_ call: ProxyCall, _ error: inout Int32) throws(MapError) -> Outcome? {
        let size = try call.itemSize()
        // From malloc, which answers NULL when there is not so much: Swift's own allocations end the process then.
        guard size <= pool.input.size, let memory = unsafe malloc(Int(max(size, 1))) else {
            throw MapError(MAPE_E_MEMORY, "there is no memory for the \(size) bytes that the call takes")
        }
        defer { unsafe free(memory) }
        let item = unsafe UnsafeMutableRawBufferPointer(start: memory, count: Int(size))
        unsafe call.pack(into: item)
        return try unsafe run(call, UnsafeRawBufferPointer(item), &error)
    }

    /// Runs the call in a worker. Returns how it ended, when that was not well.
    private func run(_ call: ProxyCall, _ item: UnsafeRawBufferPointer, _ error: inout Int32) throws(MapError)
        -> Outcome?
    {
        let started = try pool.locked { () throws(MapError) -> Job? in
            try pool.checkOpen()
            return pool.life == .running ? try unsafe submit(item) : nil
        }
        let job: Job
        if let started {
            job = started
        } else {
            try pool.ensureStarted()
            job = try pool.locked { () throws(MapError) -> Job in try unsafe submit(item) }
        }
        enum End { case well(Int32?), badly(Outcome) }
        let end = pool.wait(until: .max) { () -> End? in
            if job.isReleased { return .badly(Self.outcome(MAPE_E_CLOSED.rawValue, "pool was destroyed")) }
            guard job.isDone || isClosing else { return nil }
            defer {
                Handles.shared.remove(job.handle)
                pool.release(job)
            }
            guard job.isDone else {
                return .badly(Outcome(MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, "its proxy was destroyed"))
            }
            guard let segment = job.segment(holding: 0) else { return .badly(Self.noReply) }
            if let bad = segment.badEnd(0) { return .badly(bad) }
            var result = unsafe mape_result()
            unsafe segment.read(0, into: &result)
            if prototype.resultSize > 0 {
                guard let record = unsafe result.data, unsafe prototype.isSound(record, UInt64(result.size)) else {
                    return .badly(Self.noReply)
                }
            }
            return unsafe .well(call.unpack(UnsafeRawBufferPointer(start: result.data, count: result.size)))
        }
        switch end {
        case .well(let told)?:
            if let told { error = told }
            return nil
        case .badly(let outcome)?: return outcome
        case nil: return Self.noReply
        }
    }

    /// Makes a job of one item, whose input is copied before this returns. Under the pool's lock.
    private func submit(_ item: UnsafeRawBufferPointer) throws(MapError) -> Job {
        try pool.checkOpen()
        let size = UInt64(item.count)
        let job = try unsafe pool.submit(
            function, config, .strided(item.baseAddress, count: 1, stride: size, size: size))
        job.handle = Handles.shared.add(.job, pool)
        guard job.handle != 0 else {
            pool.freeInput(job)
            throw MapError(MAPE_E_MEMORY, "out of handles: a million are in use")
        }
        pool.jobs[job.handle] = job
        pool.launch(job)
        return job
    }

    /// Ends the calls that run, as cancelled.
    func close() {
        pool.locked {
            isClosing = true
            pool.waiting.wake()
        }
    }

    private static var noReply: Outcome {
        Outcome(MAPE_ITEM_CRASHED, MAPE_CAUSE_REPLY, "the worker's reply was not valid")
    }

    /// The end of a call that reached no worker.
    private static func outcome(_ status: Int32, _ text: String) -> Outcome {
        Outcome(MAPE_ITEM_ABANDONED, MAPE_CAUSE_POOL, code: status, text)
    }

    private func statusText(_ status: Int32) -> String { unsafe String(cString: mapb_status_text(status)) }

    private func tell(_ outcome: Outcome, inHost: Bool = true) {
        guard let onError = unsafe onError else { return }
        var result = unsafe mape_result()
        unsafe result.struct_size = unsafe MemoryLayout<mape_result>.size
        unsafe result.state = outcome.state.rawValue
        unsafe result.cause = outcome.cause.rawValue
        unsafe result.code = outcome.code
        unsafe result.message = unsafe UnsafePointer(outcome.text.bytes)
        // A forked child has one thread, and the lock may have been held by another when it was made.
        let thread = mapb_this_thread()
        if inHost { locked { telling.append(thread) } }
        unsafe onError(context, &result)
        if inHost { locked { telling.remove(at: telling.lastIndex(of: thread)!) } }
    }

    private func locked(_ body: () -> Void) {
        guardLock.lock()
        body()
        guardLock.unlock()
    }

    /// Whether the calling thread is inside onError.
    var tellsHere: Bool {
        var found = false
        locked { found = telling.contains(mapb_this_thread()) }
        return found
    }
}

extension Segment {
    /// How call i ended, when that was not well.
    fileprivate func badEnd(_ i: UInt64) -> Outcome? {
        if let outcome { return outcome }
        guard let table else { return nil }
        let entry = table.entries[Int(i)]
        return entry.failure >= 0 ? table.failures[Int(entry.failure)] : nil
    }
}
