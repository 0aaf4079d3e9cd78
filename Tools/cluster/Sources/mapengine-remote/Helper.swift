// The helper: lanes on one side, the server on the other, and what has to be done from time to time.

import CLanes
import CNet
import Cluster
import Glibc

@safe final class Helper {
    let host = Host()
    var input: UnsafePointer<UInt8>?
    var inputSize: UInt64 = 0
    var engineBell: Int32 = -1
    var waiterBell: Int32 = -1
    var lanesBell: Int32 = -1
    var epoch: UInt64 = 0
    var lanes: [UInt32: Lane] = [:]
    /// What is out, by the serial of its message.
    var parts: [UInt64: (part: Part, lane: Lane)] = [:]
    var functions: [UInt32: RemoteFunction] = [:]
    let modules = ModuleFiles()
    var link: Link?
    var keys = Keys("")
    let pool: String
    var serial: UInt64 = 0
    var most: UInt32 = 64
    /// How far the streams were read: of answers, and of what workers print and log.
    var cursor = "0-0"
    var logCursor = "0-0"
    var isDiscarding = false
    var membership = Membership()
    /// Hashes of what jobs have, by the job's serial; 0 is not kept.
    var jobHashes: [UInt64: Hash] = [:]
    var globalsHashes: [UInt64: Hash] = [:]
    var blobs: [Hash: Int64] = [:]
    var again: UInt64 = 0
    var activeAt = cnet_clock()
    var nextTick: Int64 = 0
    var beatAt: Int64 = 0
    var told: (nodes: Int, lanes: UInt32) = (-1, 0)

    init() {
        var bytes = [UInt8](repeating: 0, count: 8)
        unsafe cnet_random(&bytes, bytes.count)
        let digits = Array("0123456789abcdef".utf8)
        pool = "\(getpid())-" + String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    func run() -> Never {
        host.hello()
        while true {
            let now = cnet_clock()
            if let link, link.work() { joined() }
            takeAnswers()
            lookAtLanes()
            if now >= nextTick { tick(now) }
            if let refusal = link?.takeRefusal() { report(refusal) }
            // What the closures above have asked for goes out before the sleep.
            link?.commands?.push()
            link?.answers?.push()
            sleep()
        }
    }

    private func sleep() {
        let descriptors = [
            Host.descriptor, lanesBell, link?.commands?.descriptor ?? -1, link?.answers?.descriptor ?? -1,
        ]
        let write: [UInt8] = [
            0, 0, link?.commands?.wantsWrite == true ? 1 : 0, link?.answers?.wantsWrite == true ? 1 : 0,
        ]
        var ready: [UInt8] = [0, 0, 0, 0]
        var until = nextTick
        if let link { until = min(until, link.deadline) }
        var milliseconds: Int32 = -1
        if until != .max { milliseconds = Int32(clamping: max(0, until - cnet_clock() + 999_999) / 1_000_000) }
        _ = unsafe cnet_poll(descriptors, write, &ready, 4, milliseconds)
        if ready[1] != 0 {
            var count: UInt64 = 0
            _ = unsafe read(lanesBell, &count, 8)
        }
        if ready[0] != 0 { receive() }
    }

    private func report(_ refusal: Refusal) {
        guard refusal.isLasting else { return }
        host.refused(refusal)
    }

    // MARK: - The engine

    private func receive() {
        while true {
            switch host.receive() {
            case .gone: leave()
            case .nothing: return
            case .message(var message): take(&message)
            }
        }
    }

    private func take(_ message: inout HostMessage) {
        switch message.message.kind {
        case MAPB_CONTROL_INIT.rawValue:
            let memory = message.take(0)
            engineBell = message.take(1)
            waiterBell = message.take(2)
            inputSize = message.message.size
            unsafe input = unsafe lanes_map_input(memory, inputSize)
            close(memory)
            if unsafe input == nil { exit(1) }
        case MAPB_CONTROL_STDERR.rawValue: _ = dup2(message.descriptors.0, 2)
        case MAPB_CONTROL_CLUSTER.rawValue:
            lanesBell = message.take(0)
            most = message.message.slot
            isDiscarding = message.message.code & Int32(MAPB_CLUSTER_DISCARD.rawValue) != 0
            open(message.text)
        case MAPB_CONTROL_SPAWN.rawValue: spawn(&message)
        case MAPB_CONTROL_KILL.rawValue:
            guard let lane = lanes[message.message.slot], lane.generation == message.message.generation else { return }
            for request in lane.open.all {
                if case .part(let part) = request { forget(part, stop: true) }
            }
            end(lane, status: 9)
        default: break
        }
    }

    private func open(_ text: String) {
        do throws(Refusal) {
            let url = try ClusterURL(text)
            keys = Keys(url.prefix)
            var number: UInt64 = 0
            unsafe withUnsafeMutableBytes(of: &number) { unsafe cnet_random($0.baseAddress, 8) }
            link = Link(url, number: number)
            nextTick = 0
        } catch {
            host.refused(error)
        }
    }

    private func spawn(_ message: inout HostMessage) {
        let slot = message.message.slot
        let generation = message.message.generation
        let output = message.take(0)
        let pipes = (message.take(1), message.take(2))
        defer { close(output) }
        guard let input = unsafe input,
            let lane = unsafe Lane(message, output: output, pipes: pipes, input: input, inputSize: inputSize)
        else {
            host.spawned(slot, generation, failure: ENOMEM)
            return
        }
        lanes[slot] = lane
        host.spawned(slot, generation)
    }

    /// A lane ends. What it holds the engine gives to others.
    private func end(_ lane: Lane, status: Int32) {
        lanes[lane.slot] = nil
        host.died(lane.slot, lane.generation, status: status)
    }

    /// The engine is gone: what others would wait for goes with it.
    private func leave() -> Never {
        if let link, link.isReady {
            retire()
            link.commands?.work()
            let end = cnet_clock() + 200_000_000
            while let commands = link.commands, commands.backlog > 0, cnet_clock() < end, !commands.isClosed {
                _ = cnet_wait(commands.descriptor, 1, 20)
                commands.work()
            }
        }
        exit(0)
    }

    /// Takes the pool from the server.
    private func retire() {
        link?.ask(["SREM", .text(keys.pools), .text(pool)])
        link?.ask(["DEL", .text(keys.alive(pool)), .text(keys.work(pool)), .text(keys.out(pool)), .text(keys.log(pool))])
        for function in functions.values where function.toldIn == link?.life {
            link?.ask(["DEL", .text(keys.function(pool, function.serial))])
        }
        link?.ask(["PUBLISH", .text(keys.control), .text(Control.gone(pool).text)])
    }

    // MARK: - Lanes

    private func lookAtLanes() {
        for lane in lanes.values {
            var request = mapb_request()
            while unsafe lane_take(&lane.memory, &request) == 1 {
                take(request, lane)
                if lanes[lane.slot] == nil { break }
            }
            // The engine has taken ranges back, or has cancelled their job.
            for case .part(let part) in lane.open.all {
                guard case .waiting = part.state else { continue }
                let isCancelled = unsafe lane_is_cancelled(&lane.memory, part.request.record) == 1
                if isCancelled || lane.isTakenBack(part.request) {
                    forget(part, stop: true)
                    part.state = .givenBack
                }
            }
            answer(lane)
            if lane.isLeaving && lane.open.isEmpty && lanes[lane.slot] === lane { end(lane, status: 0) }
        }
    }

    private func answer(_ lane: Lane) {
        if lane.answer() { unsafe lane_notify(&lane.memory, engineBell, waiterBell, &epoch) }
    }

    private func take(_ request: mapb_request, _ lane: Lane) {
        activeAt = cnet_clock()
        switch request.kind {
        case MAPB_REQUEST_RANGE.rawValue:
            guard let job = lane.record(mapb_job.self, at: request.record, mapb_job()) else { break }
            let part = Part(request, line: job.function)
            lane.open.append(.part(part))
            if let link, !link.isReady { link.wake() }
            send(part, lane)
        case MAPB_REQUEST_SETUP.rawValue:
            if let raw = lane.record(mapb_function.self, at: request.record, mapb_function()) {
                let known = functions[raw.id]
                if known == nil || (raw.serial != 0 && known?.serial != raw.serial) {
                    let made = RemoteFunction(lane, raw, modules)
                    if !lane.isTakenBack(request) { functions[raw.id] = made }
                }
            }
            lane.open.append(.other(request))
        case MAPB_REQUEST_EXIT.rawValue:
            lane.open.append(.other(request))
            answer(lane)
            end(lane, status: 0)
        default: lane.open.append(.other(request))
        }
    }

    /// Sends a range to the nodes, or gives it back. Without a connection it waits.
    func send(_ part: Part, _ lane: Lane) {
        guard let link, link.isReady else { return }
        guard let function = functions[part.line], function.hindrance == nil, !function.isRefused,
            let job = lane.record(mapb_job.self, at: part.request.record, mapb_job()),
            var message = lane.message(part.request, job, plan: function.plan)
        else {
            if let function = functions[part.line] { tellRefusal(function, function.hindrance ?? "") }
            part.state = .givenBack
            return
        }
        let remote = lane.record(
            mapb_job_remote.self, at: part.request.record &+ UInt64(MemoryLayout<mapb_job>.size), mapb_job_remote())
        message.head.function = function.serial
        message.head.job = remote?.serial ?? 0
        message.head.itemTimeout = max(0, remote?.item_timeout ?? 0)
        message.head.attempts = max(1, remote?.attempts ?? 1)
        let blobs = blobs(lane, job, remote)
        // All that was read stood there while the range had not been taken back.
        guard let blobs, !lane.isTakenBack(part.request) else {
            part.state = .givenBack
            return
        }
        message.head.data = blobs.data.hash
        message.head.globals = blobs.globals.hash
        tell(function)
        upload(blobs.data)
        upload(blobs.globals)
        serial += 1
        part.serial = serial
        part.sentAt = cnet_clock()
        message.head.serial = serial
        parts[serial] = (part, lane)
        link.ask(["XADD", .text(keys.work(pool)), "1-\(serial)", "h", .bytes(message.head.encoded()), "p", .bytes(message.bytes)])
    }

    struct Blob {
        var hash = Hash.none
        /// Empty when the server has it.
        var bytes: [UInt8] = []
    }

    /// What a job has beside its items. Nil: it leads nowhere.
    private func blobs(_ lane: Lane, _ job: mapb_job, _ remote: mapb_job_remote?) -> (data: Blob, globals: Blob)? {
        var data = Blob()
        var globals = Blob()
        let jobSerial = remote?.serial ?? 0
        if job.data != 0 {
            if let known = jobHashes[jobSerial], isUploaded(known) {
                data.hash = known
            } else {
                guard let about = lane.record(mapb_job_data.self, at: job.data, mapb_job_data()),
                    let found = unsafe lane.bytes(at: about.at, about.size)
                else { return nil }
                unsafe data.bytes = [UInt8](found)
                data.hash = Hash(of: data.bytes)
                if jobHashes.count > 1000 { jobHashes.removeAll() }
                if jobSerial != 0 { jobHashes[jobSerial] = data.hash }
            }
        }
        if job.globals != 0 {
            let table = remote?.globals_serial ?? 0
            if let known = globalsHashes[table], isUploaded(known) {
                globals.hash = known
            } else {
                guard let found = lane.globals(at: job.globals) else { return nil }
                globals.bytes = found
                globals.hash = Hash(of: found)
                if globalsHashes.count > 1000 { globalsHashes.removeAll() }
                if table != 0 { globalsHashes[table] = globals.hash }
            }
        }
        return (data, globals)
    }

    private func isUploaded(_ hash: Hash) -> Bool {
        guard let at = blobs[hash] else { return false }
        return cnet_clock() - at < 600_000_000_000
    }

    private func upload(_ blob: Blob) {
        guard blob.hash != .none, !isUploaded(blob.hash) else { return }
        blobs[blob.hash] = cnet_clock()
        link?.ask(["SET", .text(keys.blob(blob.hash)), .bytes(blob.bytes), "EX", "3600"])
    }

    private func tell(_ function: RemoteFunction) {
        guard let link, function.toldIn != link.life else { return }
        function.toldIn = link.life
        var command: [Argument] = ["HSET", .text(keys.function(pool, function.serial))]
        for (name, value) in function.record.fields { command += [.text(name), .text(value)] }
        link.ask(command)
        link.ask(["EXPIRE", .text(keys.function(pool, function.serial)), "10"])
        upload(Blob(hash: function.record.data, bytes: function.data))
    }

    /// No answer to it counts any more.
    func forget(_ part: Part, stop: Bool) {
        guard part.serial != 0, parts.removeValue(forKey: part.serial) != nil else { return }
        // A node that has it not yet will not get it; one that has stops.
        link?.ask(["XDEL", .text(keys.work(pool)), "1-\(part.serial)"])
        if stop { link?.ask(["PUBLISH", .text(keys.control), .text(Control.stop(pool: pool, serial: part.serial).text)]) }
        part.serial = 0
    }

    func tellRefusal(_ function: RemoteFunction, _ why: String) {
        if function.isRefused { return }
        function.isRefused = true
        let text = "\"\(function.record.name)\" cannot run on other machines: \(why)"
        host.function(function.line, serial: function.serial, status: MAPE_E_LOAD.rawValue, text)
    }

    // MARK: - Answers

    private func takeAnswers() {
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

    private func each(_ entries: Reply?, _ body: (String, Reply) -> Void) {
        guard let entries else { return }
        for i in 0..<entries.count {
            if let id = entries[i]?[0]?.text, let fields = entries[i]?[1] { body(id, fields) }
        }
    }

    /// What a worker has printed or logged.
    private func takeText(_ fields: Reply) {
        guard let kind = fields[1]?.text, let text = fields[3], let lane = lanes.values.min(by: { $0.slot < $1.slot }) else { return }
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

    private func waitForAnswers() {
        link?.answers?.send([
            "XREAD", "COUNT", "64", "BLOCK", "0", "STREAMS", .text(keys.out(pool)), .text(keys.log(pool)), .text(cursor),
            .text(logCursor),
        ])
        link?.answers?.push()
    }

    private func takeAnswer(_ fields: Reply) {
        guard let first = fields[1], let second = fields[3], let head = unsafe first.read({ unsafe AnswerHead($0) }),
            let (part, lane) = parts[head.serial]
        else { return }
        activeAt = cnet_clock()
        switch head.kind {
        case .done:
            guard head.count == part.request.count, let items = unsafe second.read({ unsafe AnswerItems(head, $0) }) else {
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
        case .returned: resend(part, lane)
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

    // MARK: - The server

    /// The connections are there: the streams are made anew, and what is unanswered goes out again.
    private func joined() {
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
        link.ask(["SET", .text(keys.alive(pool)), "1", "PX", "5000"])
        link.ask(["SADD", .text(keys.pools), .text(pool)])
        link.ask(["PUBLISH", .text(keys.control), .text(Control.pool(pool).text)]) { [weak self] _ in self?.waitForAnswers() }
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

    private func tick(_ now: Int64) {
        guard let link else {
            nextTick = .max
            return
        }
        let isActive = !parts.isEmpty
        nextTick = now + (isActive ? 250_000_000 : 1_000_000_000)
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
        membership.look(link, keys, pool, isActive: isActive) { [weak self] in self?.looked() }
        if !isActive && now - activeAt > 10_000_000_000 && lanes.values.allSatisfy({ $0.open.isEmpty }) {
            retire()
            link.commands?.push()
            link.rest()
            nextTick = .max
        }
    }

    private func beat() {
        guard let link else { return }
        link.ask(["SET", .text(keys.alive(pool)), "1", "PX", "5000"])
        // Another program may have emptied the server.
        link.ask(["SADD", .text(keys.pools), .text(pool)])
        link.ask(["XTRIM", .text(keys.out(pool)), "MINID", .text(cursor)])
        link.ask(["EXPIRE", .text(keys.work(pool)), "10"]) { [weak self] reply in
            if reply.integer == 0 { self?.link?.lose(Refusal(.away, "the server has forgotten the pool")) }
        }
        link.ask(["EXPIRE", .text(keys.out(pool)), "10"])
        link.ask(["XTRIM", .text(keys.log(pool)), "MINID", .text(logCursor)])
        link.ask(["EXPIRE", .text(keys.log(pool)), "10"])
        for function in functions.values where function.toldIn == link.life {
            link.ask(["EXPIRE", .text(keys.function(pool, function.serial)), "10"])
        }
    }

    /// Who is there is known anew.
    private func looked() {
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
    }

    /// Tells the engine how many lanes there are, and ends those that are too many.
    private func offer(_ nodes: [NodeRecord]) {
        let room = min(most, nodes.reduce(UInt32(0)) { $0 &+ $1.lanes })
        if nodes.count > told.nodes {
            for function in functions.values where function.isRefused && function.hindrance == nil {
                function.isRefused = false
                function.refusals = [:]
                host.function(function.line, serial: function.serial, status: 0, "")
            }
        }
        if told != (nodes.count, room) {
            told = (nodes.count, room)
            host.nodes(
                nodes.count, lanes: room, roundTrip: membership.roundTrip, sent: link?.sent ?? 0, received: link?.received ?? 0,
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
        for lane in lanes.values.sorted(by: { $0.open.isEmpty && !$1.open.isEmpty }) where surplus > 0 && !lane.isLeaving {
            lane.isLeaving = true
            surplus -= 1
            if lane.open.isEmpty { end(lane, status: 0) }
        }
    }
}
