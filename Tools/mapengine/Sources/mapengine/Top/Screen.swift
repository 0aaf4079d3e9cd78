// `mapengine top` in a terminal: keys change what is shown, and every second all of it is read and drawn anew. Between, what the shown workers are on is
// looked at ten times a second, so that it is known since when.

import CKernel
import CPools
import Glibc

final class Screen {
    private enum Mode {
        case table, help
        /// Looks into a worker.
        case look([String])
        /// Asks whether to end what a worker runs.
        case ask(PoolSample, WorkerSample)
    }
    enum Order: String, CaseIterable {
        case number, time, rate = "items/s", processor = "CPU", memory
    }
    /// Which worker is chosen.
    private struct Choice: Equatable {
        let pool: PoolSample.Identity
        let worker: Int
    }

    private let terminal: Terminal
    private let view: TopView
    private let interval: Int64
    private var mode = Mode.table
    private var order = Order.number
    private var chosen: Choice?
    private var firstLine = 0
    private var isPaused = false
    private var note = ""
    /// The workers in the lines that are shown.
    private var visible: [(pool: PoolSample, worker: WorkerSample)] = []

    init(_ terminal: Terminal, _ view: TopView, seconds: Double) {
        self.terminal = terminal
        self.view = view
        interval = Int64(seconds * 1e9)
    }

    /// Until it is quit, or interrupted.
    func run() {
        view.sample()
        var next = pools_clock() + min(interval, 250_000_000)
        var size = terminal.size
        guard draw() else { return }
        while interrupts_noted() == 0 {
            let left = max(0, next - pools_clock()) / 1_000_000
            guard let keys = terminal.keys(Int(min(100, left + 1))) else { return }
            for key in keys where !pressed(key) { return }
            let isDue = pools_clock() >= next
            if isDue {
                if !isPaused { view.sample() }
                next = pools_clock() + interval
            } else if !isPaused {
                for (pool, worker) in visible { view.glance(pool, [worker]) }
            }
            let now = terminal.size
            if isDue || !keys.isEmpty || now != size {
                size = now
                guard draw() else { return }
            }
        }
    }

    // MARK: - Keys

    /// False: it is quit.
    private func pressed(_ key: Terminal.Key) -> Bool {
        if case .ask(let pool, let worker) = mode {
            mode = .table
            note = key == .sign("y") ? end(pool, worker) : "nothing was ended"
            return true
        }
        note = ""
        switch key {
        case .sign("q"):
            if case .table = mode { return false }
            mode = .table
        case .escape: mode = .table
        case .sign("?"), .sign("h"): mode = .help
        case .sign("s"):
            let all = Order.allCases
            order = all[((all.firstIndex(of: order) ?? 0) + 1) % all.count]
        case .sign("p"): isPaused.toggle()
        case .up: choose(-1)
        case .down: choose(1)
        case .pageUp: choose(-max(1, terminal.size.rows - 4))
        case .pageDown: choose(max(1, terminal.size.rows - 4))
        case .home: choose(Int.min)
        case .end: choose(Int.max)
        case .enter:
            if let (pool, worker) = choice() {
                mode = .look(Look.facts(pool, worker, view.meter))
            } else {
                note = "choose a worker first"
            }
        case .sign("g"):
            if let (pool, worker) = choice(), worker.pid > 0 {
                mode = .look(
                    Look.facts(pool, worker, view.meter) + ["", "by gdb, which stopped it meanwhile:"]
                        + Look.stack(worker.pid))
            }
        case .sign("k"):
            if let (pool, worker) = choice(), worker.pid > 0, worker.process != nil {
                mode = .ask(pool, worker)
            } else {
                note = "choose a worker of this machine first"
            }
        default: break
        }
        return true
    }

    private func choice() -> (pool: PoolSample, worker: WorkerSample)? {
        guard let chosen, let pool = view.samples.first(where: { $0.identity == chosen.pool }),
            let worker = pool.workers.first(where: { $0.index == chosen.worker })
        else { return nil }
        return (pool, worker)
    }

    /// So many workers further.
    private func choose(_ step: Int) {
        let all = view.samples.flatMap { pool in
            TopOrder.sorted(pool, by: order, view.meter).map { Choice(pool: pool.identity, worker: $0.index) }
        }
        guard !all.isEmpty else { return }
        guard let place = all.firstIndex(where: { $0 == chosen }) else {
            chosen = step == .max || (step < 0 && step != .min) ? all.last : all.first
            return
        }
        let (sum, over) = place.addingReportingOverflow(step)
        chosen = all[over || sum >= all.count ? (step < 0 ? 0 : all.count - 1) : max(0, sum)]
    }

    /// Kills a worker that is still on what was shown. What became of it.
    private func end(_ shown: PoolSample, _ worker: WorkerSample) -> String {
        guard let reader = view.finder.readers.first(where: { $0.identity == shown.identity }),
            let now = reader.sample(),
            let again = now.workers.first(where: { $0.index == worker.index }), let process = again.process,
            again.pid == worker.pid, again.key == worker.key
        else { return "nothing was ended: worker \(worker.index) has moved on meanwhile" }
        guard process.parent == now.figures.zygote, again.work.what != .unknown else {
            return "nothing was ended: process \(again.pid) is no worker of this pool"
        }
        let why = pools_end(again.pid, process.started)
        return why == 0
            ? "worker \(worker.index) (process \(again.pid)) was killed"
            : unsafe "worker \(worker.index) was not killed: " + String(cString: strerror(why))
    }

    // MARK: - Drawing

    private func draw() -> Bool {
        let (columns, rows) = terminal.size
        var lines = [Terminal.Line(text: header, style: .title)]
        switch mode {
        case .table, .ask: lines += table(columns, max(1, rows - 2))
        case .help: lines += Screen.help.map { Terminal.Line(text: $0) }
        case .look(let text): lines += text.flatMap { wrapped($0, columns) }.map { Terminal.Line(text: $0) }
        }
        lines = Array(lines.prefix(max(1, rows - 1)))
        while lines.count < rows - 1 { lines.append(Terminal.Line(text: "")) }
        lines.append(footer)
        return terminal.draw(lines)
    }

    private var header: String {
        let workers = view.samples.reduce(0) { $0 + $1.workers.count }
        let pools = view.samples.count
        return
            "mapengine top: \(pools) pool\(pools == 1 ? "" : "s"), \(workers) worker\(workers == 1 ? "" : "s"), by \(order.rawValue)"
            + (isPaused ? ", paused" : "")
    }

    private var footer: Terminal.Line {
        switch mode {
        case .ask(_, let worker):
            let what =
                worker.work.what == .nothing ? "It is on nothing." : "\(worker.work.name) ends as crashed, by signal 9."
            return .init(text: "Kill worker \(worker.index), process \(worker.pid)? \(what) y: yes", style: .bad)
        case .look:
            return .init(text: "q back  g stack by gdb, which stops the worker for a moment  k end", style: .faint)
        case .help: return .init(text: "q back", style: .faint)
        case .table:
            return .init(
                text: note.isEmpty ? "q quit  s sort  Enter look  k end  p pause  ? help" : note,
                style: note.isEmpty ? .faint : .title)
        }
    }

    /// So many lines of the table, with the chosen worker among them.
    private func table(_ columns: Int, _ rows: Int) -> [Terminal.Line] {
        var lines: [Terminal.Line] = []
        var who: [Int: (PoolSample, WorkerSample)] = [:]
        var place: Int?
        for pool in view.samples {
            let spark = TopOrder.sparkline(
                view.meter.history[pool.identity] ?? [], isUnicode: terminal.isUnicode, most: 20)
            for (i, text) in wrapped(TopTable.title(pool, view.meter) + (spark.isEmpty ? "" : "  " + spark), columns)
                .enumerated()
            {
                lines.append(.init(text: text, style: pool.figures.crashed > 0 && i > 0 ? .bad : .title))
            }
            lines.append(.init(text: "  " + TopTable.heading(width: columns - 2), style: .faint))
            for worker in TopOrder.sorted(pool, by: order, view.meter) {
                let isChosen = chosen == Choice(pool: pool.identity, worker: worker.index)
                if isChosen { place = lines.count }
                who[lines.count] = (pool, worker)
                let row = TopTable.row(pool, worker, view.meter, width: columns - 2)
                lines.append(
                    .init(
                        text: (isChosen ? "> " : "  ") + row,
                        style: isChosen ? .chosen : worker.state == .busy ? .good : .plain))
            }
            lines.append(.init(text: ""))
        }
        for refusal in view.finder.refusals {
            lines += wrapped(TopTable.refused(refusal), columns).map { .init(text: $0, style: .bad) }
        }
        if lines.isEmpty { lines.append(.init(text: "no pools")) }
        if let place {
            if place < firstLine { firstLine = place }
            if place >= firstLine + rows { firstLine = place - rows + 1 }
        }
        firstLine = max(0, min(firstLine, lines.count - rows))
        let end = min(lines.count, firstLine + rows)
        visible = (firstLine..<end).compactMap { who[$0] }.map { (pool: $0.0, worker: $0.1) }
        return Array(lines[firstLine..<end])
    }

    private func wrapped(_ text: String, _ columns: Int) -> [String] {
        var (lines, rest) = ([String](), Array(text.unicodeScalars)[...])
        repeat {
            var count = min(rest.count, max(1, columns))
            // Between words, if there is a place in the second half of the line.
            if count < rest.count, let blank = rest.prefix(count).lastIndex(of: " "),
                blank - rest.startIndex > count / 2
            {
                count = blank - rest.startIndex + 1
            }
            lines.append(String(String.UnicodeScalarView(rest.prefix(count))))
            rest = rest.dropFirst(count)
        } while !rest.isEmpty
        return lines
    }

    private static let help = [
        "",
        "  arrows, page up and down, home, end   choose a worker",
        "  s       sort the workers of each pool: by number, time, items/s, CPU, memory",
        "  Enter   look into the chosen worker: what it is on, what it waits in",
        "  g       its stack, by gdb, which stops the worker for a moment",
        "  k       end what it runs: its process is killed, when you have said yes. The host takes",
        "          it for a crash by signal 9: the item ends as crashed, or runs again where the job",
        "          has attempts left; what had ended stays; another worker comes",
        "  p       pause: nothing is read until you press it again",
        "  q       back, and in the table: quit",
        "",
        "  FOR      how long it is on the item; <: at most, as it was on it before it was looked at",
        "  ITEM     its number in the job; 5+3: somewhere in the range of 3 items from 5 on",
        "  queue    items that were submitted and have not ended",
        "  ?        what changed while it was read, or what the worker does not let be read",
    ]
}
