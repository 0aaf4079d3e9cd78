// The death of a worker, as reported with the items that are blamed for it.

import CMapBridge

/// How a worker ended.
final class Death {
    let worker: Int
    let pid: Int32
    let loss: Loss
    /// The worker's own report; nil: there is none.
    let report: CrashReport?
    /// How far the item was, as it said last; nil: it did not.
    let mark: UInt64?
    /// What the function itself has written about it.
    private let written: [String]

    /// - mark: mape_task_mark. written: what stands where mape_task_report_fd writes. worker: its number. record: what its signal handler may have left; the process has ended, and its children with it, but those
    ///   that left its group.
    init(
        worker: Int, pid: Int32, _ loss: Loss, record: [UInt8]?, mark: UInt64? = nil, written: [UInt8] = []
    ) {
        self.worker = worker
        self.pid = pid
        self.loss = loss
        self.mark = mark
        self.written = printableLines(written)
        guard let record, let signal = loss.signal else {
            report = nil
            return
        }
        let report = CrashReport(record)
        // Random bytes, or a report of another signal, are no report of this death.
        self.report = report?.signal == signal ? report : nil
    }

    /// `worker 1 (process 4711) was ended by SIGSEGV (address 0x8, no such mapping) in shade_point+0x1c (libshade.so, shade.c:42)`
    var text: String {
        "worker \(worker) (process \(pid)) " + (report.map { "was ended by \($0.summary)" } ?? loss.text)
    }

    /// The report: `what` it was doing, the backtrace, and what the function has written.
    func lines(_ what: String) -> String {
        ([text, what + afterMark] + (report?.lines ?? []) + written.map { "> " + $0 }).joined(separator: "\n") + "\n"
    }

    /// `, after mark 17`, or "".
    var afterMark: String { mark.map { ", after mark \($0)" } ?? "" }

    /// `SIGSEGV`, `exit 3`.
    var shortName: String {
        if let signal = loss.signal { return signalName(signal) }
        if case .zygote = loss { return "lost with the zygote" }
        return "exit \(code)"
    }

    var signal: Int32 { loss.signal ?? 0 }

    var code: Int32 {
        if let report { return report.code }
        if case .status(let status) = loss, loss.signal == nil { return status >> 8 & 0xff }
        return 0
    }
}

/// What mape_job_crash returns for an item.
final class Crash {
    private var form = mape_crash()
    private let text: CText
    /// The machine that it was on; "": this one.
    private let host: CText

    init(_ death: Death, function: UInt32, _ text: String) {
        self.text = CText(text)
        host = CText("")
        form.signal = death.signal
        form.code = death.code
        form.address = death.report?.address ?? 0
        form.worker = UInt32(death.worker)
        form.pid = death.pid
        form.function = function
        form.frames = UInt32(death.report?.shownFrames ?? 0)
        form.mark = death.mark ?? 0
        form.has_mark = death.mark == nil ? 0 : 1
    }

    /// Of an item on another machine.
    init(
        _ told: (signal: Int32, code: Int32, pid: Int32, address: UInt64, frames: UInt32), mark: UInt64?,
        function: UInt32, host: String, _ text: String
    ) {
        self.text = CText(text)
        self.host = CText(host)
        form.signal = told.signal
        form.code = told.code
        form.address = told.address
        form.pid = told.pid
        form.function = function
        form.frames = told.frames
        form.mark = mark ?? 0
        form.has_mark = mark == nil ? 0 : 1
    }

    var publicForm: mape_crash {
        var crash = form
        crash.struct_size = MemoryLayout<mape_crash>.size
        unsafe crash.text = UnsafePointer(text.bytes)
        unsafe crash.host = UnsafePointer(host.bytes)
        return crash
    }
}
