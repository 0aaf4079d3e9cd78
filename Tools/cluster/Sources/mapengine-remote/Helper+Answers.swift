// What nodes say: answers, refusals, what workers print.

import CLanes
import CNet
import Cluster
import Glibc

extension Helper {
    func takeAnswers() {
        while let reply = link?.nextAnswers() {
            // What was printed comes before the answer of the item that printed it.
            for i in 0..<reply.count where reply[i]?[0]?.text == keys.log(pool) {
                each(reply[i]?[1]) { id, fields in
                    logCursor = id
                    takeText(fields)
                }
            }
            for i in 0..<reply.count where reply[i]?[0]?.text == keys.out(pool) {
                each(reply[i]?[1]) { id, fields in
                    cursor = id
                    takeAnswer(fields)
                }
            }
            waitForAnswers()
        }
    }

    func each(_ entries: Reply?, _ body: (String, Reply) -> Void) {
        guard let entries else { return }
        for i in 0..<entries.count {
            if let id = entries[i]?[0]?.text, let fields = entries[i]?[1] { body(id, fields) }
        }
    }

    /// What a worker has printed or logged.
    func takeText(_ fields: Reply) {
        guard let kind = fields[1]?.text, let text = fields[3], let lane = lanes.values.min(by: { $0.slot < $1.slot })
        else { return }
        switch kind {
        case "out": if !isDiscarding { unsafe text.read { unsafe lane.print($0, isError: false) } }
        case "err": if !isDiscarding { unsafe text.read { unsafe lane.print($0, isError: true) } }
        default:
            guard let level = UInt32(kind), level <= UInt32(MAPE_LOG_ERROR.rawValue) else { return }
            unsafe text.read { unsafe lane.log(level, $0) }
            var epoch: UInt64 = 0
            unsafe lane_notify(&lane.memory, engineBell, waiterBell, &epoch)
        }
    }

    func waitForAnswers() {
        link?.answers?.send([
            "XREAD", "COUNT", "64", "BLOCK", "0", "STREAMS", .text(keys.out(pool)), .text(keys.log(pool)),
            .text(cursor),
            .text(logCursor),
        ])
        link?.answers?.push()
    }

    func takeAnswer(_ fields: Reply) {
        guard let first = fields[1], let second = fields[3], let head = unsafe first.read({ unsafe AnswerHead($0) }),
            let (part, lane) = parts[head.serial]
        else { return }
        activeAt = cnet_clock()
        switch head.kind {
        case .done:
            guard head.count == part.request.count, let items = unsafe second.read({ unsafe AnswerItems(head, $0) })
            else {
                host.note(MAPE_LOG_WARNING, "node \(head.node) has sent an answer that is none: it does not count")
                resend(part, lane)
                return
            }
            parts[head.serial] = nil
            part.serial = 0
            part.state = .answered(head, items, second)
            if lane.node != head.node {
                lane.node = head.node
                host.lane(lane.slot, lane.generation, node: head.node, roundTrip: membership.roundTrip)
            }
        case .returned:
            // Perhaps the server has lost what the part needs.
            functions[part.line]?.toldIn = 0
            blobs.removeAll()
            resend(part, lane)
        case .refused:
            if let function = functions[part.line] {
                function.refusals[head.node] = printable(head.text)
                if membership.nodes.allSatisfy({ function.refusals[$0.name] != nil }) {
                    forget(part, stop: false)
                    part.state = .givenBack
                    tellRefusal(function, printable(head.text))
                    answer(lane)
                    return
                }
            }
            resend(part, lane)
        }
        answer(lane)
    }

    func resend(_ part: Part, _ lane: Lane) {
        forget(part, stop: false)
        again += UInt64(part.request.count)
        send(part, lane)
        if case .givenBack = part.state { answer(lane) }
    }
}
