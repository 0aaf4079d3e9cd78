import CMapEngine
import Glibc

/// A line on a terminal that tells how far a job is, drawn over itself. A few lines of ours: the libraries for it bring Foundation.
struct ProgressBar {
    private let isShown: Bool
    private var isDrawn = false

    init(isWanted: Bool) {
        isShown = isWanted && isatty(STDERR_FILENO) == 1
    }

    mutating func draw(_ progress: mape_progress) {
        guard isShown else { return }
        isDrawn = true
        let width = 30
        let filled = Int(progress.fraction * Double(width))
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
        let seconds = Double(progress.elapsed_ns) / 1e9
        var line = "\r\u{1B}[K[\(bar)] \(Int(progress.fraction * 100))% \(progress.done)/\(progress.total)"
        let bad = progress.failed + progress.crashed + progress.timed_out
        if bad > 0 { line += ", \(bad) failed" }
        if progress.fraction > 0, seconds > 1 {
            line += ", \(decimal(seconds / progress.fraction - seconds, 0)) s left"
        }
        writeAll(line, to: STDERR_FILENO)
    }

    /// Takes the line away, before anything else is written.
    mutating func clear() {
        guard isDrawn else { return }
        writeAll("\r\u{1B}[K", to: STDERR_FILENO)
        isDrawn = false
    }
}

/// A number with so many digits behind the point.
func decimal(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((abs(value) * scale).rounded())
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard digits > 0 else { return "\(sign)\(scaled)" }
    let fraction = String(scaled % Int(scale))
    return "\(sign)\(scaled / Int(scale))." + String(repeating: "0", count: digits - fraction.count) + fraction
}

/// The table of --report.
enum Report {
    static func print(_ pool: borrowing Pool, _ progress: mape_progress) {
        var stats = mape_stats()
        stats.struct_size = MemoryLayout<mape_stats>.size
        guard unsafe mape_pool_stats(&stats, pool.handle) == MAPE_OK.rawValue else { return }
        var text = "worker       pid     items   share  starts\n"
        var seen: UInt64 = 0
        for index in 0..<stats.workers {
            var info = unsafe mape_worker_info()
            unsafe info.struct_size = unsafe MemoryLayout<mape_worker_info>.size
            guard unsafe mape_pool_worker(&info, pool.handle, index) == MAPE_OK.rawValue else { continue }
            let share = unsafe progress.total == 0 ? 0 : 100 * Double(info.items) / Double(progress.total)
            text += unsafe right("\(index)", 6) + right("\(info.pid)", 10) + right("\(info.items)", 10)
            text += unsafe right(decimal(share, 1), 7) + "%" + right("\(info.starts)", 8) + "\n"
            seen += unsafe info.items
        }
        if progress.total > seen {
            text +=
                "  gone" + right("", 10) + right("\(progress.total - seen)", 10)
                + "  (by workers that died, or ended without a result)\n"
        }
        let seconds = Double(progress.elapsed_ns) / 1e9
        text += "calls: \(progress.total): \(progress.ok) ok, \(progress.failed) failed, \(progress.crashed) crashed, "
        text += "\(progress.timed_out) timed out\n"
        text +=
            "processes: \(stats.workers_started) started, \(stats.workers_died) died, of these \(stats.workers_killed) killed\n"
        text += "time: \(decimal(seconds, 3)) s"
        if seconds > 0 { text += ", \(decimal(Double(progress.total) / seconds, 0)) calls/s" }
        writeAll(text + "\n", to: STDERR_FILENO)
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
