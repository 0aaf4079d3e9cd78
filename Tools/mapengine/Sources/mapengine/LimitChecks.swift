import CKernel
import Glibc

/// What this process and its cgroup may use.
enum LimitChecks {
    static func all() -> [Finding] {
        [
            limit("descriptors", LIMIT_DESCRIPTORS, warnBelow: 256, "ulimit -n", "A pool needs about 3 a worker."),
            limit("processes", LIMIT_PROCESSES, warnBelow: 64, "ulimit -u", "A pool needs one a worker, and two."),
            limit(
                "address space", LIMIT_ADDRESS_SPACE, warnBelow: 256 << 30, "ulimit -v",
                "A pool reserves 64 GiB for inputs and 16 GiB a worker for results, and takes less where less is allowed."
            ),
            limit("file size", LIMIT_FILE_SIZE, warnBelow: 80 << 30, "ulimit -f", "It also limits shared memory."),
            limit("locked memory", LIMIT_LOCKED_MEMORY, warnBelow: 0, "ulimit -l", ""),
            cores(), cpuQuota(), memoryLimit(),
        ]
    }

    private static func limit(_ name: String, _ which: kernel_limit, warnBelow: UInt64, _ how: String, _ why: String)
        -> Finding
    {
        let limit = kernel_limit_of(which)
        return Finding(
            limit >= warnBelow ? .ok : .warn, name, limit == .max ? "unlimited" : "at most \(limit)",
            advice: "\(why) Raise it with \(how).")
    }

    private static func cores() -> Finding {
        let online = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        let usable = Int(kernel_cores_allowed())
        guard usable > 0 else {
            return Finding(.warn, "cores", "\(online) online; how many this process may use is unknown")
        }
        return Finding(
            usable > 1 || online == 1 ? .ok : .warn, "cores", "\(usable) of \(online) online may be used",
            advice: "This process is bound to one core: taskset, or the container's cpuset, binds it.")
    }

    private static func cpuQuota() -> Finding {
        var tightest: Double?
        for folder in groupFolders() {
            let parts = (readLine(folder + "/cpu.max") ?? "").split(separator: " ")
            if parts.count == 2, let quota = Double(parts[0]), let period = Double(parts[1]), period > 0 {
                tightest = min(tightest ?? .infinity, quota / period)
            }
        }
        guard let tightest else { return Finding(.ok, "cgroup CPU quota", "none") }
        return Finding(
            tightest >= 1 ? .ok : .warn, "cgroup CPU quota", "\(decimal(tightest, 2)) cores",
            advice: "Less than a core: workers are stopped for part of each period. Raise the container's CPU limit.")
    }

    private static func memoryLimit() -> Finding {
        var tightest: UInt64?
        for folder in groupFolders() {
            if let line = readLine(folder + "/memory.max"), let bytes = UInt64(line) {
                tightest = min(tightest ?? .max, bytes)
            }
        }
        guard let tightest else { return Finding(.ok, "cgroup memory", "no limit") }
        return Finding(
            tightest >= 256 << 20 ? .ok : .warn, "cgroup memory", "at most \(tightest >> 20) MiB",
            advice:
                "Inputs and results count here; beyond it the kernel kills processes. Raise the container's memory limit."
        )
    }

    /// The folders of this process's cgroup (version 2), from its own to the root. In a container its own looks like the root.
    private static func groupFolders() -> [String] {
        var path = ""
        if let line = readLine("/proc/self/cgroup"), line.hasPrefix("0::") { path = String(line.dropFirst(3)) }
        var parts = path.split(separator: "/")[...]
        var folders: [String] = []
        while true {
            folders.append(parts.isEmpty ? "/sys/fs/cgroup" : "/sys/fs/cgroup/" + parts.joined(separator: "/"))
            if parts.isEmpty { return folders }
            parts = parts.dropLast()
        }
    }
}
