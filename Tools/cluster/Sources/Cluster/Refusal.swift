// Why a server cannot be used, in words that say what to do.

import CNet

public struct Refusal: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Kind: Sendable {
        /// The URL is wrong.
        case url
        /// A file that it names cannot be used.
        case file
        /// The server is not there, does not answer, or has gone: trying again may help.
        case away
        /// The certificates of the two ends do not fit.
        case tls
        /// User or password are wrong.
        case login
        /// The user lacks a right.
        case right
        /// What it says is no answer to what it was asked.
        case answer
    }

    public let kind: Kind
    public let text: String

    public init(_ kind: Kind, _ text: String) {
        self.kind = kind
        self.text = text
    }

    public var description: String { text }

    /// Whether somebody has to change something before it can go well.
    public var isLasting: Bool { kind != .away && kind != .answer }

    /// What an error reply of the server says.
    /// - command: what it was asked. user: as whom; nil: nobody has logged in. prefix: that of all keys.
    public init(reply: String, to command: String, user: String?, prefix: String) {
        let name = user ?? "default"
        // A transaction that is given up quotes the reason.
        if reply.hasPrefix("EXECABORT"), let reason = reply.firstRange(of: "NOPERM") {
            self.init(reply: String(reply[reason.lowerBound...]), to: command, user: user, prefix: prefix)
            return
        }
        let word = reply.prefix { $0 != " " }
        switch word {
        case "WRONGPASS":
            self.init(.login, "the server knows no user \"\(name)\" with this password (user=, password-file=)")
        case "NOAUTH":
            self.init(.login, "the server wants a user and a password: put user= and password-file= into the URL")
        case "NOPERM" where reply.contains("key"):
            self.init(
                .right,
                "user \"\(name)\" may not use the keys of \(command.uppercased()): its line in the server's ACL needs ~\(prefix):*"
            )
        case "NOPERM" where reply.contains("channel"):
            self.init(
                .right, "user \"\(name)\" may not use the channel: its line in the server's ACL needs &\(prefix):*")
        case "NOPERM":
            let right = Refusal.quoted(reply) ?? command
            self.init(
                .right,
                "user \"\(name)\" may not run \(right.uppercased()): its line in the server's ACL needs +\(right.lowercased())"
            )
        case "DENIED":
            self.init(
                .login, "the server runs in protected mode: it has no users, and takes nobody from another machine")
        case "LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "READONLY":
            self.init(.away, "the server cannot answer now: \(printable(reply))")
        case "OOM":
            self.init(.away, "the server's memory is full (maxmemory): \(printable(reply))")
        default: self.init(.answer, "the server answers to \(command.uppercased()): \(printable(reply))")
        }
    }

    /// What stands between the first two quotes.
    private static func quoted(_ text: String) -> String? {
        let parts = text.split(separator: "'", omittingEmptySubsequences: false)
        guard parts.count >= 3, !parts[1].isEmpty, parts[1].count < 40 else { return nil }
        guard parts[1].allSatisfy({ $0.isASCII && ($0.isLetter || $0 == "|") }) else { return nil }
        return String(parts[1])
    }
}

/// A text of the other end as one may print it: cut, and without control characters.
public func printable(_ text: String) -> String {
    String(
        String.UnicodeScalarView(text.unicodeScalars.prefix(300).map { $0.value < 32 || $0.value == 127 ? " " : $0 }))
}
