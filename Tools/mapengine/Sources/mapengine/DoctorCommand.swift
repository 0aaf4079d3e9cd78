import ArgumentParser

/// `mapengine doctor`.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Tell whether this machine has what the engine needs, and what to do if not.",
        discussion: "Prints a line per check. Exit code 0: pools can run here (warnings apart); 1: a check failed.")

    @Flag(name: .shortAndLong, help: "Print only what is not in order.")
    var quiet = false

    @Option(help: "Check a cluster's server instead: its URL.")
    var cluster: String?

    @Option(help: "With --cluster: whose rights are checked, host or node. Default: host.")
    var role: String?

    func validate() throws {
        if role != nil && cluster == nil { throw ValidationError("--role is for --cluster") }
    }

    func run() throws {
        if let cluster {
            let more = (quiet ? ["--quiet"] : []) + (role.map { ["--role", $0] } ?? [])
            try reporting { try becomeClusterTool(["doctor", "--cluster", cluster] + more) }
        }
        let findings = KernelChecks.all() + LimitChecks.all() + PoolChecks.all()
        for finding in findings where !quiet || finding.level != .ok { print(finding.text) }
        let failed = findings.filter { $0.level == .fail }.count
        let warned = findings.filter { $0.level == .warn }.count
        print("\(findings.count) checks: \(failed) failed, \(warned) warnings")
        if failed > 0 { throw ExitCode(1) }
    }
}

/// What a check found.
struct Finding {
    enum Level: String {
        case ok, warn, fail
    }

    let level: Level
    let name: String
    let found: String
    let advice: String

    /// `advice` is shown unless all is well.
    init(_ level: Level, _ name: String, _ found: String, advice: String = "") {
        self.level = level
        self.name = name
        self.found = found
        self.advice = advice
    }

    var text: String {
        let label = level.rawValue + String(repeating: " ", count: 5 - level.rawValue.count)
        let title = name + String(repeating: " ", count: max(1, 20 - name.count))
        return "\(label)\(title)\(found)" + (level == .ok || advice.isEmpty ? "" : "\n     \(advice)")
    }
}
