// A connection for whoever has nothing else to do: asks, and waits for the answer.

import CNet

public final class Client {
    public let connection: Connection
    private let access: Access
    private var tag: UInt64 = 0

    /// Connects, and logs in. Throws the reason why that cannot be done within the time.
    public init(_ access: Access, _ server: ClusterURL.Server, milliseconds: Int = 5000) throws(Refusal) {
        self.access = access
        connection = try Connection(access, server)
        let end = cnet_clock() + Int64(milliseconds) * 1_000_000
        while !connection.isReady {
            connection.work()
            // The answer to the login is taken by `next`.
            if try connection.next() != nil { throw Refusal(.answer, "the server answers what it was not asked") }
            if let failure = connection.failure { throw failure }
            if connection.isReady { break }
            try wait(until: end, "connect")
        }
    }

    /// The first of the URL's servers that can be used.
    public static func any(_ access: Access, milliseconds: Int = 5000) throws(Refusal) -> Client {
        var last = Refusal(.url, "the cluster's URL names no server")
        for server in access.url.servers {
            do throws(Refusal) {
                return try Client(access, server, milliseconds: milliseconds)
            } catch {
                last = error
            }
        }
        throw last
    }

    private func wait(until end: Int64, _ what: String) throws(Refusal) {
        let left = (end - cnet_clock()) / 1_000_000
        guard left > 0 else {
            throw Refusal(.away, connection.silence + (connection.isReady ? " (\(what.uppercased()))" : ""))
        }
        _ = cnet_wait(connection.descriptor, connection.wantsWrite ? 1 : 0, Int32(clamping: min(left, 1000)))
    }

    /// Asks, and returns what comes, an error too.
    public func ask(_ command: [Argument], milliseconds: Int = 5000, meanwhile: () -> Void = {}) throws(Refusal)
        -> Reply
    {
        tag += 1
        connection.send(command, tag: tag)
        let end = cnet_clock() + Int64(milliseconds) * 1_000_000
        while true {
            connection.work()
            while let (answered, _, reply) = try connection.next() {
                if answered == tag { return reply }
            }
            if let failure = connection.failure { throw failure }
            meanwhile()
            guard case .text(let name)? = command.first else { throw Refusal(.answer, "no command") }
            try wait(until: end, name)
        }
    }

    /// Asks; an error is thrown.
    @discardableResult
    public func call(_ command: [Argument], milliseconds: Int = 5000, meanwhile: () -> Void = {}) throws(Refusal)
        -> Reply
    {
        let reply = try ask(command, milliseconds: milliseconds, meanwhile: meanwhile)
        if let error = reply.error, case .text(let name)? = command.first { throw connection.refusal(error, name) }
        return reply
    }
}
