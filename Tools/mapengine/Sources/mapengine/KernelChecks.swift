import CKernel
import Glibc

/// What the kernel can do.
enum KernelChecks {
    static func all() -> [Finding] {
        [
            version(),
            needed("memfd and seals", kernel_has_memfd_seals(), "memfd_create(2) with F_SEAL_SHRINK, Linux 3.17"),
            needed("pidfd", kernel_has_pidfd(), "pidfd_open(2), Linux 5.3"),
            needed("futex", kernel_has_futex(), "futex(2)"),
            calls(), membarrier(), hugePages(), proc(), yama(), seccomp(), landlock(),
        ]
    }

    private static func version() -> Finding {
        var name = utsname()
        guard unsafe uname(&name) == 0 else { return Finding(.warn, "kernel", "unknown: \(systemError())") }
        let release = text(name.release)
        let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        let isNew = numbers.count == 2 && (numbers[0], numbers[1]) >= (5, 4)
        return Finding(
            isNew ? .ok : .fail, "kernel", "Linux \(release), \(text(name.machine))",
            advice: "The engine needs Linux 5.4 or later.")
    }

    /// A text in an array of characters, which Swift sees as a tuple.
    private static func text<T>(_ characters: T) -> String {
        unsafe withUnsafeBytes(of: characters) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    private static func needed(_ name: String, _ error: Int32, _ what: String) -> Finding {
        unsafe error == 0
            ? Finding(.ok, name, "there")
            : Finding(
                .fail, name, String(cString: strerror(error)),
                advice:
                    "The engine needs \(what). In a container its seccomp profile may forbid it: allow the call there.")
    }

    /// Containers and service managers deny system calls by filters. Each that the engine makes is tried.
    private static func calls() -> Finding {
        let name = "system calls"
        let (needed, tried) = denied(wanted: false)
        let (wanted, others) = denied(wanted: true)
        let advice =
            "A filter of system calls (seccomp) denies them: allow them in the container's seccomp profile, or the service's SystemCallFilter."
        if !needed.isEmpty {
            return Finding(
                .fail, name, "denied: " + [needed, wanted].filter { !$0.isEmpty }.joined(separator: ", "),
                advice: advice)
        }
        if !wanted.isEmpty {
            return Finding(
                .warn, name, "denied, and done without: \(wanted)",
                advice: advice + " Without them settings such as nice, pin and memory_limit are not in force.")
        }
        return Finding(.ok, name, "all \(tried + others) are allowed")
    }

    private static func denied(wanted: Bool) -> (String, Int) {
        var names = [CChar](repeating: 0, count: 2048)
        var tried: Int32 = 0
        let count = unsafe kernel_denied_calls(wanted ? 1 : 0, &names, names.count, &tried)
        guard count > 0 else { return ("", Int(tried)) }
        return (unsafe names.withUnsafeBufferPointer { unsafe String(cString: $0.baseAddress!) }, Int(tried))
    }

    private static func membarrier() -> Finding {
        let error = kernel_has_membarrier()
        return unsafe error == 0
            ? Finding(.ok, "membarrier", "there")
            : Finding(
                .warn, "membarrier", String(cString: strerror(error)),
                advice:
                    "Without membarrier(2) each hand-over between processes costs a fence more. A container's seccomp profile may forbid it."
            )
    }

    private static func hugePages() -> Finding {
        let shared = readLine("/sys/kernel/mm/transparent_hugepage/shmem_enabled") ?? ""
        guard let chosen = shared.split(separator: " ").first(where: { $0.hasPrefix("[") }) else {
            return Finding(.warn, "huge pages", "unknown", advice: "Without them large inputs cost more page faults.")
        }
        let value = String(chosen.dropFirst().dropLast())
        return Finding(.ok, "huge pages", "for shared memory: \(value)")
    }

    private static func proc() -> Finding {
        unsafe access("/proc/self/maps", R_OK) == 0
            ? Finding(.ok, "/proc", "mounted")
            : Finding(
                .fail, "/proc", "not mounted",
                advice: "The engine finds libraries and cores there: mount -t proc proc /proc")
    }

    private static func yama() -> Finding {
        guard let scope = readLine("/proc/sys/kernel/yama/ptrace_scope") else {
            return Finding(.ok, "ptrace scope", "no Yama: processes of this user can read each other")
        }
        return Finding(
            .ok, "ptrace scope", "\(scope)" + (scope == "0" ? ": processes of this user can read each other" : ""))
    }

    private static func seccomp() -> Finding {
        kernel_has_seccomp() == 0
            ? Finding(.ok, "seccomp", "there")
            : Finding(.warn, "seccomp", "not there", advice: "Workers cannot be kept from system calls on this kernel.")
    }

    private static func landlock() -> Finding {
        let version = kernel_landlock_version()
        return version > 0
            ? Finding(.ok, "Landlock", "version \(version)")
            : unsafe Finding(
                .warn, "Landlock", String(cString: strerror(-version)),
                advice:
                    "Workers cannot be kept from files on this kernel. The boot parameter lsm= has to name landlock.")
    }
}

/// The first line of a file of the kernel's.
func readLine(_ path: String) -> String? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = unsafe bytes.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
    guard count > 0 else { return nil }
    return String(decoding: bytes[..<count].prefix { $0 != 0x0A }, as: UTF8.self)
}
