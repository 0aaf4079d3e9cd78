import ArgumentParser
import Glibc

/// `mapengine report`: a page of one file, which holds the trace and the script that draws it. What is to be said of the trace
/// the page finds out itself, here as in a notebook.
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Make a web page of a trace: what took long, what crashed, and what to do about it.",
        discussion: "The page is one file, which asks the network for nothing. `mapengine map --trace` writes traces.")

    @Argument(help: "The trace: a file, or '-' for standard input.")
    var trace: String

    @Option(name: .shortAndLong, help: "The page: a file, or '-' for standard output. Default: -")
    var output = "-"

    func validate() throws {
        if output == "-", isatty(STDOUT_FILENO) == 1 {
            throw ValidationError("the page is no text for a terminal: give a file by --output, as -o report.html")
        }
    }

    func run() throws {
        try reporting {
            let path = try ownPrefix() + "/share/mapengine/report.html"
            let page = try installedFile(path, hint: "it comes with the program")
            // The page's own text has one of each.
            let parts = [UInt8](page).split(around: ["@TYPE@", "@TRACE@"])
            guard let parts else { throw Failure(.notFound, "\(path) is no page of this version") }
            let trace = try TraceFile(trace)
            func write(_ writer: ByteWriter) throws {
                writer.append(parts[0])
                writer.append("application/json".utf8)
                writer.append(parts[1])
                try trace.write(to: writer)
                writer.append(parts[2])
            }
            if output == "-" {
                let writer = ByteWriter(STDOUT_FILENO, "to standard output")
                try write(writer)
                return try writer.finish()
            }
            let file = try OutputFile(output)
            if file.isStream { return try file.stream(write) }
            try file.prepare(write)
            try file.commit()
        }
    }
}

extension [UInt8] {
    /// What is before, between and behind marks, which stand there in that order; nil when one is missing.
    fileprivate func split(around marks: [String]) -> [ArraySlice<UInt8>]? {
        var parts: [ArraySlice<UInt8>] = []
        var rest = self[...]
        for mark in marks.map({ Array($0.utf8) }) {
            guard let place = rest.indices.first(where: { rest[$0...].starts(with: mark) }) else { return nil }
            parts.append(rest[..<place])
            rest = rest[(place + mark.count)...]
        }
        return parts + [rest]
    }
}
