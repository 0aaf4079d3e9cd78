// Parts: taken from the streams, with what they need, and run.

import CNet
import Cluster
import Glibc

extension Node {
    /// Waits for work, where there is room for some.
    func wait() {
        guard !isWaitingForWork, drainsUntil == nil, !pools.isEmpty, room > 0, let reading, let consumer else { return }
        var names = pools.keys.sorted()
        // Each stream is the first in turn.
        turn += 1
        let start = turn % names.count
        names = Array(names[start...] + names[..<start])
        var command: [Argument] = [
            "XREADGROUP", "GROUP", "g", .text(consumer.consumer), "COUNT", "\(max(1, room / names.count))",
        ]
        command += ["BLOCK", "2000", "STREAMS"]
        command += names.map { .text(keys.work($0)) }
        command += names.map { _ in ">" }
        reading.send(command)
        reading.push()
        isWaitingForWork = true
        waitsSince = cnet_clock()
    }

    func took(_ reply: Reply) throws(Refusal) {
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
                try took(pool, id, entry[1])
            }
        }
    }

    /// A pool has no stream: it rests, or its server has started anew. It is found again when it has one.
    func missing(_ error: String) {
        for id in Array(pools.keys) where error.contains("'\(keys.work(id))'") {
            pools[id]?.stopAll()
            drop(id, "it has no stream")
        }
    }

    func took(_ pool: Served, _ id: String, _ fields: Reply?) throws(Refusal) {
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
            switch refusal.kind {
            case .file: refuse(pool.id, serial, refusal.text)
            case .answer: giveBack(pool.id, serial)
            // Nothing can be had of the server: the next part would fare no better.
            default: throw refusal
            }
        } catch {
            giveBack(pool.id, serial)
        }
    }

    /// The function, which is fetched and registered at its first part.
    func registered(_ pool: Served, _ serial: UInt64) throws -> Served.Registered {
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

    func fetchBlobs(_ pool: Served, _ head: WorkHead) throws {
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
    func blob(_ hash: Hash) throws(Refusal) -> Reply {
        let reply = try fetch(["GET", .text(keys.blob(hash))], milliseconds: 60_000)
        guard !reply.isNil else { throw Refusal(.answer, "the server does not have the blob \(hash.short)") }
        guard unsafe reply.read({ unsafe Hash(of: $0) }) == hash else {
            throw Refusal(.answer, "the blob \(hash.short) is not what its hash says")
        }
        ask(["EXPIRE", .text(keys.blob(hash)), "3600"])
        return reply
    }

    /// Asks, and goes on telling that this node lives.
    func fetch(_ command: [Argument], milliseconds: Int = 10_000) throws(Refusal) -> Reply {
        guard let fetching else { throw Refusal(.away, "no connection") }
        return try fetching.call(command, milliseconds: milliseconds) { [self] in
            beat(cnet_clock())
            writing?.push()
        }
    }
}
