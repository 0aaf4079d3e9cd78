// Libraries: which file each of them was when it was registered, and where it is loaded.
//
// A library is best loaded once, by the zygote, so that workers share its pages and its constructors' work. That must not cost anything
// else, so each has a *standing*. Those that are registered before the start the zygote loads, and is replaced by another that does
// without when it dies of one, or finds a thread in it that was not there before (no fork takes threads along). For those that come later
// workers are the proof: they have to load it anyway.
//
//   shared ──zygote dies in it, or it leaves something behind──► own
//   unproven ──a worker has loaded it──► shared                unproven ──the same in a worker──► own

import CMapBridge

final class Library {
    enum Standing {
        /// The zygote loads it.
        case shared
        /// The zygote will, once a worker has loaded it without harm.
        case unproven
        /// Each worker loads it for itself.
        case own
    }

    let number: UInt32
    let path: UserText
    /// Input offset of the path.
    let pathOffset: UInt64
    let file: mapb_file
    /// Input offset of the same.
    let fileOffset: UInt64
    /// Nil: no function of the pool's lies in it yet.
    var standing: Standing?
    /// Workers that have died while they loaded it since one came through.
    var deaths: UInt32 = 0
    /// Items that had ended at the last of these: of its functions, for a module of the pool.
    private var itemsAtDeath: UInt64 = 0
    /// A module alone: no worker loads it any more.
    var isGivenUp = false
    fileprivate let blocks: [Block]
    /// Descriptions that have named it. Guarded by the lock of Libraries.
    fileprivate var uses = 0

    fileprivate init(number: UInt32, path: UserText, text: Block, file: mapb_file, record: Block) {
        self.number = number
        self.path = path
        pathOffset = text.offset
        self.file = file
        fileOffset = record.offset
        blocks = [text, record]
    }
}

extension Library {
    /// A worker has died while it loaded it: how many since one came through, or an item ended.
    func countDeath(_ itemsEnded: UInt64) -> UInt32 {
        if itemsEnded != itemsAtDeath { deaths = 0 }
        itemsAtDeath = itemsEnded
        deaths += 1
        return deaths
    }
}

/// A pool's libraries. The same path is another library when another file lies there.
final class Libraries {
    private let guardLock = Lock()
    /// Guarded by that lock, all else by the pool's.
    private var all: [Library] = []
    private var made: UInt32 = 0
    /// What a new one begins as.
    var standing = Library.Standing.own

    /// A function that lies in them was added to the pool. Under the pool's lock.
    func add(_ added: [Library]) {
        for library in added where library.standing == nil { library.standing = standing }
    }

    /// The library that lies at a path now. Without the pool's lock: files are opened and read.
    func at(_ path: UserText, in input: InputMemory) throws(MapError) -> Library {
        var file = mapb_file()
        // A name without a folder is looked for by the loader of each process.
        if path.hasFolder { unsafe path.withCString { unsafe mapb_identify($0, &file) } }
        guardLock.lock()
        defer { guardLock.unlock() }
        if let known = all.last(where: { $0.path == path }), mapb_is_same_file(known.file, file) != 0 {
            known.uses += 1
            return known
        }
        let text = try input.take(text: path)
        let record: Block
        do { record = try input.take(UInt64(MemoryLayout<mapb_file>.size)) } catch {
            input.give(text)
            throw error
        }
        unsafe input.at(record.offset, as: mapb_file.self).pointee = file
        let library = Library(number: made, path: path, text: text, file: file, record: record)
        library.uses = 1
        made += 1
        all.append(library)
        return library
    }

    /// Nothing came of a description that has named these: those that none of the pool's functions lies in go.
    func letGo(_ named: [Library], in input: InputMemory) {
        guardLock.lock()
        defer { guardLock.unlock() }
        for library in named {
            library.uses -= 1
            guard library.uses == 0 else { continue }
            all.removeAll { $0 === library }
            library.blocks.forEach(input.give)
        }
    }
}

extension Pool {
    /// Has the zygote load a function's libraries, so that workers share their pages.
    func preload(_ function: Function, in zygote: Zygote) {
        for library in function.libraries where library.standing == .shared {
            if zygote.load(library) { engineMustWake(by: later(mapb_clock(), by: config.setupTimeout)) }
        }
    }

    /// A worker has run a function's setup well.
    /// - changed: loading has left something in it that was not there before.
    func proved(_ function: Function, changed: Bool) {
        for library in function.libraries {
            library.deaths = 0
            guard library.standing == .unproven else { continue }
            library.standing = changed ? .own : .shared
            if changed { tellOwn(library, "leaves a thread or a process behind when it is loaded, or changes signals") }
        }
        if let zygote { preload(function, in: zygote) }
    }

    private func tellOwn(_ library: Library, _ why: String) {
        log(MAPE_LOG_INFO, "library \"\(library.path)\" \(why): it is loaded in each worker, not once for all")
    }

    /// The zygote has loaded a library.
    func loaded(_ message: mapb_control, _ zygote: Zygote) {
        guard let library = zygote.hasLoaded(message.slot), message.code != 0 else { return }
        zygote.resigns = true
        library.standing = .own
        let why =
            switch UInt32(bitPattern: message.code) {
            case MAPB_CHANGE_THREADS.rawValue: "starts a thread when it is loaded"
            case MAPB_CHANGE_CHILDREN.rawValue: "starts a process when it is loaded"
            case MAPB_CHANGE_SIGNALS.rawValue: "changes signals when it is loaded"
            default: "closes descriptors when it is loaded"
            }
        tellOwn(library, why)
    }

    /// A zygote is gone. True when a library has ended it, which is not loaded by zygotes any more.
    func wasEndedByLibrary(_ gone: Zygote, _ how: String) -> Bool {
        if config.start == MAPE_START_FORK { return false }
        if gone.resigns { return true }
        guard let library = gone.loading.first else { return false }
        library.standing = .own
        log(
            MAPE_LOG_WARNING,
            "the zygote (pid \(gone.pid)) \(how) while it loaded library \"\(library.path)\": workers load it themselves from now on"
        )
        return true
    }

    /// When the zygote has to be through with the library it loads.
    var loadDeadline: Int64 {
        guard let zygote, !zygote.loading.isEmpty else { return .max }
        return later(zygote.loadingSince, by: config.setupTimeout)
    }

    /// A worker has died while it loaded one of a function's libraries: that costs all functions in it, and no others.
    func lostInLoad(_ library: Library, _ isTimeout: Bool, _ how: String, _ now: Int64) {
        let its = functions.filter { $0.placed.contains { $0 === library } }
        let deaths = library.countDeath(its.reduce(0) { $0 + $1.itemsEnded })
        guard isTimeout || deaths >= config.restarts else { return }
        let why = whyGivenUp(library, isTimeout, how)
        for function in its {
            giveUp(function, MAPE_CAUSE_LOAD, MAPE_E_LOAD.rawValue, UserText(why), now)
        }
    }

    /// The same for a module. Workers go on without it, as without one that cannot be found.
    func lostInModule(_ module: Library, _ isTimeout: Bool, _ how: String) {
        let deaths = module.countDeath(figures.items)
        guard !module.isGivenUp, isTimeout || deaths >= config.restarts else { return }
        module.isGivenUp = true
        moduleFailure = whyGivenUp(module, isTimeout, how)
        log(MAPE_LOG_ERROR, moduleFailure!)
        waiting.wake()
    }

    private func whyGivenUp(_ library: Library, _ isTimeout: Bool, _ how: String) -> String {
        "cannot load library \"\(library.path)\": its worker \(how) while it was loaded"
            + (isTimeout ? "" : ", \(library.deaths) times in a row")
    }
}
