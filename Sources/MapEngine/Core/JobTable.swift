// The jobs of a pool that have a handle, by handle.
//
// Handles count up places of a table (Base/Handles.swift), so that jobs which are submitted one after another stand side by side here:
// finding one among many thousands costs no more memory accesses than among a few.

struct JobTable {
    private var pages: [[Job?]] = []
    /// Jobs that were released while they ran, and whose place another job has now.
    private var displaced: [UInt: Job] = [:]
    private(set) var count = 0

    private static let page = 1024

    var isEmpty: Bool { count == 0 }

    private static func place(_ handle: UInt) -> (page: Int, line: Int) {
        let place = Int(handle >> 4 & 0xfffff)
        return (place / page, place % page)
    }

    subscript(handle: UInt) -> Job? {
        get {
            let place = Self.place(handle)
            if place.page < pages.count, !pages[place.page].isEmpty, let job = pages[place.page][place.line],
                job.handle == handle
            {
                return job
            }
            return displaced.isEmpty ? nil : displaced[handle]
        }
        set {
            let place = Self.place(handle)
            if let job = newValue {
                while pages.count <= place.page { pages.append([]) }
                if pages[place.page].isEmpty { pages[place.page] = [Job?](repeating: nil, count: Self.page) }
                if self[handle] == nil { count += 1 }
                if let other = pages[place.page][place.line], other.handle != handle { displaced[other.handle] = other }
                pages[place.page][place.line] = job
            } else if self[handle] != nil {
                if displaced.removeValue(forKey: handle) == nil { pages[place.page][place.line] = nil }
                count -= 1
            }
        }
    }

    /// All of them.
    var values: [Job] { pages.flatMap { $0.compactMap { $0 } } + displaced.values }

    mutating func removeAll() { self = JobTable() }
}
