import ArgumentParser
import CNet
import Cluster

/// `mapengine nodes --cluster URL`.
struct NodesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nodes", abstract: "List the nodes of a cluster.",
        discussion: "A line per node. Exit code 0: there is one; 1: there is none; 69: the server cannot be used.")

    @OptionGroup var options: ClusterOptions

    func run() throws {
        let access = try options.access()
        let nodes = try reporting { try NodeList.all(access) }
        if nodes.isEmpty {
            tell("there is no node")
            throw ExitCode(1)
        }
        print("NAME                 WORKERS  LANES  BUSY  MODULES  ROUND TRIP  ITEMS  TAGS")
        for node in nodes.sorted(by: { $0.consumer < $1.consumer }) {
            func cell(_ text: String, _ width: Int) -> String {
                text + String(repeating: " ", count: max(1, width - text.count))
            }
            print(
                cell(node.name, 21) + cell("\(node.workers)", 9) + cell("\(node.lanes)", 7) + cell("\(node.busy)", 6)
                    + cell("\(node.modules)", 9) + cell("\(node.roundTrip / 1000) µs", 12) + cell("\(node.served)", 7)
                    + node.tags.joined(separator: ","))
        }
    }
}

/// `mapengine-cluster acl`.
struct AclCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "acl", abstract: "Print the lines of the server's ACL file for hosts and nodes.",
        discussion:
            "Put them into the file that aclfile of the server's configuration names; nobody else needs to be let in.")

    @Option(help: "The prefix of all keys: the path of the URL.")
    var prefix = "mapengine"
    @Option(help: "A file with the password of user host; its SHA-256 is printed.")
    var hostPassword: String
    @Option(help: "A file with the password of user node.")
    var nodePassword: String

    func run() throws {
        print("user default off")
        for (role, file) in [(Role.host, hostPassword), (Role.node, nodePassword)] {
            let url = try reporting {
                try ClusterURL("redis://127.0.0.1/\(prefix)?user=\(role.rawValue)&password-file=\(file)")
            }
            let secret = try reporting { try url.secret() } ?? ""
            print(role.line(prefix: prefix, password: "#\(Hash(of: Array(secret.utf8)))"))
        }
    }
}
