// What this process may use of the machine: processors and memory, cut to the limits of its cgroup. The paths of Linux stand here alone.
//
// Memory bounds the reserves that a pool has by default. A result that no memory could hold is then a status; without the bound the
// kernel would end processes, one after another: ending a worker does not free what it wrote to shared memory.

import CMapBridge

/// In bytes. See cgroups(7), and the kernel's admin-guide/cgroup-v2.rst (memory.max) and cgroup-v1/memory.rst (memory.limit_in_bytes).
func usableMemory() -> UInt64 {
    let machine = mapb_memory()
    return min(machine, memoryLimit(read: Files.text(of:)) ?? machine)
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

/// The cores this process may use: its affinity mask, cut to the CPU quota of its cgroup (version 2: cpu.max; version 1:
/// cpu.cfs_quota_us), rounded up. See cgroups(7) and the kernel's admin-guide/cgroup-v2.rst.
func usableCores() -> Int {
    let cores = max(1, Int(mapb_cores()))
    guard let quota = cpuQuota(read: Files.text(of:)) else { return cores }
    return max(1, min(cores, Int(quota.rounded(.up))))
}

/// The smallest quota on the way from this process's cgroup to the root, in cores. `read` gives a file's text.
func cpuQuota(read: (String) -> String?) -> Double? {
    var smallest: Double?
    func note(_ quota: Double?) {
        if let quota, quota > 0, quota.isFinite { smallest = min(smallest ?? quota, quota) }
    }
    visitCgroups(of: "cpu", read: read) { folder, isVersion2 in
        if isVersion2 {
            if let text = read("\(folder)/cpu.max") { note(quotaVersion2(text)) }
        } else if let quota = read("\(folder)/cpu.cfs_quota_us").flatMap(number),
            let period = read("\(folder)/cpu.cfs_period_us").flatMap(number), quota > 0, period > 0
        {
            note(quota / period)
        }
    }
    return smallest
}

/// "max 100000" or "150000 100000".
private func quotaVersion2(_ text: String) -> Double? {
    let fields = text.split { $0 == " " || $0 == "\n" }
    guard fields.count == 2, let quota = Double(fields[0]), let period = Double(fields[1]), period > 0 else {
        return nil
    }
    return quota / period
}

private func number(_ text: String) -> Double? { Double(text.split { $0 == " " || $0 == "\n" }.first ?? "") }
