import ArgumentParser
import CNet
import Cluster
import Glibc

/// `mapengine node --cluster URL --modules DIR`.
struct NodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node", abstract: "Run ranges of other machines' pools on this one.",
        discussion: """
            Connects out only. SIGTERM and SIGINT drain: nothing new is begun, what runs is finished within the grace. Exit code 0: \
            drained, or idle for as long as --until-idle says; 69: the server cannot be used, in a way that trying again does not mend.
            """)

    @OptionGroup var options: ClusterOptions
    @Option(
        help:
            "The folder of the libraries whose functions may run here; a library is known by its SHA-256. Owned by root or you."
    )
    var modules: String?
    @Option(
        help:
            "An interpreter with the package mapengine, as a path or a name of PATH: Python functions of any host run here too, whatever they do. Without it none does."
    )
    var python: String?
    @Option(help: "Worker processes; by default as many as cores.")
    var workers: UInt32 = 0
    @Option(help: "The node's name; by default the machine's.")
    var name: String?
    @Option(help: "compute: workers may only compute; none: they may do what you may.")
    var sandbox = "compute"
    @Option(help: "Bytes of private memory per worker; 0: no limit.")
    var memoryLimit: UInt64 = 0
    @Option(help: "End after so many seconds without work; 0: never.")
    var untilIdle: UInt32 = 0
    @Option(help: "Seconds that running items have to end after SIGTERM.")
    var grace: UInt32 = 10
    @Option(help: "Words that mapengine nodes shows, parted by commas.")
    var tags = ""

    func validate() throws {
        guard sandbox == "compute" || sandbox == "none" else { throw ValidationError("--sandbox is compute or none.") }
        guard workers <= 1024 else { throw ValidationError("--workers is at most 1024.") }
        guard modules != nil || python != nil else {
            throw ValidationError("Say what may run here: --modules, --python, or both.")
        }
        for tag in tags.split(separator: ",") where !Keys.isName(String(tag)) {
            throw ValidationError("--tags: \(tag) has more than letters, digits, -, . and _.")
        }
        if let name, !Keys.isName(name) { throw ValidationError("--name has more than letters, digits, -, . and _.") }
    }

    func run() throws {
        let access = try options.access()
        let folder = try reporting { try modules.map { try ModuleFolder($0) } }
        var settings = NodeSettings(name: name ?? Self.machine())
        settings.workers = workers == 0 ? UInt32(max(1, cnet_cores())) : workers
        settings.isSandboxed = sandbox == "compute"
        settings.memoryLimit = memoryLimit
        settings.untilIdle = untilIdle
        settings.grace = grace
        settings.tags = tags.split(separator: ",").map(String.init)
        if let python {
            let found = try reporting { try Python(python) }
            settings.tags.append(found.tag)
            settings.python = found
        }
        try reporting { try Node(access, folder, settings).run() }
    }

    private static func machine() -> String {
        var name = [CChar](repeating: 0, count: 65)
        _ = unsafe gethostname(&name, 64)
        let text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let short = String(text.prefix { $0 != "." })
        return Keys.isName(short) ? short : "node"
    }
}

struct NodeSettings {
    var name: String
    var workers: UInt32 = 1
    var isSandboxed = true
    var memoryLimit: UInt64 = 0
    var untilIdle: UInt32 = 0
    var grace: UInt32 = 10
    var tags: [String] = []
    /// What runs Python functions; nil: nothing does.
    var python: Python?

    init(name: String) { self.name = name }

    func has(_ needs: [String]) -> Bool { needs.allSatisfy(tags.contains) }

    /// What it takes at a time: two parts per worker, so that one comes while another runs.
    var lanes: UInt32 { workers * 2 }
}
