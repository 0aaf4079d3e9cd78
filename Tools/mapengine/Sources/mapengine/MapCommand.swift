import ArgumentParser
import CKernel
import CMapEngine
import Glibc

/// Which function: shared by the subcommands.
struct FunctionOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: "The shared library that holds the function: a path, or a name the loader finds, as libm.so.6.",
        completion: .file())
    var library: String

    @Option(help: "The function's symbol, when it differs from the name in the prototype.")
    var symbol: String?

    @Flag(help: "errno after each call is the last output.")
    var errno = false
}

/// `mapengine map`.
struct MapCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "map", abstract: "Call a function once per row.",
        discussion: """
            EXAMPLE
              mapengine map --library libm.so.6 'double pow(double, double)' a.npy table.csv:height -o out.npy

            An input is a .npy file, a column of a .csv file (file.csv:name, file.csv:3), a value for all calls (2.5, or =2.5 if it \
            could be taken for something else), or - for columns of text on standard input.

            A value arrives as it stands in its file, or is refused with file, line and column: rows with more or fewer fields than \
            the first, numbers that their type cannot hold, texts with a NUL. An output file is written as a whole or stays as it was.

            EXIT CODES
              0 every call ended well, 1 some did not, 2 bad data, 64 wrong usage, 65 wrong prototype or type, 69 library or function \
            not found, 70 the workers could not be kept alive, 73 cannot write, 75 the deadline passed, 128 and the signal interrupted.
            """)

    @OptionGroup var function: FunctionOptions

    @Argument(help: "The function's type in C, as 'double pow(double, double)'.")
    var prototype: String

    @Argument(help: "Its inputs, in the order of its parameters.", completion: .file())
    var inputs: [String] = []

    @Option(
        name: [.customShort("o"), .long],
        help: "Where results go: a .npy file, one per output; a .csv file or - for all of them; none. Default: -.",
        completion: .file())
    var output: [String] = []

    @Option(help: "Worker processes. Default: the cores this process may use.")
    var workers: UInt32 = 0

    @Option(help: "A server over which other machines take calls as well: its URL.")
    var cluster: String?

    @Option(help: "Calls handed to a worker at a time. Default: by the measured time of a call.")
    var chunk: UInt64 = 0

    @Option(help: "Seconds for one call; one that takes longer has failed.")
    var timeout: Double?

    @Option(help: "Seconds for all calls.")
    var deadline: Double?

    @Option(help: "How many times a call whose worker dies is begun in all.")
    var attempts: UInt32 = 1

    @Option(help: "How many calls, when every input is a value, or there is none. Default: 1.")
    var count: Int?

    @Flag(help: "Convert numbers of .npy files that have another type.")
    var cast = false

    @Flag(
        inversion: .prefixedNo, exclusivity: .exclusive,
        help: "The first line of .csv inputs holds names, or is a row. Default: it shows, or is refused.")
    var header: Bool?

    @Option(
        help:
            "What stands for a call that failed. Default: NaN, 0 or an empty text in .npy; an empty field in .csv; nan on standard output."
    )
    var failValue: String?

    @Option(
        help: "A .csv file for the calls that failed: row, state, cause, code, attempts, message.", completion: .file())
    var failures: String?

    @Flag(help: "Tell on standard error what each worker did.")
    var report = false

    @Option(
        help:
            "A .json file for the timeline of the workers, which mapengine report and https://ui.perfetto.dev show; of an interrupted run too.",
        completion: .file())
    var trace: String?

    @Flag(name: .shortAndLong, help: "No progress bar, and of failed calls only their number.")
    var quiet = false

    func validate() throws {
        for (name, value) in [("timeout", timeout), ("deadline", deadline)] {
            if let value, !(value > 0 && value < 9e9) {
                throw ValidationError("--\(name) has to be a number of seconds above 0, not \(value)")
            }
        }
        if workers > 1024 { throw ValidationError("--workers can be at most 1024") }
        if attempts == 0 { throw ValidationError("--attempts has to be at least 1") }
        if let count, count < 0 { throw ValidationError("--count cannot be negative") }
        if let failures, !failures.hasSuffix(".csv") { throw ValidationError("--failures has to be a .csv file") }
        if let trace, !trace.hasSuffix(".json") { throw ValidationError("--trace has to be a .json file") }
    }

    func run() throws {
        try reporting {
            interrupts_catch()
            var config = unsafe mape_pool_config()
            unsafe config.workers = workers
            // What workers print shall not get into the results.
            unsafe config.output = MAPE_OUTPUT_CAPTURE.rawValue
            // C functions that run do not hear of being cancelled.
            unsafe config.grace_ns = 100_000_000
            unsafe config.on_output = { _, event in
                guard let event = unsafe event, let text = unsafe event.pointee.text else { return }
                let lost = unsafe event.pointee.lost
                if lost > 0 { tell("\(lost) bytes that the function printed were lost here: they came too fast") }
                unsafe writeAll(UnsafeRawBufferPointer(start: text, count: event.pointee.text_size), to: STDERR_FILENO)
            }
            let pool = try unsafe opened(&config)
            let signature = try pool.register(
                library: function.library, prototype: prototype, symbol: function.symbol, errno: function.errno)
            try (signature.inputs + signature.outputs).forEach(refuseStructures)
            let sinks = try Sink.all(output, for: signature)
            let writer = try ResultWriter(sinks, failures: failures)
            let firstLine = header.map { $0 ? FirstLine.names : .row }
            let inputs = try InputReader(signature: signature, casts: cast, firstLine: firstLine).read(inputs)
            let job = Job(
                signature: signature, inputs: inputs, rows: try rows(inputs), failValue: filler, chunk: chunk,
                attempts: attempts, timeout: timeout, deadline: deadline)
            if trace != nil { try pool.beginTrace() }
            try pool.start()
            let results: Results
            do {
                results = try job.run(pool, isQuiet: quiet, reports: report)
                pool.finish()
                try writer.write(results, keepsFiller: failValue != nil)
            } catch let interrupted as Interrupted {
                // Why it took so long is what somebody who waited for it wants to see.
                do { if let trace { try pool.writeTrace(to: trace) } } catch let failure as Failure {
                    tell(failure.message)
                }
                throw interrupted
            }
            if let trace { try pool.writeTrace(to: trace) }
            try tellFailures(job, results)
        }
    }

    private func opened(_ config: inout mape_pool_config) throws -> Pool {
        guard let cluster else { return try unsafe Pool(config) }
        let text = unsafe cluster.withRaw { unsafe strdup($0) }
        // The pool has a copy of its own.
        defer { unsafe free(text) }
        unsafe config.cluster = unsafe UnsafePointer(text)
        return try unsafe Pool(config)
    }

    /// `--fail-value` without the `=` that a negative number was given.
    private var filler: String? {
        failValue.map { $0.hasPrefix("=") ? String($0.dropFirst()) : $0 }
    }

    /// How many calls: the rows that all columns have.
    private func rows(_ inputs: [InputColumn]) throws -> Int {
        guard let first = inputs.first(where: { $0.rows != nil }), let rows = first.rows else { return count ?? 1 }
        for column in inputs {
            if let others = column.rows, others != rows {
                throw Failure(.badData, "\(first.name) has \(rows) rows, but \(column.name) has \(others)")
            }
        }
        if let count, count != rows { throw Failure(.usage, "--count is \(count), but \(first.name) has \(rows) rows") }
        return rows
    }

    /// Tells of failed calls, which are this program's failure too.
    private func tellFailures(_ job: Job, _ results: Results) throws {
        guard !results.failures.isEmpty else { return }
        if !quiet {
            for failure in results.failures.prefix(5) {
                tell("row \(failure.row): \(failure.state): \(failure.message)")
            }
            if results.failures.count > 5 { tell("... and \(results.failures.count - 5) more") }
        }
        let summary = "\(results.failures.count) of \(job.rows) calls did not end well"
        if results.failures.contains(where: { $0.cause == MAPE_CAUSE_POOL.rawValue }) { throw Failure(.pool, summary) }
        if results.failures.contains(where: { $0.cause == MAPE_CAUSE_LOAD.rawValue }) {
            throw Failure(.notFound, summary)
        }
        if results.failures.contains(where: { $0.cause == MAPE_CAUSE_JOB_TIMEOUT.rawValue }) {
            throw Failure(.deadline, "the deadline passed: \(summary)")
        }
        throw Failure(.callsFailed, summary)
    }
}
