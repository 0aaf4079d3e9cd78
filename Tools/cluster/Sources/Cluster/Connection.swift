// A connection to a server that never blocks: its owner waits for the descriptor, and calls `work`.
//
//   connecting ──► shaking hands (TLS) ──► logging in ──► ready ──► closed, with the reason
//
// Commands may be sent from the start: they go out behind the login. Replies come in the order of commands.

import CNet

/// What the connections to a server have in common: read once.
@safe public final class Access {
    public let url: ClusterURL
    let tls: OpaquePointer?
    let secret: String?

    public init(_ url: ClusterURL) throws(Refusal) {
        self.url = url
        secret = try url.secret()
        guard url.isTLS else {
            unsafe tls = nil
            return
        }
        let why = Text()
        unsafe tls = cnet_tls_open(url.ca ?? "", url.certificate ?? "", url.key ?? "", why.pointer)
        if unsafe tls == nil { throw Refusal(.file, why.string) }
    }

    deinit { unsafe cnet_tls_close(tls) }
}

/// A part of a command.
public enum Argument {
    case text(String)
    case bytes([UInt8])
    /// Memory that stays as long as its keeper: sent from where it lies.
    case memory(Memory)

    public var count: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .bytes(let bytes): bytes.count
        case .memory(let memory): memory.count
        }
    }

    /// Some of its bytes.
    func part(_ range: Range<Int>) -> Argument {
        switch self {
        case .text(let text): .bytes(Array(Array(text.utf8)[range]))
        case .bytes(let bytes): .bytes(Array(bytes[range]))
        case .memory(let memory): .memory(memory.part(range))
        }
    }
}

extension Argument: ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
    public init(stringLiteral value: String) { self = .text(value) }
}

@safe public final class Connection {
    enum Stage { case connecting, shaking, ready, closed }

    private let access: Access
    public let server: ClusterURL.Server
    private var stage = Stage.closed
    private var stream: OpaquePointer?
    public private(set) var descriptor: Int32 = -1
    private var reader: ReplyReader
    private var output = Output()
    private var address: UInt32 = 0
    private var needsWrite = false
    /// Why it is closed.
    public private(set) var failure: Refusal?
    /// The commands whose replies are to come, and what their sender calls them.
    private var asked: [(command: String, tag: UInt64, isAwaited: Bool)] = []
    private var askedFirst = 0
    /// How many of them somebody waits for.
    private var awaited = 0
    private var isLoggedIn: Bool
    /// Replies come without commands: it listens to a channel.
    public var isListening = false
    public private(set) var sent: UInt64 = 0
    public private(set) var received: UInt64 = 0
    /// When something came last.
    public private(set) var heardAt: Int64 = 0

    public init(_ access: Access, _ server: ClusterURL.Server) throws(Refusal) {
        self.access = access
        self.server = server
        guard let reader = ReplyReader() else { throw Refusal(.away, "there is no memory") }
        self.reader = reader
        isLoggedIn = access.secret == nil
        heardAt = cnet_clock()
        try connect()
        if let secret = access.secret {
            note("AUTH", 0, isAwaited: true)
            output.command(access.url.user.map { ["AUTH", .text($0), .text(secret)] } ?? ["AUTH", .text(secret)])
        }
    }

    deinit {
        if unsafe stream != nil { unsafe cnet_stream_close(stream) }
    }

    public var isClosed: Bool { stage == .closed }
    public var isReady: Bool { stage == .ready && isLoggedIn }
    /// Whether it waits for its descriptor to be writable.
    public var wantsWrite: Bool { stage == .connecting || needsWrite }
    /// What it waits for, as bits of enum cnet_wait_for. Replies that nobody waits for wake nobody, until there are many of them.
    public var wants: UInt8 {
        let reads = isListening || awaited > 0 || open >= Self.mostUnread || stage != .ready || access.url.isTLS
        return UInt8((reads ? CNET_WAIT_READ.rawValue : 0) | (wantsWrite ? CNET_WAIT_WRITE.rawValue : 0))
    }
    private static let mostUnread = 64
    /// What it waits for, when nothing comes.
    public var silence: String {
        switch stage {
        case .connecting: "\(server.text) does not answer: no connection is made"
        case .shaking: "\(server.text) does not answer to TLS: perhaps it speaks none on this port"
        default: "\(server.text) does not answer"
        }
    }
    /// Bytes that have not gone out.
    public var backlog: Int { output.count }
    /// Commands without a reply.
    public var open: Int { asked.count - askedFirst }

    private func connect() throws(Refusal) {
        let why = Text()
        var last: Refusal?
        while address < 16 {
            let socket = unsafe cnet_connect(server.host, "\(server.port)", address, why.pointer)
            address += 1
            if socket < 0 && why.string.isEmpty { break }
            guard socket >= 0 else {
                last = Refusal(.away, why.string)
                continue
            }
            unsafe stream = unsafe cnet_stream_open(socket, access.tls, server.host, why.pointer)
            guard unsafe stream != nil else { throw Refusal(.tls, why.string) }
            descriptor = socket
            stage = .connecting
            return
        }
        throw last ?? Refusal(.away, "\(server.text) cannot be reached")
    }

    private func close(_ why: Refusal) {
        if failure == nil { failure = why }
        stage = .closed
        if unsafe stream != nil { unsafe cnet_stream_close(stream) }
        unsafe stream = nil
        descriptor = -1
    }

    /// Closes it; no reply comes any more.
    public func close() { close(Refusal(.away, "closed")) }

    /// Sends a command. `tag` comes back with its reply.
    /// - isAwaited: somebody waits for the reply. It is read all the same, for it may be an error.
    public func send(_ command: [Argument], tag: UInt64 = 0, isAwaited: Bool = true) {
        guard stage != .closed, case .text(let name)? = command.first else { return }
        note(name, tag, isAwaited: isAwaited)
        output.command(command)
    }

    private func note(_ command: String, _ tag: UInt64, isAwaited: Bool) {
        asked.append((command, tag, isAwaited))
        if isAwaited { awaited += 1 }
    }

    /// Goes on with what can go on. Call it when the descriptor is ready, and after sending.
    /// - reads: whether there may be something to read.
    public func work(reads: Bool = true) {
        let isNew = stage != .ready
        if stage == .connecting { finishConnecting() }
        if stage == .shaking { shake() }
        guard stage == .ready else { return }
        flush()
        // TLS may have read already what the descriptor does not have any more.
        if stage == .ready, reads || isNew || access.url.isTLS { receive() }
    }

    /// Sends what can be sent, and reads nothing: replies are left for the next `work`, whose caller takes them.
    public func push() {
        if stage == .ready { flush() }
    }

    private func finishConnecting() {
        guard cnet_wait(descriptor, 1, 0) == 1 else { return }
        let why = Text()
        guard unsafe cnet_connected(descriptor, why.pointer) == 1 else {
            unsafe cnet_stream_close(stream)
            unsafe stream = nil
            do throws(Refusal) {
                try connect()
            } catch {
                close(Refusal(.away, "\(server.text) cannot be reached: \(why.string)"))
            }
            return
        }
        stage = .shaking
    }

    private func shake() {
        let why = Text()
        let got = unsafe cnet_stream_shake(stream, why.pointer)
        needsWrite = got == CNET_AGAIN_WRITE.rawValue
        if got == 1 { stage = .ready }
        if got == CNET_FAILED.rawValue { close(Refusal(.tls, why.string)) }
    }

    private func flush() {
        needsWrite = false
        let why = Text()
        while output.count > 0 {
            let put = unsafe output.first { first, second in
                unsafe cnet_stream_write_two(
                    stream, first.baseAddress, first.count, second.baseAddress, second.count, why.pointer)
            }
            if put > 0 {
                sent += UInt64(put)
                output.drop(put)
                continue
            }
            // TLS may want to read first: `receive` comes next.
            if put == Int(CNET_AGAIN_WRITE.rawValue) { needsWrite = true }
            if put == Int(CNET_FAILED.rawValue) || put == Int(CNET_CLOSED.rawValue) {
                // The other end may have said why before it closed.
                receive()
                if stage != .closed { broke(why.string) }
            }
            return
        }
    }

    private func receive() {
        let why = Text()
        while true {
            let result: ReplyReader.Received
            do throws(Refusal) {
                unsafe result = try reader.receive(stream, why)
            } catch {
                return close(error)
            }
            switch result {
            case .bytes(let count, let isFull):
                received += UInt64(count)
                heardAt = cnet_clock()
                // What has not filled the room was all. TLS has its own buffer, and says when that is empty.
                if !isFull && !access.url.isTLS { return }
            case .nothing(let how):
                if how == Int(CNET_AGAIN_WRITE.rawValue) { needsWrite = true }
                if how == Int(CNET_FAILED.rawValue) || how == Int(CNET_CLOSED.rawValue) { broke(why.string) }
                return
            }
        }
    }

    private func broke(_ why: String) {
        // Replies that came before stay to be read: the reason may be among them.
        stage = .closed
        if failure == nil {
            let isOfTLS = why.contains("certificate") || why.contains("TLS")
            var text = why.isEmpty ? "\(server.text) has closed the connection" : why
            // With TLS 1.3 a server looks at our certificate when we think that all is well, and what it says then may get lost.
            if access.url.isTLS && received == 0 && !isOfTLS {
                text +=
                    access.url.certificate == nil
                    ? ": perhaps the server wants a certificate of ours (cert=, key=)"
                    : ": perhaps the server refuses our certificate"
            }
            failure = Refusal(isOfTLS ? .tls : .away, text)
        }
        if unsafe stream != nil { unsafe cnet_stream_close(stream) }
        unsafe stream = nil
        descriptor = -1
    }

    /// The next reply and the tag of its command; nil: none has come. An error reply is thrown where the login fails; elsewhere it is
    /// the sender's to read.
    public func next() throws(Refusal) -> (tag: UInt64, command: String, reply: Reply)? {
        while let reply = try reader.next() {
            if isListening && isLoggedIn { return (0, "", reply) }
            guard askedFirst < asked.count else { throw Refusal(.answer, "the server answers what it was not asked") }
            let (command, tag, isAwaited) = asked[askedFirst]
            askedFirst += 1
            if isAwaited { awaited -= 1 }
            if askedFirst == asked.count || askedFirst > 4096 {
                asked.removeFirst(askedFirst)
                askedFirst = 0
            }
            guard command == "AUTH" else { return (tag, command, reply) }
            if let error = reply.error { throw refusal(error, command) }
            isLoggedIn = true
        }
        return nil
    }

    public func refusal(_ error: String, _ command: String) -> Refusal {
        Refusal(reply: error, to: command, user: access.url.user, prefix: access.url.prefix)
    }
}
