// The node: takes parts from the streams of all pools that it finds on the server, has them run, and answers.
//
//   reading   XREADGROUP over all streams, which waits; nothing else goes over it
//   writing   answers, heartbeats, and what is to be known of functions and pools
//   hearing   the control channel: new pools, parts that are not wanted any more
//
// A connection that breaks takes the others with it: the node then has another name among the consumers, and what it had counts as lost.

import CNet
import Cluster
import Glibc

@safe final class Node {
    private let access: Access
    private let modules: ModuleFolder
    private let settings: NodeSettings
    private let keys: Keys
    private var reading: Connection?
    private var writing: Connection?
    private var hearing: Connection?
    private var fetching: Client?
    private var consumer: NodeRecord?
    private var handlers: [UInt64: (Reply) -> Void] = [:]
    private var tag: UInt64 = 1
    private var pools: [String: Served] = [:]
    /// Pools of this node that nobody needs any more end between two looks.
    private var isWaitingForWork = false
    private var turn = 0
    private var served: UInt64 = 0
    private var roundTrip: Int64 = 0
    private var beatAt: Int64 = 0
    private var workedAt = cnet_clock()
    private var drainsUntil: Int64?
    private var retryAt: Int64 = 0
    private var pause: Int64 = 100_000_000
    private var lastText = ""
    private let signals: Int32

    init(_ access: Access, _ modules: ModuleFolder, _ settings: NodeSettings) throws {
        self.access = access
        self.modules = modules
        self.settings = settings
        keys = Keys(access.url.prefix)
        signals = cnet_signals(1)
    }

    private var busy: Int { pools.values.reduce(0) { $0 + $1.running.count } }
    private var room: Int { Int(settings.lanes) - busy }
    private var isConnected: Bool { consumer != nil }

    /// Runs until it is drained, or idle for long enough. Throws what only somebody can mend.
    func run() throws {
        log("node \(settings.name): \(settings.workers) workers, \(modules.count) modules in \(modules.path)")
        while true {
            let now = cnet_clock()
            if !isConnected && now >= retryAt { try connect() }
            if isConnected { try work(now) }
            if let end = drainsUntil, busy == 0 || now >= end { return leave() }
            if settings.untilIdle > 0, busy == 0, now - workedAt > Int64(settings.untilIdle) * 1_000_000_000 {
                log("idle for \(settings.untilIdle) s")
                return leave()
            }
            sleep()
        }
    }

    private func log(_ text: String) {
        let line = Array("mapengine-node: \(text)\n".utf8)
        _ = unsafe write(2, line, line.count)
    }

    // MARK: - The server

    private func connect() throws {
        var failure = Refusal(.away, "no server")
        for server in access.url.servers {
            do throws(Refusal) {
                let reader = try Client(access, server)
                let info = try ServerInfo(reader)
                try info.check()
                let hearing = try Client(access, server)
                try hearing.call(["SUBSCRIBE", .text(keys.control)])
                hearing.connection.isListening = true
                fetching = try Client(access, server)
                writing = try Client(access, server).connection
                reading = reader.connection
                self.hearing = hearing.connection
                consumer = NodeRecord(name: settings.name, client: info.client, lanes: settings.lanes, version: 1)
                handlers = [:]
                isWaitingForWork = false
                beatAt = 0
                pause = 100_000_000
                lastText = ""
                for pool in pools.values { pool.heardAt = cnet_clock() }
                log("connected to \(server.text)")
                return
            } catch {
                failure = error
            }
        }
        lose(failure)
        // The first connection says whether the settings are right; later ones are tried again whatever is said.
        if failure.isLasting && served == 0 && lastText.isEmpty { throw failure }
    }

    private func lose(_ why: Refusal) {
        if lastText != why.text { log(why.text) }
        lastText = why.text
        for one in [reading, writing, hearing] { one?.close() }
        reading = nil
        writing = nil
        hearing = nil
        fetching = nil
        consumer = nil
        // What runs counts as lost: others run it.
        for pool in pools.values { pool.stopAll() }
        retryAt = cnet_clock() + pause
        pause = min(pause * 2, 2_000_000_000)
    }

    private func ask(_ command: [Argument], _ then: ((Reply) -> Void)? = nil) {
        tag += 1
        if let then { handlers[tag] = then }
        writing?.send(command, tag: tag)
    }

    private func work(_ now: Int64) throws {
        do throws(Refusal) {
            for one in [reading, writing, hearing] { one?.work() }
            while let (tag, name, reply) = try writing?.next() {
                if let error = reply.error, let refusal = writing?.refusal(error, name), refusal.kind != .answer { throw refusal }
                handlers.removeValue(forKey: tag)?(reply)
            }
            while let (_, _, reply) = try hearing?.next() { hear(reply) }
            while let (_, name, reply) = try reading?.next() {
                if name == "XREADGROUP" { try took(reply) }
            }
            for one in [reading, writing, hearing] {
                if let failure = one?.failure { throw failure }
            }
            beat(now)
            finish()
            wait()
            writing?.push()
        } catch {
            lose(error)
        }
    }

    private func sleep() {
        var descriptors: [Int32] = [signals]
        var wants: [UInt8] = [0]
        for one in [reading, writing, hearing] {
            descriptors.append(one?.descriptor ?? -1)
            wants.append(one?.wantsWrite == true ? 1 : 0)
        }
        for pool in pools.values {
            descriptors.append(pool.eventDescriptor)
            wants.append(0)
        }
        let now = cnet_clock()
        var until = isConnected ? beatAt + 1_000_000_000 : retryAt
        if let drainsUntil { until = min(until, drainsUntil) }
        let milliseconds = Int32(clamping: max(0, until - now + 999_999) / 1_000_000)
        var ready = [UInt8](repeating: 0, count: descriptors.count)
        _ = unsafe cnet_poll(descriptors, wants, &ready, UInt32(descriptors.count), milliseconds)
        if ready[0] != 0 { drain() }
    }

    // MARK: - Ends

    private func drain() {
        var information = [UInt8](repeating: 0, count: 128)
        _ = unsafe read(signals, &information, information.count)
        guard drainsUntil == nil else {
            drainsUntil = 0
            return
        }
        log("drains: \(busy) parts run")
        drainsUntil = cnet_clock() + Int64(settings.grace) * 1_000_000_000
        unblock()
    }

    private func leave() {
        if let consumer, let fetching {
            for pool in pools.values {
                for serial in pool.running.keys { giveBack(pool.id, serial) }
            }
            writing?.work()
            _ = try? fetching.ask(["DEL", .text(keys.node(consumer.consumer))])
            _ = try? fetching.ask(["SREM", .text(keys.nodes), .text(consumer.consumer)])
            let end = cnet_clock() + 1_000_000_000
            while let writing, writing.backlog > 0, !writing.isClosed, cnet_clock() < end {
                _ = cnet_wait(writing.descriptor, 1, 50)
                writing.work()
            }
        }
        pools = [:]
        log("ends")
    }

    // MARK: - From time to time

    private func beat(_ now: Int64) {
        guard now - beatAt >= 1_000_000_000, var record = consumer else { return }
        beatAt = now
        record.workers = settings.workers
        record.busy = UInt32(clamping: busy)
        record.served = served
        record.roundTrip = UInt64(max(0, roundTrip))
        record.modules = UInt32(clamping: modules.count)
        record.tags = settings.tags
        if drainsUntil != nil { record.lanes = 0 }
        ask(["SET", .text(keys.node(record.consumer)), .text(record.text), "PX", "3000"])
        ask(["SADD", .text(keys.nodes), .text(record.consumer)]) { [weak self] _ in self?.roundTrip = cnet_clock() - now }
        ask(["SMEMBERS", .text(keys.pools)]) { [weak self] reply in
            for i in 0..<reply.count {
                if let pool = reply[i]?.text, Keys.isName(pool) { self?.look(pool) }
            }
        }
        for pool in pools.values where now - pool.heardAt > 5_500_000_000 { drop(pool.id, "its host is gone") }
    }

    /// Whether a pool's host lives.
    private func look(_ id: String) {
        ask(["GET", .text(keys.alive(id))]) { [weak self] reply in
            guard let self else { return }
            if reply.isNil {
                ask(["SREM", .text(keys.pools), .text(id)])
                if pools[id] != nil { drop(id, "its host is gone") }
            } else {
                serve(id)
            }
        }
    }

    private func serve(_ id: String) {
        if let pool = pools[id] {
            pool.heardAt = cnet_clock()
            return
        }
        guard drainsUntil == nil, pools.count < 64 else { return }
        do {
            pools[id] = try Served(id, settings)
            log("serves pool \(id)")
            unblock()
        } catch {
            let failure = error as? EngineFailure
            log("cannot serve pool \(id): \(failure?.text ?? "")")
        }
    }

    private func drop(_ id: String, _ why: String) {
        guard let pool = pools.removeValue(forKey: id) else { return }
        log("pool \(id) ends: \(why)")
        pool.stopAll()
        unblock()
    }

    private func hear(_ message: Reply) {
        guard message[0]?.text == "message", let text = message[2]?.text, let control = Control(text) else { return }
        switch control {
        case .pool(let id): look(id)
        case .gone(let id): drop(id, "its host has ended it")
        case .stop(let id, let serial):
            guard let pool = pools[id], pool.stop(serial) else { return }
            ask(["XACK", .text(keys.work(id)), "g", "1-\(serial)"])
            ask(["XDEL", .text(keys.work(id)), "1-\(serial)"])
        }
    }

    /// Ends the wait for work, so that it begins anew with other pools.
    private func unblock() {
        guard isWaitingForWork, let consumer else { return }
        ask(["CLIENT", "UNBLOCK", "\(consumer.client)"])
    }

    // MARK: - Work

    /// Waits for work, where there is room for some.
    private func wait() {
        guard !isWaitingForWork, drainsUntil == nil, !pools.isEmpty, room > 0, let reading, let consumer else { return }
        var names = pools.keys.sorted()
        // Each stream is the first in turn.
        turn += 1
        let start = turn % names.count
        names = Array(names[start...] + names[..<start])
        var command: [Argument] = ["XREADGROUP", "GROUP", "g", .text(consumer.consumer), "COUNT", "\(max(1, room / names.count))"]
        command += ["BLOCK", "2000", "STREAMS"]
        command += names.map { .text(keys.work($0)) }
        command += names.map { _ in ">" }
        reading.send(command)
        reading.push()
        isWaitingForWork = true
    }

    private func took(_ reply: Reply) throws(Refusal) {
        isWaitingForWork = false
        if let error = reply.error {
            // A stream has gone while it was waited for.
            if error.hasPrefix("NOGROUP") || error.hasPrefix("UNBLOCKED") {
                for id in pools.keys where error.contains(keys.work(id)) || error.hasPrefix("UNBLOCKED") { look(id) }
                if error.hasPrefix("NOGROUP") { missing(error) }
                return
            }
            throw reading?.refusal(error, "XREADGROUP") ?? Refusal(.answer, error)
        }
        for i in 0..<reply.count {
            guard let stream = reply[i], let name = stream[0]?.text, let entries = stream[1],
                let pool = pools.values.first(where: { keys.work($0.id) == name })
            else { continue }
            for k in 0..<entries.count {
                guard let entry = entries[k], let id = entry[0]?.text else { continue }
                workedAt = cnet_clock()
                took(pool, id, entry[1])
            }
        }
    }

    /// A pool has no stream: it rests, or its server has started anew. It is found again when it has one.
    private func missing(_ error: String) {
        for id in Array(pools.keys) where error.contains("'\(keys.work(id))'") {
            pools[id]?.stopAll()
            drop(id, "it has no stream")
        }
    }

    private func took(_ pool: Served, _ id: String, _ fields: Reply?) {
        guard let first = fields?[1], let second = fields?[3], id.hasPrefix("1-"), let serial = UInt64(id.dropFirst(2)),
            let head = unsafe first.read({ unsafe WorkHead($0) }), head.serial == serial,
            let items = unsafe second.read({ unsafe WorkItems(head, $0) })
        else {
            log("a part of pool \(pool.id) is none: \(printable(id))")
            ask(["XACK", .text(keys.work(pool.id)), "g", .text(id)])
            ask(["XDEL", .text(keys.work(pool.id)), .text(id)])
            return
        }
        if drainsUntil != nil { return giveBack(pool.id, serial) }
        do {
            guard case .ready(let function, let isTyped) = try registered(pool, head.function) else {
                if case .refused(let why)? = pool.function(head.function) { refuse(pool.id, serial, why) }
                return
            }
            try fetchBlobs(pool, head)
            try unsafe second.read { bytes in
                try unsafe pool.submit(head, items, bytes, function, isTyped: isTyped)
            }
        } catch let failure as EngineFailure {
            refuse(pool.id, serial, failure.text)
        } catch let refusal as Refusal {
            if refusal.kind == .file { refuse(pool.id, serial, refusal.text) } else { giveBack(pool.id, serial) }
        } catch {
            giveBack(pool.id, serial)
        }
    }

    /// The function, which is fetched and registered at its first part.
    private func registered(_ pool: Served, _ serial: UInt64) throws -> Served.Registered {
        if let known = pool.function(serial) { return known }
        let reply = try fetch(["HGETALL", .text(keys.function(pool.id, serial))])
        var fields: [String: String] = [:]
        for i in stride(from: 0, to: reply.count - 1, by: 2) {
            if let name = reply[i]?.text, let value = reply[i + 1]?.text { fields[name] = value }
        }
        guard !fields.isEmpty else { throw Refusal(.answer, "the server does not know the function") }
        guard let record = FunctionRecord(fields) else { throw Refusal(.file, "its description is none") }
        do throws(Refusal) {
            let path = try modules.find(record.module, record.library)
            let data = record.data == .none ? [] : try blob(record.data).bytes ?? []
            pool.register(serial, record, path: path, data: data)
        } catch {
            guard error.kind == .file else { throw error }
            log("refuses \"\(printable(record.name))\": \(error.text)")
            pool.refuse(serial, error.text)
        }
        return pool.function(serial) ?? .refused("")
    }

    private func fetchBlobs(_ pool: Served, _ head: WorkHead) throws {
        if !pool.hasData(head.data) {
            try unsafe blob(head.data).read { unsafe try pool.keepData(head.data, $0) }
        }
        // Without globals there are none: the empty blob.
        if head.globals != pool.globalsHash {
            if head.globals == .none {
                let empty = Globals.encode([])
                try unsafe empty.withUnsafeBytes { unsafe try pool.setGlobals(.none, $0) }
            } else {
                try unsafe blob(head.globals).read { unsafe try pool.setGlobals(head.globals, $0) }
            }
        }
    }

    /// A blob, checked against its hash.
    private func blob(_ hash: Hash) throws(Refusal) -> Reply {
        let reply = try fetch(["GET", .text(keys.blob(hash))], milliseconds: 60_000)
        guard !reply.isNil else { throw Refusal(.answer, "the server does not have the blob \(hash.short)") }
        guard unsafe reply.read({ unsafe Hash(of: $0) }) == hash else {
            throw Refusal(.answer, "the blob \(hash.short) is not what its hash says")
        }
        ask(["EXPIRE", .text(keys.blob(hash)), "3600"])
        return reply
    }

    /// Asks, and goes on telling that this node lives.
    private func fetch(_ command: [Argument], milliseconds: Int = 10_000) throws(Refusal) -> Reply {
        guard let fetching else { throw Refusal(.away, "no connection") }
        return try fetching.call(command, milliseconds: milliseconds) { [self] in
            beat(cnet_clock())
            writing?.push()
        }
    }

    // MARK: - Answers

    private func finish() {
        for pool in pools.values {
            let ended = pool.events { said in
                switch said {
                case .here(let text): log("pool \(pool.id): \(text)")
                case .worker(let kind, let text):
                    ask([
                        "XADD", .text(keys.log(pool.id)), "NOMKSTREAM", "MAXLEN", "~", "1000", "*", "k", .text(kind), "t", .bytes(text),
                    ])
                }
            }
            for serial in ended {
                guard let (head, bytes) = pool.answer(serial, node: settings.name) else { continue }
                served += UInt64(head.count)
                workedAt = cnet_clock()
                answer(pool.id, head, bytes)
            }
        }
    }

    /// Acknowledged and answered at once, or neither.
    private func answer(_ pool: String, _ head: AnswerHead, _ bytes: [UInt8]) {
        let id = "1-\(head.serial)"
        ask(["MULTI"])
        ask(["XACK", .text(keys.work(pool)), "g", .text(id)])
        ask(["XDEL", .text(keys.work(pool)), .text(id)])
        ask(["XADD", .text(keys.out(pool)), "NOMKSTREAM", "*", "h", .bytes(head.encoded()), "p", .bytes(bytes)])
        ask(["EXEC"])
        writing?.push()
    }

    private func refuse(_ pool: String, _ serial: UInt64, _ why: String) {
        var head = AnswerHead()
        head.serial = serial
        head.kind = .refused
        head.node = settings.name
        head.text = "node \(settings.name): \(why)"
        answer(pool, head, [])
    }

    private func giveBack(_ pool: String, _ serial: UInt64) {
        var head = AnswerHead()
        head.serial = serial
        head.kind = .returned
        head.node = settings.name
        answer(pool, head, [])
    }
}
