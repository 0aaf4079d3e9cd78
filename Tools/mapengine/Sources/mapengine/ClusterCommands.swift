import ArgumentParser
import Glibc

/// What a package of its own does: mapengine-cluster, which needs OpenSSL. It is looked for beside this program, then in PATH.
func becomeClusterTool(_ arguments: [String]) throws -> Never {
    var paths = ["mapengine-cluster"]
    if let own = unsafe realpath("/proc/self/exe", nil) {
        let text = unsafe String(cString: own)
        unsafe free(own)
        paths.insert(
            String(text.prefix(text.utf8.count - (text.split(separator: "/").last?.utf8.count ?? 0))) + paths[0], at: 0)
    }
    for path in paths {
        let words = unsafe ([path] + arguments).map { unsafe strdup($0) } + [nil]
        // Returns only when it failed.
        _ = unsafe execvp(path, words)
    }
    throw Failure(
        .notFound, "many machines need the program mapengine-cluster (package mapengine-cluster): \(systemError())")
}

/// `mapengine node`.
struct NodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node", abstract: "Run ranges of other machines' pools on this one (mapengine-cluster).")

    @Argument(parsing: .captureForPassthrough, help: "Passed on: see mapengine node --help.")
    var arguments: [String] = []

    func run() throws { try reporting { try becomeClusterTool(["node"] + arguments) } }
}

/// `mapengine nodes`.
struct NodesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nodes", abstract: "List the nodes of a cluster (mapengine-cluster).")

    @Argument(parsing: .captureForPassthrough, help: "Passed on: see mapengine nodes --help.")
    var arguments: [String] = []

    func run() throws { try reporting { try becomeClusterTool(["nodes"] + arguments) } }
}
