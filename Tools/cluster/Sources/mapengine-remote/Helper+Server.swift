// The pool on the server: its streams, its heartbeat, and who is there.

import CLanes
import CNet
import Cluster
import Glibc

extension Helper {
    /// The connections are there: the streams are made anew, and what is unanswered goes out again.
    func joined() {
        guard let link else { return }
        cursor = "0-0"
        logCursor = "0-0"
        blobs.removeAll()
        beatAt = 0
        link.ask(["DEL", .text(keys.work(pool)), .text(keys.out(pool)), .text(keys.log(pool))])
        for stream in [keys.work(pool), keys.out(pool), keys.log(pool)] {
            link.ask(["XGROUP", "CREATE", .text(stream), "g", "0", "MKSTREAM"])
            link.ask(["EXPIRE", .text(stream), "10"])
        }
        link.ask(["SET", .text(keys.alive(pool)), .text(about.text), "PX", "5000"])
        link.ask(["SADD", .text(keys.pools), .text(pool)])
        link.ask(["PUBLISH", .text(keys.control), .text(Control.pool(pool).text)]) { [weak self] _ in
            self?.waitForAnswers()
        }
        let unanswered = parts.values.sorted { $0.part.serial < $1.part.serial }
        parts.removeAll()
        for (part, lane) in unanswered {
            part.serial = 0
            again += UInt64(part.request.count)
            send(part, lane)
        }
        for lane in lanes.values {
            for case .part(let part) in lane.open.all where part.serial == 0 {
                if case .waiting = part.state { send(part, lane) }
            }
        }
        tick(cnet_clock())
    }

    func tick(_ now: Int64) {
        guard let link else {
            nextTick = .max
            return
        }
        let isActive = !parts.isEmpty
        for lane in lanes.values { tellNode(lane) }
        let interval = Membership.interval(membership.nodes.count)
        nextTick = now + (isActive ? min(interval, 1_000_000_000) : 1_000_000_000)
        guard link.isReady else {
            if case .resting = link.stage {
                nextTick = .max
            } else if now - link.lostAt > 1_500_000_000 {
                offer([])
            }
            return
        }
        if now - beatAt >= 950_000_000 {
            beatAt = now
            beat()
        }
        // What was away a moment ago is looked at in any case.
        if now >= lookAt || link.life != lookedIn {
            lookAt = now + interval - 10_000_000
            lookedIn = link.life
            membership.look(link, keys, pool, needs: about.needs, isActive: isActive) { [weak self] in
                self?.looked()
            }
        }
        if !isActive && now - activeAt > 10_000_000_000 && lanes.values.allSatisfy({ $0.open.isEmpty }) {
            retire()
            link.commands?.push()
            link.rest()
            cnet_memory_return()
            nextTick = .max
        }
    }

    func beat() {
        guard let link else { return }
        link.ask(["SET", .text(keys.alive(pool)), .text(about.text), "PX", "5000"])
        // Another program may have emptied the server.
        link.ask(["SADD", .text(keys.pools), .text(pool)])
        trimAnswers()
        link.ask(["EXPIRE", .text(keys.work(pool)), "10"]) { [weak self] reply in
            if reply.integer == 0 { self?.link?.lose(Refusal(.away, "the server has forgotten the pool")) }
        }
        link.ask(["EXPIRE", .text(keys.out(pool)), "10"])
        for (serial, (part, _)) in parts where part.pieces > 0 {
            for k in 0..<part.pieces { link.ask(["EXPIRE", .text(keys.work(pool, serial, piece: k)), "15"]) }
        }
        link.ask(["XTRIM", .text(keys.log(pool)), "MINID", .text(logCursor)])
        link.ask(["EXPIRE", .text(keys.log(pool)), "10"])
        for function in functions.values where function.toldIn == link.life {
            link.ask(["EXPIRE", .text(keys.function(pool, function.serial)), "10"])
        }
    }

    /// Who is there is known anew.
    func looked() {
        for serial in membership.lost {
            guard let (part, lane) = parts[serial] else { continue }
            part.losses += 1
            link?.ask(["XACK", .text(keys.work(pool)), "g", "1-\(serial)"])
            if part.losses >= 3 {
                forget(part, stop: true)
                for case .part(let other) in lane.open.all { forget(other, stop: true) }
                end(lane, status: 9)
            } else {
                resend(part, lane)
            }
        }
        offer(membership.nodes)
        tellUnfit()
        lookElsewhere()
    }

    /// Says what the nodes lack, when there are some, and none of them fits.
    func tellUnfit() {
        let unfit = membership.nodes.isEmpty ? membership.unfit : []
        guard told.unfit != unfit.map(\.consumer) else { return }
        told.unfit = unfit.map(\.consumer)
        guard !unfit.isEmpty else { return }
        let each = unfit.prefix(8).map { "\($0.name) has \($0.tags.isEmpty ? "none" : $0.tags.joined(separator: ","))" }
        let hint =
            about.needs.contains { $0.contains("-mapengine-") }
            ? ". mapengine node --python PYTHON brings that of an interpreter with the package mapengine" : ""
        host.note(
            MAPE_LOG_WARNING,
            "none of \(unfit.count) nodes has the tags that the pool needs, \(about.needs.joined(separator: ",")): \(each.joined(separator: "; "))\(hint)"
        )
    }

    /// Of several servers, each node uses one: where none is, others may have some.
    func lookElsewhere() {
        guard membership.nodes.isEmpty, let link, link.hasOthers else {
            aloneSince = 0
            return
        }
        let now = cnet_clock()
        if aloneSince == 0 { aloneSince = now }
        guard now - aloneSince > 2_000_000_000 else { return }
        aloneSince = 0
        retire()
        link.commands?.push()
        link.lose(Refusal(.away, "no node uses this server"))
    }

    /// Tells the engine how many lanes there are, and ends those that are too many.
    func offer(_ nodes: [NodeRecord]) {
        let room = min(most, nodes.reduce(UInt32(0)) { $0 &+ $1.lanes })
        if nodes.count > told.nodes {
            for function in functions.values where function.isRefused && function.hindrance == nil {
                function.isRefused = false
                function.refusals = [:]
                host.function(function.line, serial: function.serial, status: 0, "")
            }
        }
        if (told.nodes, told.lanes) != (nodes.count, room) {
            told.nodes = nodes.count
            told.lanes = room
            host.nodes(
                nodes.count, lanes: room, roundTrip: membership.roundTrip, sent: link?.sent ?? 0,
                received: link?.received ?? 0,
                again: again)
        }
        guard lanes.count > Int(room) else { return }
        if room == 0 {
            for lane in lanes.values {
                for case .part(let part) in lane.open.all {
                    if case .waiting = part.state {
                        forget(part, stop: true)
                        part.state = .givenBack
                    }
                }
                answer(lane)
            }
        }
        var surplus = lanes.count - Int(room)
        for lane in lanes.values.sorted(by: { $0.open.isEmpty && !$1.open.isEmpty })
        where surplus > 0 && !lane.isLeaving {
            lane.isLeaving = true
            surplus -= 1
            if lane.open.isEmpty { end(lane, status: 0) }
        }
    }
}
