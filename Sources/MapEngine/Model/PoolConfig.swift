// A pool's settings, copied from C and completed with defaults.

import CMapBridge

/// Its pointers belong to the host: they are passed back to it, and never followed.
@safe struct PoolConfig: @unchecked Sendable {
    var workers: Int
    var start: mape_start
    var output: mape_output
    var inputReserve: UInt64
    var outputReserve: UInt64
    var limits: Limits
    var process: Process
    var zygote: ZygoteProgram
    var callbacks: Callbacks
    var crashFolder: UserText?
    /// Whether a signal ends a wait of the host.
    var interruptible: Bool
    /// Nil: no other machines.
    var cluster: Cluster?

    /// When workers are ended. Times in nanoseconds; Int64.max: none.
    struct Limits {
        var zygoteTimeout: Int64
        var setupTimeout: Int64
        var cleanupTimeout: Int64
        var grace: Int64
        var restarts: UInt32
        /// 0: any number.
        var itemsPerWorker: UInt64
        /// Bytes; 0: none.
        var memoryGrowth: UInt64
        /// How long a worker may be idle, and how many stay all the same.
        var idleTime: Int64
        var leastWorkers: Int
    }

    /// Settings of worker processes for the system.
    struct Process {
        var nice: Int32
        var pin: Bool
        var coreDumps: Bool
        /// Added to oom_score_adj; 0: nothing.
        var oomScore: Int32
        /// Bytes; 0: none.
        var memoryLimit: UInt64
        var sandbox: mape_sandbox
        /// 0: none.
        var cancelSignal: Int32
    }

    /// What zygotes run and load, and their environment.
    struct ZygoteProgram {
        /// From the root, or a name alone, which is looked for in PATH.
        var path: UserText?
        var arguments: [UserText]?
        var environmentSet: [UserText]
        var environmentUnset: [UserText]
        var modules: [UserText]
    }

    @safe struct Callbacks {
        @safe var context: UnsafeMutableRawPointer?
        @safe var onOutput: mape_event_fn?
        @safe var onLog: mape_event_fn?
    }

    init(_ c: mape_pool_config) throws(MapError) {
        cluster = try Cluster(c)
        workers = try cluster?.isAlone == true ? 0 : workerCount(c.workers, "config.workers")
        if let cluster, workers + cluster.lanes > Int(MAPB_MAX_WORKERS) {
            throw .argument(
                "config.remote_workers",
                "and config.workers are \(cluster.lanes) and \(workers): at most \(MAPB_MAX_WORKERS) together are possible")
        }
        guard c.min_workers <= MAPB_MAX_WORKERS else {
            throw .argument("config.min_workers", "is \(c.min_workers); at most \(MAPB_MAX_WORKERS) are possible")
        }
        guard c.start <= MAPE_START_FORK.rawValue else {
            throw .argument("config.start", "is \(c.start), no enum mape_start")
        }
        guard c.output <= MAPE_OUTPUT_LINES.rawValue else {
            throw .argument("config.output", "is \(c.output), no enum mape_output")
        }
        start = mape_start(c.start)
        output = mape_output(c.output)
        zygote = try ZygoteProgram(c)
        limits = Limits(c)
        let memory = usableMemory()
        inputReserve = c.input_reserve == 0 ? min(Policy.inputReserve, memory) : c.input_reserve
        outputReserve = c.output_reserve == 0 ? min(Policy.outputReserve, memory / 2) : c.output_reserve
        guard inputReserve <= 1 << 46 else {
            throw .argument("config.input_reserve", "is larger than an address space")
        }
        guard outputReserve <= 1 << 46 else {
            throw .argument("config.output_reserve", "is larger than an address space")
        }
        guard c.interruptible <= 1 else {
            throw .argument("config.interruptible", "is \(c.interruptible); 0 or 1 are possible")
        }
        interruptible = c.interruptible == 1
        process = try Process(c)
        callbacks = unsafe Callbacks(context: c.context, onOutput: c.on_output, onLog: c.on_log)
        crashFolder = try unsafe rootPath(c.crash_dir, "config.crash_dir")
    }

    /// Whether the host gets what workers write to their standard output and error.
    var isCaptured: Bool { output == MAPE_OUTPUT_CAPTURE || output == MAPE_OUTPUT_LINES }

    /// What the workers' environment is to be.
    func environment() -> [UserText] {
        var result: [UserText] = []
        let replaced = Set(
            zygote.environmentUnset.map { $0.bytes[...] } + zygote.environmentSet.map { $0.variableName })
        for entry in unsafe strings(
            UnsafePointer(UnsafeRawPointer(mapb_environment())?.assumingMemoryBound(to: UnsafePointer<CChar>?.self)))
        {
            if !replaced.contains(entry.variableName) { result.append(entry) }
        }
        return result + zygote.environmentSet
    }
}

extension PoolConfig.Limits {
    fileprivate init(_ c: mape_pool_config) {
        zygoteTimeout = limit(c.zygote_timeout_ns, Policy.zygoteTimeout)
        setupTimeout = limit(c.setup_timeout_ns, Policy.setupTimeout)
        cleanupTimeout = limit(c.cleanup_timeout_ns, Policy.cleanupTimeout)
        grace = limit(c.grace_ns, Policy.grace)
        restarts = c.restarts == 0 ? Policy.restarts : c.restarts
        itemsPerWorker = c.items_per_worker
        memoryGrowth = c.memory_growth
        idleTime = limit(c.idle_shrink_ns, .max)
        leastWorkers = Int(c.min_workers)
    }
}

extension PoolConfig.Process {
    fileprivate init(_ c: mape_pool_config) throws(MapError) {
        guard (0...19).contains(c.nice) else {
            throw .argument("config.nice", "is \(c.nice); 0 to 19 are possible")
        }
        guard c.pin <= 1 else { throw .argument("config.pin", "is \(c.pin); 0 or 1 are possible") }
        guard c.core_dumps <= 1 else {
            throw .argument("config.core_dumps", "is \(c.core_dumps); 0 or 1 are possible")
        }
        guard c.oom_score_adj <= 1000 else {
            throw .argument("config.oom_score_adj", "is \(c.oom_score_adj); at most 1000 is possible")
        }
        guard c.sandbox <= MAPE_SANDBOX_COMPUTE.rawValue else {
            throw .argument("config.sandbox", "is \(c.sandbox), no enum mape_sandbox")
        }
        nice = c.nice
        pin = c.pin == 1
        coreDumps = c.core_dumps == 1
        oomScore = c.oom_score_adj == 0 ? Policy.oomScore : max(0, c.oom_score_adj)
        memoryLimit = c.memory_limit
        guard (0...64).contains(c.cancel_signal) else {
            throw .argument("config.cancel_signal", "is \(c.cancel_signal); 0, for none, to 64 are possible")
        }
        if let why = unsafe mapb_signal_refused(c.cancel_signal) {
            throw unsafe .argument("config.cancel_signal", "is \(signalName(c.cancel_signal)), \(String(cString: why))")
        }
        cancelSignal = c.cancel_signal
        sandbox = mape_sandbox(c.sandbox)
        if sandbox != MAPE_SANDBOX_NONE, let lacks = unsafe mapb_sandbox_lacks() {
            throw unsafe MapError(MAPE_E_UNSUPPORTED, "config.sandbox cannot be had: \(String(cString: lacks))")
        }
    }
}

extension PoolConfig.ZygoteProgram {
    fileprivate init(_ c: mape_pool_config) throws(MapError) {
        // Files are named from the root, so that they are the same ones after a chdir of the host.
        path = unsafe c.zygote_path.map { unsafe UserText($0) }
        if let name = path, name.hasFolder || name.isEmpty { path = try name.absolute("config.zygote_path") }
        arguments = unsafe c.zygote_argv.map(strings)
        environmentSet = unsafe strings(c.env_set)
        environmentUnset = unsafe strings(c.env_unset)
        if let arguments, arguments.isEmpty {
            throw .argument("config.zygote_argv", "is empty; it has at least the name of the program")
        }
        modules = []
        for module in unsafe strings(c.modules) {
            if module.isEmpty { throw .argument("config.modules", "holds an empty text") }
            modules.append(module.hasFolder ? try module.absolute("config.modules") : module)
        }
        // Each is a request to every new worker, and its inbox holds so many.
        guard modules.count <= 32 else {
            throw .argument("config.modules", "has \(modules.count) entries; at most 32 are possible")
        }
        if let wrong = environmentSet.first(where: {
            $0.variableName.isEmpty || $0.variableName.count == $0.bytes.count
        }) {
            throw .argument("config.env_set", "holds \"\(wrong)\", which is not of the form NAME=value")
        }
        if let wrong = environmentUnset.first(where: { $0.isEmpty || $0.variableName.count != $0.bytes.count }) {
            throw .argument("config.env_unset", "holds \"\(wrong)\", which is no name")
        }
    }
}

/// How many workers a pool is to have; 0: as many as the cores that this process may use.
func workerCount(_ count: UInt32, _ name: String) throws(MapError) -> Int {
    guard count <= MAPB_MAX_WORKERS else {
        throw .argument(name, "is \(count); at most \(MAPB_MAX_WORKERS) are possible")
    }
    return count == 0 ? min(usableCores(), Int(MAPB_MAX_WORKERS)) : Int(count)
}

/// 0: the default; negative: none.
private func limit(_ ns: Int64, _ standard: Int64) -> Int64 { ns == 0 ? standard : ns < 0 ? Int64.max : ns }

/// A file or folder by its path from the root.
private func rootPath(_ text: UnsafePointer<CChar>?, _ name: String) throws(MapError) -> UserText? {
    guard let text = unsafe text else { return nil }
    return try unsafe UserText(text).absolute(name)
}

/// The texts of an array ended with NULL.
private func strings(_ array: UnsafePointer<UnsafePointer<CChar>?>?) -> [UserText] {
    guard let array = unsafe array else { return [] }
    var result: [UserText] = []
    var i = 0
    while let text = unsafe array[i] {
        unsafe result.append(UserText(text))
        i += 1
    }
    return result
}
