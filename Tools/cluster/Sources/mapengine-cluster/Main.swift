// The command line of many machines. `mapengine node`, `mapengine nodes` and `mapengine doctor --cluster` run it.

import ArgumentParser
import CNet
import Cluster
import Glibc

@main
struct ClusterTool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mapengine-cluster", abstract: "Runs and shows the nodes of a cluster.",
        subcommands: [DoctorCommand.self, NodeCommand.self, NodesCommand.self, AclCommand.self])

    static func main() {
        cnet_signals(0)
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            exit(withError: error)
        }
    }
}

struct ClusterOptions: ParsableArguments {
    @Option(help: "The server's URL; or the environment variable MAPENGINE_CLUSTER, which ps does not show.")
    var cluster: String?

    func access() throws -> Access {
        let named = unsafe getenv("MAPENGINE_CLUSTER").map { unsafe String(cString: $0) }
        guard let text = cluster ?? named else {
            throw ValidationError("Name the server: --cluster \(ClusterURL.example)")
        }
        return try reporting { try Access(ClusterURL(text)) }
    }
}

/// A refusal is told on standard error, and becomes the exit code.
func reporting<R>(_ work: () throws -> R) throws -> R {
    do {
        return try work()
    } catch let refusal as Refusal {
        tell(refusal.text)
        throw ExitCode(refusal.kind == .url ? 64 : 69)
    }
}

func tell(_ text: String) {
    let line = Array("mapengine: \(text)\n".utf8)
    _ = unsafe write(2, line, line.count)
}
