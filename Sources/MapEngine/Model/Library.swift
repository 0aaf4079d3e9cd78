// Libraries: which file each of them was when it was registered, and where it is loaded.
//
// A library is best loaded once, by the zygote, so that workers share its pages and its constructors' work. That must not cost anything
// else, so each has a *standing*. The zygote loads the libraries that are registered before the start. When it dies of
// one, or finds a new thread in itself afterwards (which a fork would not copy), another zygote replaces it and does
// not load that one. Workers prove libraries that come later: they have to load them anyway.
//
//   shared ──zygote dies in it, or it leaves something behind──► own
//   unproven ──a worker has loaded it──► shared                unproven ──the same in a worker──► own

import CMapBridge

final class Library {
    enum Standing {
        /// The zygote loads it.
        case shared
        /// The zygote loads it once a worker has loaded it without harm.
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
    /// Nil: no function of the pool lies in it yet.
    var standing: Standing?
    /// Workers that have died while they loaded it since one came through.
    var deaths: UInt32 = 0
    /// Items that had ended at the last of these: of its functions, for a module of the pool.
    private var itemsAtDeath: UInt64 = 0
    /// A module alone: no worker loads it any more.
    var isDisabled = false
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
    /// Counts the death of a worker that was loading it. Returns how many have died since one loaded it, or an item of
    /// its functions ended.
    func countDeath(_ itemsEnded: UInt64) -> UInt32 {
        if itemsEnded != itemsAtDeath { deaths = 0 }
        itemsAtDeath = itemsEnded
        deaths += 1
        return deaths
    }
}

/// A pool's libraries. The same path is another library when another file lies there.
final class Libraries: Sendable {
    private struct Known {
        var all: [Library] = []
        var made: UInt32 = 0
        /// The standing of a new library.
        var standing: Library.Standing
    }

    private let known: Guarded<Known>

    init(standing: Library.Standing = .own) { known = Guarded(Known(standing: standing)) }

    /// Called when the pool has started: libraries that come later must be proved first.
    func begin() {
        known.with { known in if known.standing == .shared { known.standing = .unproven } }
    }

    /// A function that lies in them was added to the pool. Under the pool's lock.
    func add(_ added: [Library]) {
        let standing = known.with { $0.standing }
        for library in added where library.standing == nil { library.standing = standing }
    }

    /// The library that lies at a path now. Without the pool's lock: files are opened and read.
    func at(_ path: UserText, in input: InputMemory) throws(MapError) -> Library {
        var file = mapb_file()
        // A name without a folder is looked for by the loader of each process.
        if path.hasFolder { path.withCString { unsafe mapb_identify($0, &file) } }
        return try known.with { (known) throws(MapError) in
            if let known = known.all.last(where: { $0.path == path }), mapb_is_same_file(known.file, file) != 0 {
                known.uses += 1
                return known
            }
            let text = try input.allocate(text: path)
            let record: Block
            do throws(MapError) { record = try input.allocate(UInt64(MemoryLayout<mapb_file>.size)) } catch {
                input.free(text)
                throw error
            }
            unsafe input.at(record.offset, as: mapb_file.self).pointee = file
            let library = Library(number: known.made, path: path, text: text, file: file, record: record)
            library.uses = 1
            known.made += 1
            known.all.append(library)
            return library
        }
    }

    /// Releases the libraries of a description that was not registered; a library without functions is freed.
    func release(_ named: [Library], in input: InputMemory) {
        known.with { known in
            for library in named {
                library.uses -= 1
                guard library.uses == 0 else { continue }
                known.all.removeAll { $0 === library }
                library.blocks.forEach(input.free)
            }
        }
    }
}
