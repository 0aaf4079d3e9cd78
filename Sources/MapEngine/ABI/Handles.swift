// Handles: numbers in the dress of pointers, so that a released one is known as such and never followed.
//
//   bits 0-3   kind and a tag      bits 4-23  place in the table      bits 24-62  generation of the place

import CMapBridge

final class Handles: @unchecked Sendable {
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
        var pool: Pool?
    }

    private let lock = Lock()
    private var places: [Place] = []
    private var free: [Int] = []
    private var message = ""

    /// A new handle for something of `pool`. 0 when there are a million already.
    func add(_ kind: Kind, _ pool: Pool) -> UInt {
        lock.lock()
        defer { lock.unlock() }
        let at: Int
        if let reused = free.popLast() {
            at = reused
        } else {
            guard places.count < 1 << 20 else { return 0 }
            places.append(Place())
            at = places.count - 1
        }
        places[at].pool = pool
        places[at].kind = kind
        return places[at].generation << 24 | UInt(at) << 4 | kind.rawValue
    }

    func remove(_ handle: UInt) {
        lock.lock()
        defer { lock.unlock() }
        let at = Int(handle >> 4 & 0xfffff)
        guard at < places.count, places[at].pool != nil, places[at].generation == handle >> 24 else { return }
        places[at].pool = nil
        places[at].generation = (places[at].generation + 1) & (1 << 39 - 1)
        free.append(at)
    }

    /// The pool that a live handle belongs to.
    func pool(of handle: UInt, _ kind: Kind) -> Pool? {
        lock.lock()
        defer { lock.unlock() }
        guard handle & 0xf == kind.rawValue else { return nil }
        let at = Int(handle >> 4 & 0xfffff)
        guard at < places.count, places[at].generation == handle >> 24, places[at].kind == kind else { return nil }
        return places[at].pool
    }

    // The message of calls that found no pool.

    func setMessage(_ text: String) {
        lock.lock()
        message = text
        lock.unlock()
    }

    func getMessage() -> String {
        lock.lock()
        defer { lock.unlock() }
        return message
    }
}
