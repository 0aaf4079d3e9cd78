// Parts: taken from the streams, with what they need, and run.

import CNet
import Cluster
import Glibc

extension Node {
    /// Waits for work, where there is room for some.
    func wait() {
        guard !isWaitingForWork, drainsUntil == nil, room > 0, let reading, let consumer else { return }
        let now = cnet_clock()
        var names = pools.values.filter { now >= $0.pausedUntil }.map(\.id).sorted()
        if names.isEmpty { return }
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
        guard let fields, let first = fields[1], let second = fields[3], id.hasPrefix("1-"),
            let serial = UInt64(id.dropFirst(2)), let head = unsafe first.read({ unsafe WorkHead($0) }),
            head.serial == serial, let count = Pieces.number(in: fields)
        else { return distrust(pool, id) }
        if drainsUntil != nil { return giveBack(pool.id, serial) }
        let pieces = count == 0 ? nil : try? whole(count) { keys.work(pool.id, serial, piece: $0) }
        // They have gone when nobody wants the part any more.
        if count > 0 && pieces == nil { return giveBack(pool.id, serial) }
        let payload = pieces.map { Payload.bytes($0) } ?? .reply(second)
        guard let items = unsafe payload.read({ unsafe WorkItems(head, $0) }) else { return distrust(pool, id) }
        do {
            guard case .ready(let function, let isTyped) = try registered(pool, head.function) else {
                if case .refused(let why)? = pool.function(head.function) { refuse(pool.id, serial, why) }
                return
            }
            try fetchBlobs(pool, head)
            try unsafe payload.read { bytes in
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

    /// What came as a part is none.
    private func distrust(_ pool: Served, _ id: String) {
        log("a part of pool \(pool.id) is none: \(printable(id))")
        ask(["XACK", .text(keys.work(pool.id)), "g", .text(id)])
        ask(["XDEL", .text(keys.work(pool.id)), .text(id)])
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
            let path = try place(record, pool)
            let data = record.data == .none ? [] : try blob(record.data).array
            pool.register(serial, record, path: path, data: data)
        } catch {
            guard error.kind == .file else { throw error }
            log("refuses \"\(printable(record.name))\": \(error.text)")
            pool.refuse(serial, error.text)
        }
        return pool.function(serial) ?? .refused("")
    }

    /// Where a function is: the library's path.
    private func place(_ record: FunctionRecord, _ pool: Served) throws(Refusal) -> String {
        if record.isOffered {
            guard pool.isOfPython else {
                throw Refusal(.file, "its zygote's program is not here")
            }
            return Served.zygote
        }
        guard let modules else { throw Refusal(.file, "no library is allowed: the node was started without --modules") }
        return try modules.find(record.module, record.library)
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
    func blob(_ hash: Hash) throws(Refusal) -> Payload {
        var all = [keys.blob(hash)]
        let reply = try fetch(["GET", .text(all[0])], milliseconds: 60_000)
        var payload = Payload.reply(reply)
        if reply.isNil {
            guard let count = try fetch(["GET", .text(keys.blobCount(hash))]).text.flatMap({ Pieces.number($0) }) else {
                throw Refusal(.answer, "the server does not have the blob \(hash.short)")
            }
            payload = .bytes(try whole(count) { keys.blob(hash, piece: $0) })
            all = [keys.blobCount(hash)] + (0..<count).map { keys.blob(hash, piece: $0) }
        }
        guard unsafe payload.read({ unsafe Hash(of: $0) }) == hash else {
            throw Refusal(.answer, "the blob \(hash.short) is not what its hash says")
        }
        for key in all { ask(["EXPIRE", .text(key), "3600"]) }
        return payload
    }

    /// A value of several pieces.
    private func whole(_ count: Int, key: (Int) -> String) throws(Refusal) -> [UInt8] {
        var bytes: [UInt8] = []
        for k in 0..<count {
            guard let piece = try fetch(["GET", .text(key(k))], milliseconds: 60_000).bytes else {
                throw Refusal(.answer, "the server does not have a piece of a value")
            }
            bytes += piece
        }
        return bytes
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
