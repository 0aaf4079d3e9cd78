import CMapEngine

/// A call that did not end well.
struct CallFailure {
    let row: Int
    let state: String
    let cause: UInt32
    let code: Int32
    let attempts: UInt32
    let message: String
}

/// What a job gave.
struct Results {
    let columns: [OutputColumn]
    let failures: [CallFailure]

    func writeFailures(_ writer: ByteWriter) throws {
        try Sink.writeCSV(["row", "state", "cause", "code", "attempts", "message"].map { Array($0.utf8) }, to: writer)
        for one in failures {
            let fields = ["\(one.row)", one.state, "\(one.cause)", "\(one.code)", "\(one.attempts)", one.message]
            try Sink.writeCSV(fields.map(\.raw), to: writer)
        }
    }
}

/// One map over columns.
struct Job {
    let signature: Signature
    let inputs: [InputColumn]
    let rows: Int
    let failValue: String?
    let chunk: UInt64
    let attempts: UInt32
    let timeout: Double?
    let deadline: Double?

    /// Runs it to its end. The progress bar moves meanwhile, and a signal cancels.
    func run(_ pool: borrowing Pool, isQuiet: Bool, reports: Bool) throws -> Results {
        let outputs = try signature.outputs.map {
            try OutputColumn($0, rows: rows, width: try width(of: $0), filler: failValue)
        }
        var config = unsafe mape_job_config()
        unsafe config.struct_size = unsafe MemoryLayout<mape_job_config>.size
        unsafe config.chunk = chunk
        unsafe config.attempts = attempts
        unsafe config.item_timeout_ns = timeout.map { max(1, Int64($0 * 1e9)) } ?? 0
        unsafe config.job_timeout_ns = deadline.map { max(1, Int64($0 * 1e9)) } ?? 0
        var handle: OpaquePointer?
        let columns = unsafe inputs.enumerated().map { index, column in
            unsafe self.column(column, signature.inputs[index])
        }
        let status = unsafe columns.withUnsafeBufferPointer { columns in
            unsafe mape_map_columns(
                &handle, pool.handle, signature.function, UInt64(rows), columns.baseAddress, columns.count, &config)
        }
        guard status == MAPE_OK.rawValue, let job = unsafe handle else {
            let code: ExitStatus =
                status == MAPE_E_ARGUMENT.rawValue || status == MAPE_E_OVERFLOW.rawValue ? .prototype : .pool
            throw Failure(code, pool.message(status))
        }
        defer { unsafe mape_job_release(job) }
        let progress = try unsafe wait(job, pool, isQuiet: isQuiet)
        if reports { Report.print(pool, progress) }
        try unsafe gather(job, outputs, pool)
        let failures = unsafe progress.ok == progress.total ? [] : try failures(job, pool)
        let missing = Set(failures.map(\.row))
        for output in outputs { output.complete(missing: missing) }
        return Results(columns: outputs, failures: failures)
    }

    private func wait(_ job: OpaquePointer, _ pool: borrowing Pool, isQuiet: Bool) throws -> mape_progress {
        var bar = ProgressBar(isWanted: !isQuiet)
        var progress = mape_progress()
        progress.struct_size = MemoryLayout<mape_progress>.size
        var isCancelled = false
        while true {
            let status = unsafe mape_job_wait(job, 20_000_000)
            unsafe mape_job_progress(&progress, job)
            if progress.is_done != 0 || (status != MAPE_OK.rawValue && status != MAPE_E_TIMEOUT.rawValue) {
                bar.clear()
            }
            unsafe mape_pool_dispatch(pool.handle, 0, 0)
            if progress.is_done != 0 { break }
            guard status == MAPE_OK.rawValue || status == MAPE_E_TIMEOUT.rawValue else {
                throw Failure(.pool, pool.message(status))
            }
            if interruption != 0, !isCancelled {
                isCancelled = true
                unsafe mape_job_cancel(job)
            }
            bar.draw(progress)
        }
        try throwIfInterrupted()
        return progress
    }

    private func gather(_ job: OpaquePointer, _ outputs: [OutputColumn], _ pool: borrowing Pool) throws {
        let places = unsafe outputs.map { output in
            var column = unsafe mape_column()
            unsafe column.struct_size = unsafe MemoryLayout<mape_column>.size
            unsafe column.base = unsafe output.memory.mutableBytes.baseAddress
            unsafe column.stride = output.size
            unsafe column.size = output.size
            return unsafe column
        }
        let status = unsafe places.withUnsafeBufferPointer { places in
            unsafe mape_job_gather_columns(places.baseAddress, places.count, nil, job)
        }
        guard status == MAPE_OK.rawValue else { throw Failure(.pool, pool.message(status)) }
    }

    private func failures(_ job: OpaquePointer, _ pool: borrowing Pool) throws -> [CallFailure] {
        var failures: [CallFailure] = []
        var result = unsafe mape_result()
        unsafe result.struct_size = unsafe MemoryLayout<mape_result>.size
        for row in 0..<rows {
            let status = unsafe mape_job_result(&result, job, UInt64(row))
            guard status == MAPE_OK.rawValue else { throw Failure(.pool, pool.message(status)) }
            guard unsafe result.state != MAPE_ITEM_OK.rawValue else { continue }
            unsafe failures.append(
                CallFailure(
                    row: row, state: name(ofState: result.state), cause: result.cause, code: result.code,
                    attempts: result.attempts,
                    message: String(raw: result.message)))
        }
        return failures
    }

    private func name(ofState state: UInt32) -> String {
        switch state {
        case MAPE_ITEM_FAILED.rawValue: "failed"
        case MAPE_ITEM_CRASHED.rawValue: "crashed"
        case MAPE_ITEM_TIMED_OUT.rawValue: "timed out"
        case MAPE_ITEM_CANCELLED.rawValue: "cancelled"
        default: "abandoned"
        }
    }

    private func column(_ input: InputColumn, _ parameter: Parameter) -> mape_column {
        var column = unsafe mape_column()
        unsafe column.struct_size = unsafe MemoryLayout<mape_column>.size
        unsafe column.base = unsafe UnsafeMutableRawPointer(
            mutating: input.memory.bytes.baseAddress.map { unsafe $0 + input.offset })
        unsafe column.stride = input.stride
        unsafe column.size = input.size
        unsafe column.type = parameter.type == .byte ? 0 : parameter.type.rawValue
        return unsafe column
    }

    /// How many elements an output has at most: a length that is a parameter is looked up in its column.
    private func width(of output: Parameter) throws -> Int {
        guard output.isArray || output.type == .string else { return 1 }
        guard let counter = output.lengthParameter else { return output.length }
        guard let place = signature.inputs.firstIndex(where: { $0.index == counter }) else { return output.length }
        let parameter = signature.inputs[place]
        let column = inputs[place]
        let bytes = unsafe column.memory.bytes
        var most = 0
        for row in 0..<min(column.rows ?? 1, rows) {
            let first = column.offset + row * column.stride
            let element = unsafe UnsafeRawBufferPointer(rebasing: bytes[first..<first + parameter.type.size])
            guard let count = unsafe Int(parameter.type.text(element)) else {
                throw Failure(
                    .badData,
                    unsafe "\(column.name), row \(row): \(parameter.type.text(element)) is too large for a length")
            }
            most = max(most, count)
        }
        let (width, overflow) = most.multipliedReportingOverflow(by: output.length)
        guard !overflow, width < 1 << 40 else { throw Failure(.badData, "\(parameter.label) is too large: \(most)") }
        return width
    }
}
