// Requests of lanes: ranges become messages, and what was taken back is forgotten.

import CLanes
import CNet
import Cluster
import Glibc

extension Helper {
    func lookAtLanes() {
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

    func answer(_ lane: Lane) {
        guard lane.answer() else { return }
        lane.showProgress()
        unsafe lane_notify(&lane.memory, engineBell, waiterBell, &epoch)
    }

    func take(_ request: mapb_request, _ lane: Lane) {
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
        let pieces = Pieces(message.bytes.count, limit: valueLimit)
        part.pieces = pieces.count
        let (pool, number) = (pool, serial)
        let bytes = pieces.stored(.bytes(message.bytes), seconds: 15, by: { link.ask($0) }) { [keys] in
            keys.work(pool, number, piece: $0)
        }
        link.ask(
            [
                "XADD", .text(keys.work(pool)), "1-\(serial)", "h", .bytes(message.head.encoded()), "p", bytes,
            ] + pieces.field)
    }

    struct Blob {
        var hash = Hash.none
        /// Empty when the server has it.
        var bytes: [UInt8] = []
    }

    /// What a job has beside its items. Nil: it leads nowhere.
    func blobs(_ lane: Lane, _ job: mapb_job, _ remote: mapb_job_remote?) -> (data: Blob, globals: Blob)? {
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

    func isUploaded(_ hash: Hash) -> Bool {
        guard let at = blobs[hash] else { return false }
        return cnet_clock() - at < 600_000_000_000
    }

    func upload(_ blob: Blob) {
        guard blob.hash != .none, !isUploaded(blob.hash) else { return }
        blobs[blob.hash] = cnet_clock()
        let pieces = Pieces(blob.bytes.count, limit: valueLimit)
        guard pieces.count > 0 else {
            link?.ask(["SET", .text(keys.blob(blob.hash)), .bytes(blob.bytes), "EX", "3600"])
            return
        }
        _ = pieces.stored(.bytes(blob.bytes), seconds: 3600, by: { link?.ask($0) }) { [keys] in
            keys.blob(blob.hash, piece: $0)
        }
        link?.ask(["SET", .text(keys.blobCount(blob.hash)), "\(pieces.count)", "EX", "3600"])
    }

    func tell(_ function: RemoteFunction) {
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
        if stop {
            link?.ask(["PUBLISH", .text(keys.control), .text(Control.stop(pool: pool, serial: part.serial).text)])
        }
        dropPieces(part)
        part.serial = 0
    }

    /// Its message is not wanted any more.
    func dropPieces(_ part: Part) {
        guard part.pieces > 0 else { return }
        let pool = pool
        link?.ask(["DEL"] + (0..<part.pieces).map { [keys] in .text(keys.work(pool, part.serial, piece: $0)) })
        part.pieces = 0
    }

    func tellRefusal(_ function: RemoteFunction, _ why: String, isSetup: Bool = false) {
        if function.isRefused { return }
        function.isRefused = true
        let status = isSetup ? MAPE_E_SETUP.rawValue : MAPE_E_LOAD.rawValue
        host.function(function.line, serial: function.serial, status: status, why)
    }
}
