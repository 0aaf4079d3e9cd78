import ArgumentParser
import CMapEngine

/// The command and its subcommands.
@main
struct MapEngineTool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mapengine",
        abstract: "Run a C function of a shared library over columns of data, in worker processes.",
        discussion: """
            A call that crashes or hangs costs its own row. mapengine(1) tells of files, types and exit codes.
            """,
        version: versionText, subcommands: [MapCommand.self, TypesCommand.self, DoctorCommand.self])

    static var versionText: String {
        let version = mape_version()
        return "\(version / 1_000_000).\(version / 1000 % 1000).\(version % 1000)"
    }

    /// A negative number is a value, not an option: it is handed on as `=-1`, the form in which any value can be given. No option of
    /// ours looks like one.
    static func main() {
        let given = CommandLine.arguments.dropFirst()
        main(given.map { looksLikeNegativeNumber($0) ? "=" + $0 : $0 })
    }

    private static func looksLikeNegativeNumber(_ word: String) -> Bool {
        guard word.hasPrefix("-"), word.count > 1 else { return false }
        return word.split(separator: ",").allSatisfy { Double($0) != nil }
    }
}
