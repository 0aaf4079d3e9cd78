// The memory and the task of a worker, for one item, in this process.

import CMapBridge

@safe final class ReplayStage {
    enum End {
        case ok([UInt8])
        case failed(Int32, String)
        case noMemory
    }

    struct Failure {
        let isLoad: Bool
        let code: Int32
        let text: String
    }

    private let input: InputMemory
    private let region: OutputRegion
    private let task: WorkerTask
    private let function: UInt64
    private let job: UInt64
    private let globals: Globals?
    private let jobData: JobData?
    private let index: UInt64
    private var ticket: UInt64 = 0

    init(_ file: CrashFile) throws(MapError) {
        let pieces = file.item.pieces ?? []
        let fixed = file.function.data.count + file.item.bytes.count + file.item.jobData.count
        let own = pieces.reduce(fixed) { $0 + $1.bytes.count + 12288 }
        let sizes = file.process.globals.reduce(own) { $0 + $1.bytes.count + 4096 }
        input = try InputMemory(reserve: UInt64(sizes) + 16 << 20)
        region = try OutputRegion(reserve: Policy.outputReserve)
        index = file.item.index

        var globals: Globals?
        for global in file.process.globals {
            let value = try unsafe Globals.Value(global.name, global.bytes, global.bytes.count, input: input)
            globals = try Globals.setting(value, in: globals, input)
        }
        self.globals = globals

        var record = mapb_function()
        record.id = UInt32(file.function.number)
        record.is_range = file.function.isRange ? 1 : 0
        record.run = try ReplayStage.place(file.function.run, input)
        record.setup = try ReplayStage.place(file.function.setup, input)
        record.cleanup = try ReplayStage.place(file.function.cleanup, input)
        if file.function.hasData && !file.function.data.isEmpty {
            record.data = try ReplayStage.store(file.function.data, input).offset
            record.data_size = UInt64(file.function.data.count)
        }
        function = try input.allocate(UInt64(MemoryLayout<mapb_function>.size)).offset
        input.store(record, at: function)

        let place = try ReplayStage.store(file.item.bytes, in: file.item.offset, input)
        let head = JobRecord.bytes
        job = try input.allocate(head + SpanTable.line).offset
        var items = JobRecord()
        items.function = record.id
        items.globals = globals?.block.offset ?? 0
        items.size = UInt64(file.item.bytes.count)
        items.stride = file.item.stride
        items.base = place &- file.item.index &* file.item.stride
        if file.item.hasSpans {
            // A ring of one span: it is every item's.
            items.spans = job + head
            SpanTable(input, at: items.spans)[0] = Extent(offset: place, count: UInt64(file.item.bytes.count))
        }
        if file.item.pieces != nil {
            let table = try input.allocate(UInt64(pieces.count) * SpanTable.line).offset
            for (k, piece) in pieces.enumerated() {
                let place = try ReplayStage.store(piece.bytes, in: piece.offset, input)
                SpanTable(input, at: table)[UInt64(k)] = Extent(offset: place, count: UInt64(piece.bytes.count))
            }
            items.spans = job + head
            SpanTable(input, at: items.spans)[0] = Extent(offset: table, count: MAPB_PIECES | UInt64(pieces.count))
        }
        jobData =
            file.item.jobData.isEmpty
            ? nil : try unsafe JobData(copying: file.item.jobData, UInt64(file.item.jobData.count), to: input)
        items.data = jobData?.offset ?? 0
        items.write(to: input, at: job)

        guard let task = unsafe mapb_worker_task(region.base, region.mapped) else {
            throw .system("madvise", SystemError.last)
        }
        self.task = unsafe WorkerTask(task)
        guard let seen = unsafe mapb_shared_map(input.file, input.size, 0),
            let functions = unsafe functionTables()
        else { throw .system("mmap", SystemError.last) }
        unsafe workerPrepare(self.task, seen, region.base, region.mapped, functions, 0)
        self.task.slot = UInt32(file.death.worker)
        self.task.fields.bells = (-1, -1)
        self.task.fields.logs_here = 1
    }

    private static func store(_ bytes: [UInt8], _ input: InputMemory) throws(MapError) -> Block {
        let block = try input.allocate(UInt64(bytes.count))
        if !bytes.isEmpty { unsafe input.copy(bytes, bytes.count, to: block.offset) }
        return block
    }

    /// At the same place in its page as in the worker, and before the page's end as there. Returns where.
    private static func store(_ bytes: [UInt8], in page: UInt64, _ input: InputMemory) throws(MapError) -> UInt64 {
        let place = try input.allocate(UInt64(bytes.count) + 4096, alignment: 4096).offset + page
        if !bytes.isEmpty { unsafe input.copy(bytes, bytes.count, to: place) }
        return place
    }

    private static func place(_ code: CrashFile.Code, _ input: InputMemory) throws(MapError) -> mapb_place {
        var place = mapb_place()
        place.kind = code.kind.rawValue
        if code.kind == .none { return place }
        if code.kind.isOffered {
            place.value = try input.allocate(text: code.text).offset
            return place
        }
        place.library = try input.allocate(text: code.library).offset
        place.value = code.kind == .symbol ? try input.allocate(text: code.text).offset : code.offset
        place.build_id_size = UInt32(code.buildID.count)
        unsafe withUnsafeMutableBytes(of: &place.build_id) { unsafe $0.copyBytes(from: code.buildID) }
        return place
    }

    /// Has the worker's code answer a request.
    private func answer(_ kind: mapb_request_kind, record: UInt64, first: UInt64, count: UInt32 = 0) -> mapb_reply {
        ticket += 1
        var request = mapb_request()
        request.ticket = ticket
        request.kind = kind.rawValue
        request.record = record
        request.first = first
        request.count = count
        input.inbox(0).write(request, ticket)
        workerAnswer(task, ticket)
        return region.reply(ticket)
    }

    /// Nil, or why the module could not be loaded.
    func load(_ path: UserText) -> String? {
        guard let block = try? input.allocate(text: path) else { return "out of memory" }
        let reply = answer(MAPB_REQUEST_MODULE, record: block.offset, first: 0)
        return reply.code == 0 ? nil : printable(region.copy(reply.base, reply.size))
    }

    func setUp() -> Failure? {
        let reply = answer(MAPB_REQUEST_SETUP, record: function, first: globals?.block.offset ?? 0)
        if reply.code == 0 && reply.detail == 0 { return nil }
        return Failure(
            isLoad: reply.detail == MAPE_CAUSE_LOAD.rawValue, code: reply.code,
            text: printable(region.copy(reply.base, reply.size)))
    }

    func runItem() -> End {
        let reply = answer(MAPB_REQUEST_RANGE, record: job, first: index, count: 1)
        if reply.flags & MAPB_REPLY_NO_MEMORY.rawValue != 0 { return .noMemory }
        guard reply.flags & MAPB_REPLY_TABLE.rawValue != 0 else { return .ok(region.copy(reply.base, reply.size)) }
        let line = region.copy(reply.table, UInt64(MemoryLayout<mapb_entry>.size))
        guard !line.isEmpty else { return .noMemory }
        let entry = mapb_entry(where: line.load(UInt64.self, at: 0), size: line.load(UInt64.self, at: 8))
        let place = entry.where & (1 << 56 - 1)
        if UInt32(entry.where >> 56) == MAPB_ENTRY_OK.rawValue { return .ok(region.copy(place, entry.size)) }
        let failure = region.copy(place, entry.size)
        guard failure.count >= MemoryLayout<mapb_failure>.size else { return .noMemory }
        let text = region.copy(failure.load(UInt64.self, at: 8), UInt64(failure.load(UInt32.self, at: 4)))
        return .failed(failure.load(Int32.self, at: 0), printable(text))
    }

    func cleanUp() {
        _ = answer(MAPB_REQUEST_CLEANUP, record: function, first: globals?.block.offset ?? 0)
        mapb_flush_streams()
    }
}
