// Answers to parts.

import CNet
import Cluster
import Glibc

extension Node {
    func finish() {
        for pool in pools.values {
            let ended = pool.events { said in
                switch said {
                case .here(let text): log("pool \(pool.id): \(text)")
                case .worker(let kind, let text):
                    ask([
                        "XADD", .text(keys.log(pool.id)), "NOMKSTREAM", "MAXLEN", "~", "1000", "*", "k", .text(kind),
                        "t", .bytes(text),
                    ])
                }
            }
            for serial in ended {
                guard let (head, bytes) = pool.answer(serial, node: settings.name) else { continue }
                if head.kind == .done { served += UInt64(head.count) }
                pool.pause(head.kind == .refused)
                // Only a pool that has failed ends items so.
                if head.kind == .returned && pools[pool.id] != nil { abandon(pool, head.text) }
                workedAt = cnet_clock()
                answer(pool.id, head, bytes)
            }
        }
    }

    /// How often the host hears how far a part is, at most.
    static let progressTime: Int64 = 200_000_000

    /// Tells hosts how far parts are that take their time.
    func tellProgress(_ now: Int64) {
        guard now - progressAt >= Self.progressTime else { return }
        progressAt = now
        for pool in pools.values {
            for head in pool.progress(now, node: settings.name) {
                ask(["XADD", .text(keys.out(pool.id)), "NOMKSTREAM", "*", "h", .bytes(head.encoded()), "p", ""])
            }
        }
    }

    /// Acknowledged and answered at once, or neither.
    func answer(_ pool: String, _ head: AnswerHead, _ bytes: Argument = .bytes([])) {
        let id = "1-\(head.serial)"
        let pieces = Pieces(bytes.count, limit: access.url.valueLimit)
        let inEntry = pieces.stored(bytes, seconds: 60, by: { ask($0) }) { keys.out(pool, head.serial, piece: $0) }
        ask(["MULTI"])
        ask(["XACK", .text(keys.work(pool)), "g", .text(id)])
        ask(["XDEL", .text(keys.work(pool)), .text(id)])
        ask(
            ["XADD", .text(keys.out(pool)), "NOMKSTREAM", "*", "h", .bytes(head.encoded()), "p", inEntry]
                + pieces.field)
        ask(["EXEC"])
        writing?.push()
    }

    func refuse(_ pool: String, _ serial: UInt64, _ why: String) {
        var head = AnswerHead()
        head.serial = serial
        head.kind = .refused
        head.node = settings.name
        head.text = "node \(settings.name): \(why)"
        pools[pool]?.pause(true)
        answer(pool, head)
    }

    func giveBack(_ pool: String, _ serial: UInt64) {
        var head = AnswerHead()
        head.serial = serial
        head.kind = .returned
        head.node = settings.name
        answer(pool, head)
    }

    /// A pool that cannot go on here: others get what it has, and it is left alone for a while.
    func abandon(_ pool: Served, _ why: String) {
        for serial in pool.running.keys { giveBack(pool.id, serial) }
        drop(pool.id, "it has failed here: \(why)")
        bar(pool.id)
    }
}
