// Reads a pool of another process. Nothing there is locked: what is read is used if what tells whether it holds together is the same
// afterwards, and is "?" if not.

import CPools

/// Why a pool is not shown: a line for the user.
struct PoolRefusal: Error, Hashable {
    let process: Int32
    let why: String
}

final class PoolReader {
    let host: Int32
    let memory: SharedFile
    let identity: PoolSample.Identity
    private let program: String
    private let command: String
    private let name: String
    /// Whether the numbers of processes in its memory are ours.
    private let knowsProcesses: Bool
    /// By place: the output memory of its present process.
    private var outputs: [Int: Output] = [:]

    private struct Output {
        let generation: UInt64
        let pid: Int32
        let memory: SharedFile?
    }

    /// Nil: the process is not the pool's host, but one that has its memory as well.
    init?(_ memory: SharedFile, process: Int32) throws(PoolRefusal) {
        self.memory = memory
        identity = .init(device: memory.device, inode: memory.inode)
        guard let head = memory.read(mapb_pool_head(), at: 0) else {
            throw PoolRefusal(process: process, why: "its memory is too small to be a pool's")
        }
        guard head.protocol == MAPB_PROTOCOL else {
            throw PoolRefusal(
                process: process,
                why:
                    "its pool is of another version of the library (protocol \(head.protocol); this program reads \(MAPB_PROTOCOL)): use that version's `mapengine top`"
            )
        }
        guard memory.size > UInt64(MAPB_ARENA_OFFSET), let figures = PoolReader.figures(memory), figures.host > 0 else {
            throw PoolRefusal(process: process, why: "the figures of its pool make no sense")
        }
        guard figures.host == pools_inner_pid(process) else { return nil }
        host = process
        program = OtherProcess.name(process)
        command = OtherProcess.command(process)
        name = OtherProcess.title(process)
        knowsProcesses = pools_same_namespace(process) != 0
    }

    /// Nil: they are not those of a pool.
    private static func figures(_ memory: SharedFile) -> mapb_figures? {
        let places = MAPB_MAX_WORKERS
        guard let found = memory.read(mapb_figures(), at: UInt64(MAPB_FIGURES_OFFSET)), found.places <= places,
            found.lines <= places, found.first_lane <= places, found.lines <= found.first_lane
        else { return nil }
        return found
    }

    /// Nil: it is gone, or is no pool any more.
    func sample() -> PoolSample? {
        // A number can be another process's by now.
        guard let figures = PoolReader.figures(memory), pools_inner_pid(host) == figures.host else { return nil }
        var workers: [WorkerSample] = []
        for index in 0..<Int(figures.lines) {
            guard let worker = worker(index, figures) else { return nil }
            if worker.state != .none || index < Int(figures.places) { workers.append(worker) }
        }
        for index in Int(figures.first_lane)..<Int(MAPB_MAX_WORKERS) {
            guard let lane = worker(index, figures) else { return nil }
            if lane.state != .none { workers.append(lane) }
        }
        return PoolSample(
            identity: identity, host: host, program: program, command: command, name: name, time: pools_clock(),
            figures: figures,
            inputUsed: memory.used, lastCrash: lastCrash(figures), workers: workers)
    }

    /// The figures' copy of it may be torn, so it is read anew.
    private func lastCrash(_ figures: mapb_figures) -> PoolSample.Crash? {
        guard figures.crashed > 0 else { return nil }
        let place = UInt64(MAPB_FIGURES_OFFSET) + UInt64(MemoryLayout<mapb_figures>.offset(of: \.crash) ?? 0)
        for _ in 0..<3 {
            guard let crash = memory.read(mapb_last_crash(), at: place), crash.changes & 1 == 0,
                memory.word(at: place) == crash.changes
            else { continue }
            return PoolSample.Crash(
                item: crash.item, job: crash.job, function: shown(fixed: crash.function), signal: crash.signal,
                worker: crash.worker, at: crash.at)
        }
        return nil
    }

    // MARK: - Workers

    private static func inbox(_ index: Int) -> UInt64 { 4096 + UInt64(index) * UInt64(MAPB_INBOX_BYTES) }

    private func line(_ index: Int) -> mapb_worker_line? {
        memory.read(
            mapb_worker_line(),
            at: PoolReader.inbox(index) + UInt64(MemoryLayout<mapb_inbox>.offset(of: \.line) ?? 0))
    }

    /// Nil: the memory cannot be read.
    private func worker(_ index: Int, _ figures: mapb_figures) -> WorkerSample? {
        guard let line = line(index) else { return nil }
        let isLane = index >= Int(figures.first_lane)
        let state: WorkerSample.State =
            switch line.state {
            case 0: .none
            case 1: .starting
            case 2: .idle
            case 4: .stopping
            default: .unknown
            }
        var machine: String?
        if isLane {
            machine =
                memory.text(at: PoolReader.inbox(index) + UInt64(MAPB_HOST_OFFSET), most: Int(MAPB_HOST_NAME)) ?? ""
        }
        var sample = WorkerSample(
            index: index, machine: machine, generation: line.generation, pid: isLane ? 0 : line.pid, state: state,
            items: line.items, since: line.since)
        guard !isLane, state != .none, line.pid > 0, knowsProcesses else { return sample }
        sample.process = OtherProcess.look(line.pid)
        guard let output = output(index, line) else {
            sample.work.what = .unknown
            sample.work.name = "?"
            return sample
        }
        sample.outputUsed = output.used
        look(&sample, in: output)
        return sample
    }

    /// The word that tells whether what a worker is on has changed; nil: not known. For workers of the last sample alone.
    func word(of worker: WorkerSample) -> UInt64? {
        guard let known = outputs[worker.index], known.generation == worker.generation, let memory = known.memory else {
            return nil
        }
        return memory.word(at: UInt64(MemoryLayout<mapb_outbox>.offset(of: \.current) ?? 0))
    }

    /// The output memory of a worker's process, by the descriptor that the worker keeps.
    private func output(_ index: Int, _ line: mapb_worker_line) -> SharedFile? {
        if let known = outputs[index], known.generation == line.generation, known.pid == line.pid, known.memory != nil {
            return known.memory
        }
        var memory: SharedFile?
        let file = unsafe pools_find_in(line.pid, POOLS_OUTPUT)
        if file >= 0 { memory = try? SharedFile(process: line.pid, file: file) }
        if let found = memory, found.size < UInt64(MAPB_RESULTS_OFFSET) { memory = nil }
        outputs[index] = Output(generation: line.generation, pid: line.pid, memory: memory)
        return memory
    }

    // MARK: - What it is on

    private func look(_ sample: inout WorkerSample, in output: SharedFile) {
        for _ in 0..<4 {
            guard let outbox = output.read(mapb_outbox(), at: 0),
                let published = memory.word(at: PoolReader.inbox(sample.index))
            else { break }
            if sample.state == .idle && published != outbox.tail { sample.state = .busy }
            let work = work(sample.index, outbox)
            let place = UInt64(MemoryLayout<mapb_outbox>.offset(of: \.current) ?? 0)
            guard output.word(at: place) == outbox.current, let again = line(sample.index),
                again.generation == sample.generation, again.pid == sample.pid
            else { continue }
            sample.work = work
            return
        }
        sample.work.what = .unknown
        sample.work.name = "?"
    }

    private func work(_ index: Int, _ outbox: mapb_outbox) -> Work {
        var work = Work()
        let mark = UInt32(truncatingIfNeeded: outbox.current)
        let low = UInt32(truncatingIfNeeded: outbox.current >> 32)
        guard mark != 0 else { return work }
        work.word = outbox.current
        work.what = .unknown
        work.name = "?"
        if outbox.current == UInt64(MAPB_AT_HOOK) && outbox.tail == 0 {
            work.what = .hook
            work.name = "after_in_worker"
            return work
        }
        // A reply is published before the word is cleared.
        if low == UInt32(truncatingIfNeeded: outbox.tail) { return Work() }
        let ticket = outbox.tail &+ 1
        guard low == UInt32(truncatingIfNeeded: ticket) else { return work }
        let place =
            PoolReader.inbox(index) + UInt64(MemoryLayout<mapb_inbox>.offset(of: \.requests) ?? 0)
            + (outbox.tail & UInt64(MAPB_RING - 1)) * UInt64(MemoryLayout<mapb_request>.stride)
        guard let request = memory.read(mapb_request(), at: place), request.ticket == ticket else { return work }
        switch request.kind {
        case MAPB_REQUEST_RANGE.rawValue: range(&work, request, mark, outbox)
        case MAPB_REQUEST_SETUP.rawValue:
            work.what = mark < MAPB_AT_SETUP ? .loading : .setup
            work.name = function(at: request.record) ?? "?"
        case MAPB_REQUEST_CLEANUP.rawValue:
            work.what = .cleanup
            work.name = function(at: request.record) ?? "?"
        case MAPB_REQUEST_MODULE.rawValue:
            work.what = .loading
            work.name = isInArena(request.record, 1) ? memory.text(at: request.record, most: 256) ?? "?" : "?"
        default: break
        }
        return work
    }

    private func range(_ work: inout Work, _ request: mapb_request, _ mark: UInt32, _ outbox: mapb_outbox) {
        let isRange = mark & MAPB_MARK_RANGE != 0
        let position = isRange ? mark & ~MAPB_MARK_RANGE : mark - 1
        guard position < request.count else { return }
        let index = request.first &+ UInt64(position)
        let step = request.step == 0 ? request.count : request.step
        work.what = isRange ? .range(first: index, count: UInt64(min(step, request.count - position))) : .item(index)
        work.job = job(request.flags >> MAPB_JOB_SHIFT)
        let fraction = Double(bitPattern: outbox.fraction)
        if fraction > 0 && fraction <= 1 { work.fraction = fraction }
        guard isInArena(request.record, MemoryLayout<mapb_job>.size),
            let job = memory.read(mapb_job(), at: request.record)
        else { return }
        let number = UInt64(job.cancel >> MAPB_NAME_SHIFT)
        let place = memory.word(at: UInt64(MAPB_NAMES_OFFSET) + number * 8) ?? 0
        // A name that there was no room for is not "?".
        work.name = number == 0 ? "function \(job.function)" : name(at: place) ?? "?"
    }

    private func name(at offset: UInt64) -> String? {
        isInArena(offset, 1) ? memory.text(at: offset, most: Int(MAPB_SHOWN_NAME)) : nil
    }

    /// A job's number by its low bits: the highest one that there was.
    private func job(_ low: UInt32) -> UInt64 {
        let bits = UInt64(1) << UInt64(32 - MAPB_JOB_SHIFT)
        guard let jobs = PoolReader.figures(memory)?.jobs, jobs > 0 else { return 0 }
        let number = jobs & ~(bits - 1) | UInt64(low)
        return number <= jobs ? number : number >= bits ? number - bits : 0
    }

    private func function(at record: UInt64) -> String? {
        guard isInArena(record, MemoryLayout<mapb_function>.size),
            let function = memory.read(mapb_function(), at: record)
        else { return nil }
        return function.name == 0 ? "function \(function.serial)" : name(at: function.name)
    }

    private func isInArena(_ offset: UInt64, _ size: Int) -> Bool {
        offset >= UInt64(MAPB_ARENA_OFFSET) && offset <= memory.size && UInt64(size) <= memory.size - offset
    }
}
