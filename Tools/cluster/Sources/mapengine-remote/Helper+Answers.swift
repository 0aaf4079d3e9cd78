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
                    kept += fields[3]?.size ?? 0
                    takeAnswer(fields)
                }
            }
            waitForAnswers()
            // The server's memory is used again while it is warm, and there is little of it.
            if kept >= Self.mostKept { trimAnswers() }
        }
    }

    static let mostKept = 1 << 20

    /// What has been read is not needed any more.
    func trimAnswers() {
        kept = 0
        link?.ask(["XTRIM", .text(keys.out(pool)), "MINID", .text(cursor)])
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
        case .progress:
            part.progress = min(Double(head.took) / 1000, Double(part.request.count))
            lane.showProgress()
            return
        case .done:
            switch Pieces.number(in: fields) {
            case nil: distrust(head, part, lane)
            case 0: answered(head, part, lane, .reply(second))
            case .some(let count): fetchAnswer(head, count, most: unsafe lane.memory.output_size)
            }
            return
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
                    tellRefusal(function, printable(head.text), isSetup: head.isSetup)
                    answer(lane)
                    return
                }
            }
            resend(part, lane)
        }
        answer(lane)
    }

    /// All items of a part have ended.
    private func answered(_ head: AnswerHead, _ part: Part, _ lane: Lane, _ payload: Payload) {
        guard head.count == part.request.count, let items = unsafe payload.read({ unsafe AnswerItems(head, $0) })
        else {
            distrust(head, part, lane)
            return
        }
        parts[head.serial] = nil
        dropPieces(part)
        part.serial = 0
        part.state = .answered(head, items, payload)
        lane.node = head.node
        answer(lane)
        tellNode(lane)
    }

    /// Says where a lane's work is done: not for each of many short parts, as a message wakes the engine. What is left out here `tick` tells.
    func tellNode(_ lane: Lane) {
        let now = cnet_clock()
        guard lane.node != lane.toldNode, now - lane.toldAt >= 100_000_000 else { return }
        lane.toldNode = lane.node
        lane.toldAt = now
        host.lane(lane.slot, lane.generation, node: lane.node, roundTrip: membership.roundTrip)
    }

    private func distrust(_ head: AnswerHead, _ part: Part, _ lane: Lane) {
        host.note(MAPE_LOG_WARNING, "node \(head.node) has sent an answer that is none: it does not count")
        resend(part, lane)
        answer(lane)
    }

    /// The results of a part are larger than one value: they come piece by piece.
    /// - most: what the lane has room for.
    private func fetchAnswer(_ head: AnswerHead, _ count: Int, most: UInt64) {
        var bytes: [UInt8] = []
        var isWhole = true
        for k in 0..<count {
            link?.ask(["GET", .text(keys.out(pool, head.serial, piece: k))]) { [weak self] reply in
                guard let self else { return }
                if let piece = reply.bytes, UInt64(bytes.count + piece.count) <= most {
                    bytes += piece
                } else {
                    isWhole = false
                }
                guard k == count - 1, let (part, lane) = parts[head.serial] else { return }
                activeAt = cnet_clock()
                if isWhole { answered(head, part, lane, .bytes(bytes)) } else { distrust(head, part, lane) }
            }
        }
        link?.ask(["DEL"] + (0..<count).map { .text(keys.out(pool, head.serial, piece: $0)) })
    }

    func resend(_ part: Part, _ lane: Lane) {
        forget(part, stop: false)
        part.progress = 0
        again += UInt64(part.request.count)
        send(part, lane)
        if case .givenBack = part.state { answer(lane) }
    }
}
