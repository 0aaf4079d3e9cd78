// How much memory this process may use: what the machine has, cut to the limits of its cgroup.
//
// It bounds the reserves that a pool has by default. A result that no memory could hold is then a status; without the bound the kernel
// would end processes, one after another: what a worker wrote to shared memory is not given back by ending the worker.

import CMapBridge

/// In bytes. See cgroups(7), and the kernel's admin-guide/cgroup-v2.rst (memory.max) and cgroup-v1/memory.rst (memory.limit_in_bytes).
func usableMemory() -> UInt64 {
    let machine = mapb_memory()
    return min(machine, memoryLimit(read: readSmallFile) ?? machine)
}

/// The smallest limit on the way from this process's cgroup to the root. `read` gives a file's text.
func memoryLimit(read: (String) -> String?) -> UInt64? {
    var smallest: UInt64?
    visitCgroups(of: "memory", read: read) { folder, isVersion2 in
        let text = read(isVersion2 ? "\(folder)/memory.max" : "\(folder)/memory.limit_in_bytes")
        // "max", where there is none.
        guard let word = text?.split(whereSeparator: { $0 == " " || $0 == "\n" }).first, let limit = UInt64(word),
            limit > 0
        else { return }
        smallest = min(smallest ?? limit, limit)
    }
    return smallest
}

/// Visits the folders of this process's cgroup and of those above it, of version 2 and of a version 1 controller.
func visitCgroups(of controller: String, read: (String) -> String?, _ visit: (String, _ isVersion2: Bool) -> Void) {
    guard let membership = read("/proc/self/cgroup") else { return }
    for line in membership.split(separator: "\n") {
        let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count == 3 else { continue }
        let isVersion2 = fields[0] == "0" && fields[1].isEmpty
        guard isVersion2 || fields[1].split(separator: ",").contains(where: { $0 == controller }) else { continue }
        var path = String(fields[2])
        while true {
            visit(isVersion2 ? "/sys/fs/cgroup\(path)" : "/sys/fs/cgroup/\(controller)\(path)", isVersion2)
            if path.isEmpty || path == "/" { break }
            path = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        }
    }
}
