// Owners of descriptors, bells and mappings. Each is closed or unmapped exactly once, when its owner ends.

import CMapBridge

/// A file descriptor. Children that this process forks do not keep it: mapb_keep_file.
struct Descriptor: ~Copyable {
    let number: Int32

    init(_ number: Int32) { self.number = mapb_keep_file(number) }

    /// Makes an owner of what a C function returned: a descriptor, or a negative errno.
    init(checking result: Int32, _ call: String) throws(MapError) {
        if result < 0 { throw .system(call, -result) }
        number = mapb_keep_file(result)
    }

    /// Gives up ownership: the caller closes the descriptor.
    consuming func release() -> Int32 {
        let number = number
        mapb_forget_file(number)
        discard self
        return number
    }

    deinit {
        mapb_forget_file(number)
        mapb_close(number)
    }
}

/// A bell: a pipe by which workers wake a thread of the host. Workers have its writing end alone. With an eventfd, a
/// broken worker could read what another has written, or make the host's read block.
struct Bell: ~Copyable {
    let reading: Descriptor
    let writing: Descriptor

    init() throws(MapError) {
        var ends: [Int32] = [-1, -1]
        let why = unsafe mapb_bell_open(&ends)
        if why != 0 { throw .system(MAPB_NAME_PIPE, why) }
        reading = Descriptor(ends[0])
        writing = Descriptor(ends[1])
    }

    borrowing func drain() { mapb_bell_drain(reading.number) }
}

/// A shared memory of the host: a sealed memfd and its mapping. Forks of the host do not inherit the mapping. Who writes which of its bytes,
/// its user says.
@safe struct SharedMemory: ~Copyable, @unchecked Sendable {
    let base: UnsafeMutablePointer<UInt8>
    let size: UInt64
    /// The memfd, until it was handed over.
    private var file: Descriptor?
    /// Who unmaps it in the end; nil: its owner's end does.
    private let leftovers: Leftovers?

    /// Reserves address space; pages come as they are touched. Halves the size, down to `least`, while the system refuses.
    init(name: String, size wanted: UInt64, least: UInt64, leftovers: Leftovers? = nil) throws(MapError) {
        self.leftovers = leftovers
        // A file larger than RLIMIT_FSIZE would raise SIGXFSZ in the host; memory without a name counts as one.
        let largest = mapb_limit(1)
        guard largest >= least else {
            throw MapError(
                MAPE_E_MEMORY,
                "this process may make files of at most \(largest) bytes (RLIMIT_FSIZE), which also holds for shared memory; \(least) are needed"
            )
        }
        var size = min(max(wanted, least), max(least, largest / 2)) & ~4095
        let addressSpace = mapb_limit(0)
        if addressSpace != UInt64.max { size = min(size, max(least, addressSpace / 16)) & ~4095 }
        while true {
            var call: UnsafePointer<CChar>?
            let made = unsafe mapb_shared_create(name, size, &call)
            let file = try Descriptor(checking: made, unsafe call.map(String.init(cString:)) ?? "")
            if let base = unsafe mapb_shared_map_host(file.number, size) {
                unsafe self.base = base
                self.size = size
                self.file = consume file
                return
            }
            let why = SystemError.last
            if size / 2 < least { throw .mapping("mmap of \(size) bytes of shared memory", why) }
            size = (size / 2) & ~4095
        }
    }

    /// The memfd's number; -1 once it was handed over.
    var fileNumber: Int32 {
        switch file {
        case .some(let file): file.number
        case .none: -1
        }
    }

    /// Hands the memfd over: the caller closes it. The mapping stays.
    mutating func releaseFile() -> Int32 { file.take()?.release() ?? -1 }

    /// Returns the pages of a stretch to the system, as far as they lie wholly inside.
    borrowing func returnPages(_ offset: UInt64, _ count: UInt64) {
        let start = (offset + 4095) & ~4095
        let end = (offset + count) & ~4095
        if start < end { unsafe mapb_shared_discard(base + Int(start), end - start) }
    }

    deinit {
        if let leftovers { unsafe leftovers.add(base, size) } else { unsafe mapb_shared_unmap(base, size) }
    }
}

/// Mappings without a user. Unmapping takes longer the more pages there are, so a thread does it when it holds no lock.
@safe final class Leftovers: Sendable {
    @safe private struct Mapping {
        let base: UnsafeMutablePointer<UInt8>
        let size: UInt64
    }

    private let mappings = Guarded<[Mapping]>([])
    private let count = Word32()

    deinit { clear() }

    var isEmpty: Bool { count.peeked == 0 }

    func add(_ base: UnsafeMutablePointer<UInt8>, _ size: UInt64) {
        mappings.with { mappings in
            mappings.append(unsafe Mapping(base: base, size: size))
            count.store(UInt32(mappings.count))
        }
    }

    /// Unmaps them. Without the pool's lock.
    func clear() {
        let old = mappings.with { mappings in
            defer {
                mappings = []
                count.store(0)
            }
            return mappings
        }
        for mapping in old { unsafe mapb_shared_unmap(mapping.base, mapping.size) }
    }
}
