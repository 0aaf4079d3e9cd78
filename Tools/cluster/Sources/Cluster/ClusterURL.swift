// Where the server is, and how to be let in: rediss://host[:port][,host2[:port]]/prefix?ca=…&cert=…&key=…&user=…&password-file=…
// A host's may say which nodes it wants: needs=gpu,rack7.
//
// The password may stand in the URL as well (rediss://user:password@host), but whoever sees the URL then has it.

import CNet

public struct ClusterURL: Sendable, Equatable {
    public struct Server: Sendable, Equatable {
        public let host: String
        public let port: UInt16

        public var text: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }
    }

    public let servers: [Server]
    public let isTLS: Bool
    /// In front of all keys.
    public let prefix: String
    public let ca: String?
    public let certificate: String?
    public let key: String?
    public let user: String?
    public let password: String?
    public let passwordFile: String?
    /// Tags: only nodes that have all of them serve the host's pool.
    public let needs: [String]
    /// Bytes that one value on the server may have.
    public let valueLimit: Int

    public static let example = "rediss://server/studio?ca=ca.crt&cert=host.crt&key=host.key&user=host&password-file=pw"

    /// - isLoopback: whether a host is this machine; so that tests need no names.
    public init(
        _ text: String, isLoopback: (String) -> Bool = { host in unsafe cnet_is_loopback(host) != 0 }
    ) throws(Refusal) {
        guard let scheme = text.firstRange(of: "://") else {
            throw Refusal(.url, "the cluster's URL has no scheme: it looks like \(Self.example)")
        }
        switch text[..<scheme.lowerBound].lowercased() {
        case "rediss", "valkeys": isTLS = true
        case "redis", "valkey": isTLS = false
        default:
            throw Refusal(
                .url,
                "the cluster's URL begins with \(printable(String(text[..<scheme.upperBound]))) instead of rediss://")
        }
        var rest = text[scheme.upperBound...]
        guard !rest.contains("#") else { throw Refusal(.url, "the cluster's URL has a #: write it as %23") }
        let query = rest.firstIndex(of: "?").map { rest[rest.index(after: $0)...] } ?? ""
        rest = rest.prefix { $0 != "?" }
        let path = rest.firstIndex(of: "/").map { rest[rest.index(after: $0)...] } ?? ""
        rest = rest.prefix { $0 != "/" }
        let login = rest.lastIndex(of: "@").map { rest[..<$0] }
        if let at = rest.lastIndex(of: "@") { rest = rest[rest.index(after: at)...] }

        var made: [Server] = []
        for part in rest.split(separator: ",", omittingEmptySubsequences: false) { made.append(try Self.server(part)) }
        servers = made
        prefix = try Self.prefix(path)

        var options: [String: String] = [:]
        for part in query.split(separator: "&") {
            let name = part.prefix { $0 != "=" }
            guard part.count > name.count else {
                throw Refusal(.url, "the cluster's URL says \(printable(String(part))) without a value")
            }
            guard Self.options.contains(String(name)) else {
                throw Refusal(
                    .url,
                    "the cluster's URL has an unknown option \(printable(String(name))); there are \(Self.options.joined(separator: ", "))"
                )
            }
            guard options[String(name)] == nil else { throw Refusal(.url, "the cluster's URL has \(name)= twice") }
            let value = try Self.decoded(part.dropFirst(name.count + 1))
            guard !value.isEmpty else { throw Refusal(.url, "the cluster's URL has \(name)= without a value") }
            options[String(name)] = value
        }
        var user = options["user"]
        var password: String?
        if let login {
            let name = try Self.decoded(login.prefix { $0 != ":" })
            if !name.isEmpty {
                guard user == nil else {
                    throw Refusal(.url, "the cluster's URL has a user twice: before @ and as user=")
                }
                user = name
            }
            if login.contains(":") { password = try Self.decoded(login.drop { $0 != ":" }.dropFirst()) }
        }
        if let given = options["plain"], given != "1" && given != "0" {
            throw Refusal(.url, "the cluster's URL has plain=\(printable(given)) instead of plain=1")
        }
        ca = options["ca"]
        certificate = options["cert"]
        key = options["key"]
        passwordFile = options["password-file"]
        needs = try Self.tags(options["needs"])
        valueLimit = try Self.limit(options["value-limit"])
        self.user = user
        self.password = password
        guard password == nil || passwordFile == nil else {
            throw Refusal(.url, "the cluster's URL has a password and a password-file: which one is it?")
        }
        guard user == nil || password != nil || passwordFile != nil else {
            throw Refusal(.url, "the cluster's URL has a user and no password: add password-file=")
        }
        guard (certificate == nil) == (key == nil) else {
            throw Refusal(.url, "the cluster's URL needs both of cert= and key=, or neither")
        }
        guard !isTLS else {
            guard options["plain"] != "1" else {
                throw Refusal(.url, "the cluster's URL says rediss:// (TLS) and plain=1")
            }
            return
        }
        guard ca == nil && certificate == nil else {
            throw Refusal(
                .url, "the cluster's URL has ca= or cert= and says redis://, which is without TLS: write rediss://")
        }
        if options["plain"] == "1" { return }
        for server in servers where !isLoopback(server.host) {
            throw Refusal(
                .url,
                "\(server.host) is another machine, and redis:// would send everything in the open: write rediss:// (TLS), or add plain=1 if that is what you want"
            )
        }
    }

    static let options = ["ca", "cert", "key", "user", "password-file", "plain", "needs", "value-limit"]

    private static func limit(_ text: String?) throws(Refusal) -> Int {
        guard let text else { return Pieces.standard }
        guard let limit = Int(text), limit >= 1 << 16, limit <= 1 << 40 else {
            throw Refusal(
                .url, "the cluster's URL has value-limit=\(printable(text)): it is a number of bytes, from 65536 on")
        }
        return limit
    }

    private static func tags(_ text: String?) throws(Refusal) -> [String] {
        let tags = text?.split(separator: ",", omittingEmptySubsequences: false).map(String.init) ?? []
        if let wrong = tags.first(where: { !Keys.isName($0) }) {
            throw Refusal(
                .url,
                "the cluster's URL has needs=\(printable(wrong)): these are tags of nodes, of letters, digits, -, . and _, parted by commas"
            )
        }
        guard tags.count <= PoolRecord.mostNeeds else {
            throw Refusal(
                .url, "the cluster's URL needs \(tags.count) tags; at most \(PoolRecord.mostNeeds) are possible")
        }
        return tags
    }

    private static func server(_ text: Substring) throws(Refusal) -> Server {
        var host = text
        var port: Substring?
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else {
                throw Refusal(.url, "the cluster's URL has an address with [ and without ]")
            }
            host = text[text.index(after: text.startIndex)..<end]
            let behind = text[text.index(after: end)...]
            guard behind.isEmpty || behind.first == ":" else {
                throw Refusal(
                    .url,
                    "the cluster's URL has \(printable(String(behind))) behind an address: a port begins with a colon")
            }
            if !behind.isEmpty { port = behind.dropFirst() }
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
            guard port?.contains(":") != true else {
                throw Refusal(.url, "the cluster's URL has an IPv6 address: put it into brackets, [::1]:6379")
            }
        }
        guard !host.isEmpty else {
            throw Refusal(.url, "the cluster's URL names no server: it looks like \(Self.example)")
        }
        guard host.utf8.count < 256, host.allSatisfy({ $0.isASCII && !$0.isWhitespace && $0 > " " }) else {
            throw Refusal(.url, "the cluster's URL has a server's name that cannot be one: \(printable(String(host)))")
        }
        guard let port else { return Server(host: String(host), port: 6379) }
        guard let number = UInt16(port), number > 0, port.allSatisfy(\.isNumber) else {
            throw Refusal(
                .url, "the cluster's URL has the port \(printable(String(port))): it is a number from 1 to 65535")
        }
        return Server(host: String(host), port: number)
    }

    private static func prefix(_ path: Substring) throws(Refusal) -> String {
        let text = try decoded(path)
        if text.isEmpty { return "mapengine" }
        let allowed = text.utf8.allSatisfy {
            ($0 >= 48 && $0 < 58) || ($0 | 32 >= 97 && $0 | 32 <= 122) || $0 == 45 || $0 == 46 || $0 == 95
        }
        guard allowed, text.utf8.count <= 64 else {
            throw Refusal(
                .url,
                "the cluster's URL has the path /\(printable(text)): it is the prefix of all keys, at most 64 of letters, digits, -, . and _"
            )
        }
        return text
    }

    private static func decoded(_ text: Substring) throws(Refusal) -> String {
        var bytes: [UInt8] = []
        var left = text.utf8[...]
        while let byte = left.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard left.count >= 2, let value = UInt8(Substring(left.prefix(2)), radix: 16),
                left.first != UInt8(ascii: "+")
            else {
                throw Refusal(.url, "the cluster's URL has a % that is not followed by two hexadecimal digits")
            }
            guard value != 0 else { throw Refusal(.url, "the cluster's URL has a %00") }
            bytes.append(value)
            left = left.dropFirst(2)
        }
        guard let made = String(validating: bytes, as: UTF8.self) else {
            throw Refusal(.url, "the cluster's URL is not UTF-8")
        }
        return made
    }

    /// The password, read now.
    public func secret() throws(Refusal) -> String? {
        guard let passwordFile else { return password }
        let why = Text()
        var bytes = [UInt8](repeating: 0, count: 1025)
        let got = unsafe bytes.withUnsafeMutableBytes { room in
            unsafe cnet_read_file(passwordFile, room.baseAddress, room.count, why.pointer)
        }
        guard got >= 0 else { throw Refusal(.file, "password-file=\(passwordFile) cannot be read: \(why.string)") }
        guard got <= 1024 else { throw Refusal(.file, "password-file=\(passwordFile) is longer than 1024 bytes") }
        bytes.removeLast(bytes.count - got)
        while let last = bytes.last, last == 10 || last == 13 { bytes.removeLast() }
        guard !bytes.isEmpty else { throw Refusal(.file, "password-file=\(passwordFile) is empty") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Refusal(.file, "password-file=\(passwordFile) is not a text")
        }
        return text
    }
}
