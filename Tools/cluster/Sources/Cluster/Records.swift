// What stands on the server beside the streams: nodes, functions, globals, and texts on the control channel.

/// The names of all keys.
public struct Keys: Sendable {
    public let prefix: String

    public init(_ prefix: String) { self.prefix = prefix }

    public var pools: String { "\(prefix):pools" }
    public var nodes: String { "\(prefix):nodes" }
    public var control: String { "\(prefix):ctl" }
    public func node(_ consumer: String) -> String { "\(prefix):node:\(consumer)" }
    public func blob(_ hash: Hash) -> String { "\(prefix):blob:\(hash)" }
    /// Of a blob that is larger than one value: how many pieces it has, and one of them.
    public func blobCount(_ hash: Hash) -> String { "\(prefix):blob:\(hash):n" }
    public func blob(_ hash: Hash, piece: Int) -> String { "\(prefix):blob:\(hash):\(piece)" }
    // One hash tag per pool: Redis Cluster keeps them together.
    public func alive(_ pool: String) -> String { "\(prefix):{\(pool)}:alive" }
    public func work(_ pool: String) -> String { "\(prefix):{\(pool)}:work" }
    public func out(_ pool: String) -> String { "\(prefix):{\(pool)}:out" }
    public func log(_ pool: String) -> String { "\(prefix):{\(pool)}:log" }
    /// Of the bytes of a part, or of its answer, that are larger than one value: one of their pieces.
    public func work(_ pool: String, _ serial: UInt64, piece: Int) -> String { "\(work(pool)):\(serial):\(piece)" }
    public func out(_ pool: String, _ serial: UInt64, piece: Int) -> String { "\(out(pool)):\(serial):\(piece)" }
    public func function(_ pool: String, _ id: UInt64) -> String { "\(prefix):{\(pool)}:fn:\(id)" }

    /// Names of pools, nodes and tags: what may stand in a key.
    public static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 128
            && text.utf8.allSatisfy {
                ($0 >= 48 && $0 < 58) || ($0 | 32 >= 97 && $0 | 32 <= 122) || $0 == 45 || $0 == 46 || $0 == 95
            }
    }
}

/// What a node says of itself, each second: "name=n2 client=17 lanes=8 busy=3 served=120 version=512 round=150000 tags=a,b".
public struct NodeRecord: Equatable, Sendable {
    public var name: String
    /// The id of the connection that it reads work with.
    public var client: UInt64
    /// Parts that it takes at a time.
    public var lanes: UInt32
    public var workers: UInt32 = 0
    public var busy: UInt32 = 0
    /// Items that have ended on it.
    public var served: UInt64 = 0
    public var version: UInt32
    /// Nanoseconds from it to the server and back.
    public var roundTrip: UInt64 = 0
    public var modules: UInt32 = 0
    public var tags: [String] = []

    public init(name: String, client: UInt64, lanes: UInt32, version: UInt32) {
        self.name = name
        self.client = client
        self.lanes = lanes
        self.version = version
    }

    /// Whether it may serve a pool that needs these tags.
    public func has(_ needs: [String]) -> Bool { needs.allSatisfy(tags.contains) }

    /// As consumer of the streams: never the same for two lives of a node.
    public var consumer: String { "\(name).\(client)" }

    public var text: String {
        var text =
            "name=\(name) client=\(client) lanes=\(lanes) workers=\(workers) busy=\(busy) served=\(served) version=\(version) round=\(roundTrip) modules=\(modules)"
        if !tags.isEmpty { text += " tags=\(tags.joined(separator: ","))" }
        return text
    }

    /// Nil: it is no such text. What a later version says in addition is no fault.
    public init?(_ text: String) {
        guard text.utf8.count <= 4096 else { return nil }
        var fields: [Substring: Substring] = [:]
        for part in text.split(separator: " ") {
            guard let sign = part.firstIndex(of: "=") else { return nil }
            fields[part[..<sign]] = part[part.index(after: sign)...]
        }
        guard let name = fields["name"].map(String.init), Keys.isName(name),
            let client = fields["client"].flatMap({ UInt64($0) }), let lanes = fields["lanes"].flatMap({ UInt32($0) }),
            lanes <= 65536, let version = fields["version"].flatMap({ UInt32($0) })
        else { return nil }
        self.init(name: name, client: client, lanes: lanes, version: version)
        workers = fields["workers"].flatMap { UInt32($0) } ?? 0
        busy = fields["busy"].flatMap { UInt32($0) } ?? 0
        served = fields["served"].flatMap { UInt64($0) } ?? 0
        roundTrip = fields["round"].flatMap { UInt64($0) } ?? 0
        modules = fields["modules"].flatMap { UInt32($0) } ?? 0
        tags = fields["tags"].map { $0.split(separator: ",").map(String.init).filter(Keys.isName) } ?? []
    }
}

/// What a host says of its pool, each second: "1 needs=gpu,rack7 sandbox=1 memory=1000000 growth=0".
public struct PoolRecord: Equatable, Sendable {
    public static let mostNeeds = 16

    /// Tags: only nodes that have all of them serve it.
    public var needs: [String] = []
    /// Its workers may only compute, also where a node allows more.
    public var isSandboxed = false
    /// Bytes of private memory per worker; 0: no limit.
    public var memoryLimit: UInt64 = 0
    /// Bytes of growth after which a worker is replaced; 0: never.
    public var growth: UInt64 = 0

    public init() {}

    public var text: String {
        var text = "1"
        if !needs.isEmpty { text += " needs=\(needs.joined(separator: ","))" }
        if isSandboxed { text += " sandbox=1" }
        if memoryLimit > 0 { text += " memory=\(memoryLimit)" }
        if growth > 0 { text += " growth=\(growth)" }
        return text
    }

    /// Nil: it is no such text. What a later version says in addition is no fault.
    public init?(_ text: String) {
        guard text.utf8.count <= 4096 else { return nil }
        let words = text.split(separator: " ")
        guard words.first == "1" else { return nil }
        var fields: [Substring: Substring] = [:]
        for part in words.dropFirst() {
            guard let sign = part.firstIndex(of: "=") else { return nil }
            fields[part[..<sign]] = part[part.index(after: sign)...]
        }
        needs =
            fields["needs"].map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) } ?? []
        guard needs.count <= Self.mostNeeds, needs.allSatisfy(Keys.isName) else { return nil }
        func number(_ name: Substring) -> UInt64? { fields[name].map { UInt64($0) } ?? 0 }
        guard let sandbox = number("sandbox"), let memory = number("memory"), let growth = number("growth") else {
            return nil
        }
        isSandboxed = sandbox != 0
        memoryLimit = memory
        self.growth = growth
    }
}

/// A function as nodes get to know it: the fields of a hash.
public struct FunctionRecord: Equatable, Sendable {
    /// It is none of a library: the node's zygote brings one of this name.
    public var isOffered = false
    /// Of the library's file.
    public var module = Hash.none
    /// Its name, for messages.
    public var library = ""
    public var name = ""
    public var run = ""
    public var runRange = ""
    public var setup = ""
    public var cleanup = ""
    public var prototype = ""
    public var nativeFlags: UInt32 = 0
    public var data = Hash.none

    public init() {}

    public var fields: [(String, String)] {
        [
            ("module", module.description), ("library", library), ("name", name), ("run", run), ("range", runRange),
            ("setup", setup), ("cleanup", cleanup), ("prototype", prototype), ("flags", "\(nativeFlags)"),
            ("data", data.description), ("offered", isOffered ? "1" : "0"),
        ]
    }

    /// Nil: it is no such record.
    public init?(_ fields: [String: String]) {
        func text(_ name: String, most: Int) -> String? {
            let value = fields[name] ?? ""
            return value.utf8.count <= most && !value.utf8.contains(0) ? value : nil
        }
        guard let module = fields["module"].flatMap({ Hash(hex: $0) }),
            let data = fields["data"].flatMap({ Hash(hex: $0) }),
            let library = text("library", most: 4096), let name = text("name", most: 4096),
            let run = text("run", most: 4096), let range = text("range", most: 4096),
            let setup = text("setup", most: 4096), let cleanup = text("cleanup", most: 4096),
            let prototype = text("prototype", most: 65536), let flags = UInt32(fields["flags"] ?? "0"),
            run.isEmpty != range.isEmpty || !prototype.isEmpty
        else { return nil }
        isOffered = fields["offered"] == "1"
        // It comes with all that it needs.
        guard !isOffered || (prototype.isEmpty && setup.isEmpty && cleanup.isEmpty && module == .none) else {
            return nil
        }
        self.module = module
        self.data = data
        self.library = library
        self.name = name
        self.run = run
        runRange = range
        self.setup = setup
        self.cleanup = cleanup
        self.prototype = prototype
        nativeFlags = flags
    }
}

/// Globals of a job: a blob.
public enum Globals {
    public static let most: UInt32 = 65536

    public static func encode(_ globals: [(name: [UInt8], data: [UInt8])]) -> [UInt8] {
        var out = ByteWriter()
        out.put(UInt32(globals.count))
        for global in globals {
            out.put(UInt32(global.name.count))
            out.put(UInt64(global.data.count))
            out.put(global.name)
            out.put(global.data)
        }
        return out.bytes
    }

    /// Nil: it is no such blob.
    public static func decode(_ raw: UnsafeRawBufferPointer) -> [(name: [UInt8], place: Place)]? {
        var bytes = unsafe ByteReader(raw)
        guard let count = bytes.u32(), count <= most else { return nil }
        var found: [(name: [UInt8], place: Place)] = []
        for _ in 0..<count {
            guard let nameSize = bytes.u32(), nameSize >= 1, nameSize <= 255, let size = bytes.u64(),
                let name = bytes.array(UInt64(nameSize)), !name.contains(0)
            else { return nil }
            let offset = bytes.position
            guard bytes.skip(size) else { return nil }
            found.append((name, Place(offset: offset, size: Int(size))))
        }
        return bytes.isAtEnd ? found : nil
    }
}

/// What is said on the control channel.
public enum Control: Equatable, Sendable {
    case pool(String)
    case gone(String)
    case stop(pool: String, serial: UInt64)

    public var text: String {
        switch self {
        case .pool(let pool): "pool \(pool)"
        case .gone(let pool): "gone \(pool)"
        case .stop(let pool, let serial): "stop \(pool) \(serial)"
        }
    }

    /// Nil: it is nothing that we know.
    public init?(_ text: String) {
        guard text.utf8.count <= 256 else { return nil }
        let words = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard words.count >= 2, Keys.isName(words[1]) else { return nil }
        switch (words[0], words.count) {
        case ("pool", 2): self = .pool(words[1])
        case ("gone", 2): self = .gone(words[1])
        case ("stop", 3):
            guard let serial = UInt64(words[2]) else { return nil }
            self = .stop(pool: words[1], serial: serial)
        default: return nil
        }
    }
}
