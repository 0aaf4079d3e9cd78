// `mapengine-zygote --replay FILE`: runs the item of a crash file again, in this process, for a person with a debugger.
//
// This makes what a worker has: an input memory with the item, its function and globals, seen through a read-only
// mapping, and an output memory. Then the worker's own code answers three requests: setup, the item as a range of one,
// cleanup. Nothing is forked, no signal is handled: what crashes, crashes here.

import CMapBridge

enum Replay {
    /// The program's exit codes, those above 63 as in sysexits.h.
    enum Exit: Int32 {
        case well = 0, failed = 1, usage = 64, badFile = 65, noFile = 66, cannotRun = 69, noOutput = 73
    }

    /// A reason not to go on.
    struct Stop: Error {
        let exit: Exit
        let text: String
    }

    /// - arguments: `--replay` and what follows it.
    static func main(_ arguments: [String]) -> Int32 {
        do throws(Stop) {
            let (path, output) = try parse(arguments)
            let file: CrashFile
            let bytes = try read(path)
            do { file = try CrashFile(bytes) } catch {
                throw Stop(exit: .badFile, text: "\"\(path)\" is no valid crash file: \(error.message)")
            }
            return try run(file, output).rawValue
        } catch {
            say(error.text, to: 2)
            return error.exit.rawValue
        }
    }

    private static func parse(_ arguments: [String]) throws(Stop) -> (path: String, output: String?) {
        if arguments.count == 2 { return (arguments[1], nil) }
        if arguments.count == 4, arguments[2] == "--output" { return (arguments[1], arguments[3]) }
        throw Stop(exit: .usage, text: "usage: mapengine-zygote --replay FILE [--output RESULT]")
    }

    private static func read(_ path: String) throws(Stop) -> [UInt8] {
        func cannot(_ why: Int32) -> Stop {
            Stop(exit: .noFile, text: "cannot read \"\(path)\": \(SystemError.text(why))")
        }
        let fd = Files.openToRead(path)
        guard fd >= 0 else { throw cannot(-fd) }
        let file = Descriptor(fd)
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let got = Files.read(file.number, &piece)
            if got < 0 { throw cannot(Int32(-got)) }
            if got == 0 { return bytes }
            bytes += piece[..<got]
            // What crash_dir makes is smaller: the inputs, and little else.
            guard bytes.count <= Int(Policy.crashFileBytes) * 2 else {
                throw Stop(exit: .badFile, text: "\"\(path)\" is no valid crash file: it is larger than any can be")
            }
        }
    }

    private static func run(_ file: CrashFile, _ output: String?) throws(Stop) -> Exit {
        say("replay of item \(file.item.index) of job \(file.item.job), function \"\(file.function.name)\"", to: 1)
        for line in file.report.split(separator: "\n") { say("    " + printable(line.utf8), to: 1) }
        try checkReach(file)
        prepareProcess(file)
        let stage: ReplayStage
        do { stage = try ReplayStage(file) } catch { throw Stop(exit: .cannotRun, text: error.message) }
        for path in file.process.modules {
            if let why = stage.load(path) { throw Stop(exit: .cannotRun, text: why) }
        }
        if let failure = stage.setUp() {
            if failure.isLoad { throw Stop(exit: .cannotRun, text: failure.text) }
            say("setup failed with code \(failure.code): \(failure.text)", to: 1)
            return .failed
        }
        say("setup is done; running the item", to: 1)
        let ended = stage.runItem()
        var exit = Exit.well
        switch ended {
        case .ok(let bytes):
            say("the item ended well: \(bytes.count) bytes", to: 1)
            if let output { try write(bytes, output) }
        case .failed(let code, let text):
            say("the item failed with code \(code)" + (text.isEmpty ? "" : ": \(text)"), to: 1)
            exit = .failed
        case .noMemory:
            say("the item's result does not fit into the output memory", to: 1)
            exit = .failed
        }
        stage.cleanUp()
        return exit
    }

    /// Throws when only the host itself could run the item, and says why.
    private static func checkReach(_ file: CrashFile) throws(Stop) {
        for (what, code) in [
            ("the function", file.function.run), ("its setup", file.function.setup),
            ("its cleanup", file.function.cleanup),
        ]
        where code.kind == .unreachable {
            throw Stop(exit: .cannotRun, text: "this item cannot be run again here: \(what) \(code.text)")
        }
        let name = file.function.run.text
        if file.function.run.kind.isOffered && name.withCString({ unsafe mapb_is_offered($0) }) == 0 {
            throw Stop(
                exit: .cannotRun,
                text:
                    "this item cannot be run again here: its function \"\(printable(name.bytes))\" is one that the pool's zygote program offers, and this program does not: run that program with --replay FILE"
            )
        }
        if file.function.run.kind == .none {
            throw Stop(exit: .cannotRun, text: "this item cannot be run again: the file names no function")
        }
        if file.function.dataIsPointer {
            throw Stop(
                exit: .cannotRun,
                text:
                    "this item cannot be run again here: the function's data was a bare pointer into the host (data_size 0)"
            )
        }
    }

    /// Makes this process what the worker was, as far as that can be done from inside.
    private static func prepareProcess(_ file: CrashFile) {
        for name in file.process.environmentUnset { name.withCString { unsafe mapb_set_variable($0, nil) } }
        for entry in file.process.environmentSet {
            let name = entry.variableName
            guard name.count < entry.bytes.count else { continue }
            UserText(bytes: name).withCString { name in
                UserText(bytes: entry.bytes.dropFirst(entry.variableName.count + 1)).withCString {
                    unsafe mapb_set_variable(name, $0)
                }
            }
            if entry.bytes.starts(with: "LD_".utf8) {
                say(
                    "note: \(printable(entry.bytes)) takes effect only in the environment this program is started with",
                    to: 2)
            }
        }
        if !file.process.folder.isEmpty, Files.enter(file.process.folder) != 0 {
            say("note: the workers' folder \"\(printable(file.process.folder.bytes))\" cannot be entered", to: 2)
        }
        if file.process.memoryLimit > 0 { mapb_limit_memory(file.process.memoryLimit) }
        // Calls of host functions are refused, as in a worker.
        mapb_become_worker()
    }

    private static func write(_ bytes: [UInt8], _ path: String) throws(Stop) {
        func cannot(_ why: Int32) -> Stop {
            Stop(exit: .noOutput, text: "cannot write \"\(path)\": \(SystemError.text(why))")
        }
        let fd = Files.openToWrite(path)
        guard fd >= 0 else { throw cannot(-fd) }
        let file = Descriptor(fd)
        let wrote = Files.write(file.number, bytes)
        if wrote != 0 { throw cannot(-wrote) }
    }

    private static func say(_ text: String, to fd: Int32) {
        _ = Files.write(fd, Array((text + "\n").utf8))
    }
}
