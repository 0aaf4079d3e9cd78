import ArgumentParser
import CKernel
import CPools
import Glibc

/// `mapengine top`.
struct TopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Show every pool of this user's processes, live.",
        discussion: """
            Workers, what each is on and for how long, items per second, queue, memory, crashes. It reads the pools' shared memory through \
            /proc/PID/fd: the hosts do nothing for it. Where standard output is no terminal it prints one table.

            KEYS
              q quit, arrows choose a worker, s sort, Enter look into it, k end what it runs, p pause, ? help.
            """)

    @Flag(help: "Print JSON instead: one line, or with --interval one per sample.")
    var json = false

    @Option(help: "Seconds between two samples. Default: 1; of a single one 0.25.")
    var interval: Double?

    @Option(help: "With --json: end after so many samples.")
    var count: Int?

    @Option(help: "Only pools of the process with this id.")
    var pid: Int32?

    func validate() throws {
        if let interval, !(interval >= 0.05 && interval <= 3600) {
            throw ValidationError("--interval has to be a number of seconds from 0.05 to 3600, not \(interval)")
        }
        if let count, count < 1 { throw ValidationError("--count has to be at least 1") }
        if count != nil && !json { throw ValidationError("--count is for --json") }
        if let pid, pid < 1 { throw ValidationError("--pid has to be a process id, not \(pid)") }
    }

    func run() throws {
        try reporting {
            pools_more_descriptors()
            let view = TopView(process: pid)
            if json { return try printJSON(view) }
            guard let terminal = Terminal() else { return printTable(view) }
            interrupts_catch()
            Screen(terminal, view, seconds: interval ?? 1).run()
        }
    }

    private func printJSON(_ view: TopView) throws {
        interrupts_catch()
        let most = count ?? (interval == nil ? 1 : Int.max)
        view.sample()
        var printed = 0
        while printed < most {
            guard pause(interval ?? 0.25) else { return }
            view.sample()
            guard writeAll(TopJSON.line(view.samples, view.finder.refusals, view.meter) + "\n", to: STDOUT_FILENO)
            else {
                throw Failure(.cannotWrite, "cannot write to standard output: \(systemError())")
            }
            printed += 1
        }
    }

    /// One table, for a file or a pipe.
    private func printTable(_ view: TopView) {
        view.sample()
        _ = pause(interval ?? 0.25)
        view.sample()
        print(TopTable.plain(view), terminator: "")
    }

    /// False: it was interrupted.
    private func pause(_ seconds: Double) -> Bool {
        let end = pools_clock() + Int64(seconds * 1e9)
        while interrupts_noted() == 0 {
            let left = end - pools_clock()
            if left <= 0 { return true }
            _ = poll(nil, 0, Int32(min(left / 1_000_000 + 1, 50)))
        }
        return false
    }
}

/// What is shown: the pools, as they were when they were looked at last.
final class TopView {
    let finder: PoolFinder
    private(set) var samples: [PoolSample] = []
    private(set) var meter = Meter()
    private var lookedAt = Int64.min

    init(process: Int32?) { finder = PoolFinder(process: process) }

    /// Looks at all pools; for new ones every second.
    func sample() {
        let now = pools_clock()
        if lookedAt == .min || now - lookedAt >= 900_000_000 {
            finder.look()
            lookedAt = now
        }
        samples = finder.readers.compactMap { $0.sample() }
        meter.add(samples)
    }

    /// Looks at what some workers are on, so that it is known since when.
    func glance(_ pool: PoolSample, _ workers: [WorkerSample]) {
        guard let reader = finder.readers.first(where: { $0.identity == pool.identity }) else { return }
        for worker in workers {
            if let word = reader.word(of: worker) { meter.add(pool, worker, word: word, at: pools_clock()) }
        }
    }
}
