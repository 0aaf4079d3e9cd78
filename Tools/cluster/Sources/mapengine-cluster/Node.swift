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
    let access: Access
    /// Nil: no library is allowed.
    let modules: ModuleFolder?
    let settings: NodeSettings
    let keys: Keys
    var reading: Connection?
    var writing: Connection?
    var hearing: Connection?
    var fetching: Client?
    var consumer: NodeRecord?
    var handlers: [UInt64: (Reply) -> Void] = [:]
    var tag: UInt64 = 1
    var pools: [String: Served] = [:]
    /// Pools that could not be served here, and until when they are left alone.
    var barred: [String: Int64] = [:]
    /// Pools of this node that nobody needs any more end between two looks.
    var isWaitingForWork = false
    /// When it has begun to wait.
    var waitsSince: Int64 = 0
    var turn = 0
    /// Which of reading, writing and hearing have something to read.
    var ready = (true, true, true)
    var served: UInt64 = 0
    var roundTrip: Int64 = 0
    var beatAt: Int64 = 0
    var progressAt: Int64 = 0
    var workedAt = cnet_clock()
    var drainsUntil: Int64?
    var retryAt: Int64 = 0
    var pause: Int64 = 100_000_000
    var lastText = ""
    var wasConnected = false
    /// Which of the URL's servers it uses, and tries first: by chance, so that nodes spread over them.
    var serverNumber = 0
    let signals: Int32

    init(_ access: Access, _ modules: ModuleFolder?, _ settings: NodeSettings) throws {
        self.access = access
        self.modules = modules
        self.settings = settings
        keys = Keys(access.url.prefix)
        signals = cnet_signals(1)
        cnet_memory_keep()
        var number: UInt64 = 0
        unsafe withUnsafeMutableBytes(of: &number) { unsafe cnet_random($0.baseAddress, 8) }
        serverNumber = Int(number % UInt64(access.url.servers.count))
    }

    var busy: Int { pools.values.reduce(0) { $0 + $1.running.count } }
    var room: Int { Int(settings.lanes) - busy }
    var isConnected: Bool { consumer != nil }

    /// Runs until it is drained, or idle for long enough. Throws what only somebody can mend.
    func run() throws {
        let what = [
            modules.map { "\($0.count) modules in \($0.path)" }, settings.python.map { "\($0.tag) of \($0.path)" },
        ]
        log("node \(settings.name): \(settings.workers) workers, \(what.compactMap(\.self).joined(separator: ", "))")
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

    func log(_ text: String) {
        let line = Array("mapengine-node: \(text)\n".utf8)
        _ = unsafe write(2, line, line.count)
    }

    // MARK: - The server

    func connect() throws {
        var failure = Refusal(.away, "no server")
        for _ in access.url.servers {
            let server = access.url.servers[serverNumber]
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
                wasConnected = true
                ready = (true, true, true)
                for pool in pools.values { pool.heardAt = cnet_clock() }
                log("connected to \(server.text)")
                return
            } catch {
                failure = error
                serverNumber = (serverNumber + 1) % access.url.servers.count
            }
        }
        // The first connection says whether the settings are right; later ones are tried again whatever is said.
        if failure.isLasting && !wasConnected { throw failure }
        lose(failure)
    }

    func lose(_ why: Refusal) {
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

    func ask(_ command: [Argument], _ then: ((Reply) -> Void)? = nil) {
        tag += 1
        if let then { handlers[tag] = then }
        writing?.send(command, tag: tag, isAwaited: then != nil)
    }

    func work(_ now: Int64) throws {
        do throws(Refusal) {
            reading?.work(reads: ready.0)
            writing?.work(reads: ready.1)
            hearing?.work(reads: ready.2)
            while let (tag, name, reply) = try writing?.next() {
                if let error = reply.error, let refusal = writing?.refusal(error, name), refusal.kind != .answer {
                    throw refusal
                }
                handlers.removeValue(forKey: tag)?(reply)
            }
            while let (_, _, reply) = try hearing?.next() { hear(reply) }
            while let (_, name, reply) = try reading?.next() {
                if name == "XREADGROUP" { try took(reply) }
            }
            for one in [reading, writing, hearing] {
                if let failure = one?.failure { throw failure }
            }
            for pool in pools.values { pool.settle() }
            try listen(now)
            beat(now)
            finish()
            tellProgress(now)
            wait()
            writing?.push()
        } catch {
            lose(error)
        }
    }

    /// A wait for work ends after two seconds, with work or without. A server that says nothing for much longer would leave this node deaf.
    func listen(_ now: Int64) throws(Refusal) {
        guard isWaitingForWork, let reading, now - max(waitsSince, reading.heardAt) > 15_000_000_000 else { return }
        throw Refusal(.away, "\(reading.silence) to a wait for work")
    }

    func sleep() {
        var descriptors: [Int32] = [signals]
        var wants = [UInt8(CNET_WAIT_READ.rawValue)]
        for one in [reading, writing, hearing] {
            descriptors.append(one?.descriptor ?? -1)
            wants.append(one?.wants ?? 0)
        }
        for pool in pools.values {
            descriptors.append(pool.eventDescriptor)
            wants.append(UInt8(CNET_WAIT_READ.rawValue))
        }
        let now = cnet_clock()
        var until = isConnected ? beatAt + 1_000_000_000 : retryAt
        if let drainsUntil { until = min(until, drainsUntil) }
        if busy > 0 { until = min(until, progressAt + Self.progressTime) }
        for pool in pools.values where pool.pausedUntil > now { until = min(until, pool.pausedUntil) }
        let milliseconds = Int32(clamping: max(0, until - now + 999_999) / 1_000_000)
        var ready = [UInt8](repeating: 0, count: descriptors.count)
        _ = unsafe cnet_poll(descriptors, wants, &ready, UInt32(descriptors.count), milliseconds)
        self.ready = (ready[1] != 0, ready[2] != 0, ready[3] != 0)
        if ready[0] != 0 { drain() }
    }

    // MARK: - Ends

    func drain() {
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

    func leave() {
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

    func beat(_ now: Int64) {
        guard now - beatAt >= 1_000_000_000, var record = consumer else { return }
        beatAt = now
        record.workers = settings.workers
        record.busy = UInt32(clamping: busy)
        record.served = served
        record.roundTrip = UInt64(max(0, roundTrip))
        record.modules = UInt32(clamping: modules?.count ?? 0)
        record.tags = settings.tags
        if drainsUntil != nil { record.lanes = 0 }
        ask(["SET", .text(keys.node(record.consumer)), .text(record.text), "PX", "3000"])
        ask(["SADD", .text(keys.nodes), .text(record.consumer)]) { [weak self] _ in self?.roundTrip = cnet_clock() - now
        }
        ask(["SMEMBERS", .text(keys.pools)]) { [weak self] reply in
            for i in 0..<reply.count {
                if let pool = reply[i]?.text, Keys.isName(pool) { self?.look(pool) }
            }
        }
        for pool in pools.values where now - pool.heardAt > 5_500_000_000 { drop(pool.id, "its host is gone") }
    }

    /// Whether a pool's host lives.
    func look(_ id: String) {
        ask(["GET", .text(keys.alive(id))]) { [weak self] reply in
            guard let self else { return }
            if reply.isNil {
                ask(["SREM", .text(keys.pools), .text(id)])
                if pools[id] != nil { drop(id, "its host is gone") }
            } else if let record = reply.text.flatMap({ PoolRecord($0) }), settings.has(record.needs) {
                serve(id, record)
            } else if pools[id] != nil {
                drop(id, "it needs what this node does not have")
            }
        }
    }

    func serve(_ id: String, _ record: PoolRecord) {
        if let pool = pools[id] {
            pool.heardAt = cnet_clock()
            return
        }
        guard drainsUntil == nil, pools.count < 64, cnet_clock() >= barred[id] ?? 0 else { return }
        do {
            pools[id] = try Served(id, record, settings)
            log("serves pool \(id)")
            unblock()
        } catch {
            let failure = error as? EngineFailure
            log("cannot serve pool \(id): \(failure?.text ?? "")")
            bar(id)
        }
    }

    /// Leaves a pool alone for a while.
    func bar(_ id: String) {
        barred = barred.filter { $0.value > cnet_clock() }
        barred[id] = cnet_clock() + 10_000_000_000
    }

    func drop(_ id: String, _ why: String) {
        guard let pool = pools.removeValue(forKey: id) else { return }
        log("pool \(id) ends: \(why)")
        pool.stopAll()
        cnet_memory_return()
        unblock()
    }

    func hear(_ message: Reply) {
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
    func unblock() {
        guard isWaitingForWork, let consumer else { return }
        ask(["CLIENT", "UNBLOCK", "\(consumer.client)"])
    }
}
