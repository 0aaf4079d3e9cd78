// Replies of a server: what hiredis' reader has made of the bytes, behind a type that cannot be read beyond its end.

import CNet

/// Owns a whole reply.
@safe final class ReplyOwner {
    let reply: OpaquePointer

    init(_ reply: OpaquePointer) { unsafe self.reply = reply }

    deinit { unsafe cnet_reply_free(reply) }
}

/// A reply, or a part of one.
@safe public struct Reply {
    let owner: ReplyOwner
    let node: OpaquePointer

    init(_ owner: ReplyOwner, _ node: OpaquePointer) {
        self.owner = owner
        unsafe self.node = node
    }

    private var kind: cnet_reply_kind { unsafe cnet_reply_kind_of(node) }

    public var isNil: Bool { kind == CNET_REPLY_NIL }
    public var isArray: Bool { kind == CNET_REPLY_ARRAY }

    public var integer: Int64? { unsafe kind == CNET_REPLY_INTEGER ? cnet_reply_integer(node) : nil }

    /// The text of an error.
    public var error: String? {
        kind == CNET_REPLY_ERROR ? unsafe read { unsafe String(decoding: $0, as: UTF8.self) } : nil
    }

    /// A status, or bytes that are UTF-8.
    public var text: String? {
        guard kind == CNET_REPLY_BYTES || kind == CNET_REPLY_STATUS else { return nil }
        return unsafe read { bytes in unsafe String(validating: bytes, as: UTF8.self) }
    }

    public var bytes: [UInt8]? { kind == CNET_REPLY_BYTES ? unsafe read { bytes in unsafe [UInt8](bytes) } : nil }

    /// Bytes of BYTES; 0 for others.
    public var size: Int { kind == CNET_REPLY_BYTES ? unsafe read { $0.count } : 0 }

    /// Elements of an array; 0 for others.
    public var count: Int { unsafe cnet_reply_count(node) }

    public subscript(i: Int) -> Reply? {
        guard i >= 0, let element = unsafe cnet_reply_element(node, i) else { return nil }
        return unsafe Reply(owner, element)
    }

    /// The bytes of a status, an error or bytes, as long as the closure runs; empty for others.
    public func read<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        var size = 0
        let start = unsafe cnet_reply_bytes(node, &size)
        defer { withExtendedLifetime(owner) {} }
        return try unsafe body(UnsafeRawBufferPointer(start: start, count: size))
    }
}

/// Makes replies of bytes.
@safe public final class ReplyReader {
    private let reader: OpaquePointer

    /// - large: strings of so many bytes and more are read to where their replies have them.
    public init?(large: Int = 4096) {
        guard let made = unsafe cnet_reader_open(large) else { return nil }
        unsafe reader = made
    }

    deinit { unsafe cnet_reader_close(reader) }

    /// - count: how many of the bytes.
    public func feed(_ bytes: [UInt8], count: Int) throws(Refusal) {
        precondition(count <= bytes.count)
        guard unsafe cnet_reader_feed(reader, bytes, count) == 1 else { throw failure }
    }

    enum Received {
        /// Whether there may be more to read at once.
        case bytes(Int, isFull: Bool)
        /// Nothing to read: an enum cnet_io.
        case nothing(Int)
    }

    /// Reads what has come over a stream. Large strings are read to where their replies have them.
    func receive(_ stream: OpaquePointer?, _ why: borrowing Text) throws(Refusal) -> Received {
        guard let stream = unsafe stream else { return .nothing(Int(CNET_CLOSED.rawValue)) }
        var room = 0
        let got = unsafe cnet_reader_receive(reader, stream, &room, why.pointer)
        if got == Int(CNET_UNREADABLE.rawValue) { throw failure }
        return got > 0 ? .bytes(got, isFull: got == room) : .nothing(got)
    }

    /// The next whole reply; nil: more bytes are needed.
    public func next() throws(Refusal) -> Reply? {
        var made: OpaquePointer?
        switch unsafe cnet_reader_next(reader, &made) {
        case 1: return unsafe made.map { reply in unsafe Reply(ReplyOwner(reply), reply) }
        case 0: return nil
        default: throw failure
        }
    }

    private var failure: Refusal {
        let why = unsafe printable(String(cString: cnet_reader_failure(reader)))
        return Refusal(.answer, "what the server sends is no Redis protocol: \(why.isEmpty ? "no memory for it" : why)")
    }
}
