import ArgumentParser
import CNet
import Cluster

/// `mapengine doctor --cluster URL`.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Tell whether a server can be used, and what to do if not.",
        discussion: "Prints a line per check. Exit code 0: it can be used (warnings apart); 1: a check failed.")

    @OptionGroup var options: ClusterOptions
    @Flag(name: .shortAndLong, help: "Print only what is not in order.")
    var quiet = false
    @Option(help: "Whose rights are checked: host or node.")
    var role = "host"

    func run() throws {
        guard let role = Role(rawValue: role) else { throw ValidationError("--role is host or node.") }
        let access = try options.access()
        var report = Report(quiet: quiet)
        for server in access.url.servers {
            do throws(Refusal) {
                try check(access, server, role, &report)
            } catch {
                report.add(.fail, "server", server.text, error.text)
            }
        }
        print("\(report.count) checks: \(report.failed) failed, \(report.warned) warnings")
        if report.failed > 0 { throw ExitCode(1) }
    }

    private func check(_ access: Access, _ server: ClusterURL.Server, _ role: Role, _ report: inout Report)
        throws(Refusal)
    {
        let client = try Client(access, server)
        report.add(.ok, "server", server.text + (access.url.isTLS ? ", TLS" : ""))
        if !access.url.isTLS {
            report.add(
                .warn, "TLS", "none",
                "Everything is sent in the open. Write rediss:// unless nobody else is on this network.")
        } else if access.url.certificate == nil {
            report.add(
                .warn, "certificate", "none of ours",
                "Give cert= and key=, and have the server ask for it (tls-auth-clients yes).")
        }
        report.add(
            access.url.user == nil ? .warn : .ok, "user", access.url.user ?? "default",
            "Whoever reaches the server may do everything. Give it users: mapengine-cluster acl.")
        let info = try ServerInfo(client)
        if info.isNewEnough {
            report.add(.ok, "version", "\(info.software) \(info.version)")
        } else {
            report.add(
                .fail, "version", "\(info.software) \(info.version)", "Redis 6.2 or later, or Valkey, is needed.")
        }
        if info.role != "master" { report.add(.fail, "role", info.role, "A replica takes no writes: name its master.") }
        try rights(client, access, role, info, &report)
        try memory(client, &report)
        try speed(client, access, &report)
    }

    private func rights(
        _ client: Client, _ access: Access, _ role: Role, _ info: ServerInfo, _ report: inout Report
    ) throws(Refusal) {
        var missing: [String] = []
        let prefix = access.url.prefix
        let probes = role.probes("\(prefix):doctor:\(info.client)", prefix: prefix, client: info.client)
        for command in probes {
            let reply = try client.ask(command)
            guard let error = reply.error, case .text(let name) = command[0] else { continue }
            let refusal = client.connection.refusal(error, name)
            if refusal.kind == .right && !missing.contains(refusal.text) { missing.append(refusal.text) }
        }
        // Last, because the connection can ask nothing else afterwards.
        if role == .node {
            let other = try Client(access, client.connection.server)
            if let error = try other.ask(["SUBSCRIBE", "\(prefix):ctl"]).error {
                missing.append(client.connection.refusal(error, "SUBSCRIBE").text)
            }
        }
        if missing.isEmpty { report.add(.ok, "rights", "all \(role.rights.count) of a \(role.rawValue)") }
        for text in missing { report.add(.fail, "rights", "one is missing", text) }
    }

    private func memory(_ client: Client, _ report: inout Report) throws(Refusal) {
        let reply = try client.ask(["INFO", "memory"])
        guard let text = reply.text else {
            report.add(.ok, "memory", "not known: this user may not ask (+info)")
            return
        }
        var fields: [Substring: Substring] = [:]
        for line in text.split(whereSeparator: { $0 == "\r" || $0 == "\n" || $0 == "\r\n" }) {
            let name = line.prefix { $0 != ":" }
            fields[name] = line.dropFirst(name.count + 1)
        }
        let policy = String(fields["maxmemory_policy"] ?? "noeviction")
        let most = fields["maxmemory"].flatMap { UInt64($0) } ?? 0
        if policy == "noeviction" || most == 0 {
            report.add(.ok, "eviction", most == 0 ? "no limit of memory" : policy)
        } else {
            report.add(
                .fail, "eviction", printable(policy),
                "The server may drop work when its memory is full. Set maxmemory-policy noeviction.")
        }
    }

    private func speed(_ client: Client, _ access: Access, _ report: inout Report) throws(Refusal) {
        var times: [Int64] = []
        for _ in 0..<30 {
            let start = cnet_clock()
            try client.call(["PING"])
            times.append(cnet_clock() - start)
        }
        times.sort()
        let middle = times[times.count / 2]
        report.add(
            middle > 20_000_000 ? .warn : .ok, "round trip", "\(middle / 1000) µs",
            "Only work that takes much longer per range than this gains from other machines.")
        let key = "\(access.url.prefix):doctor:blob"
        let size = 1 << 20
        let block = [UInt8](repeating: 1, count: size)
        let start = cnet_clock()
        for _ in 0..<8 {
            try client.call(["SET", .text(key), .bytes(block), "PX", "5000"])
            try client.call(["GET", .text(key)])
        }
        let seconds = Double(cnet_clock() - start) / 1e9
        try client.call(["DEL", .text(key)])
        report.add(.ok, "throughput", "\(Int(16 / seconds)) MiB/s")
    }
}

struct Report {
    enum Level: String { case ok, warn, fail }

    let quiet: Bool
    private(set) var count = 0
    private(set) var failed = 0
    private(set) var warned = 0

    init(quiet: Bool) { self.quiet = quiet }

    mutating func add(_ level: Level, _ name: String, _ found: String, _ advice: String = "") {
        count += 1
        if level == .fail { failed += 1 }
        if level == .warn { warned += 1 }
        if quiet && level == .ok { return }
        let label = level.rawValue + String(repeating: " ", count: 5 - level.rawValue.count)
        let title = name + String(repeating: " ", count: max(1, 20 - name.count))
        print("\(label)\(title)\(found)" + (level == .ok || advice.isEmpty ? "" : "\n     \(advice)"))
    }
}
