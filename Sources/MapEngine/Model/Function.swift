// A registered function: its record in the input memory, and whether it can be used.

import CMapBridge

final class Function {
    /// What the host knows it by.
    let id: UInt32
    /// What its jobs are counted under, if not under another name.
    let work: Work
    /// What workers know it by.
    let line: UInt32
    let isRange: Bool
    let hasCleanup: Bool
    /// Of a typed function.
    let native: NativeFunction?
    /// Of run, setup and cleanup; nil for one that is not there or needs none.
    let placed: [Library?]
    let record: Block
    fileprivate let blocks: [Block]
    private var elsewhere: Elsewhere
    var life = Life()
    var pace = Pace()  // Of its jobs of one item.
    /// Set when the function is disabled: the outcome of its items.
    private(set) var failure: Outcome?
    /// Workers that have died in its setup since one came through.
    var setupDeaths: UInt32 {
        get { deaths.count }
        set { deaths.count = newValue }
    }
    /// Its items that have ended, and how many they were at the last of these deaths.
    var itemsEnded: UInt64 = 0
    private var deaths = SetupDeaths()

    private init(
        id: UInt32, line: UInt32, name: String, isRange: Bool, hasCleanup: Bool, native: NativeFunction?,
        placed: [Library?],
        record: Block, blocks: [Block], travels: Bool
    ) {
        self.id = id
        work = Work(id: id, name: name)
        self.line = line
        self.isRange = isRange
        self.hasCleanup = hasCleanup
        self.native = native
        self.placed = placed
        self.record = record
        self.blocks = blocks
        elsewhere = Elsewhere(travels: travels)
    }

    var name: String { work.name }

    private struct SetupDeaths {
        var count: UInt32 = 0
        /// Its items that had ended at the last of these deaths.
        var items: UInt64 = 0
    }

    private struct Elsewhere {
        let travels: Bool
        var refusal: Outcome?
    }

    /// Whether other machines can have it: each of its places has a name.
    var travels: Bool { elsewhere.travels }
    /// Why none of those that there are can run it; nil: not known.
    var refusal: Outcome? {
        get { elsewhere.refusal }
        set { elsewhere.refusal = newValue }
    }

    /// Each library once.
    var libraries: [Library] {
        var each: [Library] = []
        for case let library? in placed where !each.contains(where: { $0 === library }) { each.append(library) }
        return each
    }

    /// Counts the death of a worker in its setup. Returns how many have died since a setup went well, or an item ended.
    func countSetupDeath() -> UInt32 {
        if itemsEnded != deaths.items { setupDeaths = 0 }
        deaths.items = itemsEnded
        setupDeaths += 1
        return setupDeaths
    }

    func fail(_ outcome: Outcome) {
        if failure == nil { failure = outcome }
    }

    /// Makes its name one that others find, and notes it in its record.
    func show(in input: InputMemory) {
        work.label = ShownName(name, in: input)
        unsafe input.at(record.offset, as: mapb_function.self).pointee.name = work.label?.offset ?? 0
    }

    /// Called when no worker has it any more, and none will.
    func free(_ input: InputMemory) {
        work.label?.hide()
        blocks.forEach(input.free)
    }

    /// A function that has no number yet.
    struct Draft {
        fileprivate let make: (UInt32, UInt32) -> Function
        fileprivate let record: Block
        fileprivate let blocks: [Block]
        fileprivate let named: [Library]
        fileprivate let libraries: Libraries

        /// Under the pool's lock.
        func function(_ id: UInt32, line: UInt32, _ input: InputMemory) -> Function {
            unsafe input.at(record.offset, as: mapb_function.self).pointee.id = line
            unsafe input.at(record.offset, as: mapb_function.self).pointee.serial = UInt64(id)
            return make(id, line)
        }

        func discard(_ input: InputMemory) {
            blocks.forEach(input.free)
            libraries.release(named, in: input)
        }
    }

    /// Writes a description into the input memory. Without the pool's lock.
    /// - snapshot: addresses of this process are good in workers (a FORK pool that has not started).
    /// - libraries: those of its pool. travels: it may have to go to other machines.
    static func make(
        _ c: mape_function, input: InputMemory, libraries: Libraries = Libraries(), isFork: Bool, snapshot: Bool,
        travels: Bool = false
    ) throws(MapError) -> Draft {
        let maker = Maker(input: input, libraries: libraries, isFork: isFork, snapshot: snapshot, names: travels)
        do {
            return try maker.make(c)
        } catch {
            maker.blocks.forEach(input.free)
            libraries.release(maker.named, in: input)
            throw error
        }
    }

    /// Collects what a function needs, so that a failure can free it.
    final class Maker {
        let input: InputMemory
        let isFork: Bool
        let snapshot: Bool
        let libraries: Libraries
        var blocks: [Block] = []
        var placed: [Library?] = []
        var named: [Library] = []
        /// Whether places get names.
        let names: Bool

        init(input: InputMemory, libraries: Libraries, isFork: Bool, snapshot: Bool, names: Bool) {
            self.names = names
            self.input = input
            self.libraries = libraries
            self.isFork = isFork
            self.snapshot = snapshot
        }

        func make(_ c: mape_function) throws(MapError) -> Draft {
            var record = mapb_function()
            let native = try typed(c)
            let isRange: Bool
            let hasCleanup: Bool
            if let library = unsafe c.library {
                guard unsafe c.run == nil && c.run_range == nil && c.setup == nil && c.cleanup == nil
                else {
                    throw .argument(
                        "function.library", "is given beside pointers; give symbol names instead of the pointers")
                }
                guard unsafe native != nil || (c.run_symbol == nil) != (c.run_range_symbol == nil) else {
                    throw .argument(
                        "function.run_symbol", "or run_range_symbol: exactly one of them must be given with library")
                }
                isRange = unsafe c.run_range_symbol != nil
                var file = unsafe UserText(library)
                if file == UserText(MAPE_ZYGOTE) {
                    try offered(c, &record)
                    hasCleanup = true
                } else {
                    // A path is the file that it names now; a name alone is looked for by the loader of each worker.
                    if file.isEmpty { throw .argument("function.library", "is an empty text") }
                    if file.hasFolder { file = try file.absolute("function.library") }
                    let path = try self.library(file)
                    hasCleanup = unsafe c.cleanup_symbol != nil
                    if let native, unsafe c.run_symbol == nil {
                        record.run = try symbol(UserText(native.prototype.name), path)
                    } else {
                        record.run =
                            try unsafe isRange
                            ? symbol(c.run_range_symbol, "function.run_range_symbol", path)
                            : symbol(c.run_symbol, "function.run_symbol", path)
                    }
                    record.setup = try unsafe symbol(c.setup_symbol, "function.setup_symbol", path)
                    record.cleanup = try unsafe symbol(c.cleanup_symbol, "function.cleanup_symbol", path)
                }
            } else {
                guard
                    unsafe c.run_symbol == nil && c.run_range_symbol == nil && c.setup_symbol == nil
                        && c.cleanup_symbol == nil
                else {
                    throw .argument("function.library", "is NULL, but symbol names are given")
                }
                guard unsafe native != nil || (c.run == nil) != (c.run_range == nil) else {
                    throw .argument("function.run", "or run_range: exactly one of them must be given")
                }
                isRange = unsafe c.run_range != nil
                hasCleanup = unsafe c.cleanup != nil
                if native != nil {
                    record.run = try unsafe place(
                        unsafeBitCast(c.native, to: UnsafeRawPointer?.self), "function.native")
                } else {
                    record.run = try unsafe place(
                        isRange
                            ? unsafeBitCast(c.run_range, to: UnsafeRawPointer?.self)
                            : unsafeBitCast(c.run, to: UnsafeRawPointer?.self),
                        isRange ? "function.run_range" : "function.run")
                }
                record.setup = try unsafe place(unsafeBitCast(c.setup, to: UnsafeRawPointer?.self), "function.setup")
                record.cleanup = try unsafe place(
                    unsafeBitCast(c.cleanup, to: UnsafeRawPointer?.self), "function.cleanup")
            }
            record.is_range = isRange ? 1 : 0
            if let native {
                let plan = try allocate(UInt64(native.plan.count))
                unsafe native.plan.withUnsafeBytes {
                    unsafe input.copy($0.baseAddress!, $0.count, to: plan.offset)
                }
                record.native = plan.offset
            }
            try bakeIn(c, &record)
            if names { try travel(c, &record) }
            let symbolName =
                unsafe (c.run_symbol ?? c.run_range_symbol).map { unsafe String(cString: $0) } ?? native?.prototype.name
            let name = unsafe c.name.map { unsafe String(cString: $0) } ?? symbolName
            let block = try allocate(UInt64(MemoryLayout<mapb_function>.size))
            input.store(record, at: block.offset)
            let (placed, blocks, travels) = (placed, blocks, record.travels == 1)
            return Draft(
                make: { id, line in
                    Function(
                        id: id, line: line, name: name ?? "function \(id)", isRange: isRange, hasCleanup: hasCleanup,
                        native: native, placed: placed, record: block, blocks: blocks, travels: travels)
                }, record: block, blocks: blocks, named: named, libraries: libraries)
        }

        /// The prototype of a typed function, or nil for one that has none.
        func typed(_ c: mape_function) throws(MapError) -> NativeFunction? {
            guard c.reserved == 0 else { throw .argument("function.reserved", "is not 0") }
            guard let prototype = unsafe c.prototype else {
                guard c.native == nil else {
                    throw .argument("function.prototype", "is NULL, but native is given")
                }
                guard c.native_flags == 0 else {
                    throw .argument("function.native_flags", "is for functions with a prototype")
                }
                return nil
            }
            guard unsafe c.run == nil && c.run_range == nil && c.run_range_symbol == nil else {
                throw .argument(
                    "function.prototype",
                    "is given beside run, run_range or run_range_symbol: give the function as native, or by library")
            }
            guard unsafe (c.native == nil) != (c.library == nil) else {
                throw .argument(
                    "function.native", "or library: exactly one of them must be given with a prototype")
            }
            guard c.native_flags & ~MAPE_NATIVE_ERRNO.rawValue == 0 else {
                throw .argument("function.native_flags", "is \(c.native_flags): not of enum mape_native_flags")
            }
            return try unsafe NativeFunction(
                PrototypeParser.parse(
                    String(cString: prototype), reportsErrno: c.native_flags & MAPE_NATIVE_ERRNO.rawValue != 0))
        }

        func bakeIn(_ c: mape_function, _ record: inout mapb_function) throws(MapError) {
            guard let data = unsafe c.data else {
                guard c.data_size == 0 else {
                    throw .argument("function.data", "is NULL, but data_size is \(c.data_size)")
                }
                return
            }
            if c.data_size == 0 {
                guard snapshot else {
                    throw .argument(
                        "function.data_size",
                        "is 0: passing data as a bare pointer works only with MAPE_START_FORK and before the start; give its size, and it is copied"
                    )
                }
                record.data = UInt64(UInt(bitPattern: data))
                record.data_is_pointer = 1
                return
            }
            guard c.data_size > 0 else {
                throw MapError(MAPE_E_OVERFLOW, "function.data_size is more than memory can hold")
            }
            try checkRange(data, UInt64(c.data_size), "function.data: data_size (\(c.data_size))")
            let block = try allocate(UInt64(c.data_size))
            unsafe input.copy(data, Int(c.data_size), to: block.offset)
            record.data = block.offset
            record.data_size = UInt64(c.data_size)
        }

        func allocate(_ count: UInt64) throws(MapError) -> Block {
            let block = try input.allocate(count)
            blocks.append(block)
            return block
        }

        func text(_ text: UserText) throws(MapError) -> UInt64 {
            let block = try input.allocate(text: text)
            blocks.append(block)
            return block.offset
        }
    }
}
