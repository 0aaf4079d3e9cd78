// A pool without processes, whose worker is the fuzzer's input: what the input says is written into the output memory, and the pool's
// own code reads it.

import CMapBridge
import Glibc

@testable import MapEngine

/// Ends the program: what a fuzzer looks for.
func demand(_ condition: Bool, _ what: String) {
    if !condition { fatalError("fuzz: \(what)") }
}

private let nothing: mape_run_fn = { _, _, _, _ in 0 }

final class FuzzPool {
    let pool: Pool
    /// The fuzzer has one thread: the core is its own, with and without the lock.
    let core: Core
    let function: Function
    /// The places of its workers: two of this machine; or one, and two lanes.
    let slots: [Int]
    private(set) var jobs: [Job] = []
    private var nextHandle: UInt = 0x1000
    private var ended: [ObjectIdentifier: UInt64] = [:]

    init(hasLanes: Bool = false) throws {
        var config = mape_pool_config()
        config.struct_size = MemoryLayout<mape_pool_config>.size
        config.workers = hasLanes ? 1 : 2
        if hasLanes {
            config.cluster = UnsafePointer(strdup("redis://127.0.0.1/fuzz"))
            config.remote_workers = 2
        }
        defer { free(UnsafeMutablePointer(mutating: config.cluster)) }
        config.start = MAPE_START_FORK.rawValue
        config.input_reserve = 16 << 20
        config.output_reserve = 1 << 20
        config.restarts = 1000
        pool = try Pool(PoolConfig(config))
        core = pool.core.with { $0 }
        var description = mape_function()
        description.struct_size = MemoryLayout<mape_function>.size
        // What lanes run has a name. Nothing here is ever called.
        let texts = [strdup("libm.so.6"), strdup("cbrt")]
        defer { for text in texts { free(text) } }
        if hasLanes {
            description.library = UnsafePointer(texts[0])
            description.run_symbol = UnsafePointer(texts[1])
        } else {
            description.run = nothing
        }
        function = try core.function(pool.register(description))
        demand(!hasLanes || function.travels, "a function of a library does not travel")
        core.life.stage = .running
        slots = hasLanes ? [0, core.table.firstLane, core.table.firstLane + 1] : [0, 1]
        for slot in slots { try start(slot) }
    }

    /// A new process in a worker's place, that has a setup to answer.
    func start(_ slot: Int) throws {
        let worker = core.workers[slot]
        let region = try OutputRegion(reserve: core.config.outputReserve)
        _ = close(region.releaseFile())
        worker.renew(region, inbox: core.input.inbox(slot))
        worker.pid = 1
        let inbox = core.input.inbox(slot)
        inbox.pointee = mapb_inbox()
        pool.core.with { $0.send(worker, .setup(function, nil)) }
        worker.history.firstRequests = worker.inFlight
        core.followUp()
    }

    func submit(_ input: inout Bytes) throws {
        guard jobs.count < 6 else { return }
        var config = JobConfig()
        config.chunk = UInt64(input.byte() % 32)
        config.attempts = UInt32(1 + input.byte() % 3)
        config.deliver = UInt32(input.byte() & 7)
        config.ordered = input.byte() & 1 != 0
        let items = Items.strided(nil, count: UInt64(input.byte()), stride: 0, size: 0)
        if core.remote != nil { config.place = mape_where(UInt32(input.byte() % 3)) }
        nextHandle += 16
        jobs.append(try pool.submit(function.id, config, nil, try pool.prepare(items), handle: nextHandle))
    }

    /// The worker dies, in a way of the input's choice, and another takes its place.
    func end(_ slot: Int, _ status: Int32) throws {
        guard core.workers[slot].isAlive else { return }
        pool.core.with { $0.died(core.workers[slot], .status(status)) }
        demand(!core.workers[slot].isAlive, "a dead worker lives")
        if function.failure == nil { try start(slot) }
    }

    /// What holds at any time, whatever workers say.
    func check() {
        for job in jobs {
            demand(job.tally.ended <= job.tally.total, "more items ended than there are")
            demand(
                (1...6).reduce(0) { $0 + job.tally[mape_item_state($1)] } == job.tally.ended, "the counts do not sum up"
            )
            demand(job.tally.ended >= ended[ObjectIdentifier(job)] ?? 0, "an item that had ended has not")
            ended[ObjectIdentifier(job)] = job.tally.ended
            demand(!job.isDone || job.tally.ended == job.tally.total, "a job is done before its items")
        }
    }

    /// Every result can be read, to the last byte.
    func read(_ job: Job) {
        var sum: UInt64 = 0
        for i in 0..<job.tally.total {
            guard let segment = job.segment(holding: i) else { continue }
            var result = mape_result()
            segment.read(i - segment.first, into: &result)
            demand(result.state >= 1 && result.state <= 6, "an item ended in no state")
            sum &+= UInt64(strlen(result.message))
            if let data = result.data {
                demand(result.size <= 1 << 20, "a result larger than its memory")
                for byte in UnsafeRawBufferPointer(start: data, count: result.size) { sum &+= UInt64(byte) }
            }
        }
        seen = sum
    }

    /// Keeps the reading from being optimised away.
    private(set) var seen: UInt64 = 0

    /// Ends everything, and sees that each item has ended once.
    func finish() throws {
        for job in jobs where !job.isDone {
            pool.core.with {
                $0.end(job, Outcome(MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, "the end"), now: mapb_clock())
            }
        }
        for slot in slots { try end(slot, SIGKILL) }
        for job in jobs {
            demand(job.isDone && job.tally.ended == job.tally.total && job.tally.running == 0, "an item has not ended")
            read(job)
            pool.core.with { $0.release(job) }
        }
        demand(core.jobs.isEmpty, "a released job is still there")
    }
}
