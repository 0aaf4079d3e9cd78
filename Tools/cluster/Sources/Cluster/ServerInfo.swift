// What a server is: asked by HELLO, which every user may.

public struct ServerInfo: Sendable, Equatable {
    public let software: String
    public let version: String
    public let mode: String
    public let role: String
    /// The id of the connection that asked.
    public let client: UInt64

    public init(_ client: Client) throws(Refusal) { try self.init(reply: try client.call(["HELLO"])) }

    /// HELLO's reply: names and values in turn.
    public init(reply: Reply) throws(Refusal) {
        var fields: [String: Reply] = [:]
        for i in stride(from: 0, to: reply.count - 1, by: 2) {
            if let name = reply[i]?.text { fields[name] = reply[i + 1] }
        }
        guard let version = fields["version"]?.text, let id = fields["id"]?.integer, id >= 0 else {
            throw Refusal(
                .answer, "the server does not say what it is (HELLO): Redis 6.2 or later, or Valkey, is needed")
        }
        software = printable(fields["server"]?.text ?? "redis")
        self.version = printable(version)
        mode = printable(fields["mode"]?.text ?? "standalone")
        role = printable(fields["role"]?.text ?? "master")
        client = UInt64(id)
    }

    public var isNewEnough: Bool {
        let parts = version.split(separator: ".").map { Int($0) ?? 0 }
        return parts.count >= 2 && (parts[0] > 6 || (parts[0] == 6 && parts[1] >= 2))
    }

    /// Throws unless it can be used.
    public func check() throws(Refusal) {
        guard isNewEnough else {
            throw Refusal(
                .answer,
                "the server is \(software) \(version): Redis 6.2 or later, or Valkey, is needed (XAUTOCLAIM, MINID, NOMKSTREAM)"
            )
        }
        guard role == "master" else {
            throw Refusal(.answer, "the server is a replica, which takes no writes: name its master")
        }
    }
}
