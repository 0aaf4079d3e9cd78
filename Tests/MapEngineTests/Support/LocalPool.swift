// A pool without processes: jobs, replies and deaths are the pool's own code, and LocalWorkers stand in for the worker processes.

import CMapBridge
import Glibc
import Testing

@testable import MapEngine

/// What the function of a LocalPool's jobs does, by item. It is the function's state.
final class Script {
    /// How many times more the worker dies in the item.
    var deaths: [UInt64: Int] = [:]
    /// Called in the middle of an item.
    var during: ((UInt64) -> Void)?
    /// The item in which the worker is dying.
    var died: UInt64?

    static func size(_ index: UInt64) -> Int { index % 17 == 3 ? Int(index % 50) : 8 }
    static func fails(_ index: UInt64) -> Bool { index % 23 == 7 }
    static func bytes(_ index: UInt64) -> [UInt8] {
        (0..<size(index)).map { UInt8(truncatingIfNeeded: index &* 31 &+ UInt64($0)) }
    }

    /// One item; true when the worker dies in it.
    func run(_ task: UnsafeMutablePointer<mape_task>?) -> Int32 {
        let index = mape_task_index(task)
        during?(index)
        if let left = deaths[index], left > 0 {
            deaths[index] = left - 1
            died = index
            // Leaves the range at once: the test then takes for a death what looks like a stop.
            UnsafeMutablePointer(mutating: task!.pointee.job!).pointee.cancel = 1
            return 0
        }
        if Self.fails(index) { return mape_task_fail(task, 23, "item \(index)") }
        let bytes = Self.bytes(index)
        if !bytes.isEmpty { memcpy(mape_task_output(task, bytes.count), bytes, bytes.count) }
        return 0
    }
}

let scripted: mape_run_fn = { task, state, _, _ in
    Unmanaged<Script>.fromOpaque(state!).takeUnretainedValue().run(task)
}

final class LocalPool {
    let pool: Pool
    /// The tests run on one thread: the core is theirs, with and without the lock.
    let core: Core
    let function: Function
    let script = Script()
    private(set) var processes: [LocalWorker] = []
    private var nextHandle: UInt = 0x1000
    private var nextProcess: Int32 = 0

    init(workers: Int = 1, output: UInt64 = 8 << 20) throws {
        var config = mape_pool_config()
        config.struct_size = MemoryLayout<mape_pool_config>.size
        config.workers = UInt32(workers)
        config.start = MAPE_START_FORK.rawValue
        config.input_reserve = 64 << 20
        config.output_reserve = output
        pool = try Pool(PoolConfig(config))
        core = pool.core.with { $0 }
        let id = try pool.register(describe(run: scripted))
        function = try core.function(id)
        core.life.stage = .running
        for slot in 0..<workers { processes.append(try start(slot)) }
    }

    /// A new process in a worker's place, ready for work.
    @discardableResult private func start(_ slot: Int) throws -> LocalWorker {
        let worker = core.workers[slot]
        let region = try OutputRegion(reserve: core.config.outputReserve)
        worker.renew(region, inbox: core.input.inbox(slot))
        nextProcess += 1
        worker.pid = nextProcess
        let process = LocalWorker(input: core.input, slot: slot, region: region)
        pool.core.with { $0.send(worker, .setup(function, nil)) }
        worker.history.firstRequests = worker.inFlight
        core.followUp()
        process.answer()
        core.pump()
        #expect(worker.state == .ready)
        process.setState(script, of: function.id)
        return process
    }

    func restart(_ slot: Int) throws {
        processes[slot] = try start(slot)
        core.pump()
    }

    func submit(_ total: UInt64, _ config: JobConfig = JobConfig()) throws -> Job {
        nextHandle += 16
        let input = try pool.prepare(.strided(nil, count: total, stride: 0, size: 0))
        return try pool.submit(function.id, config, nil, input, handle: nextHandle)
    }

    /// Makes a job, of which workers are given nothing yet.
    func make(_ config: JobConfig, _ input: Prepared) throws -> Job {
        nextHandle += 16
        return try core.submit(
            Submission(function: function.id, config: config, data: nil, input: input, handle: nextHandle))
    }

    func worker(_ slot: Int) -> Worker { core.workers[slot] }

    /// Has a worker answer its next request. When the script lets it die there, it does, and another takes its place.
    func step(_ slot: Int) throws {
        let process = processes[slot]
        guard worker(slot).isAlive, process.hasRequests else { return }
        script.died = nil
        let ticket = process.work()
        guard let died = script.died else {
            process.publish()
            return
        }
        try kill(slot, in: died, ticket)
    }

    /// Makes of the stop that the script has caused a death in its item.
    private func kill(_ slot: Int, in item: UInt64, _ ticket: UInt64) throws {
        let process = processes[slot]
        let job = UnsafeMutablePointer(mutating: process.task.pointee.job!)
        if !core.jobs.all.contains(where: { $0.ending != nil && UInt64($0.input.record.offset) == offset(job) }) {
            job.pointee.cancel = 0
        }
        process.reply(ticket).pointee.flags &= ~MAPB_REPLY_STOPPED.rawValue
        process.reply(ticket).pointee.done = 0
        let index = item - process.task.pointee.first
        mapb_store(&process.region.outbox.pointee.current, ticket << 32 | (index + 1))
        pool.core.with { $0.died(worker(slot), .status(SIGSEGV)) }
        #expect(!worker(slot).isAlive)
        try restart(slot)
    }

    private func offset(_ job: UnsafeMutablePointer<mapb_job>) -> UInt64 { core.input.offset(of: job)! }

    /// The worker's process ends for no reason of its own.
    func lose(_ slot: Int) throws {
        pool.core.with { $0.died(worker(slot), .status(SIGKILL)) }
        try restart(slot)
    }

    /// Lets all workers work, one request after another, until nothing is left to do.
    func settle() throws {
        var isBusy = true
        while isBusy {
            isBusy = false
            for slot in processes.indices {
                core.pump()
                if worker(slot).isAlive && processes[slot].hasRequests {
                    isBusy = true
                    try step(slot)
                }
            }
            core.pump()
        }
    }

    func result(_ job: Job, _ index: UInt64) -> mape_result? {
        guard let segment = job.segment(holding: index) else { return nil }
        var result = readResult(segment, index - segment.first)
        result.attempts = job.attempts(of: index, result)
        return result
    }

    /// Checks that an item ended as the script would have it.
    func expectDone(_ job: Job, _ index: UInt64) {
        guard let result = result(job, index) else {
            Issue.record("item \(index) has not ended")
            return
        }
        if Script.fails(index) {
            #expect(result.state == MAPE_ITEM_FAILED.rawValue && result.code == 23, "item \(index)")
            #expect(String(cString: result.message) == "item \(index)")
        } else {
            #expect(result.state == MAPE_ITEM_OK.rawValue, "item \(index)")
            #expect(bytes(result) == Script.bytes(index), "item \(index)")
        }
    }
}

extension Pool {
    /// mape_pool_next_event, as its entry point makes it of its steps.
    func nextEvent(timeout: Int64) throws -> mape_event? { try nextEvents(1, timeout: timeout).first }

    /// mape_pool_next_events.
    func nextEvents(_ capacity: Int, timeout: Int64) throws -> [mape_event] {
        var events = [mape_event](repeating: mape_event(), count: capacity)
        events[0].struct_size = MemoryLayout<mape_event>.size
        return try events.withUnsafeMutableBufferPointer { places in
            var wait = mapb_wait()
            wait.kind = MAPB_WAIT_EVENT.rawValue
            wait.timeout = timeout
            wait.events = places.baseAddress
            wait.capacity = UInt64(capacity)
            wait.cancel = mapb_hold_cancel()
            defer { mapb_let_cancel(wait.cancel) }
            try withUnsafeMutablePointer(to: &wait) { try MapEngine.checkRoom(CFrame($0)) }
            try enterEvents()
            withUnsafeMutablePointer(to: &wait) { begin(CFrame($0)) }
            let status = mapb_wait_run(&wait)
            return status == MAPE_OK.rawValue ? Array(places[..<Int(wait.count)]) : []
        }
    }
}
