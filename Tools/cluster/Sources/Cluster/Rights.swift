// What the two users may have to do: each command that helper and nodes use, so that a missing right is found before work is lost. The ACL
// file that the documentation shows is written from the same lists.

public enum Role: String, CaseIterable, Sendable {
    case host, node

    /// As an ACL's line has them.
    public var rights: [String] {
        switch self {
        case .host:
            [
                "xadd", "xgroup", "xread", "xtrim", "xdel", "xack", "xpending", "set", "get", "del", "expire", "hset",
                "sadd", "srem",
                "smembers", "publish", "client|list", "ping",
            ]
        case .node:
            [
                "xreadgroup", "xack", "xdel", "xadd", "multi", "exec", "set", "get", "del", "expire", "hgetall", "sadd",
                "srem",
                "smembers", "subscribe", "client|unblock", "ping",
            ]
        }
    }

    /// A line of an ACL file. # and the password's SHA-256 are the reader's to put in.
    public func line(prefix: String, password: String) -> String {
        // Redis 6.2 lets every user use all channels, if that is not taken back.
        "user \(rawValue) on \(password) ~\(prefix):* resetchannels &\(prefix):* -@all "
            + rights.map { "+" + $0 }.joined(separator: " ")
    }

    /// Commands that need each right and change nothing but keys of their own; in an order in which each finds what it needs.
    public func probes(_ key: String, prefix: String, client: UInt64) -> [[Argument]] {
        let all: [[Argument]] = [
            ["XGROUP", "CREATE", "\(key):s", "g", "0", "MKSTREAM"], ["EXPIRE", "\(key):s", "5"],
            ["XADD", "\(key):s", "*", "h", "x"], ["XREAD", "COUNT", "1", "STREAMS", "\(key):s", "0"],
            ["XREADGROUP", "GROUP", "g", "doctor", "COUNT", "1", "STREAMS", "\(key):s", ">"],
            ["XPENDING", "\(key):s", "g"], ["XACK", "\(key):s", "g", "0-1"], ["XDEL", "\(key):s", "0-1"],
            ["XTRIM", "\(key):s", "MINID", "0-1"], ["SET", "\(key):v", "x", "PX", "5000"], ["GET", "\(key):v"],
            ["HSET", "\(key):h", "a", "b"], ["EXPIRE", "\(key):h", "5"], ["HGETALL", "\(key):h"],
            ["SADD", "\(key):m", "a"], ["EXPIRE", "\(key):m", "5"], ["SMEMBERS", "\(key):m"],
            ["SREM", "\(key):m", "a"],
            ["MULTI"], ["EXEC"], ["PUBLISH", "\(prefix):ctl", "doctor"], ["CLIENT", "LIST", "ID", "\(client)"],
            ["CLIENT", "UNBLOCK", "\(client)"], ["PING"], ["DEL", "\(key):s", "\(key):v", "\(key):h", "\(key):m"],
        ]
        return all.filter { command in
            guard case .text(let name) = command[0] else { return false }
            var right = name.lowercased()
            if right == "client", case .text(let sub) = command[1] { right += "|" + sub.lowercased() }
            return rights.contains(right)
        }
    }
}
