// A proxy: a function pointer of the host whose calls run in a worker. host_proxy.c makes the pointer, and comes here with each call.
//
//   caller's arguments ──pack──► item ──submit──► worker ──► record ──unpack──► result, outputs, errno of the caller
//
// A call is a job of one item. Between calls a proxy holds nothing but its slot; it keeps its pool's object, not its processes.

import CMapBridge

@safe final class Proxy {
    private let pool: Pool
    private let function: Function
    fileprivate let prototype: Prototype
    private let config: JobConfig
    /// Of each call's job.
    private let data: JobData?
    // The host's. Safe: C calls it.
    @safe private let onError: mape_proxy_error_fn?
    @safe private let context: UnsafeMutableRawPointer?
    let prepared: PreparedCall
    private let state = Guarded(State())

    @safe private struct State {
        /// Running calls, which `close` ends.
        var isClosing = false
        var calls: [Job] = []
        /// Calls of onError that run, by their marks, with the outcomes they were passed.
        var reporting: [(mark: mapb_mark, outcome: Outcome)] = []
    }

    init(
        _ pool: Pool, _ function: Function, _ native: NativeFunction, _ config: JobConfig, _ data: JobData?,
        _ onError: mape_proxy_error_fn?, _ context: UnsafeMutableRawPointer?
    ) throws(MapError) {
        self.pool = pool
        self.function = function
        prototype = native.prototype
        self.config = config
        self.data = data
        unsafe self.onError = onError
        unsafe self.context = context
        prepared = try PreparedCall(native.plan)
    }

    deinit { if let data { pool.release(data) } }

    // MARK: - A call, in the steps that host_proxy.c takes

    /// Submits the call whose arguments have these addresses. Returns false when it has ended already; then onError is
    /// called with the reason.
    fileprivate func begin(_ c: CFrame<mapb_calling>, _ call: ProxyCall, refused: Int32) -> Bool {
        call.clearResult()
        if refused != 0 {
            note(c, Self.outcome(refused, statusText(refused)))
            return false
        }
        do throws(MapError) {
            let size = try call.itemSize()
            let job = try submit(try pack(call, size))
            c.pointee.wait.kind = MAPB_WAIT_CALL.rawValue
            c.pointee.wait.timeout = -1
            pool.begin(c.wait, job)
            return true
        } catch {
            note(c, Self.outcome(error.status, error.message))
            return false
        }
    }

    /// Copies the arguments into the input memory.
    private func pack(_ call: ProxyCall, _ size: UInt64) throws(MapError) -> Prepared {
        guard size <= pool.fixed.input.size, let memory = unsafe memoryIfAny(Int(size)) else {
            throw MapError(MAPE_E_MEMORY, "there is no memory for the \(size) bytes that the call takes")
        }
        defer { unsafe freeMemory(memory) }
        unsafe call.pack(into: UnsafeMutableRawBufferPointer(start: memory, count: Int(size)))
        return try unsafe pool.prepare(.strided(UnsafeRawPointer(memory), count: 1, stride: size, size: size))
    }

    /// Makes a job of one item.
    private func submit(_ prepared: Prepared) throws(MapError) -> Job {
        let handle: UInt
        do throws(MapError) { handle = try pool.newHandle(.job) } catch {
            pool.core.with { $0.discard(prepared) }
            throw error
        }
        let job: Job
        do throws(MapError) { job = try pool.submit(function.id, config, data, prepared, handle: handle) } catch {
            Handles.shared.remove(handle)
            throw error
        }
        let isClosing = state.with { state in
            state.calls.append(job)
            return state.isClosing
        }
        // `close` did not find it among the calls.
        if isClosing { pool.core.with { _ in job.owner.hasGivenUp = true } }
        return job
    }

    private enum End { case well, badly(Outcome) }

    /// Called when the wait is over: accepts the result.
    fileprivate func end(_ c: CFrame<mapb_calling>, _ call: ProxyCall, _ error: inout Int32) {
        let job = unsafe Unmanaged<Job>.fromOpaque(c.pointee.wait.object).takeUnretainedValue()
        var result = mape_result()
        let end = pool.core.with { core -> End in
            if job.isReleased { return .badly(Self.outcome(MAPE_E_CLOSED.rawValue, "pool was released")) }
            guard job.isDone else {
                return .badly(Outcome(MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, "its proxy was released"))
            }
            guard let segment = job.segment(holding: 0) else { return .badly(Self.noReply) }
            if let bad = segment.badEnd(0) { return .badly(bad) }
            segment.read(0, into: &result)
            _ = job.pinResults()
            return .well
        }
        switch end {
        case .badly(let outcome):
            note(c, outcome)
            drop(c)
        case .well:
            // The caller's memory is written without the lock.
            if unsafe prototype.resultSize > 0
                && !(result.data.map { unsafe prototype.isSound($0, UInt64(result.size)) } ?? false)
            {
                note(c, Self.noReply)
            } else if let number = unsafe call.unpack(UnsafeRawBufferPointer(start: result.data, count: result.size)) {
                error = number
            }
            drop(c, unpins: true)
        }
    }

    /// Releases the call's job.
    private func drop(_ c: CFrame<mapb_calling>, unpins: Bool = false) {
        guard let object = unsafe c.pointee.wait.object else { return }
        unsafe c.pointee.wait.object = nil
        let job = unsafe Unmanaged<Job>.fromOpaque(object).takeRetainedValue()
        release(job, unpins: unpins)
    }

    /// - unpins: its results are pinned, and no longer read.
    private func release(_ job: Job, unpins: Bool = false) {
        state.with { $0.calls.removeAll { $0 === job } }
        Handles.shared.remove(job.handle)
        pool.core.with { core in
            if unpins { job.unpinResults() }
            if !job.isReleased { core.release(job) }
        }
    }

    /// Notes the outcome that onError is called with.
    private func note(_ c: CFrame<mapb_calling>, _ outcome: Outcome) {
        guard let onError = onError else { return }
        unsafe c.pointee.on_error = onError
        c.pointee.context = context
        c.pointee.failure.struct_size = MemoryLayout<mape_result>.size
        c.pointee.failure.state = outcome.state.rawValue
        c.pointee.failure.cause = outcome.cause.rawValue
        c.pointee.failure.code = outcome.code
        unsafe c.pointee.failure.message = UnsafePointer(outcome.text.bytes)
        unsafe c.pointee.outcome = Unmanaged.passRetained(outcome).toOpaque()
    }

    /// Called right before onError: the outcome it is passed belongs to the proxy from now on, because onError may not
    /// return.
    fileprivate func reports(_ c: CFrame<mapb_calling>) {
        guard let outcome = unsafe c.pointee.outcome else { return }
        unsafe c.pointee.outcome = nil
        let failure = unsafe Unmanaged<Outcome>.fromOpaque(outcome).takeRetainedValue()
        state.with { $0.reporting.append((c.pointee.mark, failure)) }
    }

    /// onError has returned, or its thread ends in it.
    fileprivate func reported(_ c: CFrame<mapb_calling>) {
        state.with { $0.reporting.removeAll { $0.mark.number == c.pointee.mark.number } }
    }

    /// The call returns, or its thread ends.
    fileprivate func over(_ c: CFrame<mapb_calling>) {
        drop(c)
        if let outcome = unsafe c.pointee.outcome { unsafe Unmanaged<Outcome>.fromOpaque(outcome).release() }
        unsafe c.pointee.outcome = nil
    }

    /// Forgets calls whose onError was left by a jump, or with its thread: `close` does not wait for them. Returns how
    /// many there were.
    fileprivate func forgetCallsThatWereLeft() -> UInt32 {
        let marks = state.with { $0.reporting.map { $0.mark } }
        let gone = marks.filter { mapb_goes_on($0) == 0 }.map { $0.number }
        if gone.isEmpty { return 0 }
        return state.with { state in
            // Those that have returned meanwhile count themselves off.
            let before = state.reporting.count
            state.reporting.removeAll { gone.contains($0.mark.number) }
            return UInt32(before - state.reporting.count)
        }
    }

    /// Ends the calls that run, as cancelled.
    func close() {
        let calls = state.with { state in
            state.isClosing = true
            return state.calls
        }
        pool.core.with { core in
            for job in calls { job.owner.hasGivenUp = true }
            core.touched.wakes = true
        }
    }

    private static var noReply: Outcome {
        Outcome(MAPE_ITEM_CRASHED, MAPE_CAUSE_REPLY, "the worker's reply was not valid")
    }

    /// The outcome of a call that reached no worker.
    private static func outcome(_ status: Int32, _ text: String) -> Outcome {
        Outcome(MAPE_ITEM_ABANDONED, MAPE_CAUSE_POOL, code: status, text)
    }

    private func statusText(_ status: Int32) -> String { unsafe String(cString: mapb_status_text(status)) }

    /// Whether the calling thread is inside onError.
    var isReportingHere: Bool {
        let mine = state.with { $0.reporting.map { $0.mark }.filter { mapb_is_mine($0) != 0 } }
        return mine.contains { mapb_goes_on($0) != 0 }
    }
}

private func proxy(_ object: UnsafeMutableRawPointer?) -> Proxy {
    unsafe Unmanaged<Proxy>.fromOpaque(object!).takeUnretainedValue()
}

@_cdecl("mapb_call_begin")
func callBegin(
    _ c: UnsafeMutablePointer<mapb_calling>, _ result: UnsafeMutableRawPointer,
    _ arguments: UnsafeMutablePointer<UnsafeMutableRawPointer?>, _ refused: Int32
) -> Int32 {
    let callee = unsafe proxy(c.pointee.proxy)
    let call = unsafe ProxyCall(prototype: callee.prototype, result: result, arguments: UnsafePointer(arguments))
    return unsafe callee.begin(CFrame(c), call, refused: refused) ? 1 : 0
}

@_cdecl("mapb_call_end")
func callEnd(
    _ c: UnsafeMutablePointer<mapb_calling>, _ result: UnsafeMutableRawPointer,
    _ arguments: UnsafeMutablePointer<UnsafeMutableRawPointer?>, _ error: UnsafeMutablePointer<Int32>
) {
    let callee = unsafe proxy(c.pointee.proxy)
    let call = unsafe ProxyCall(prototype: callee.prototype, result: result, arguments: UnsafePointer(arguments))
    unsafe callee.end(CFrame(c), call, &error.pointee)
}

@_cdecl("mapb_call_reports")
func callReports(_ c: UnsafeMutablePointer<mapb_calling>) { unsafe proxy(c.pointee.proxy).reports(CFrame(c)) }

@_cdecl("mapb_call_reported")
func callReported(_ c: UnsafeMutablePointer<mapb_calling>) { unsafe proxy(c.pointee.proxy).reported(CFrame(c)) }

@_cdecl("mapb_call_over")
func callOver(_ c: UnsafeMutablePointer<mapb_calling>) { unsafe proxy(c.pointee.proxy).over(CFrame(c)) }

@_cdecl("mapb_calls_left")
func callsLeft(_ object: UnsafeMutableRawPointer?) -> UInt32 { unsafe proxy(object).forgetCallsThatWereLeft() }

extension Segment {
    /// The outcome of call i; nil: it ended well.
    fileprivate func badEnd(_ i: UInt64) -> Outcome? {
        if let outcome { return outcome }
        guard let table else { return nil }
        let entry = table.entries[Int(i)]
        return entry.failure >= 0 ? table.failures[Int(entry.failure)] : nil
    }
}
