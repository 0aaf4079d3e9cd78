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
final class Libraries: Sendable {
    private struct Known {
        var all: [Library] = []
        var made: UInt32 = 0
        /// What a new one begins as.
        var standing: Library.Standing
    }

    private let known: Guarded<Known>

    init(standing: Library.Standing = .own) { known = Guarded(Known(standing: standing)) }

    /// The pool has started: who comes later has to be proved first.
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
            let text = try input.take(text: path)
            let record: Block
            do throws(MapError) { record = try input.take(UInt64(MemoryLayout<mapb_file>.size)) } catch {
                input.give(text)
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

    /// Nothing came of a description that has named these: those that none of the pool's functions lies in go.
    func letGo(_ named: [Library], in input: InputMemory) {
        known.with { known in
            for library in named {
                library.uses -= 1
                guard library.uses == 0 else { continue }
                known.all.removeAll { $0 === library }
                library.blocks.forEach(input.give)
            }
        }
    }
}
