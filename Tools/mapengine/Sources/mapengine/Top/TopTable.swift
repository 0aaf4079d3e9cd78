import CPools
import Glibc

/// The rows of pools and workers as text, each of a width. Colours and keys are the screen's.
enum TopTable {
    /// Without colours, as wide as it takes.
    static func plain(_ view: TopView) -> String {
        var text = ""
        for pool in view.samples {
            text += title(pool, view.meter) + "\n" + heading(width: 120) + "\n"
            for worker in pool.workers { text += row(pool, worker, view.meter, width: 120) + "\n" }
            text += "\n"
        }
        for refusal in view.finder.refusals { text += refused(refusal) + "\n" }
        return text.isEmpty ? "no pools\n" : text
    }

    static func refused(_ refusal: PoolRefusal) -> String {
        "process \(refusal.process) (\(OtherProcess.name(refusal.process))) is not shown: \(refusal.why)"
    }

    /// A pool in a line.
    static func title(_ pool: PoolSample, _ meter: Meter) -> String {
        let figures = pool.figures
        var parts = ["\(pool.name) (\(pool.host))"]
        if pool.stage != "running" { parts.append(pool.stage) }
        parts.append("\(pool.busy) of \(figures.places) workers busy")
        if let rate = meter.rate(pool) { parts.append("\(short(rate)) items/s") }
        parts.append("queue \(short(Double(pool.queue)))")
        parts.append("\(short(Double(figures.items))) items in \(figures.jobs) jobs")
        parts.append("memory \(bytes(pool.resident)) + \(bytes(pool.inputUsed)) input")
        if figures.nodes > 0 { parts.append("\(figures.nodes) nodes") }
        if figures.crashed > 0 { parts.append(crashes(pool)) }
        return parts.joined(separator: ", ")
    }

    static func crashes(_ pool: PoolSample) -> String {
        let count = pool.figures.crashed
        var text = "\(count) crash\(count == 1 ? "" : "es")"
        if let crash = pool.lastCrash {
            text +=
                " (last: \(crash.function), item \(crash.item), \(signal(crash.signal)), \(time(pool.time &- crash.at)) ago)"
        }
        return text
    }

    /// One column of the workers' table.
    private struct Column {
        let title: String
        let width: Int
        /// In a narrow terminal those with the highest numbers go first.
        let worth: Int
        var isLeft = false
    }
    private static let columns = [
        Column(title: "WORKER", width: 6, worth: 0), Column(title: "PID", width: 8, worth: 4),
        Column(title: "STATE", width: 8, worth: 1, isLeft: true), Column(title: "FOR", width: 8, worth: 2),
        Column(title: "ITEM", width: 12, worth: 1), Column(title: "JOB", width: 6, worth: 6),
        Column(title: "ITEMS/S", width: 8, worth: 3), Column(title: "ITEMS", width: 8, worth: 7),
        Column(title: "CPU%", width: 5, worth: 5), Column(title: "RSS", width: 7, worth: 4),
    ]

    /// Which columns have room beside a function's name of some length.
    private static func shown(_ width: Int) -> [Column] {
        var shown = columns
        while shown.reduce(16, { $0 + $1.width + 1 }) > width, let most = shown.map(\.worth).max(), most > 1,
            let place = shown.lastIndex(where: { $0.worth == most })
        {
            shown.remove(at: place)
        }
        return shown
    }

    static func heading(width: Int) -> String {
        line(shown(width).map { ($0, $0.title) }, "FUNCTION", width)
    }

    static func row(_ pool: PoolSample, _ worker: WorkerSample, _ meter: Meter, width: Int) -> String {
        let cells = shown(width).map { column in (column, cell(column.title, pool, worker, meter)) }
        var name = worker.work.what == .nothing ? "" : worker.work.name
        switch worker.work.what {
        case .setup: name = "setup of " + name
        case .cleanup: name = "cleanup of " + name
        case .loading: name = "loads " + name
        case .hook: name = "hook " + name
        default: break
        }
        if let fraction = worker.work.fraction { name += " \(Int(fraction * 100))%" }
        if let machine = worker.machine { name = "on \(machine.isEmpty ? "another machine" : machine) " + name }
        return line(cells, name, width)
    }

    private static func line(_ cells: [(Column, String)], _ name: String, _ width: Int) -> String {
        var text = ""
        for (column, value) in cells {
            let fitted = fit(value, column.width)
            let space = String(repeating: " ", count: max(0, column.width - fitted.unicodeScalars.count))
            text += (column.isLeft ? fitted + space : space + fitted) + " "
        }
        return fit(text + name, max(1, width))
    }

    private static func cell(_ title: String, _ pool: PoolSample, _ worker: WorkerSample, _ meter: Meter) -> String {
        switch title {
        case "WORKER": return "\(worker.index)"
        case "PID": return worker.pid > 0 ? "\(worker.pid)" : ""
        case "STATE": return worker.state.rawValue
        case "FOR":
            guard let duration = meter.duration(pool, worker) else { return "" }
            return (duration.isExact ? "" : "<") + time(duration.most)
        case "ITEM":
            switch worker.work.what {
            case .item(let index): return "\(index)"
            case .range(let first, let count): return "\(first)+\(count)"
            case .unknown: return "?"
            default: return ""
            }
        case "JOB": return worker.work.job > 0 ? "\(worker.work.job)" : ""
        case "ITEMS/S": return meter.rate(pool, worker).map { short($0) } ?? ""
        case "ITEMS": return short(Double(worker.items))
        case "CPU%": return meter.processor(pool, worker).map { "\(Int(($0 * 100).rounded()))" } ?? ""
        case "RSS": return worker.process.map { bytes($0.resident) } ?? ""
        default: return ""
        }
    }

    // MARK: - Numbers for eyes

    /// Cut to a width; the last sign says so.
    static func fit(_ text: String, _ width: Int) -> String {
        let scalars = text.unicodeScalars
        if scalars.count <= width { return text }
        return String(String.UnicodeScalarView(scalars.prefix(max(0, width - 1)))) + "~"
    }

    /// 1234567 as 1.23M.
    static func short(_ value: Double) -> String {
        for (unit, name) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")] where value >= unit {
            let scaled = name == "k" ? value / 1e3 : value / unit
            return decimal(scaled, scaled < 10 ? 2 : scaled < 100 ? 1 : 0) + name
        }
        return decimal(value, value < 10 && value != value.rounded() ? 1 : 0)
    }

    static func bytes(_ count: UInt64) -> String {
        for (shift, name) in [(UInt64(40), "T"), (30, "G"), (20, "M"), (10, "K")] where count >> shift > 0 {
            let scaled = Double(count) / Double(UInt64(1) << shift)
            return decimal(scaled, scaled < 10 ? 1 : 0) + name
        }
        return "\(count)"
    }

    static func time(_ nanoseconds: Int64) -> String {
        let seconds = Double(max(0, nanoseconds)) / 1e9
        if seconds < 1 { return "\(Int(seconds * 1000))ms" }
        if seconds < 60 { return decimal(seconds, 1) + "s" }
        if seconds < 3600 { return "\(Int(seconds) / 60)m\(two(Int(seconds) % 60))s" }
        return "\(Int(seconds) / 3600)h\(two(Int(seconds) / 60 % 60))m"
    }

    private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    static func signal(_ number: Int32) -> String {
        if number == 0 { return "exit" }
        let names: [Int32: String] = [
            SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGILL: "SIGILL", SIGKILL: "SIGKILL",
            SIGSEGV: "SIGSEGV",
            SIGTERM: "SIGTERM", SIGTRAP: "SIGTRAP", SIGXCPU: "SIGXCPU", SIGSYS: "SIGSYS",
        ]
        return names[number] ?? "signal \(number)"
    }
}
