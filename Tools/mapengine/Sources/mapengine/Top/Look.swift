import CKernel
import CPools
import Glibc

/// What can be found out about a worker's process from outside.
enum Look {
    /// Without disturbing it.
    static func facts(_ pool: PoolSample, _ worker: WorkerSample, _ meter: Meter) -> [String] {
        var lines = [
            "worker \(worker.index) of \(pool.name) (\(pool.host)), process \(worker.pid), \(worker.state.rawValue)"
        ]
        switch worker.work.what {
        case .nothing: break
        case .item(let index): lines.append("item \(index) of job \(worker.work.job), \(worker.work.name)")
        case .range(let first, let count):
            lines.append("items \(first) to \(first &+ (count &- 1)) of job \(worker.work.job), \(worker.work.name)")
        default: lines.append("\(worker.work.what) \(worker.work.name)")
        }
        if let duration = meter.duration(pool, worker) {
            lines.append("for " + (duration.isExact ? "" : "at most ") + TopTable.time(duration.most))
        }
        guard worker.pid > 0 else { return lines }
        lines.append("")
        for (title, file) in [
            ("command", "cmdline"), ("waits in", "wchan"), ("system call", "syscall"), ("kernel's stack", "stack"),
        ] {
            let text = shown(
                OtherProcess.text(worker.pid, file, most: 4096).map { $0 == 0 ? UInt8(ascii: " ") : $0 }.split(
                    separator: 10
                ).joined(separator: Array(" | ".utf8)))
            if !text.isEmpty && text != "0" { lines.append("\(title): \(text)") }
        }
        if let process = worker.process {
            lines.append(
                "memory: \(TopTable.bytes(process.resident)), of these results: \(TopTable.bytes(worker.outputUsed))")
        }
        return lines
    }

    /// Its stack, by gdb: it stops the process while it reads.
    static func stack(_ pid: Int32) -> [String] {
        var text = [CChar](repeating: 0, count: 1 << 16)
        let words = [
            "gdb", "-p", "\(pid)", "-batch", "-nx", "-ex", "set pagination off", "-ex", "thread apply all backtrace 50",
        ]
        var pointers: [UnsafePointer<CChar>?] = unsafe words.map { unsafe UnsafePointer(strdup($0)) }
        unsafe pointers.append(nil)
        let count = unsafe terminal_run(pointers, &text, text.count, 20)
        unsafe pointers.forEach { unsafe free(UnsafeMutablePointer(mutating: $0)) }
        guard count >= 0 else { return ["there is no gdb on this machine"] }
        let lines = text.prefix(count).map { UInt8(bitPattern: $0) }.split(separator: 10).map { shown($0) }
        let stack = lines.filter { $0.hasPrefix("#") || $0.hasPrefix("Thread ") }
        // Without one what gdb says is the reason: it may not attach, mostly.
        return stack.isEmpty ? lines.suffix(8) : stack
    }
}
