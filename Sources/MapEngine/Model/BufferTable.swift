// The live buffers of a pool: by handle, and by where they lie.

struct BufferTable {
    private var byHandle: [UInt: Buffer] = [:]
    private var byPlace = BufferIndex()

    var count: Int { byHandle.count }

    subscript(handle: UInt) -> Buffer? {
        get { byHandle[handle] }
        set {
            if let old = byHandle.removeValue(forKey: handle) { byPlace.remove(old) }
            guard let buffer = newValue else { return }
            byHandle[handle] = buffer
            byPlace.insert(buffer)
        }
    }

    mutating func removeValue(forKey handle: UInt) -> Buffer? {
        guard let buffer = byHandle.removeValue(forKey: handle) else { return nil }
        byPlace.remove(buffer)
        return buffer
    }

    /// Takes all out.
    mutating func removeAll() -> [Buffer] {
        defer { self = BufferTable() }
        return byPlace.all
    }

    /// The buffer that holds a stretch of the input memory wholly.
    func holding(_ offset: UInt64, _ count: UInt64) -> Buffer? { byPlace.holding(offset, count) }
}
