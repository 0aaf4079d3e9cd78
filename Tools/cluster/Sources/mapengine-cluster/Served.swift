// A pool of another machine, served by a pool of this one: functions are registered when they are first needed, each part is a job.

import CMapEngine
import CNet
import Cluster
import Glibc

struct EngineFailure: Error {
    let status: Int32
    let text: String
}

/// A part that runs here.
@safe final class Running {
    let serial: UInt64
    let count: UInt32
    let began: Int64
    let isTyped: Bool
    let job: OpaquePointer
    /// How far it was, as the host was told last: thousandths of items.
    var told: UInt64 = 0

    fileprivate init(_ serial: UInt64, _ count: UInt32, _ isTyped: Bool, _ job: OpaquePointer) {
        self.serial = serial
        self.count = count
        self.isTyped = isTyped
        began = cnet_clock()
        unsafe self.job = job
    }
}

@safe final class Served {
    enum Registered {
        case ready(mape_function_id, isTyped: Bool)
        case refused(String)
    }

    /// In place of a library's path: what the zygote's program brings.
    static let zygote = MAPE_ZYGOTE

    let id: String
    private let pool: OpaquePointer
    let eventDescriptor: Int32
    private var functions: [UInt64: Registered] = [:]
    var running: [UInt64: Running] = [:]
    private var globals = Hash.none
    private var globalNames: [[UInt8]] = []
    private let mostBuffers: Int
    private var buffers: [(hash: Hash, buffer: OpaquePointer, data: UnsafeMutableRawPointer, size: Int)] = unsafe []
    /// The part that was submitted last, and whether the one that was answered last was quick.
    var newest: UInt64?
    var isQuick = false
    /// When its host was heard of last.
    var heardAt = cnet_clock()
    /// No part is taken before that: what was taken last had to be refused, and another node may have it.
    private(set) var pausedUntil: Int64 = 0
    private var pauseTime: Int64 = 0
    /// Whether its workers are of the node's interpreter.
    let isOfPython: Bool

    init(_ id: String, _ about: PoolRecord, _ settings: NodeSettings) throws {
        self.id = id
        let python = settings.python.flatMap { about.needs.contains($0.tag) ? $0 : nil }
        isOfPython = python != nil
        // The data of the jobs whose parts run.
        mostBuffers = max(16, 2 * Int(settings.lanes))
        var config = unsafe mape_pool_config()
        unsafe config.struct_size = MemoryLayout<mape_pool_config>.size
        unsafe config.workers = settings.workers
        unsafe config.sandbox = settings.isSandboxed || about.isSandboxed ? UInt32(MAPE_SANDBOX_COMPUTE.rawValue) : 0
        unsafe config.memory_limit = [settings.memoryLimit, about.memoryLimit].filter { $0 > 0 }.min() ?? 0
        unsafe config.memory_growth = about.growth
        // Functions of Python do not ask whether they are cancelled.
        unsafe config.grace_ns = isOfPython ? 50_000_000 : 500_000_000
        unsafe config.output = UInt32(MAPE_OUTPUT_LINES.rawValue)
        var made: OpaquePointer?
        // Who the node is on the server, and its password, is no business of what runs here.
        let status = unsafe withTexts(["MAPENGINE_CLUSTER", ""]) { unset in
            unsafe withTexts((python?.arguments(settings) ?? []) + [""]) { arguments in
                unsafe unset.withUnsafeBufferPointer { unset in
                    unsafe arguments.withUnsafeBufferPointer { arguments in
                        unsafe config.env_unset = unset.baseAddress
                        if python != nil {
                            unsafe config.zygote_path = arguments[0]
                            unsafe config.zygote_argv = arguments.baseAddress
                        }
                        return unsafe mape_pool_create(&made, &config)
                    }
                }
            }
        }
        guard status == 0, let made = unsafe made else {
            throw EngineFailure(status: status, text: unsafe Self.message(nil))
        }
        unsafe pool = made
        // The interpreter starts while the first part is on its way.
        if python != nil { _ = unsafe mape_pool_start(made, 0) }
        var descriptor: Int32 = -1
        _ = unsafe mape_pool_event_fd(&descriptor, made)
        eventDescriptor = descriptor
    }

    deinit {
        for running in running.values { _ = unsafe mape_job_release(running.job) }
        _ = unsafe mape_pool_shutdown(pool, Int32(MAPE_SHUTDOWN_CANCEL.rawValue), 500_000_000)
        unsafe buffers.forEach { one in _ = unsafe mape_buffer_release(one.buffer) }
        _ = unsafe mape_pool_release(pool)
    }

    private static func message(_ pool: OpaquePointer?) -> String {
        var bytes = [CChar](repeating: 0, count: 2048)
        _ = unsafe mape_message(&bytes, bytes.count, pool)
        return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func check(_ status: Int32) throws {
        if status < 0 { throw EngineFailure(status: status, text: unsafe Self.message(pool)) }
    }

    /// Says whether a part had to be refused, or went well.
    func pause(_ isRefused: Bool) {
        pauseTime = isRefused ? min(max(pauseTime * 2, 20_000_000), 2_000_000_000) : 0
        pausedUntil = isRefused ? cnet_clock() + pauseTime : 0
    }

    func function(_ serial: UInt64) -> Registered? { functions[serial] }
    func refuse(_ serial: UInt64, _ why: String) { functions[serial] = .refused(why) }

    /// Registers a function of a library that is allowed.
    func register(_ serial: UInt64, _ record: FunctionRecord, path: String, data: [UInt8]) {
        var id: mape_function_id = 0
        let status = unsafe withTexts([
            path, record.name, record.run, record.runRange, record.setup, record.cleanup, record.prototype,
        ]) {
            texts in
            unsafe data.withUnsafeBytes { bytes in
                var function = unsafe mape_function()
                unsafe function.struct_size = MemoryLayout<mape_function>.size
                unsafe function.library = texts[0]
                unsafe function.name = texts[1]
                unsafe function.run_symbol = texts[2]
                unsafe function.run_range_symbol = texts[3]
                unsafe function.setup_symbol = texts[4]
                unsafe function.cleanup_symbol = texts[5]
                unsafe function.prototype = texts[6]
                unsafe function.native_flags = record.nativeFlags
                if !data.isEmpty {
                    unsafe function.data = bytes.baseAddress
                    unsafe function.data_size = bytes.count
                }
                return unsafe mape_function_register(&id, pool, &function)
            }
        }
        functions[serial] =
            status == 0 ? .ready(id, isTyped: !record.prototype.isEmpty) : .refused(unsafe Self.message(pool))
    }

    /// Makes the globals those of a blob.
    func setGlobals(_ hash: Hash, _ blob: UnsafeRawBufferPointer) throws {
        guard hash != globals else { return }
        guard let found = unsafe Globals.decode(blob) else {
            throw EngineFailure(status: 0, text: "its globals are no globals")
        }
        let names = found.map(\.name)
        for name in globalNames where !names.contains(name) {
            try check(unsafe mape_pool_set_global(pool, (name + [0]).map { CChar(bitPattern: $0) }, nil, 0))
        }
        globalNames = names
        for (name, place) in found {
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: blob[place.offset..<place.offset + place.size])
            // An empty one is set from somewhere.
            let start = unsafe bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 64)
            try check(unsafe mape_pool_set_global(pool, (name + [0]).map { CChar(bitPattern: $0) }, start, place.size))
        }
        globals = hash
    }

    var globalsHash: Hash { globals }
    func hasData(_ hash: Hash) -> Bool { hash == .none || (unsafe buffers.contains { unsafe $0.hash == hash }) }

    /// Keeps a job's data where all its jobs can read it.
    func keepData(_ hash: Hash, _ bytes: UnsafeRawBufferPointer) throws {
        var made: OpaquePointer?
        try check(unsafe mape_buffer_create(&made, pool, max(1, bytes.count)))
        guard let made = unsafe made else { return }
        var data: UnsafeMutableRawPointer?
        try check(unsafe mape_buffer_data(&data, nil, made))
        guard let data = unsafe data else { return }
        if let start = bytes.baseAddress { unsafe data.copyMemory(from: start, byteCount: bytes.count) }
        if unsafe buffers.count >= mostBuffers {
            // Jobs that read it keep its memory.
            _ = unsafe mape_buffer_release(buffers[0].buffer)
            unsafe buffers.removeFirst()
        }
        unsafe buffers.append((hash, made, data, bytes.count))
    }

    // MARK: - Parts

    func submit(
        _ head: WorkHead, _ items: WorkItems, _ raw: UnsafeRawBufferPointer, _ id: mape_function_id, isTyped: Bool
    ) throws {
        var config = unsafe mape_job_config()
        unsafe config.struct_size = MemoryLayout<mape_job_config>.size
        unsafe config.attempts = head.attempts
        unsafe config.item_timeout_ns = head.itemTimeout
        unsafe config.chunk = UInt64(head.step)
        unsafe config.first_index = head.first
        unsafe config.deliver = UInt32(MAPE_DELIVER_DONE.rawValue)
        unsafe config.context = UnsafeMutableRawPointer(bitPattern: UInt(head.serial))
        if head.data != .none, let kept = unsafe buffers.first(where: { unsafe $0.hash == head.data }) {
            unsafe config.data = unsafe UnsafeRawPointer(kept.data)
            unsafe config.data_size = kept.size
        }
        var job: OpaquePointer?
        let nowhere = unsafe UnsafeRawPointer(bitPattern: 64)
        func at(_ place: Place) -> UnsafeRawPointer? {
            unsafe raw.baseAddress.map { unsafe $0 + place.offset } ?? nowhere
        }
        var list = unsafe mape_items()
        unsafe list.struct_size = MemoryLayout<mape_items>.size
        unsafe list.count = UInt64(head.count)
        switch items {
        case .even(let size):
            unsafe list.base = raw.baseAddress ?? nowhere
            unsafe list.item_size = size
            try check(unsafe mape_map(&job, pool, id, &list, &config))
        case .spans(let places):
            let spans = unsafe places.map { place in unsafe mape_span(data: at(place), size: place.size) }
            let status = unsafe spans.withUnsafeBufferPointer { spans in
                unsafe list.spans = spans.baseAddress
                return unsafe mape_map(&job, pool, id, &list, &config)
            }
            try check(status)
        case .pieces(let all):
            let spans = unsafe all.joined().map { place in unsafe mape_span(data: at(place), size: place.size) }
            let status = unsafe spans.withUnsafeBufferPointer { spans in
                var pieces: [mape_pieces] = unsafe []
                var start = 0
                for one in all {
                    unsafe pieces.append(
                        mape_pieces(
                            pieces: one.isEmpty ? nil : spans.baseAddress.map { unsafe $0 + start }, count: one.count))
                    start += one.count
                }
                return unsafe pieces.withUnsafeBufferPointer { pieces in
                    unsafe list.pieces = pieces.baseAddress
                    return unsafe mape_map(&job, pool, id, &list, &config)
                }
            }
            try check(status)
        case .columns(let columns):
            var tables: [UnsafeMutablePointer<UnsafeRawPointer?>] = unsafe []
            defer { unsafe tables.forEach { table in unsafe table.deallocate() } }
            var list: [mape_column] = unsafe []
            for column in columns {
                var one = unsafe mape_column()
                unsafe one.struct_size = MemoryLayout<mape_column>.size
                switch column.kind {
                case .even, .shared:
                    unsafe one.base = UnsafeMutableRawPointer(mutating: at(column.values))
                    unsafe one.stride = column.kind == .shared ? 0 : Int(column.size)
                    unsafe one.size = Int(column.size)
                case .pointed, .pointedShared:
                    let table = UnsafeMutablePointer<UnsafeRawPointer?>.allocate(capacity: max(1, column.pointed.count))
                    unsafe tables.append(table)
                    for (i, place) in column.pointed.enumerated() {
                        unsafe table[i] = unsafe place.flatMap { unsafe at($0) }
                    }
                    unsafe one.base = UnsafeMutableRawPointer(table)
                    unsafe one.stride = column.kind == .pointedShared ? 0 : MemoryLayout<UnsafeRawPointer>.size
                    unsafe one.pointers = 1
                }
                unsafe list.append(one)
            }
            let status = unsafe mape_map_columns(&job, pool, id, UInt64(head.count), list, list.count, &config)
            try check(status)
        }
        guard let job = unsafe job else { throw EngineFailure(status: 0, text: "no job") }
        running[head.serial] = unsafe Running(head.serial, head.count, isTyped, job)
        newest = head.serial
    }

    /// The host does not want it any more.
    func stop(_ serial: UInt64) -> Bool {
        guard let one = running.removeValue(forKey: serial) else { return false }
        _ = unsafe mape_job_release(one.job)
        return true
    }

    func stopAll() {
        for serial in running.keys { _ = stop(serial) }
    }

    enum Said {
        /// The pool itself: it concerns this machine.
        case here(String)
        /// A worker has logged something, or printed: "out", "err", or the level.
        case worker(kind: String, text: [UInt8])
    }

    /// Serials of parts that have ended; what was said meanwhile.
    func events(said: (Said) -> Void) -> [UInt64] {
        var ended: [UInt64] = []
        var list = unsafe [mape_event](repeating: mape_event(), count: 64)
        unsafe list[0].struct_size = MemoryLayout<mape_event>.size
        while true {
            var count = 0
            guard unsafe mape_pool_next_events(&list, list.count, &count, pool, 0) == 0 else { return ended }
            for i in 0..<count {
                let event = unsafe list[i]
                switch unsafe event.type {
                case UInt32(MAPE_EVENT_DONE.rawValue): unsafe ended.append(UInt64(UInt(bitPattern: event.context)))
                case UInt32(MAPE_EVENT_LOG.rawValue), UInt32(MAPE_EVENT_OUTPUT.rawValue):
                    guard let text = unsafe event.text else { continue }
                    let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: text, count: event.text_size))
                    let isLog = unsafe event.type == UInt32(MAPE_EVENT_LOG.rawValue)
                    if isLog, unsafe event.worker < 0 {
                        said(.here(printable(String(decoding: bytes, as: UTF8.self))))
                    } else {
                        let code = unsafe event.code
                        said(.worker(kind: isLog ? "\(code)" : code == 2 ? "err" : "out", text: bytes))
                    }
                default: break
                }
            }
        }
    }
}

/// Texts as C wants them; empty ones are NULL.
private func withTexts<R>(_ texts: [String], _ body: ([UnsafePointer<CChar>?]) -> R) -> R {
    let copies = unsafe texts.map { unsafe $0.isEmpty ? nil : strdup($0) }
    defer { unsafe copies.forEach { copy in unsafe free(copy) } }
    return unsafe body(copies.map { unsafe UnsafePointer($0) })
}
