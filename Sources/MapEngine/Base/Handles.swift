// Handles: numbers that look like pointers, so that a released one is recognised and never followed. Each leads to an
// owner: the pool that the thing belongs to.
//
//   bits 0-3   kind and a tag      bits 4-23  place in the table      bits 24-56  generation of the place
//   bits 57-62 process: which in its line, so that a child that has pools of its own knows its parent's handles from its own
//
// Each process has a table of its own, which a child that was forked does not inherit: a thread of the parent may have held its lock.

import CMapBridge

final class Handles: Sendable {
    /// This process's.
    static var shared: Handles {
        if let handles = unsafe mapb_handles() {
            return unsafe Unmanaged<Handles>.fromOpaque(handles).takeUnretainedValue()
        }
        return made()
    }

    @inline(never) private static func made() -> Handles {
        // Where there is no memory for it, messages are all that is kept.
        var call: UnsafePointer<CChar>?
        _ = unsafe mapb_remember_host(&call)
        let new = unsafe Unmanaged.passRetained(Handles(process: mapb_process_number())).toOpaque()
        let kept = unsafe mapb_keep_handles(new)
        if unsafe kept != new { unsafe Unmanaged<Handles>.fromOpaque(new).release() }
        return unsafe Unmanaged<Handles>.fromOpaque(kept!).takeUnretainedValue()
    }

    enum Kind: UInt {
        case pool = 3
        case job = 5
        case buffer = 7

        var name: String {
            switch self {
            case .pool: "pool"
            case .job: "job"
            case .buffer: "buffer"
            }
        }
    }

    private struct Place {
        var generation: UInt
        var kind = Kind.pool
        var owner: AnyObject?
    }

    private struct Table {
        var places: [Place] = []
        var free: [Int] = []
        var pools = 0
        /// Of the last call that found no pool.
        var message = ""
    }

    private let table = Guarded(Table())
    /// The bits of a generation that tell the process.
    private let process: UInt
    private let number: UInt32
    private static let generations: UInt = 1 << 33 - 1

    /// - process: which in its line: mapb_process_number.
    init(process: UInt32 = 1) {
        number = process
        self.process = UInt(process & 63) << 33
    }

    /// A new handle for something of `owner`'s. 0 when there are a million already.
    func add(_ kind: Kind, _ owner: AnyObject) -> UInt {
        table.with { table in
            let at: Int
            if let reused = table.free.popLast() {
                at = reused
            } else {
                guard table.places.count < 1 << 20 else { return 0 }
                table.places.append(Place(generation: process | 1))
                at = table.places.count - 1
            }
            table.places[at].owner = owner
            table.places[at].kind = kind
            if kind == .pool { table.pools += 1 }
            return table.places[at].generation << 24 | UInt(at) << 4 | kind.rawValue
        }
    }

    func remove(_ handle: UInt) {
        // What the handle held may go with it: outside the lock.
        _ = table.with { table -> AnyObject? in
            let at = Int(handle >> 4 & 0xfffff)
            guard at < table.places.count, table.places[at].generation == handle >> 24,
                let owner = table.places[at].owner
            else { return nil }
            table.places[at].owner = nil
            table.places[at].generation = process | (table.places[at].generation + 1) & Self.generations
            if table.places[at].kind == .pool { table.pools -= 1 }
            table.free.append(at)
            return owner
        }
    }

    /// The owner of what a live handle leads to.
    func owner(of handle: UInt, _ kind: Kind) -> AnyObject? {
        guard handle & 0xf == kind.rawValue else { return nil }
        return table.with { table in
            let at = Int(handle >> 4 & 0xfffff)
            guard at < table.places.count, table.places[at].generation == handle >> 24, table.places[at].kind == kind
            else { return nil }
            return table.places[at].owner
        }
    }

    /// How many pools there are.
    var pools: Int { table.with { $0.pools } }

    /// Whether a number is a handle of a process that this one was forked from.
    func isForeign(_ handle: UInt) -> Bool {
        number > 1 && handle != 0 && handle >> 24 & ~Self.generations != process
    }

    func setMessage(_ text: String) { table.with { $0.message = text } }

    func getMessage() -> String { table.with { $0.message } }
}
