// Which nodes are there, and which parts were with nodes that are not. A node lives while its key does, which it renews each second, and
// while the server has its connection: the first tells of a cut link, the second at once of a process that has ended.

import CNet
import Cluster

final class Membership {
    /// Those that have what the pool needs.
    private(set) var nodes: [NodeRecord] = []
    /// Those that have not.
    private(set) var unfit: [NodeRecord] = []
    /// Serials of parts that were with nodes which are gone.
    private(set) var lost: [UInt64] = []
    private(set) var roundTrip: Int64 = 0
    private var isLooking = false
    private var life = 0
    private var needs: [String] = []
    /// Nodes that the server has listed at the last look.
    private var listed: [String] = []

    /// What one look has found so far.
    fileprivate final class Look {
        let asked: [String]
        var pending: [(serial: UInt64, consumer: String)] = []
        var records: [NodeRecord] = []
        var connected: Set<UInt64> = []

        init(_ asked: [String]) { self.asked = asked }
    }

    /// How long a helper waits between two looks. A look costs the server some microseconds for each node, and there may be hundreds of helpers; so
    /// one takes the same small part of the server's time however many nodes there are, until that would be too seldom to notice a loss.
    static func interval(_ nodes: Int) -> Int64 { min(5_000_000_000, max(250_000_000, Int64(nodes) * 4_000_000)) }

    /// Asks, and calls back when all is known.
    func look(
        _ link: Link, _ keys: Keys, _ pool: String, needs: [String], isActive: Bool, _ then: @escaping () -> Void
    ) {
        self.needs = needs
        if isLooking && life == link.life { return }
        if life != link.life { listed = [] }
        isLooking = true
        life = link.life
        ask(link, keys, pool, isActive, isFirst: true, then)
    }

    /// All is asked for at once, of the nodes that were listed the last time, so that a look costs one way there and back, and a helper
    /// with nothing to do two wakeups. Where others are listed now, it is all asked for once more, with them.
    ///
    /// What nodes have comes first: whoever had a part then was listed by then.
    private func ask(
        _ link: Link, _ keys: Keys, _ pool: String, _ isActive: Bool, isFirst: Bool, _ then: @escaping () -> Void
    ) {
        let look = Look(listed)
        let began = cnet_clock()
        if isActive {
            link.ask(["XPENDING", .text(keys.work(pool)), "g", "-", "+", "4096"]) { look.takePending($0) }
        }
        link.ask(["SMEMBERS", .text(keys.nodes)]) { [weak self] reply in
            self?.roundTrip = cnet_clock() - began
            self?.listed = (0..<reply.count).compactMap { reply[$0]?.text }.filter { Self.client(of: $0) != nil }
        }
        for name in look.asked {
            link.ask(["GET", .text(keys.node(name))]) { [weak link] reply in
                if let text = reply.text, let node = NodeRecord(text), node.consumer == name {
                    look.records.append(node)
                }
                // Whoever finds a dead one takes it away.
                if reply.isNil { link?.ask(["SREM", .text(keys.nodes), .text(name)]) }
            }
        }
        if !look.asked.isEmpty {
            let clients = look.asked.compactMap { Self.client(of: $0) }
            link.ask(["CLIENT", "LIST", "ID"] + clients.map { .text("\($0)") }) { look.takeConnections($0) }
        }
        // Replies come in order: behind this one all is known.
        link.ask(["PING"]) { [weak self, weak link] _ in
            guard let self, let link else { return }
            let others = Set(listed).subtracting(look.asked)
            if isFirst && !others.isEmpty {
                self.ask(link, keys, pool, isActive, isFirst: false, then)
            } else {
                finish(look, others)
                then()
            }
        }
    }

    /// - others: of which nothing is known yet.
    private func finish(_ look: Look, _ others: Set<String>) {
        isLooking = false
        let alive = look.records.filter { look.connected.contains($0.client) }
        nodes = alive.filter { $0.has(needs) }
        unfit = alive.filter { !$0.has(needs) }.sorted { $0.consumer < $1.consumer }
        // Also those that do not fit: they give back what they have taken.
        let there = others.union(alive.map(\.consumer))
        lost = look.pending.filter { !there.contains($0.consumer) }.map(\.serial)
    }

    /// The id of a node's connection, which its name among the consumers ends with.
    private static func client(of consumer: String) -> UInt64? {
        guard Keys.isName(consumer), let dot = consumer.lastIndex(of: ".") else { return nil }
        return UInt64(consumer[consumer.index(after: dot)...])
    }
}

extension Membership.Look {
    fileprivate func takePending(_ reply: Reply) {
        for i in 0..<reply.count {
            guard let entry = reply[i], let id = entry[0]?.text, let consumer = entry[1]?.text, id.hasPrefix("1-"),
                let serial = UInt64(id.dropFirst(2))
            else { continue }
            pending.append((serial, consumer))
        }
    }

    fileprivate func takeConnections(_ reply: Reply) {
        for line in (reply.text ?? "").split(whereSeparator: { $0 == "\n" || $0 == "\r\n" }) {
            guard line.hasPrefix("id="), let id = UInt64(line.dropFirst(3).prefix { $0 != " " }) else { continue }
            connected.insert(id)
        }
    }
}
