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

    /// Asks, and calls back when all is known.
    func look(
        _ link: Link, _ keys: Keys, _ pool: String, needs: [String], isActive: Bool, _ then: @escaping () -> Void
    ) {
        self.needs = needs
        if isLooking && life == link.life { return }
        isLooking = true
        life = link.life
        let began = cnet_clock()
        link.ask(["SMEMBERS", .text(keys.nodes)]) { [weak self, weak link] names in
            guard let self, let link else { return }
            roundTrip = cnet_clock() - began
            var found: [NodeRecord] = []
            for i in 0..<names.count {
                guard let name = names[i]?.text, Keys.isName(name) else { continue }
                link.ask(["GET", .text(keys.node(name))]) { reply in
                    if let text = reply.text, let node = NodeRecord(text), node.consumer == name { found.append(node) }
                    // Whoever finds a dead one takes it away.
                    if reply.isNil { link.ask(["SREM", .text(keys.nodes), .text(name)]) }
                }
            }
            // Replies come in order: behind the last GET all are known.
            link.ask(["PING"]) { [weak self, weak link] _ in
                guard let self, let link else { return }
                connections(of: found, link, keys, pool, isActive, then)
            }
        }
    }

    private func connections(
        of found: [NodeRecord], _ link: Link, _ keys: Keys, _ pool: String, _ isActive: Bool,
        _ then: @escaping () -> Void
    ) {
        guard !found.isEmpty else {
            finish([], link, keys, pool, isActive, then)
            return
        }
        link.ask(["CLIENT", "LIST", "ID"] + found.map { .text("\($0.client)") }) { [weak self, weak link] reply in
            guard let self, let link else { return }
            var alive: Set<UInt64> = []
            for line in (reply.text ?? "").split(whereSeparator: { $0 == "\n" || $0 == "\r\n" }) {
                guard line.hasPrefix("id="), let id = UInt64(line.dropFirst(3).prefix { $0 != " " }) else { continue }
                alive.insert(id)
            }
            finish(found.filter { alive.contains($0.client) }, link, keys, pool, isActive, then)
        }
    }

    private func finish(
        _ nodes: [NodeRecord], _ link: Link, _ keys: Keys, _ pool: String, _ isActive: Bool,
        _ then: @escaping () -> Void
    ) {
        self.nodes = nodes.filter { $0.has(needs) }
        unfit = nodes.filter { !$0.has(needs) }.sorted { $0.consumer < $1.consumer }
        lost = []
        guard isActive else {
            isLooking = false
            then()
            return
        }
        link.ask(["XPENDING", .text(keys.work(pool)), "g", "-", "+", "4096"]) { [weak self] reply in
            guard let self else { return }
            isLooking = false
            let there = Set(nodes.map(\.consumer))  // Also those that do not fit: they give back what they have taken.
            for i in 0..<reply.count {
                guard let entry = reply[i], let id = entry[0]?.text, let consumer = entry[1]?.text else { continue }
                guard !there.contains(consumer), id.hasPrefix("1-"), let serial = UInt64(id.dropFirst(2)) else {
                    continue
                }
                lost.append(serial)
            }
            then()
        }
    }
}
