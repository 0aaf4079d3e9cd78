import CPools

/// A sample as docs/command-line.md describes it.
enum TopJSON {
    static func line(_ samples: [PoolSample], _ refusals: [PoolRefusal], _ meter: Meter) -> String {
        JSON.object([
            ("time_ns", .integer(pools_clock())),
            ("pools", .list(samples.map { pool($0, meter) })),
            (
                "refused",
                .list(refusals.map { .object([("pid", .integer(Int64($0.process))), ("why", .text($0.why))]) })
            ),
        ]).line
    }

    private static func pool(_ pool: PoolSample, _ meter: Meter) -> JSON {
        let figures = pool.figures
        return .object([
            ("pid", .integer(Int64(pool.host))),
            ("program", .text(pool.program)),
            ("command", .text(pool.command)),
            ("pool", .number(pool.identity.inode)),
            ("stage", .text(pool.stage)),
            ("age_ns", .integer(max(0, pool.time &- figures.created))),
            ("zygote_pid", .integer(Int64(figures.zygote))),
            ("places", .number(UInt64(figures.places))),
            ("busy", .number(UInt64(pool.busy))),
            ("nodes", .number(UInt64(figures.nodes))),
            ("jobs", .number(figures.jobs)),
            ("items", .number(figures.items)),
            ("ranges", .number(figures.ranges)),
            ("queue", .number(pool.queue)),
            ("items_per_s", .of(meter.rate(pool), 1)),
            ("workers_started", .number(figures.started)),
            ("workers_died", .number(figures.died)),
            ("workers_killed", .number(figures.killed)),
            ("zygotes_started", .number(figures.zygotes)),
            ("crashes", .number(figures.crashed)),
            ("last_crash", pool.lastCrash.map { crash($0, pool.time) } ?? .null),
            ("input_bytes", .number(pool.inputUsed)),
            ("resident_bytes", .number(pool.resident)),
            ("workers", .list(pool.workers.map { worker(pool, $0, meter) })),
        ])
    }

    private static func crash(_ crash: PoolSample.Crash, _ now: Int64) -> JSON {
        .object([
            ("function", .text(crash.function)), ("item", .number(crash.item)), ("job", .number(crash.job)),
            ("signal", .integer(Int64(crash.signal))), ("worker", .integer(Int64(crash.worker))),
            ("ago_ns", .integer(max(0, now &- crash.at))),
        ])
    }

    private static func worker(_ pool: PoolSample, _ worker: WorkerSample, _ meter: Meter) -> JSON {
        let work = worker.work
        var what: (name: String, item: UInt64?, count: UInt64?)
        switch work.what {
        case .nothing: what = ("nothing", nil, nil)
        case .item(let index): what = ("item", index, 1)
        case .range(let first, let count): what = ("range", first, count)
        case .setup: what = ("setup", nil, nil)
        case .cleanup: what = ("cleanup", nil, nil)
        case .loading: what = ("loading", nil, nil)
        case .hook: what = ("hook", nil, nil)
        case .unknown: what = ("?", nil, nil)
        }
        let duration = meter.duration(pool, worker)
        return .object([
            ("index", .number(UInt64(worker.index))),
            ("pid", .integer(Int64(worker.pid))),
            ("host", worker.machine.map { .text($0) } ?? .null),
            ("state", .text(worker.state.rawValue)),
            ("starts", .number(worker.generation)),
            ("items", .number(worker.items)),
            ("items_per_s", .of(meter.rate(pool, worker), 1)),
            ("on", .text(what.name)),
            ("function", work.what == .nothing ? .null : .text(work.name)),
            ("item", .of(what.item)),
            ("count", .of(what.count)),
            ("job", work.job == 0 ? .null : .number(work.job)),
            ("fraction", .of(work.fraction, 3)),
            ("for_ns_least", duration.map { .integer($0.least) } ?? .null),
            ("for_ns_most", duration.map { .integer($0.most) } ?? .null),
            ("cpu", .of(meter.processor(pool, worker), 3)),
            ("resident_bytes", .of(worker.process?.resident)),
            ("output_bytes", .number(worker.outputUsed)),
        ])
    }
}
