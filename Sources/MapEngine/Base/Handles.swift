// Handles: numbers that look like pointers, so that a released one is recognised and never followed. Each leads to an
// owner: the pool that the thing belongs to.
//
//   bits 0-3   kind and a tag      bits 4-23  place in the table      bits 24-62  generation of the place

final class Handles: Sendable {
    static let shared = Handles()

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
        var generation: UInt = 1
        var kind = Kind.pool
        var owner: AnyObject?
    }

    private struct Table {
        var places: [Place] = []
        var free: [Int] = []
        /// Of the last call that found no pool.
        var message = ""
    }

    private let table = Guarded(Table())

    /// A new handle for something of `owner`'s. 0 when there are a million already.
    func add(_ kind: Kind, _ owner: AnyObject) -> UInt {
        table.with { table in
            let at: Int
            if let reused = table.free.popLast() {
                at = reused
            } else {
                guard table.places.count < 1 << 20 else { return 0 }
                table.places.append(Place())
                at = table.places.count - 1
            }
            table.places[at].owner = owner
            table.places[at].kind = kind
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
            table.places[at].generation = (table.places[at].generation + 1) & (1 << 39 - 1)
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

    func setMessage(_ text: String) { table.with { $0.message = text } }

    func getMessage() -> String { table.with { $0.message } }
}
