// The connections to the server: one for commands, one that waits for answers. Opens them, and again after a loss, with pauses.

import CNet
import Cluster

final class Link {
    enum Stage {
        /// Not wanted: the pool rests.
        case resting
        /// Lost, or not made yet.
        case away(retryAt: Int64)
        case opening(since: Int64)
        case ready
    }

    private(set) var stage: Stage
    private let url: ClusterURL
    private var access: Access?
    private(set) var commands: Connection?
    private(set) var answers: Connection?
    /// Which of both have something to read.
    var ready = (commands: true, answers: true)
    private var handlers: [UInt64: (Reply) -> Void] = [:]
    private var nextTag: UInt64 = 1
    private var pause: Int64 = 50_000_000
    /// Which of the URL's servers it uses.
    private var serverNumber: Int
    /// Counts the connections that were made.
    private(set) var life = 0
    private(set) var lostAt: Int64
    private(set) var lastRefusal: Refusal?
    private var sentBefore: UInt64 = 0
    private var receivedBefore: UInt64 = 0

    /// - number: of the pool: which of several servers it uses.
    init(_ url: ClusterURL, number: UInt64) {
        self.url = url
        serverNumber = Int(number % UInt64(url.servers.count))
        stage = .away(retryAt: 0)
        lostAt = cnet_clock()
    }

    var hasOthers: Bool { url.servers.count > 1 }
    var isReady: Bool {
        if case .ready = stage { return true }
        return false
    }
    var sent: UInt64 { sentBefore + (commands?.sent ?? 0) + (answers?.sent ?? 0) }
    var received: UInt64 { receivedBefore + (commands?.received ?? 0) + (answers?.received ?? 0) }

    /// What is new to tell, once.
    func takeRefusal() -> Refusal? {
        defer { lastRefusal = nil }
        return lastRefusal
    }

    private func drop() {
        sentBefore = sent
        receivedBefore = received
        commands?.close()
        answers?.close()
        commands = nil
        answers = nil
        handlers.removeAll()
    }

    /// Nobody wants it for a while.
    func rest() {
        drop()
        stage = .resting
    }

    func wake() {
        if case .resting = stage {
            stage = .away(retryAt: 0)
            lostAt = cnet_clock()
        }
    }

    func lose(_ why: Refusal) {
        if case .resting = stage { return }
        if isReady { lostAt = cnet_clock() }
        lastRefusal = why
        // What somebody has to mend is read anew each time: a certificate may be replaced.
        access = nil
        drop()
        // Another one may be there.
        serverNumber = (serverNumber + 1) % url.servers.count
        stage = .away(retryAt: cnet_clock() + pause)
        pause = min(pause * 2, why.isLasting ? 5_000_000_000 : 1_000_000_000)
    }

    /// Goes on. Returns true when it has just become ready.
    func work() -> Bool {
        switch stage {
        case .resting: return false
        case .away(let retryAt):
            guard cnet_clock() >= retryAt else { return false }
            do throws(Refusal) {
                if access == nil { access = try Access(url) }
                guard let access else { return false }
                commands = try Connection(access, url.servers[serverNumber])
                answers = try Connection(access, url.servers[serverNumber])
                stage = .opening(since: cnet_clock())
                isGreeted = false
                life += 1
                ask(["HELLO"]) { [weak self] reply in self?.greeted(reply) }
            } catch {
                lose(error)
                return false
            }
        case .opening, .ready: break
        }
        commands?.work(reads: ready.commands)
        answers?.work(reads: ready.answers)
        takeReplies()
        guard let commands, let answers else { return false }
        if let failure = commands.failure ?? answers.failure {
            lose(failure)
            return false
        }
        if case .opening(let since) = stage {
            if isGreeted && answers.isReady {
                stage = .ready
                pause = 50_000_000
                return true
            }
            if cnet_clock() - since > 5_000_000_000 { lose(Refusal(.away, commands.silence)) }
        }
        return false
    }

    private var isGreeted = false

    private func greeted(_ reply: Reply) {
        do throws(Refusal) {
            try ServerInfo(reply: reply).check()
            isGreeted = true
        } catch {
            lose(error)
        }
    }

    private func takeReplies() {
        do throws(Refusal) {
            while let (tag, name, reply) = try commands?.next() {
                let handler = handlers.removeValue(forKey: tag)
                if let error = reply.error {
                    let refusal = commands?.refusal(error, name) ?? Refusal(.answer, error)
                    if refusal.kind != .answer || handler == nil { throw refusal }
                }
                handler?(reply)
            }
        } catch {
            lose(error)
        }
    }

    /// The next answers; nil: none have come.
    func nextAnswers() -> Reply? {
        do throws(Refusal) {
            guard let (_, name, reply) = try answers?.next() else { return nil }
            if let error = reply.error { throw answers?.refusal(error, name) ?? Refusal(.answer, error) }
            return reply
        } catch {
            lose(error)
            return nil
        }
    }

    /// Sends a command. The closure gets the reply, errors of the answer kind too.
    func ask(_ command: [Argument], _ then: ((Reply) -> Void)? = nil) {
        guard let commands else { return }
        let tag = nextTag
        nextTag += 1
        if let then { handlers[tag] = then }
        commands.send(command, tag: tag, isAwaited: then != nil)
    }

    /// Where it waits, and when it wants to be called.
    var deadline: Int64 {
        switch stage {
        case .away(let retryAt): retryAt
        case .opening(let since): since + 5_000_000_000
        case .resting, .ready: .max
        }
    }
}
