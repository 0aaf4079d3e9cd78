import ArgumentParser
import CMapEngine
import Glibc

/// The command and its subcommands.
@main
struct MapEngineTool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mapengine",
        abstract: "Run a C function of a shared library over columns of data, in worker processes.",
        discussion: """
            A call that crashes or hangs costs its own row. mapengine(1) tells of files, types and exit codes.
            """,
        version: versionText,
        subcommands: [
            MapCommand.self, TypesCommand.self, DoctorCommand.self, NodeCommand.self, NodesCommand.self,
            NewCommand.self, ReportCommand.self, TopCommand.self,
        ])

    static var versionText: String {
        let version = mape_version()
        return "\(version / 1_000_000).\(version / 1000 % 1000).\(version % 1000)"
    }

    /// A negative number is a value, not an option: it is handed on as `=-1`, the form in which any value can be given. No option of
    /// ours looks like one.
    static func main() {
        holdStandardDescriptors()
        var code = ExitCode.success
        do {
            var command = try parseAsRoot(givenWords().map { looksLikeNegativeNumber($0) ? "=" + $0 : $0 })
            try command.run()
        } catch {
            code = exitCode(for: error)
            let text = fullMessage(for: error)
            // Help and the version are asked for, and are output as any other.
            let isWritten =
                text.isEmpty || writeAll(text + "\n", to: code.isSuccess ? STDOUT_FILENO : STDERR_FILENO)
            if code.isSuccess, !isWritten { code = cannotWrite() }
        }
        if fflush(nil) != 0 { code = cannotWrite() }
        Glibc.exit(code.rawValue)
    }

    /// Takes the places of standard descriptors that are closed, so that no file of ours gets one of them and is read or
    /// written as if it were the user's. They stay of no use: each is open for the wrong direction.
    private static func holdStandardDescriptors() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            _ = unsafe open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    private static func cannotWrite() -> ExitCode {
        tell("cannot write to standard output: \(systemError())")
        return ExitCode(ExitStatus.cannotWrite.rawValue)
    }

    private static func looksLikeNegativeNumber(_ word: String) -> Bool {
        guard word.hasPrefix("-"), word.count > 1 else { return false }
        return word.split(separator: ",").allSatisfy {
            switch NumberText.complex(Array($0.utf8)[...]) as Result<(Double, Double), NumberText.Problem> {
            case .success, .failure(.tooLarge), .failure(.tooSmall): true
            case .failure: false
            }
        }
    }
}
