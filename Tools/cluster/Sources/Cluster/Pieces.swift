// Values that are larger than a server takes (proto-max-bulk-len, 512 MiB): cut into pieces, each under a key of its own. What refers to them says
// how many there are: an entry of a stream has their number as `n`, a blob a key with it.

/// A value as it is stored.
public struct Pieces: Equatable, Sendable {
    /// What one piece has at most, unless the URL says otherwise.
    public static let standard = 256 << 20
    /// How many there can be: a message that says more is none.
    static let most = 1 << 12

    public let size: Int
    public let limit: Int

    public init(_ size: Int, limit: Int) {
        self.size = size
        self.limit = limit
    }

    /// 0: it is stored as it is.
    public var count: Int { size <= limit ? 0 : (size + limit - 1) / limit }

    public func range(_ k: Int) -> Range<Int> { k * limit..<min(size, (k + 1) * limit) }

    /// How many an entry of a stream says it has; 0: its bytes are in it. Nil: it says something else.
    public static func number(in fields: Reply) -> Int? {
        guard fields.count > 4 else { return 0 }
        guard fields.count == 6, fields[4]?.text == "n", let text = fields[5]?.text else { return nil }
        return number(text)
    }

    public static func number(_ text: String) -> Int? {
        guard text.utf8.count <= 6, let count = Int(text), count >= 1, count <= most else { return nil }
        return count
    }

    /// What an entry says beside head and bytes.
    public var field: [Argument] { count == 0 ? [] : ["n", "\(count)"] }

    /// Stores what is too large for one value, and returns what goes into the entry in its place.
    /// - key: of a piece. seconds: how long they stay.
    public func stored(
        _ bytes: Argument, seconds: Int, by ask: ([Argument]) -> Void, key: (Int) -> String
    ) -> Argument {
        if count == 0 { return bytes }
        for k in 0..<count { ask(["SET", .text(key(k)), bytes.part(range(k)), "EX", "\(seconds)"]) }
        return .bytes([])
    }
}

/// Bytes of a message: in a reply, or put together of several.
public enum Payload {
    case reply(Reply)
    case bytes([UInt8])

    public func read<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        switch self {
        case .reply(let reply): try unsafe reply.read(body)
        case .bytes(let bytes): try unsafe bytes.withUnsafeBytes(body)
        }
    }

    public var array: [UInt8] {
        switch self {
        case .reply(let reply): reply.bytes ?? []
        case .bytes(let bytes): bytes
        }
    }
}
