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
                served += UInt64(head.count)
                workedAt = cnet_clock()
                answer(pool.id, head, bytes)
            }
        }
    }

    /// Acknowledged and answered at once, or neither.
    func answer(_ pool: String, _ head: AnswerHead, _ bytes: [UInt8]) {
        let id = "1-\(head.serial)"
        ask(["MULTI"])
        ask(["XACK", .text(keys.work(pool)), "g", .text(id)])
        ask(["XDEL", .text(keys.work(pool)), .text(id)])
        ask(["XADD", .text(keys.out(pool)), "NOMKSTREAM", "*", "h", .bytes(head.encoded()), "p", .bytes(bytes)])
        ask(["EXEC"])
        writing?.push()
    }

    func refuse(_ pool: String, _ serial: UInt64, _ why: String) {
        var head = AnswerHead()
        head.serial = serial
        head.kind = .refused
        head.node = settings.name
        head.text = "node \(settings.name): \(why)"
        answer(pool, head, [])
    }

    func giveBack(_ pool: String, _ serial: UInt64) {
        var head = AnswerHead()
        head.serial = serial
        head.kind = .returned
        head.node = settings.name
        answer(pool, head, [])
    }
}
