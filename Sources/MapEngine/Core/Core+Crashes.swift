// What the pool does with the report of a death: names the item, and saves it.

import CMapBridge

extension Core {
    /// What a worker was doing when it died, in words.
    func whatItWasOn(_ worker: Worker) -> String {
        guard let link = worker.link, let head = worker.assigned.first else { return "it had nothing to do" }
        switch head.work {
        case .range(let job, let range):
            let function = "function \"\(job.function.name)\", "
            var suspects = range
            switch head.point(link.mark) {
            case .before, .end: return function + "job \(job.sequence), before its next item"
            case .item(let item): return function + self.item(range.first + item, job)
            case .range(let start, let count): suspects = ItemRange(first: range.first + start, count: count)
            case .anywhere, .nonsense: break
            }
            if suspects.count == 1 { return function + item(suspects.first, job) }
            let last = suspects.first &+ suspects.count &- 1
            return function + "one of the items \(suspects.first) to \(last) of job \(job.sequence)"
        case .setup(let function, _): return "setup of \"\(function.name)\""
        case .cleanup(let function, _): return "cleanup of \"\(function.name)\""
        case .module(let module): return "loading the module \"\(printable(module.path.bytes))\""
        case .exit: return "exiting"
        }
    }

    private func item(_ index: UInt64, _ job: Job) -> String { "item \(index) of job \(job.sequence)" }

    /// The outcome of an item that is blamed for a death, with the item's name and all that is known about the crash.
    /// Saves the item if the pool has a crash folder.
    func named(_ outcome: Outcome, _ job: Job, _ index: UInt64) -> Outcome {
        guard job.ending == nil, let death = outcome.death else { return outcome }
        let what = "function \"\(job.function.name)\", \(item(index, job))"
        let lines = death.lines(what)
        save(death, outcome, job, index, lines)
        let text: String
        if outcome.state == MAPE_ITEM_CRASHED {
            text = outcome.text.string + ", \(what)" + death.afterMark
        } else {
            text = outcome.text.string
        }
        return Outcome(
            outcome.state, outcome.cause, code: outcome.code, text, death: death,
            crash: Crash(death, function: job.function.id, lines), mark: outcome.mark)
    }

    private func save(_ death: Death, _ outcome: Outcome, _ job: Job, _ index: UInt64, _ lines: String) {
        guard let folder = fixed.crashFolder, errands.crashFiles.hasRoom else { return }
        let file: (CrashFile, CrashBytes)
        do {
            file = try crashFile(death, outcome, job, index, lines)
        } catch {
            log(MAPE_LOG_WARNING, "\(item(index, job)) is not saved: \(error.message)")
            return
        }
        errands.crashFiles.add(file.0, file.1, item: item(index, job), worker: death.pid)
        if errands.crashFiles.isFull {
            log(MAPE_LOG_INFO, "no more items are saved in \"\(folder.path)\": a pool saves \(Policy.crashFiles)")
        }
        // The engine thread writes it, outside the lock; except in tests, this is the engine thread.
        engineMustWake(by: mapb_clock())
    }

    /// Everything that is needed to run the item again. The bytes of the input memory are held, because the job may be
    /// gone when they are written.
    private func crashFile(_ death: Death, _ outcome: Outcome, _ job: Job, _ index: UInt64, _ lines: String)
        throws(MapError) -> (CrashFile, CrashBytes)
    {
        let record = JobRecord(reading: input, at: job.input.record.offset).countedFromZero(job.config.firstIndex)
        let function = input.load(mapb_function.self, at: job.function.record.offset)
        let span = record.item(index, in: input)
        let pieces = JobRecord.pieces(span, in: input)
        let own = job.input.data?.bytes
        let fixed = function.data_size + (job.input.globals?.bytes ?? 0) + (own?.count ?? 0)
        let sizes = (pieces ?? [span]).reduce(fixed) { $0 + $1.count }
        guard sizes <= Policy.crashFileBytes else {
            throw MapError(
                MAPE_E_OVERFLOW,
                "its input, the data of job and function and the globals have \(sizes) bytes, more than the \(Policy.crashFileBytes) of a crash file"
            )
        }
        func text(_ offset: UInt64) -> UserText { unsafe UserText(input.at(offset, as: CChar.self)) }
        func code(_ place: mapb_place) -> CrashFile.Code { .init(place, text: text) }

        var file = CrashFile()
        file.report = lines
        file.function.name = job.function.name
        file.process.folder = zygote.flatMap { Files.folder(of: $0.pid) } ?? ""
        file.item.index = job.config.firstIndex + index
        file.item.job = job.sequence
        file.item.items = job.tally.total
        file.item.chunk = job.config.chunk
        file.death.worker = UInt64(death.worker)
        file.death.workerPid = UInt64(UInt32(bitPattern: death.pid))
        file.death.hostPid = UInt64(UInt32(bitPattern: mapb_process_id()))
        file.death.signal = UInt64(UInt32(bitPattern: death.signal))
        file.item.state = UInt64(outcome.state.rawValue)
        file.function.number = UInt64(function.id)
        file.function.isRange = function.is_range != 0
        file.item.hasSpans = record.spans != 0
        file.item.stride = record.stride
        file.process.memoryLimit = config.process.memoryLimit
        file.item.offset = span.offset & 4095
        file.item.pieces = pieces.map { _ in [] }
        file.function.run = code(function.run)
        file.function.setup = code(function.setup)
        file.function.cleanup = code(function.cleanup)
        file.function.hasData = function.data != 0
        file.function.dataIsPointer = function.data_is_pointer != 0
        file.process.modules = config.zygote.modules
        file.process.environmentSet = config.zygote.environmentSet
        file.process.environmentUnset = config.zygote.environmentUnset
        let hasData = !file.function.dataIsPointer && function.data_size > 0
        job.input.pin()
        let bytes = CrashBytes(
            job: job, block: job.stream?.hold(index), input: pieces ?? [span],
            data: hasData ? Extent(offset: function.data, count: function.data_size) : nil,
            globals: job.input.globals?.values ?? [], own: own)
        return (file, bytes)
    }
}
